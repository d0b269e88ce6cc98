//! Random chains against an obvious model, and random bytes.

use proptest::prelude::*;

use super::*;

const PREFIXES: [&str; 7] =
    ["", "topic", "topic/a", "topic/a/b", "topic/ab", "content", "topic/a/c"];
const PATHS: [&str; 9] = [
    "topic",
    "topic/a",
    "topic/a/b",
    "topic/a/b/c",
    "topic/ab",
    "topic/a/c",
    "content",
    "node",
    "",
];

/// One link, mostly narrower than the last, now and then wider in something.
#[derive(Clone, Debug)]
struct Step {
    fewer: u64,
    more: u64,
    begin: u64,
    end: u64,
    depth: u8,
    uses: Option<u16>,
    prefix: usize,
    invite: bool,
    other_issuer: bool,
    other_network: bool,
}

fn step() -> impl Strategy<Value = Step> {
    let rarely = || prop::bool::weighted(0.02);
    let more = prop_oneof![8 => Just(0_u64), 1 => Just(1 << 40), 1 => any::<u64>()];
    let depth = prop_oneof![8 => Just(1_u8), 1 => 0..4_u8];
    let uses = prop_oneof![6 => Just(None), 1 => (0..3_u16).prop_map(Some)];
    let prefix = prop_oneof![6 => Just(7_usize), 2 => 0..7_usize];
    let times = (0..14_u64, 0..14_u64);
    let flags = (any::<bool>(), rarely(), rarely());
    (any::<u64>(), more, times, depth, uses, prefix, flags).prop_map(
        |(
            fewer,
            more,
            (begin, end),
            depth,
            uses,
            prefix,
            (invite, other_issuer, other_network),
        )| {
            Step {
                fewer,
                more,
                begin,
                end,
                depth,
                uses,
                prefix,
                invite,
                other_issuer,
                other_network,
            }
        },
    )
}

/// The terms of all links. Each starts from the one before, so that many chains are good.
fn all_terms(steps: &[Step]) -> Vec<Terms> {
    let mut all: Vec<Terms> = Vec::new();
    for (n, step) in steps.iter().enumerate() {
        let last = n + 1 == steps.len();
        let number = u8::try_from(n).unwrap();
        let receiver = key(number + 1);
        let audience = if step.invite && !last {
            Audience::Invite(receiver)
        } else {
            Audience::Peer(receiver)
        };
        let above = all.last();
        let prefix = above.filter(|_| step.prefix == 7).map_or_else(
            || Prefix::new(PREFIXES[step.prefix % 7]).unwrap(),
            |above| above.prefix.clone(),
        );
        all.push(Terms {
            audience,
            actions: ActionSet::from_bits(
                above.map_or(0x10_00ff, |above| above.actions.bits()) & step.fewer | step.more,
            ),
            // Minutes around the present, most of the time inside the parent's.
            not_before_ms: above.map_or(NOW - HOUR, |above| above.not_before_ms)
                + step.begin * MINUTE
                - MINUTE,
            expires_ms: above.map_or(NOW + HOUR, |above| above.expires_ms) - step.end * MINUTE
                + MINUTE,
            depth: above.map_or(4, |above| above.depth).wrapping_sub(step.depth.min(1)).min(5)
                + step.depth / 3,
            max_uses: step.uses.unwrap_or(above.map_or(0, |above| above.max_uses)),
            nonce: [number; 8],
            prefix,
        });
    }
    all
}

/// Segment by segment, as a person would.
fn covers(prefix: &Prefix, path: &str) -> bool {
    let wanted: Vec<_> = prefix.as_str().split('/').collect();
    let found: Vec<_> = path.split('/').collect();
    prefix.as_str().is_empty()
        || (wanted.len() <= found.len() && found[..wanted.len()] == wanted[..])
}

/// Whether a chain with these terms should count at [`NOW`].
fn is_good(all: &[Terms], steps: &[Step]) -> bool {
    let alone = all.iter().zip(steps).all(|(terms, step)| {
        !step.other_issuer
            && !step.other_network
            && terms.not_before_ms < terms.expires_ms
            && terms.not_before_ms <= NOW + TOLERANCE
            && terms.expires_ms + TOLERANCE > NOW
    });
    alone
        && all.windows(2).all(|pair| {
            let (above, below) = (&pair[0], &pair[1]);
            let uses =
                |terms: &Terms| if terms.max_uses == 0 { u32::MAX } else { terms.max_uses.into() };
            below.actions.bits() | above.actions.bits() == above.actions.bits()
                && below.not_before_ms >= above.not_before_ms
                && below.expires_ms <= above.expires_ms
                && above.depth > below.depth
                && uses(below) <= uses(above)
                && covers(&above.prefix, below.prefix.as_str())
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// A child is never more than its parents, and what is not more is accepted.
    #[test]
    fn a_chain_counts_exactly_when_no_link_gives_more(steps in proptest::collection::vec(step(), 1..5)) {
        let all = all_terms(&steps);
        let count = u8::try_from(steps.len()).unwrap();
        let bytes = bytes_of(&links(count, |n, body| {
            let step = &steps[usize::from(n)];
            body.terms = all[usize::from(n)].clone();
            if step.other_issuer {
                body.issuer = key(20);
            }
            if step.other_network {
                body.network = [8; 32];
            }
        }));
        let result = Scene::shown_by(count).verify(&bytes);
        prop_assert_eq!(result.is_ok(), is_good(&all, &steps), "{:?}", result);
        if let Ok(rights) = result {
            for action in Action::ALL {
                for path in PATHS {
                    let every = all.iter().all(|terms| terms.actions.contains(action) && covers(&terms.prefix, path));
                    let last = all.last().unwrap();
                    let peer = matches!(last.audience, Audience::Peer(_));
                    prop_assert_eq!(rights.allows(action, path.as_bytes()), every && peer);
                }
            }
        }
    }

    /// Several random changes at once, at random places of a chain of any length.
    #[test]
    fn random_tampering_is_refused(
        count in 1..5_u8,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 1..=u8::MAX), 1..4),
    ) {
        let good = chain(count);
        let mut bytes = good.clone();
        for (at, change) in changes {
            bytes[at.index(good.len())] ^= change;
        }
        prop_assume!(bytes != good);
        prop_assert!(Scene::shown_by(count).verify(&bytes).is_err());
    }

    /// Parts of good chains put together anew.
    #[test]
    fn spliced_links_are_refused(picks in proptest::collection::vec((0..4_usize, any::<bool>()), 1..5)) {
        let one = links(4, |_, _| ());
        let other = links(4, |_, body| body.terms.nonce = [99; 8]);
        let spliced: Vec<_> = picks.iter().map(|(n, from_other)| if *from_other { other[*n].clone() } else { one[*n].clone() }).collect();
        let whole = |links: &[Link]| spliced[..] == links[..spliced.len()];
        let holder = u8::try_from(picks.last().unwrap().0 + 1).unwrap();
        let result = Scene::shown_by(holder).verify(&bytes_of(&spliced));
        prop_assert_eq!(result.is_ok(), whole(&one) || whole(&other));
    }

    #[test]
    fn whatever_is_read_is_written_the_same(
        count in 1..5_u8,
        cut in 0..400_usize,
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        tail in proptest::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut bytes = chain(count);
        for (at, change) in changes {
            let at = at.index(bytes.len());
            bytes[at] = change;
        }
        bytes.truncate(bytes.len() - cut.min(bytes.len()) / 100 * 37);
        bytes.extend_from_slice(&tail);
        if let Ok(chain) = Chain::decode(&bytes) {
            prop_assert_eq!(chain.encode(), bytes);
        }
    }

    #[test]
    fn random_bytes_do_no_harm(bytes in proptest::collection::vec(any::<u8>(), 0..2_100), first in 0..3_u8) {
        let mut bytes = bytes;
        if let Some(byte) = bytes.first_mut() {
            *byte = first;
        }
        if let Ok(chain) = Chain::decode(&bytes) {
            prop_assert_eq!(chain.encode(), bytes.clone());
        }
        if let Ok(list) = SignedList::decode(&bytes) {
            prop_assert_eq!(list.encode(), bytes.clone());
        }
        if let Ok(list) = RevocationList::decode(&bytes) {
            prop_assert_eq!(list.encode(), bytes.clone());
        }
        let text = format!("#j={}", data_encoding::BASE64URL_NOPAD.encode(&bytes));
        prop_assert!(Invite::parse(&text, NOW).is_err());
        prop_assert!(Scene::shown_by(1).verify(&bytes).is_err());
    }

    #[test]
    fn random_text_is_no_invite(text in "\\PC{0,60}") {
        prop_assert!(Invite::parse(&text, NOW).is_err());
        let marked = format!("#j={text}");
        prop_assert!(Invite::parse(&marked, NOW).is_err());
    }
}

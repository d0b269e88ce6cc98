//! Grants tested: a scene that all tests share, and tables for the small parts.

mod cache;
mod chains;
mod invites;
mod random;
mod revocations;
mod vectors;

use libp2p_identity::{PeerId, ed25519::SecretKey};

use super::body::DOMAIN;
use super::key::sign;
use super::*;
use crate::policy::{Action, Resource};

const NETWORK: NetworkId = [7; 32];
const NOW: u64 = 1_800_000_000_000;
const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;
/// The clock tolerance of the format.
const TOLERANCE: u64 = 2 * MINUTE;
const LIFE_MAX: u64 = 90 * DAY;

/// The signer of place `n`: 0 is the root, `n` receives link `n - 1`.
fn signer(n: u8) -> Signer {
    Signer::from(SecretKey::try_from_bytes([n + 1; 32]).unwrap())
}

fn key(n: u8) -> Key {
    Key::of(&signer(n))
}

/// What link `n` of the ordinary chain says: each gives a little less than the one before.
fn terms(n: u8) -> Terms {
    let all = [
        Action::TopicPublish,
        Action::TopicSubscribe,
        Action::TopicHistory,
        Action::TopicRelay,
        Action::DmSend,
    ];
    Terms {
        audience: Audience::Peer(key(n + 1)),
        actions: all.into_iter().take(5 - usize::from(n)).collect(),
        not_before_ms: NOW - HOUR + u64::from(n) * MINUTE,
        expires_ms: NOW + DAY - u64::from(n) * MINUTE,
        depth: 3 - n,
        max_uses: 0,
        nonce: [n; 8],
        prefix: Prefix::new(["topic", "topic/a", "topic/a", "topic/a/b"][usize::from(n)]).unwrap(),
    }
}

/// The ordinary chain of so many links, each changed by `change` before its issuer signs it.
fn links(count: u8, change: impl Fn(u8, &mut Body)) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for n in 0..count {
        let parent = links.last().map_or(GrantId::NONE, Link::id);
        let mut body = Body { network: NETWORK, parent, issuer: key(n), terms: terms(n) };
        change(n, &mut body);
        links.push(Link::sign(body, &signer(n)));
    }
    links
}

fn bytes_of(links: &[Link]) -> Vec<u8> {
    let mut bytes = Vec::new();
    links.iter().for_each(|link| link.encode_into(&mut bytes));
    bytes
}

fn chain(count: u8) -> Vec<u8> {
    bytes_of(&links(count, |_, _| ()))
}

/// What a verifier in all tests knows, as values of its own.
#[derive(Clone, Debug)]
struct Scene {
    network: NetworkId,
    now_ms: u64,
    holder: Audience,
    roots: Vec<Key>,
    owners: Vec<Owner>,
    revocations: Revocations,
}

impl Scene {
    /// Place `n` shows something, and place 0 is trusted.
    fn shown_by(n: u8) -> Self {
        Self {
            network: NETWORK,
            now_ms: NOW,
            holder: Audience::Peer(key(n)),
            roots: vec![key(0)],
            owners: Vec::new(),
            revocations: Revocations::new(NETWORK),
        }
    }

    fn context(&self) -> Context<'_> {
        Context {
            network: &self.network,
            now_ms: self.now_ms,
            holder: self.holder,
            roots: &self.roots,
            owners: &self.owners,
            revocations: &self.revocations,
        }
    }

    fn verify(&self, bytes: &[u8]) -> Result<Rights, GrantError> {
        verify(bytes, &self.context())
    }

    /// Puts a list of place `n` in force.
    fn revoke(&mut self, n: u8, entries: &[Entry]) {
        self.revocations.follow(key(n)).unwrap();
        let known = self.revocations.list(&key(n)).unwrap();
        let signed = known.next(self.now_ms, entries).unwrap().sign(&signer(n)).unwrap();
        let joined = self.revocations.offer(&signed, self.now_ms).unwrap().unwrap();
        self.revocations.apply(&joined, self.now_ms).unwrap();
    }
}

const fn entry(target: Target, time_ms: u64) -> Entry {
    Entry { target, time_ms, reason: Reason::UNSAID }
}

#[test]
fn every_action_has_a_bit_of_its_own_for_ever() {
    for (place, action) in Action::ALL.into_iter().enumerate() {
        // The order in which the format lists them.
        assert_eq!(ActionSet::bit(action), u32::try_from(place).unwrap(), "{action}");
        let one = ActionSet::EMPTY.with(action);
        assert_eq!(one.bits(), 1 << place);
        assert_eq!(one.iter().collect::<Vec<_>>(), [action]);
    }
    assert_eq!(ActionSet::bit(Action::ConnectIn), 0);
    assert_eq!(ActionSet::bit(Action::TopicPublish), 6);
    assert_eq!(ActionSet::bit(Action::PolicyReload), 22);
}

#[test]
fn unknown_bits_allow_nothing_and_are_kept() {
    let unknown = ActionSet::from_bits(!0 << 23);
    assert_eq!(unknown.iter().count(), 0);
    assert!(Action::ALL.iter().all(|action| !unknown.contains(*action)));
    assert_eq!(unknown.bits(), !0 << 23);
    assert!(!unknown.is_within(ActionSet::EMPTY));
    assert_eq!(
        format!("{:?}", ActionSet::from_bits(1 << 63 | 1)),
        "{\"connect.in\", unknown bits 0x8000000000000000}"
    );
}

#[test]
fn a_prefix_covers_whole_segments() {
    for (prefix, path, covered) in [
        ("", "topic/a", true),
        ("", "", true),
        ("topic", "topic", true),
        ("topic", "topic/a", true),
        ("topic/a", "topic/a", true),
        ("topic/a", "topic/a/b", true),
        ("topic/a", "topic/a/", true),
        ("topic/a", "topic/ab", false),
        ("topic/a", "topic", false),
        ("topic/a", "topic/b", false),
        ("topic/a", "Topic/a", false),
        ("topic/a", "x/topic/a", false),
        ("protocol//x/1", "protocol//x/1", true),
        ("protocol//x", "protocol//x/1", true),
        ("protocol/x", "protocol//x", false),
        ("topic/.", "topic/../admin", false),
    ] {
        let prefix = Prefix::new(prefix).unwrap();
        assert_eq!(prefix.covers(path.as_bytes()), covered, "{prefix} {path}");
    }
}

#[test]
fn a_prefix_has_one_spelling() {
    let long = "a".repeat(129);
    for (text, error) in [
        ("/topic", PrefixError::Slash),
        ("topic/", PrefixError::Slash),
        ("/", PrefixError::Slash),
        ("topic/a\nb", PrefixError::Control),
        ("topic/\u{0}", PrefixError::Control),
        (long.as_str(), PrefixError::TooLong { bytes: 129 }),
    ] {
        assert_eq!(Prefix::new(text), Err(error), "{text:?}");
    }
    assert_eq!(Prefix::from_bytes(&[0xff]), Err(PrefixError::NotText));
    assert_eq!(Prefix::new(&"a".repeat(128)).map(|prefix| prefix.as_str().len()), Ok(128));
}

#[test]
fn resources_have_paths_of_their_own() {
    let id = key(1).peer().unwrap();
    for (resource, path) in [
        (Resource::Node, "node".to_owned()),
        (Resource::Admin, "admin".to_owned()),
        (Resource::Peer(id), format!("peer/{id}")),
        (Resource::Relay(id), format!("relay/{id}")),
        (Resource::Protocol("/x/1".into()), "protocol//x/1".to_owned()),
        (Resource::Topic("a/b".into()), "topic/a/b".to_owned()),
        (Resource::Key(b"k".to_vec()), "key/k".to_owned()),
    ] {
        assert_eq!(path_of(&resource), Some(path.into_bytes()));
    }
    assert_eq!(path_of(&Resource::Address("/ip4/1.2.3.4/tcp/1".parse().unwrap())), None);
}

#[test]
fn no_domain_begins_another() {
    let domains = [DOMAIN, revocation::DOMAIN];
    for (n, one) in domains.iter().enumerate() {
        for other in domains.iter().skip(n + 1) {
            assert!(!one.starts_with(other) && !other.starts_with(one));
        }
    }
    assert_eq!(DOMAIN, b"peerloom-grant-v1:");
    assert_eq!(revocation::DOMAIN, b"peerloom-revocations-v1:");
}

#[test]
fn a_key_and_its_peer_are_the_same() {
    let id = key(1).peer().unwrap();
    assert_eq!(Key::of_peer(&id), Some(key(1)));
    assert_eq!(Audience::of_peer(&id), Some(Audience::Peer(key(1))));
    // An RSA key's PeerId is a hash: the key cannot be read from it.
    let hashed: PeerId = "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN".parse().unwrap();
    assert_eq!(Key::of_peer(&hashed), None);
    assert_eq!(Key::of_peer(&PeerId::random()), None);
    // No point has y = 2.
    let mut two = [0; 32];
    two[0] = 2;
    assert_eq!(Key::from_bytes(two).peer(), None);
}

#[test]
fn the_strict_check_takes_no_weak_keys() {
    let good = sign(&signer(0), b"a", b"b");
    assert_eq!(key(0).check(b"ab", &good), Ok(()));
    assert_eq!(key(0).check(b"ba", &good), Err(key::KeyFault::Signature));
    assert_eq!(key(1).check(b"ab", &good), Err(key::KeyFault::Signature));
    for weak in vectors::weak_keys() {
        let weak = Key::from_bytes(weak);
        assert!(!weak.is_strong(), "{weak}");
        // R = A and S = 0: the identity of what loose verifiers take from such keys.
        let mut forged = [0; 64];
        forged[..32].copy_from_slice(weak.as_bytes());
        assert_eq!(weak.check(b"ab", &forged), Err(key::KeyFault::Key), "{weak}");
    }
    // A small R with a good key.
    let mut small = [0; 64];
    small[0] = 1;
    assert_eq!(key(0).check(b"ab", &small), Err(key::KeyFault::Signature));
    // S and S + L are the same number for loose verifiers.
    assert_eq!(key(0).check(b"ab", &vectors::with_larger_s(&good)), Err(key::KeyFault::Signature));
}

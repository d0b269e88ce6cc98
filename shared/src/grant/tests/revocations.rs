//! Lists of revocations: format, joining, folding, and what they hit.

use proptest::prelude::*;

use super::*;

fn id(n: u16) -> GrantId {
    let mut bytes = [0; 32];
    bytes[..2].copy_from_slice(&n.to_be_bytes());
    GrantId::from_bytes(bytes)
}

fn start() -> RevocationList {
    RevocationList::new(NETWORK, key(0))
}

fn signed(list: RevocationList) -> SignedList {
    list.sign(&signer(0)).unwrap()
}

fn known() -> Revocations {
    let mut known = Revocations::new(NETWORK);
    known.follow(key(0)).unwrap();
    known
}

/// Offers a list as it travels; whether it said anything new.
fn take(known: &mut Revocations, list: &SignedList) -> Result<bool, RevocationError> {
    let list = SignedList::decode(&list.encode())?;
    let Some(joined) = known.offer(&list, NOW)? else { return Ok(false) };
    known.apply(&joined, NOW)?;
    Ok(true)
}

fn hit(scene: &Scene, count: u8) -> Option<(usize, Field)> {
    let error = scene.verify(&chain(count)).err()?;
    assert_eq!(error.fault.name(), "revoked");
    Some((error.link, error.field))
}

#[test]
fn each_kind_of_entry_hits_its_links_and_all_below() {
    let ids: Vec<_> = links(3, |_, _| ()).iter().map(Link::id).collect();
    for (by, target, expected) in [
        (0, Target::Grant(ids[0]), Some((0, Field::Id))),
        (0, Target::Grant(ids[2]), Some((2, Field::Id))),
        (1, Target::Grant(ids[1]), Some((1, Field::Id))),
        (0, Target::Peer(key(2)), Some((1, Field::Audience))),
        (0, Target::Peer(key(3)), Some((2, Field::Audience))),
        (0, Target::Issuer(key(0)), Some((0, Field::Issuer))),
        (0, Target::Issuer(key(1)), Some((1, Field::Issuer))),
        (2, Target::Peer(key(3)), Some((2, Field::Audience))),
        // Nobody takes back what somebody above or beside granted.
        (1, Target::Grant(ids[0]), None),
        (2, Target::Grant(ids[1]), None),
        (2, Target::Peer(key(2)), None),
        (3, Target::Peer(key(3)), None),
        (5, Target::Peer(key(3)), None),
        // Somebody else.
        (0, Target::Peer(key(9)), None),
        (0, Target::Issuer(key(9)), None),
        (0, Target::Grant(id(9)), None),
    ] {
        let mut scene = Scene::shown_by(3);
        scene.revoke(by, &[entry(target, NOW + DAY)]);
        assert_eq!(hit(&scene, 3), expected, "{by} {target:?}");
        let parsed = Chain::decode(&chain(3)).unwrap();
        assert_eq!(
            scene.revocations.is_revoked(&parsed).map(|hit| hit.link),
            expected.map(|e| e.0)
        );
    }
}

#[test]
fn links_that_begin_later_stand() {
    for (time_ms, stands) in [
        (terms(0).not_before_ms, true),
        (terms(0).not_before_ms + 1, false),
        (u64::MAX, false),
        (0, true),
    ] {
        let mut scene = Scene::shown_by(1);
        scene.revoke(0, &[entry(Target::Peer(key(1)), time_ms)]);
        assert_eq!(hit(&scene, 1).is_none(), stands, "{time_ms}");
    }
}

/// Who was removed signs the last link of an old invite itself, and may write any time there.
#[test]
fn a_later_date_of_ones_own_does_not_help() {
    let bytes = bytes_of(&links(2, |n, body| {
        if n == 0 {
            body.terms.audience = Audience::Invite(key(1));
        } else {
            body.terms.not_before_ms = NOW + MINUTE;
        }
    }));
    let mut scene = Scene::shown_by(2);
    assert!(scene.verify(&bytes).is_ok());
    scene.revoke(0, &[entry(Target::Peer(key(2)), NOW)]);
    assert_eq!(scene.verify(&bytes).unwrap_err().link, 1);
}

#[test]
fn one_encoding() {
    let list = start()
        .next(NOW, &[entry(Target::Peer(key(2)), 5 + NOW), entry(Target::Grant(id(3)), NOW + DAY)])
        .unwrap();
    let bytes = list.encode();
    assert_eq!(bytes.len(), 83 + 2 * 42);
    assert_eq!(RevocationList::decode(&bytes), Ok(list.clone()));
    let travelling = signed(list).encode();
    assert_eq!(travelling.len(), bytes.len() + 64);
    assert_eq!(SignedList::decode(&travelling).unwrap().encode(), travelling);
    for end in 0..travelling.len() {
        assert_eq!(SignedList::decode(&travelling[..end]), Err(RevocationError::CutOff), "{end}");
    }
    let more = [&travelling[..], &[0]].concat();
    assert_eq!(SignedList::decode(&more), Err(RevocationError::Trailing(1)));

    let mut swapped = bytes.clone();
    let (first, second) = swapped[83..].split_at_mut(42);
    first.swap_with_slice(second);
    assert_eq!(RevocationList::decode(&swapped), Err(RevocationError::OutOfOrder { entry: 1 }));
    let twice = [&bytes[..125], &bytes[83..125]].concat();
    assert_eq!(RevocationList::decode(&twice), Err(RevocationError::OutOfOrder { entry: 1 }));
    let mut kind = bytes.clone();
    kind[83] = 4;
    assert_eq!(
        RevocationList::decode(&kind),
        Err(RevocationError::UnknownKind { entry: 0, kind: 4 })
    );
    let mut version = bytes;
    version[0] = 2;
    assert_eq!(RevocationList::decode(&version), Err(RevocationError::UnknownVersion(2)));
}

#[test]
fn the_longest_list_fits_a_gossip_post_and_one_entry_more_folds() {
    let entries =
        |count| (0..count).map(|n| entry(Target::Grant(id(n)), NOW + DAY)).collect::<Vec<_>>();
    let full = start().next(NOW, &entries(700)).unwrap();
    assert_eq!(full.len(), 700);
    let bytes = signed(full.clone()).encode();
    assert_eq!(bytes.len(), 29_547);
    assert!(SignedList::decode(&bytes).is_ok());

    // One more, written by hand.
    let mut long = full.encode();
    long[81..83].copy_from_slice(&701_u16.to_be_bytes());
    long.extend_from_slice(&[9; 42]);
    assert_eq!(
        RevocationList::decode(&long),
        Err(RevocationError::TooMany { count: 701, max: 700 })
    );
    let error = SignedList::decode(&vec![1; 30 * 1024 + 1]).unwrap_err();
    assert_eq!(error, RevocationError::TooLarge { bytes: 30_721, max: 30_720 });

    let folded = full.next(NOW + HOUR, &entries(701)).unwrap();
    let only: Vec<_> = folded.entries().collect();
    let fold =
        Entry { target: Target::Issuer(key(0)), time_ms: NOW + HOUR, reason: Reason::FOLDED };
    assert_eq!(only, [fold]);
}

#[test]
fn a_folded_list_keeps_what_reaches_further_and_takes_new_removals() {
    let mut entries: Vec<_> = (0..700).map(|n| entry(Target::Grant(id(n)), NOW + DAY)).collect();
    let ban = entry(Target::Peer(key(3)), u64::MAX);
    entries.push(ban);
    let folded = start().next(NOW, &entries).unwrap();
    assert_eq!((folded.len(), folded.entries().next()), (2, Some(ban)));

    let later = folded.next(NOW + HOUR, &[entry(Target::Grant(id(9)), NOW + DAY)]).unwrap();
    assert_eq!(later.len(), 3);
    // What the fold says already is not said twice.
    let same = later.next(NOW + HOUR, &[entry(Target::Peer(key(4)), NOW)]).unwrap();
    assert_eq!(same.len(), 3);

    // Too many bans: the issuer's grants are void for ever.
    let bans = (0..700).map(|n| entry(Target::Peer(Key::from_bytes(*id(n).as_bytes())), u64::MAX));
    let dead = folded.next(NOW, &bans.collect::<Vec<_>>()).unwrap();
    assert_eq!(
        dead.entries().map(|e| (e.target, e.time_ms)).collect::<Vec<_>>(),
        [(Target::Issuer(key(0)), u64::MAX)]
    );
}

/// An old list shown again after a fold must not fill the list again and move the fold.
#[test]
fn replays_do_not_refold() {
    let entries: Vec<_> = (0..700).map(|n| entry(Target::Grant(id(n)), NOW + DAY)).collect();
    let full = start().next(NOW - HOUR, &entries).unwrap();
    let folded = full.next(NOW - MINUTE, &[entry(Target::Grant(id(700)), NOW + DAY)]).unwrap();
    let mut known = known();
    assert_eq!(take(&mut known, &signed(folded.clone())), Ok(true));
    assert_eq!(
        take(&mut known, &signed(full.clone())),
        Err(RevocationError::Rollback { known: 2, offered: 1 })
    );
    assert_eq!(known.list(&key(0)), Some(&folded));
    // And in the order of their making.
    let mut known = super::revocations::known();
    assert_eq!(take(&mut known, &signed(full)), Ok(true));
    assert_eq!(take(&mut known, &signed(folded.clone())), Ok(true));
    assert_eq!(known.list(&key(0)), Some(&folded));
}

#[test]
fn entries_leave_when_nothing_is_left_to_hit() {
    let spare = 2 * TOLERANCE;
    for (target, end) in [
        (Target::Grant(id(1)), NOW),
        (Target::Peer(key(1)), NOW + LIFE_MAX),
        (Target::Issuer(key(1)), NOW + LIFE_MAX),
    ] {
        let list = start().next(NOW, &[entry(target, NOW)]).unwrap();
        assert_eq!(list.next(end + spare - 1, &[]).unwrap().len(), 1, "{target:?}");
        assert_eq!(list.next(end + spare, &[]).unwrap().len(), 0, "{target:?}");
    }
    let ban = start().next(NOW, &[entry(Target::Peer(key(1)), u64::MAX)]).unwrap();
    assert_eq!(ban.next(u64::MAX, &[]).unwrap().len(), 1);
}

#[test]
fn versions_only_grow() {
    let first = start().next(NOW, &[entry(Target::Grant(id(1)), NOW + DAY)]).unwrap();
    let second = first.next(NOW, &[entry(Target::Grant(id(2)), NOW + DAY)]).unwrap();
    let mut known = known();
    assert_eq!(take(&mut known, &signed(second.clone())), Ok(true));
    assert_eq!(take(&mut known, &signed(second.clone())), Ok(false));
    let rollback = RevocationError::Rollback { known: 2, offered: 1 };
    assert_eq!(take(&mut known, &signed(first)), Err(rollback));
    assert_eq!(known.list(&key(0)), Some(&second));
    assert_eq!(second.next(NOW, &[]).unwrap().version(), 3);
    assert_eq!(second.next(NOW - DAY, &[]).unwrap().issued_ms(), NOW, "a clock that went back");
}

#[test]
fn of_two_concurrent_removals_both_stand() {
    let base = start().next(NOW, &[]).unwrap();
    let one = base.next(NOW, &[entry(Target::Peer(key(1)), NOW)]).unwrap();
    let two = base.next(NOW, &[entry(Target::Peer(key(2)), NOW)]).unwrap();
    // A third version that knows only one of them.
    let three = one.next(NOW, &[]).unwrap();
    for order in [[&one, &two, &three], [&three, &two, &one], [&two, &three, &one]] {
        let mut known = known();
        for list in order {
            let result = take(&mut known, &signed(list.clone()));
            assert!(matches!(result, Ok(_) | Err(RevocationError::Rollback { .. })), "{result:?}");
        }
        let list = known.list(&key(0)).unwrap();
        assert_eq!((list.version(), list.len()), (3, 2));
        // The next version of anybody who saw both says both.
        assert_eq!(list.next(NOW, &[]).unwrap().len(), 2);
    }
}

#[test]
fn lists_that_are_not_taken() {
    let list = || start().next(NOW, &[]).unwrap();
    let mut known = known();
    let mut forged = signed(list()).encode();
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let forged = SignedList::decode(&forged).unwrap();
    assert_eq!(known.offer(&forged, NOW), Err(RevocationError::Forged));
    assert_eq!(list().sign(&signer(1)), Err(RevocationError::NotTheIssuer));

    let other = RevocationList::new([8; 32], key(0)).next(NOW, &[]).unwrap();
    assert_eq!(take(&mut known, &signed(other)), Err(RevocationError::OtherNetwork));
    let stranger = RevocationList::new(NETWORK, key(1)).next(NOW, &[]).unwrap();
    let stranger = stranger.sign(&signer(1)).unwrap();
    assert_eq!(take(&mut known, &stranger), Err(RevocationError::NotFollowed(key(1))));
    let early = start().next(NOW + TOLERANCE + 1, &[]).unwrap();
    let ahead = RevocationError::FromTheFuture { ms: TOLERANCE + 1 };
    assert_eq!(take(&mut known, &signed(early)), Err(ahead));
    let near = start().next(NOW + TOLERANCE, &[]).unwrap();
    assert_eq!(take(&mut known, &signed(near)), Ok(true));

    for n in 1..64 {
        known.follow(Key::from_bytes([n; 32])).unwrap();
    }
    assert_eq!(known.follow(key(0)), Ok(()));
    assert_eq!(known.follow(key(5)), Err(RevocationError::TooManyIssuers { max: 64 }));
    known.unfollow(&Key::from_bytes([1; 32]));
    assert_eq!(known.follow(key(5)), Ok(()));
}

#[test]
fn lists_grow_stale_after_a_day() {
    let mut known = known();
    assert_eq!(known.freshness(&key(0), NOW), Freshness::Missing);
    assert_eq!(known.freshness(&key(1), NOW), Freshness::Missing);
    let before = known.epoch();
    assert_eq!(take(&mut known, &signed(start().next(NOW, &[]).unwrap())), Ok(true));
    assert_ne!(known.epoch(), before);
    assert_eq!(known.freshness(&key(0), NOW + DAY), Freshness::Fresh);
    assert_eq!(known.freshness(&key(0), NOW + DAY + 1), Freshness::Stale { ms: DAY + 1 });
    assert_eq!(known.freshness(&key(0), 0), Freshness::Fresh);
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let target = (0..3_u8, 0..6_u8).prop_map(|(kind, n)| match kind {
        0 => Target::Grant(id(n.into())),
        1 => Target::Peer(key(n)),
        _ => Target::Issuer(key(n)),
    });
    let time = prop_oneof![Just(NOW), NOW..NOW + 5, Just(u64::MAX), NOW + DAY..NOW + 2 * DAY];
    (target, time, 0..3_u8).prop_map(|(target, time_ms, reason)| Entry {
        target,
        time_ms,
        reason: Reason(reason),
    })
}

fn any_list() -> impl Strategy<Value = RevocationList> {
    proptest::collection::vec(proptest::collection::vec(any_entry(), 0..5), 1..4).prop_map(
        |steps| steps.iter().fold(start(), |list, entries| list.next(NOW, entries).unwrap()),
    )
}

proptest! {
    #[test]
    fn joining_has_no_order(a in any_list(), b in any_list(), c in any_list()) {
        prop_assert_eq!(a.join(&b, NOW), b.join(&a, NOW));
        prop_assert_eq!(a.join(&b, NOW).join(&c, NOW), a.join(&b.join(&c, NOW), NOW));
        prop_assert_eq!(a.join(&a, NOW), a.clone());
        prop_assert_eq!(RevocationList::decode(&a.encode()), Ok(a));
    }

    /// What either list takes back stays taken back, also where the sum is folded.
    #[test]
    fn joining_forgets_nothing(
        a in any_list(),
        b in any_list(),
        crowd in 0..2_u16,
        begin in NOW - 3..NOW + 8,
    ) {
        let entries: Vec<_> = (0..crowd * 699).map(|n| entry(Target::Grant(id(n + 100)), NOW + DAY)).collect();
        let b = b.next(NOW, &entries).unwrap();
        let joined = a.join(&b, NOW);
        prop_assert!(joined.len() <= 700);
        let mut scene = Scene::shown_by(3);
        let links = links(3, |n, body| {
            body.terms.not_before_ms = begin + u64::from(n);
        });
        let chain = Chain::decode(&bytes_of(&links)).unwrap();
        let mut hits = |list: &RevocationList| {
            scene.revocations = known();
            scene.revocations.apply(list, NOW).unwrap();
            scene.revocations.is_revoked(&chain).is_some()
        };
        if hits(&a) || hits(&b) {
            prop_assert!(hits(&joined));
        }
    }
}

use libp2p::identity::ed25519::SecretKey;
use peerloom_shared::grant::{Context, Fault, Invite, Revocations};
use peerloom_shared::limits::REVOCATION_RENEW_MS;
use peerloom_shared::policy::Trust;
use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

fn ledger(n: u8) -> Ledger {
    Ledger::new(Signer::from(SecretKey::try_from_bytes([n; 32]).expect("32 bytes")))
}

fn chance(n: u8) -> Chance {
    Chance { seed: [n; 32], nonce: [n; 8] }
}

fn wish(role: Role, prefix: &str) -> Wish {
    let prefix = Prefix::new(prefix).expect("a prefix");
    Wish { role, prefix, life_ms: HOUR, max_uses: 1, addresses: Vec::new() }
}

/// Takes changes over, as after a write.
fn commit(ledger: &mut Ledger, changes: &[Change]) {
    for change in changes {
        assert!(ledger.take(change), "{change:?}");
    }
}

/// What the network finds when the holder shows this chain.
fn verdict(
    chain: &Chain,
    holder: &Ledger,
    trust: &Trust,
    lists: &[&SignedList],
) -> Result<(), Fault> {
    let mut revocations = Revocations::new(trust.network);
    for list in lists {
        revocations.follow(list.list().issuer()).expect("room");
        revocations.apply(list.list(), NOW).expect("good");
    }
    let context = Context {
        network: &trust.network,
        now_ms: NOW,
        holder: Audience::Peer(holder.key()),
        roots: &trust.roots,
        owners: &[],
        revocations: &revocations,
    };
    chain.verify(&context).map(drop).map_err(|error| error.fault)
}

/// A founder, and a member who came by an invite and got its own grant.
fn member() -> (Ledger, Ledger, Trust) {
    let (mut founder, mut guest) = (ledger(1), ledger(2));
    let trust = Trust::founded_by(founder.key());
    let (invite, changes) =
        founder.mint(NOW, &trust, wish(Role::Member, ""), chance(1)).expect("may invite");
    commit(&mut founder, &changes);
    let (_, chain, changes) = guest.accept(NOW, &invite.to_fragment(), [2; 8]).expect("good");
    commit(&mut guest, &changes);
    assert_eq!(guest.credentials(NOW, &trust.network), std::slice::from_ref(&chain));
    let (issued, changes) =
        founder.arrived(NOW, &guest.peer, &chain, [3; 8]).expect("somebody new");
    commit(&mut founder, &changes);
    let changes = guest.received(NOW, &issued);
    commit(&mut guest, &changes);
    (founder, guest, trust)
}

#[test]
fn a_guest_becomes_a_member_for_a_members_time() {
    let (founder, guest, trust) = member();
    let shown = guest.credentials(NOW, &trust.network);
    // The invite's chain is of no use beside it.
    assert_eq!(shown.len(), 1, "{shown:?}");
    assert_eq!(shown[0].len(), 1);
    assert_eq!(shown[0].last().terms().expires_ms, NOW + Role::Member.life_ms());
    assert_eq!(verdict(&shown[0], &guest, &trust, &[]), Ok(()));
    assert_eq!(founder.given().count(), 2);
    assert!(guest.credentials(NOW, &Trust::open().network).is_empty(), "of no other network");
}

#[test]
fn who_comes_again_gets_the_same_grant_and_later_a_longer_one() {
    let (mut founder, guest, trust) = member();
    let invited = guest.held().map(|(_, chain)| chain.clone()).next().expect("held");
    assert_eq!(founder.arrived(NOW + HOUR, &guest.peer, &invited, [4; 8]), None, "long enough");
    let half = NOW + Role::Member.life_ms() / 2;
    let (renewed, changes) =
        founder.arrived(half, &guest.peer, &invited, [4; 8]).expect("half of its life is over");
    commit(&mut founder, &changes);
    assert_eq!(renewed.last().terms().expires_ms, half + Role::Member.life_ms());
    assert_eq!(founder.given().filter(|(_, given, _)| given.by.is_some()).count(), 2);
    let removal = Removal::Grant(invited.last().id());
    let (_, changes) = founder.revoke(half, trust.network, removal).expect("given");
    commit(&mut founder, &changes);
    assert_eq!(founder.arrived(half, &guest.peer, &invited, [5; 8]), None, "taken back");
}

#[test]
fn members_invite_within_what_they_hold_and_others_do_not() {
    let (founder, mut member, trust) = member();
    let (invite, changes) =
        member.mint(NOW, &trust, wish(Role::Visitor, "topic/a"), chance(5)).expect("may invite");
    commit(&mut member, &changes);
    let mut guest = ledger(3);
    let (_, chain, changes) = guest.accept(NOW, &invite.to_fragment(), [6; 8]).expect("good");
    commit(&mut guest, &changes);
    assert_eq!(verdict(&chain, &guest, &trust, &[]), Ok(()));
    // The member makes the guest's stay longer than the invite, never longer than its own.
    let (issued, changes) = member.arrived(NOW, &guest.peer, &chain, [7; 8]).expect("somebody new");
    commit(&mut member, &changes);
    assert_eq!(verdict(&issued, &guest, &trust, &[]), Ok(()));
    assert_eq!(issued.last().terms().expires_ms, NOW + Role::Visitor.life_ms());
    assert_eq!(issued.last().terms().prefix.as_str(), "topic/a");
    let changes = guest.received(NOW, &issued);
    commit(&mut guest, &changes);
    let refused = guest.mint(NOW, &trust, wish(Role::Visitor, "topic/a"), chance(8));
    assert!(matches!(refused, Err(GrantsError::MayNotInvite)), "{refused:?}");
    let refused = ledger(9).mint(NOW, &trust, wish(Role::Visitor, ""), chance(8));
    assert!(matches!(refused, Err(GrantsError::MayNotInvite)), "{refused:?}");
    // What the founder takes from the member, its guests lose as well.
    let (list, _) =
        founder.revoke(NOW + 1, trust.network, Removal::Peer(member.peer)).expect("given");
    let fault = verdict(&issued, &guest, &trust, &[&list]).expect_err("taken back");
    assert!(matches!(fault, Fault::Revoked { by } if by == founder.key()), "{fault:?}");
    let changes = guest.listed(NOW + 1, &list);
    commit(&mut guest, &changes);
    assert!(guest.credentials(NOW, &trust.network).is_empty(), "of no use any more");
}

#[test]
fn a_member_of_one_room_invites_to_that_room_only() {
    let mut founder = ledger(1);
    let trust = Trust::founded_by(founder.key());
    let (invite, changes) =
        founder.mint(NOW, &trust, wish(Role::Member, "topic/a"), chance(1)).expect("may invite");
    commit(&mut founder, &changes);
    let mut member = ledger(2);
    let (_, _, changes) = member.accept(NOW, &invite.to_fragment(), [2; 8]).expect("good");
    commit(&mut member, &changes);
    assert!(member.mint(NOW, &trust, wish(Role::Member, "topic/a/b"), chance(2)).is_ok());
    for prefix in ["", "topic/ab", "topic"] {
        let refused = member.mint(NOW, &trust, wish(Role::Member, prefix), chance(2));
        assert!(matches!(refused, Err(GrantsError::MoreThanHeld { .. })), "{prefix}: {refused:?}");
    }
}

#[test]
fn an_invite_taken_back_keeps_its_guests_unless_they_are_meant_too() {
    for (with_guests, stays) in [(false, true), (true, false)] {
        let (mut founder, guest, trust) = member();
        let invite = *founder.given().find(|(_, given, _)| given.is_invite()).expect("made").0;
        let removal =
            if with_guests { Removal::WithGuests(invite) } else { Removal::Grant(invite) };
        let (list, changes) = founder.revoke(NOW, trust.network, removal).expect("given");
        commit(&mut founder, &changes);
        let shown = guest.credentials(NOW, &trust.network);
        assert_eq!(verdict(&shown[0], &guest, &trust, &[&list]).is_ok(), stays);
        assert!(
            founder.given().all(|(_, given, _)| given.revoked != (stays && !given.is_invite()))
        );
    }
}

#[test]
fn what_was_not_given_cannot_be_taken_back() {
    let (founder, _, trust) = member();
    let other = GrantId::from_bytes([9; 32]);
    for removal in [Removal::Grant(other), Removal::WithGuests(other)] {
        let refused = founder.revoke(NOW, trust.network, removal);
        assert!(matches!(refused, Err(GrantsError::NotGiven)), "{refused:?}");
    }
    let id = *founder.given().next().expect("given").0;
    let refused = founder.revoke(NOW, Trust::open().network, Removal::Grant(id));
    assert!(matches!(refused, Err(GrantsError::NotGiven)), "of another network: {refused:?}");
}

#[test]
fn lists_are_renewed_twice_a_day_by_those_whose_word_counts() {
    let (mut founder, guest, trust) = member();
    let (first, changes) = founder.renewed(NOW, &trust).expect("can").expect("there is none");
    commit(&mut founder, &changes);
    assert_eq!(first.list().version(), 1);
    assert!(founder.renewed(NOW + REVOCATION_RENEW_MS - 1, &trust).expect("can").is_none());
    let (second, _) =
        founder.renewed(NOW + REVOCATION_RENEW_MS, &trust).expect("can").expect("due");
    assert_eq!(second.list().version(), 2);
    assert!(guest.renewed(NOW, &trust).expect("can").is_none(), "it gave nothing");
}

#[test]
fn an_invite_accepted_twice_is_one_use() {
    let founder = ledger(1);
    let trust = Trust::founded_by(founder.key());
    let (invite, _) =
        founder.mint(NOW, &trust, wish(Role::Visitor, ""), chance(1)).expect("may invite");
    let mut guest = ledger(2);
    let (_, first, changes) = guest.accept(NOW, &invite.to_fragment(), [2; 8]).expect("good");
    commit(&mut guest, &changes);
    let (_, again, changes) = guest.accept(NOW, &invite.to_fragment(), [3; 8]).expect("good");
    commit(&mut guest, &changes);
    assert_eq!((first, guest.held().count()), (again, 1));
}

#[test]
fn what_has_ended_is_cleared_away_with_its_uses() {
    let (mut founder, mut guest, _) = member();
    let invite = *founder.given().find(|(_, given, _)| given.is_invite()).expect("made").0;
    let changes = founder.counted(invite, guest.key());
    commit(&mut founder, &changes);
    assert_eq!(founder.uses().count(), 1);
    let later = NOW + HOUR;
    let changes = founder.ended(later);
    commit(&mut founder, &changes);
    assert_eq!((founder.given().count(), founder.uses().count()), (1, 0));
    let changes = guest.ended(NOW + Role::Member.life_ms());
    commit(&mut guest, &changes);
    assert_eq!(guest.held().count(), 0);
}

/// A store in memory, to see that rows alone carry everything.
#[derive(Default)]
struct Rows(BTreeMap<(Shelf, Vec<u8>), Vec<u8>>);

impl Rows {
    fn change(&mut self, changes: &[Change]) {
        for Change { shelf, key, value } in changes {
            match value {
                Some(value) => drop(self.0.insert((*shelf, key.clone()), value.clone())),
                None => drop(self.0.remove(&(*shelf, key.clone()))),
            }
        }
    }

    fn restored(&self, n: u8) -> Ledger {
        let mut ledger = ledger(n);
        for shelf in [Shelf::Held, Shelf::Given, Shelf::Uses, Shelf::Lists] {
            let rows = self.0.iter().filter(|((of, _), _)| *of == shelf);
            let rows = rows.map(|((_, key), value)| (key.clone(), value.clone())).collect();
            assert_eq!(ledger.restore(shelf, rows), 0, "all rows make sense");
        }
        ledger
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever happens, a ledger read back from its rows is the one that was left.
    #[test]
    fn rows_carry_everything(steps in proptest::collection::vec((0_u8..6, any::<u8>()), 1..24)) {
        let mut founder = ledger(1);
        let trust = Trust::founded_by(founder.key());
        let mut rows = Rows::default();
        let mut invites: Vec<Invite> = Vec::new();
        for (place, (step, by)) in steps.into_iter().enumerate() {
            let now = NOW + place as u64 * 60_000;
            let chance = Chance { seed: [place as u8 + 1; 32], nonce: [place as u8; 8] };
            let given: Vec<GrantId> = founder.given().map(|(id, ..)| *id).collect();
            let one = given.get(usize::from(by) % given.len().max(1)).copied();
            let changes = match step {
                0 => {
                    let made = founder.mint(now, &trust, wish(Role::Member, ""), chance);
                    let (invite, changes) = made.expect("may invite");
                    invites.push(invite);
                    changes
                }
                1 => match invites.get(usize::from(by) % invites.len().max(1)) {
                    Some(invite) => {
                        let guest = ledger(by.max(2));
                        let text = invite.to_fragment();
                        match guest.accept(now, &text, [by; 8]) {
                            Ok((_, chain, _)) => founder
                                .arrived(now, &guest.peer, &chain, chance.nonce)
                                .map(|(_, changes)| changes)
                                .unwrap_or_default(),
                            Err(_) => Vec::new(),
                        }
                    }
                    None => Vec::new(),
                },
                2 => one.map_or_else(Vec::new, |id| founder.counted(id, ledger(by).key())),
                3 => one.map_or_else(Vec::new, |id| {
                    founder.revoke(now, trust.network, Removal::WithGuests(id)).expect("given").1
                }),
                4 => founder.ended(now),
                _ => founder.renewed(now, &trust).expect("can").map(|(_, it)| it).unwrap_or_default(),
            };
            rows.change(&changes);
            commit(&mut founder, &changes);
            let restored = rows.restored(1);
            prop_assert_eq!(&restored.given, &founder.given);
            prop_assert_eq!(&restored.held, &founder.held);
            prop_assert_eq!(&restored.uses, &founder.uses);
            prop_assert_eq!(&restored.lists, &founder.lists);
        }
    }

    /// Rows from a damaged disk are named as such and never a panic.
    #[test]
    fn odd_rows_are_counted(shelf in 0_usize..5, key in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        let shelf = [Shelf::Held, Shelf::Given, Shelf::Uses, Shelf::Lists, Shelf::Book][shelf];
        let mut ledger = ledger(1);
        ledger.restore(shelf, vec![(key, value)]);
    }
}

const GARDEN: &str = "peerloom/members/garden";

/// Keys of rooms: made by a root for members' rooms, the newest few kept, the next ones made at will.
#[test]
fn a_root_makes_keys_and_everybody_keeps_the_newest() {
    let (mut founder, mut guest, trust) = member();
    let made = founder.first_key(&trust, GARDEN, (NOW, [7; 32])).expect("room for it");
    commit(&mut founder, &made);
    assert_eq!(founder.first_key(&trust, GARDEN, (NOW, [8; 32])).expect("there is one"), []);
    assert_eq!(founder.first_key(&trust, "peerloom/open/x", (NOW, [8; 32])).expect("open"), []);
    assert_eq!(guest.first_key(&trust, GARDEN, (NOW, [8; 32])).expect("no root"), []);
    // A node trusts itself, and still makes no key where another root invited it.
    let own = Trust { roots: vec![Key::of(&founder.signer), guest.key()], ..trust.clone() };
    assert_eq!(guest.first_key(&own, GARDEN, (NOW, [8; 32])).expect("a guest"), []);
    assert_eq!(guest.next_keys(NOW, &own, || Ok([8; 32])).expect("none of its own"), []);
    for n in 0..10 {
        for key in founder.room_keys(&trust.network).newest() {
            let kept = guest.kept_key(key);
            commit(&mut guest, &kept);
            assert_eq!(guest.kept_key(key), [], "known");
        }
        let next = founder.next_keys(NOW + n, &trust, || Ok([8; 32])).expect("a root");
        commit(&mut founder, &next);
        let (ours, theirs) = (founder.room_keys(&trust.network), guest.room_keys(&trust.network));
        assert_ne!(ours.newest_of(GARDEN), theirs.newest_of(GARDEN));
    }
    let kept = peerloom_shared::limits::ROOM_KEYS_KEPT;
    assert_eq!((founder.keys.len(), guest.keys.len()), (kept, kept));
    assert_eq!(founder.foreign_keys(&trust.network), []);
    let foreign = founder.foreign_keys(&[1; 32]);
    commit(&mut founder, &foreign);
    assert!(founder.keys.is_empty());
    for n in 0..peerloom_shared::limits::ROOM_KEYS_ROOMS_MAX {
        let topic = format!("peerloom/members/r{n}");
        let made = founder.first_key(&trust, &topic, (NOW, [7; 32])).expect("room for it");
        commit(&mut founder, &made);
    }
    let full = founder.first_key(&trust, GARDEN, (NOW, [7; 32]));
    assert!(matches!(full, Err(GrantsError::Full { .. })), "{full:?}");
}

//! The auth machines: what counts, what is taken back; to whom grants are shown, and when again.

use std::sync::Arc;

use libp2p_identity::PeerId;
use libp2p_identity::ed25519::SecretKey;

use super::judging::{Input, Judging, Output};
use super::{Failure, Showing, showing};
use crate::defence::group::Group;
use crate::grant::{
    ActionSet, Audience, Chain, Entry, Invite, InviteTerms, Key, NetworkId, Prefix, Reason,
    RevocationList, Role, SignedList, Signer, Target, Terms,
};
use crate::limits::AUTH_AGAIN_MS_MIN;
use crate::machine::Machine as _;
use crate::policy::{Access, Action, Class, Held, Trust};
use crate::room_key::{RoomKey, SignedRoomKey};
use crate::time::{Mono, Now};
use crate::wire::{AuthAnswer, AuthRequest, AuthStatus};

const START: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

fn signer(n: u8) -> Signer {
    Signer::from(SecretKey::try_from_bytes([n; 32]).unwrap())
}

fn key(n: u8) -> Key {
    Key::of(&signer(n))
}

fn peer(n: u8) -> PeerId {
    key(n).peer().unwrap()
}

fn at(ms: u64) -> Now {
    Now::new(Mono::from_millis(ms), START + ms)
}

const ROOT: u8 = 100;

fn trust() -> Trust {
    Trust::founded_by(key(ROOT))
}

fn terms(to: u8, life: u64) -> Terms {
    Terms {
        audience: Audience::Peer(key(to)),
        actions: Role::Member.actions(),
        not_before_ms: START - HOUR,
        expires_ms: START + life,
        depth: 2,
        max_uses: 0,
        nonce: [to; 8],
        prefix: Prefix::new("").unwrap(),
    }
}

fn chain(to: u8, life: u64) -> Chain {
    Chain::mint(trust().network, &signer(ROOT), terms(to, life)).unwrap()
}

/// A machine in a network of which ROOT is the root.
fn machine(access: Access) -> Judging {
    let mut auth = Judging::new(peer(1));
    auth.handle(at(0), Input::Policy { trust: trust(), access });
    assert!(auth.poll_output().is_none());
    auth
}

fn outputs(auth: &mut Judging) -> Vec<Output> {
    std::iter::from_fn(|| auth.poll_output()).collect()
}

fn request(network: NetworkId, grants: Vec<Vec<u8>>) -> AuthRequest {
    AuthRequest {
        network,
        grants,
        class: Class::Browser,
        issued: Vec::new(),
        lists: Vec::new(),
        known: Vec::new(),
        keys: Vec::new(),
    }
}

/// What showing these grants brings: the status, the reason, and what is held afterwards.
fn show(
    auth: &mut Judging,
    now: Now,
    who: u8,
    grants: Vec<Vec<u8>>,
) -> (AuthStatus, Option<String>, Option<Held>) {
    let request = request(trust().network, grants);
    ask(auth, now, who, request)
}

fn ask(
    auth: &mut Judging,
    now: Now,
    who: u8,
    request: AuthRequest,
) -> (AuthStatus, Option<String>, Option<Held>) {
    let source = Group::V4([10, 0, who]);
    auth.handle(
        now,
        Input::Asked { ticket: 9, peer: peer(who), source, request: Box::new(request) },
    );
    let (mut answer, mut last) = (None, None);
    for output in outputs(auth) {
        match output {
            Output::Hold { peer: holder, held } => {
                assert_eq!(holder, peer(who));
                last = Some(held);
            }
            Output::Answer { ticket: 9, status, reason, .. } => answer = Some((status, reason)),
            Output::Count { .. } | Output::Arrived { .. } | Output::Listed(_) => {}
            other @ (Output::Answer { .. } | Output::Received(_) | Output::RoomKey(_)) => {
                panic!("{other:?}")
            }
        }
    }
    let (status, reason) = answer.expect("an answer");
    (status, reason, last)
}

#[test]
fn a_member_is_known_by_its_grant() {
    let mut auth = machine(Access::Closed);
    let (status, reason, held) = show(&mut auth, at(1), 2, vec![chain(2, HOUR).encode()]);
    let held = held.unwrap();
    assert_eq!((status, reason), (AuthStatus::Ok, None));
    assert_eq!(held.class, Class::Browser);
    assert!(held.is_member(&trust().roots, START) && !held.is_root);
    assert!(held.rights[0].allows(Action::TopicPublish, b"topic/x"));
}

#[test]
fn a_root_needs_no_grant_and_a_stranger_has_none() {
    let mut auth = machine(Access::Closed);
    let (status, _, held) = show(&mut auth, at(1), ROOT, vec![]);
    assert_eq!((status, held.unwrap().is_root), (AuthStatus::Ok, true));
    let (status, _, held) = show(&mut auth, at(1), 3, vec![]);
    let held = held.unwrap();
    assert_eq!((status, held.is_root, held.rights.len()), (AuthStatus::Ok, false, 0));
}

#[test]
fn what_does_not_count_is_named() {
    let foreign =
        Chain::mint(Trust::founded_by(key(ROOT + 1)).network, &signer(ROOT), terms(2, HOUR));
    let untrusted = Chain::mint(trust().network, &signer(7), terms(2, HOUR)).unwrap();
    let mut forged = chain(2, HOUR).encode();
    *forged.last_mut().unwrap() ^= 1;
    let later = Terms { not_before_ms: START + HOUR, ..terms(2, 2 * HOUR) };
    let later = Chain::mint(trust().network, &signer(ROOT), later).unwrap();
    let cases = [
        (chain(3, HOUR).encode(), AuthStatus::Denied, "audience"),
        (foreign.unwrap().encode(), AuthStatus::Denied, "network"),
        (untrusted.encode(), AuthStatus::Denied, "issuer"),
        (forged, AuthStatus::Denied, "signature"),
        (later.encode(), AuthStatus::Expired, "not_before"),
        (b"no chain".to_vec(), AuthStatus::Denied, "version"),
    ];
    for (bytes, expected, field) in cases {
        let mut auth = machine(Access::Friends);
        let (status, reason, held) = show(&mut auth, at(1), 2, vec![bytes]);
        let reason = reason.unwrap();
        assert_eq!(status, expected, "{reason}");
        assert!(reason.contains(field), "{reason} should name {field}");
        assert_eq!(held.unwrap().rights.len(), 0, "{field}");
    }
    let mut auth = machine(Access::Friends);
    let other = request([1; 32], vec![chain(2, HOUR).encode()]);
    assert_eq!(ask(&mut auth, at(1), 2, other).0, AuthStatus::Denied);
}

#[test]
fn one_bad_grant_does_not_cost_the_good_ones() {
    let mut auth = machine(Access::Closed);
    let both = vec![chain(3, HOUR).encode(), chain(2, HOUR).encode()];
    let (status, _, held) = show(&mut auth, at(1), 2, both);
    assert_eq!((status, held.unwrap().rights.len()), (AuthStatus::Denied, 1));
}

fn revoke(target: Target) -> Box<SignedList> {
    let entry = Entry { target, time_ms: START + 2 * HOUR, reason: Reason::MISUSED };
    signed(&[entry])
}

fn signed(entries: &[Entry]) -> Box<SignedList> {
    let list = RevocationList::new(trust().network, key(ROOT));
    Box::new(list.next(START, entries).unwrap().sign(&signer(ROOT)).unwrap())
}

#[test]
fn what_is_taken_back_is_taken_at_once_and_stays_away() {
    let mut auth = machine(Access::Closed);
    for who in [2, 3] {
        show(&mut auth, at(1), who, vec![chain(who, HOUR).encode()]);
    }
    let id = chain(2, HOUR).last().id();
    auth.handle(at(2), Input::Revoked(revoke(Target::Grant(id))));
    let holds = outputs(&mut auth).into_iter().map(|output| {
        let Output::Hold { peer, held } = output else { panic!("{output:?}") };
        (peer, held.rights.len())
    });
    // Of the other one nothing is told: nothing has changed for it.
    assert_eq!(holds.collect::<Vec<_>>(), [(peer(2), 0)]);
    let (status, reason, held) = show(&mut auth, at(3), 2, vec![chain(2, HOUR).encode()]);
    assert_eq!((status, held.is_none()), (AuthStatus::Denied, true));
    assert!(reason.unwrap().contains("id"));
}

#[test]
fn lists_that_peers_bring_are_handed_out_to_be_kept_and_only_then_count() {
    let mut auth = machine(Access::Closed);
    show(&mut auth, at(1), 2, vec![chain(2, HOUR).encode()]);
    let list = revoke(Target::Grant(chain(2, HOUR).last().id()));
    let mut forged = list.encode();
    *forged.last_mut().unwrap() ^= 1;
    let member = || request(trust().network, vec![chain(3, HOUR).encode()]);
    let brings = |lists: Vec<Vec<u8>>| AuthRequest { lists, ..member() };
    let listed = |auth: &mut Judging, now: Now, request: AuthRequest| {
        let source = Group::V4([10, 0, 3]);
        let request = Box::new(request);
        auth.handle(now, Input::Asked { ticket: 1, peer: peer(3), source, request });
        let (mut new, mut told) = (Vec::new(), Vec::new());
        for output in outputs(auth) {
            match output {
                Output::Listed(list) => new.push(list),
                Output::Answer { lists, .. } => told = lists,
                Output::Hold { peer: who, .. } => assert_eq!(who, peer(3), "nothing counts yet"),
                other @ (Output::Count { .. }
                | Output::Arrived { .. }
                | Output::RoomKey(_)
                | Output::Received(_)) => {
                    panic!("{other:?}")
                }
            }
        }
        (new, told)
    };
    let (new, _) = listed(&mut auth, at(2), brings(vec![forged, vec![1; 99]]));
    assert!(new.is_empty());
    let (new, told) = listed(&mut auth, at(3), brings(vec![list.encode()]));
    assert_eq!((&new[..], told.len()), (&[list.clone()][..], 0));
    auth.handle(at(4), Input::Revoked(list.clone()));
    assert!(matches!(&outputs(&mut auth)[..], [Output::Hold { peer: who, held }]
        if *who == peer(2) && held.rights.is_empty()));
    // Now it is no news, and who lacks it is told.
    let (new, told) = listed(&mut auth, at(5), brings(vec![list.encode()]));
    assert_eq!((new.len(), told), (0, vec![list.encode()]));
    let knows = AuthRequest { known: vec![(key(ROOT), 1)], ..member() };
    assert_eq!(listed(&mut auth, at(6), knows).1, Vec::<Vec<u8>>::new());
    // Who was shut out is nothing for strangers to read. Whoever was shut out may.
    let stranger = request(trust().network, vec![]);
    assert_eq!(listed(&mut auth, at(7), stranger).1, Vec::<Vec<u8>>::new());
    let request = Box::new(request(trust().network, vec![chain(2, HOUR).encode()]));
    let source = Group::V4([10, 0, 2]);
    auth.handle(at(8), Input::Asked { ticket: 1, peer: peer(2), source, request });
    let told = outputs(&mut auth).into_iter().any(|output| {
        matches!(output, Output::Answer { lists, status: AuthStatus::Denied, .. } if lists.len() == 1)
    });
    assert!(told);
}

#[test]
fn what_a_stale_list_closes_a_newer_one_opens_again() {
    let mut auth = machine(Access::Closed);
    auth.handle(at(0), Input::Revoked(signed(&[])));
    show(&mut auth, at(1), 2, vec![chain(2, 48 * HOUR).encode()]);
    let late = at(25 * HOUR);
    // Whatever makes the machine look again.
    auth.handle(late, Input::Policy { trust: trust(), access: Access::Friends });
    assert!(
        matches!(&outputs(&mut auth)[..], [Output::Hold { held, .. }] if held.rights.is_empty())
    );
    let next = signed(&[]).list().next(START + 25 * HOUR, &[]).unwrap();
    auth.handle(late, Input::Revoked(Box::new(next.sign(&signer(ROOT)).unwrap())));
    assert!(
        matches!(&outputs(&mut auth)[..], [Output::Hold { held, .. }] if held.rights.len() == 1)
    );
}

#[test]
fn trust_that_ends_takes_everything_with_it() {
    let mut auth = machine(Access::Closed);
    show(&mut auth, at(1), 2, vec![chain(2, HOUR).encode()]);
    let trust = Trust { roots: vec![], ..trust() };
    auth.handle(at(2), Input::Policy { trust, access: Access::Closed });
    let held = outputs(&mut auth);
    assert!(matches!(&held[..], [Output::Hold { held, .. }] if held.rights.is_empty()), "{held:?}");
}

#[test]
fn a_list_that_is_a_day_old_closes_what_asks_first() {
    let list = signed(&[]);
    let late = at(25 * HOUR);
    for (access, expected) in [
        (Access::Open, AuthStatus::Ok),
        (Access::Friends, AuthStatus::Denied),
        (Access::Closed, AuthStatus::Denied),
    ] {
        let mut auth = machine(access);
        // Nothing was ever taken back: nothing can be missing.
        assert_eq!(show(&mut auth, late, 2, vec![chain(2, 48 * HOUR).encode()]).0, AuthStatus::Ok);
        auth.handle(late, Input::Revoked(list.clone()));
        outputs(&mut auth);
        assert_eq!(show(&mut auth, late, 2, vec![chain(2, 48 * HOUR).encode()]).0, expected);
    }
}

#[test]
fn grants_end_by_the_clock() {
    let mut auth = machine(Access::Closed);
    show(&mut auth, at(1), 2, vec![chain(2, HOUR).encode()]);
    let end = HOUR + crate::limits::CLOCK_TOLERANCE_MS;
    assert_eq!(auth.next_wake(), Some(Mono::from_millis(end)));
    auth.tick(at(end - 1));
    assert!(outputs(&mut auth).is_empty());
    auth.tick(at(end));
    assert!(
        matches!(&outputs(&mut auth)[..], [Output::Hold { held, .. }] if held.rights.is_empty())
    );
    assert_eq!(auth.next_wake(), None);
}

fn invite(uses: u16) -> Invite {
    let terms = InviteTerms {
        actions: Role::Member.actions(),
        prefix: Prefix::new("").unwrap(),
        not_before_ms: START - HOUR,
        expires_ms: START + HOUR,
        depth: 1,
        max_uses: uses,
        nonce: [5; 8],
        addresses: vec![],
    };
    Invite::mint(trust().network, &signer(ROOT), terms, [77; 32]).unwrap()
}

#[test]
fn an_invite_is_used_up_where_it_was_made() {
    let invite = invite(2);
    let chain_of = |who: u8| invite.accept(&peer(who), [who; 8]).unwrap().encode();
    let mut auth = machine(Access::Closed);
    auth.handle(at(0), Input::Issuers([key(ROOT)].into()));
    for who in [2, 3, 2] {
        assert_eq!(show(&mut auth, at(1), who, vec![chain_of(who)]).0, AuthStatus::Ok, "{who}");
    }
    let (status, reason, held) = show(&mut auth, at(1), 4, vec![chain_of(4)]);
    assert_eq!((status, held.unwrap().rights.len()), (AuthStatus::Denied, 0));
    assert!(reason.unwrap().contains("used up"));

    // Counted uses come back from disk; a peer that did not make the invite cannot count.
    let id = invite.chain().last().id();
    let mut again = machine(Access::Closed);
    again.handle(at(0), Input::Issuers([key(ROOT)].into()));
    again.handle(at(0), Input::Counted(vec![(id, key(2)), (id, key(3))]));
    assert_eq!(show(&mut again, at(1), 4, vec![chain_of(4)]).0, AuthStatus::Denied);
    let mut elsewhere = machine(Access::Closed);
    for who in 2..9 {
        assert_eq!(show(&mut elsewhere, at(1), who, vec![chain_of(who)]).0, AuthStatus::Ok);
    }
}

#[test]
fn whoever_comes_by_an_invite_of_ours_is_told_of() {
    let mut auth = machine(Access::Closed);
    auth.handle(at(0), Input::Issuers([key(ROOT)].into()));
    let chain = invite(1).accept(&peer(2), [0; 8]).unwrap();
    let source = Group::Loopback;
    let request = Box::new(request(trust().network, vec![chain.encode()]));
    auth.handle(at(1), Input::Asked { ticket: 1, peer: peer(2), source, request });
    let arrived = outputs(&mut auth).into_iter().find_map(|output| {
        let Output::Arrived { peer, chain, rights } = output else { return None };
        Some((peer, chain, rights))
    });
    let (who, shown, rights) = arrived.expect("an arrival");
    assert_eq!((who, shown), (peer(2), chain));
    assert!(Arc::clone(&rights).actions().contains(Action::InviteMint));
}

#[test]
fn a_flood_of_forged_grants_is_bounded() {
    let mut auth = machine(Access::Closed);
    let (mut busy, mut denied) = (0, 0);
    for n in 0..10_000_u64 {
        let mut bytes = chain(2, HOUR).encode();
        let end = bytes.len() - 1;
        bytes[end] ^= 1 + (n % 255) as u8;
        bytes[end - 8] ^= 1 + (n / 255) as u8;
        let source = Group::V4([10, (n % 250) as u8, (n / 250) as u8]);
        let request = Box::new(request(trust().network, vec![bytes]));
        auth.handle(at(n / 10), Input::Asked { ticket: n, peer: peer(2), source, request });
        for output in outputs(&mut auth) {
            if let Output::Answer { status, .. } = output {
                busy += u32::from(status == AuthStatus::Busy);
                denied += u32::from(status == AuthStatus::Denied);
            }
        }
    }
    assert_eq!(busy + denied, 10_000);
    // A burst, and what comes back in a second.
    assert!(denied <= 2_000 + 2_000, "{denied} signatures were checked");
    assert_eq!(auth.sizes(), (0, 1), "nothing forged is remembered");
}

/// Keys of members' rooms are taken on a root's word alone, and forged ones cost no more than forged grants.
#[test]
fn keys_of_rooms_count_by_a_roots_word() {
    let mut auth = machine(Access::Closed);
    let topic = "peerloom/members/garden";
    let made =
        |network, by: u8| RoomKey::first(network, key(by), topic, (1, [7; 32])).sign(&signer(by));
    let offer = |auth: &mut Judging, keys: Vec<SignedRoomKey>| -> Vec<SignedRoomKey> {
        auth.handle(at(1), Input::Keys { source: Group::V4([10, 0, 3]), keys });
        let taken = outputs(auth).into_iter().map(|output| {
            let Output::RoomKey(key) = output else { panic!("{output:?}") };
            *key
        });
        taken.collect()
    };
    let good = made(trust().network, ROOT);
    assert_eq!(offer(&mut auth, vec![good.clone()]).as_slice(), std::slice::from_ref(&good));
    let mut bytes = good.encode();
    *bytes.last_mut().unwrap() ^= 1;
    let forged = SignedRoomKey::decode(&bytes).unwrap();
    let (stranger, elsewhere) = (made(trust().network, 9), made([1; 32], ROOT));
    assert_eq!(offer(&mut auth, vec![stranger, elsewhere, forged.clone()]), []);
    for _ in 0..100 {
        assert_eq!(offer(&mut auth, vec![forged.clone(); 32]), []);
    }
    assert_eq!(offer(&mut auth, vec![good.clone()]), [], "this network has spent its share");
    auth.handle(at(60_000), Input::Keys { source: Group::V4([10, 0, 4]), keys: vec![good] });
    assert_eq!(outputs(&mut auth).len(), 1, "another one has not");
}

fn answer(access: Access, allowed: &[Action]) -> AuthAnswer {
    AuthAnswer {
        status: AuthStatus::Ok,
        allowed: ActionSet::from_iter(allowed.iter().copied()),
        expires_ms: None,
        epoch: 1,
        access,
        reason: None,
        lists: Vec::new(),
        issued: Vec::new(),
        keys: Vec::new(),
    }
}

/// A machine that shows grants, in the network of ROOT.
fn shower() -> Showing {
    let mut auth = Showing::new(peer(1), Class::Native);
    auth.handle(at(0), showing::Input::Network(trust().network));
    auth
}

fn said(auth: &mut Showing) -> Vec<showing::Output> {
    std::iter::from_fn(|| auth.poll_output()).collect()
}

fn asked(auth: &mut Showing) -> Vec<(PeerId, AuthRequest)> {
    said(auth)
        .into_iter()
        .filter_map(|output| {
            let showing::Output::Ask { peer, request } = output else { return None };
            Some((peer, request))
        })
        .collect()
}

#[test]
fn grants_are_shown_once_and_again_when_it_is_time() {
    let mut auth = shower();
    auth.handle(at(0), showing::Input::Credentials(vec![chain(1, HOUR)]));
    auth.handle(at(1), showing::Input::Speaks(peer(2)));
    let [(to, request)] = &asked(&mut auth)[..] else { panic!("one question") };
    assert_eq!((*to, &request.grants), (peer(2), &vec![chain(1, HOUR).encode()]));
    auth.handle(at(1), showing::Input::Speaks(peer(2)));
    auth.tick(at(100_000));
    assert!(asked(&mut auth).is_empty(), "one question at a time");

    let expires_ms = Some(START + HOUR);
    let first = AuthAnswer { expires_ms, ..answer(Access::Closed, &[Action::ConnectIn]) };
    auth.handle(at(0), showing::Input::Answered { peer: peer(2), answer: Ok(first) });
    let heard = said(&mut auth);
    assert!(matches!(&heard[..], [showing::Output::Allowed(_)]), "{heard:?}");
    assert_eq!(auth.allowance(&peer(2)).unwrap().access, Access::Closed);
    // At half of its life.
    assert_eq!(auth.next_wake(), Some(Mono::from_millis(HOUR / 2)));
    auth.tick(at(HOUR / 2));
    assert_eq!(asked(&mut auth).len(), 1);
    auth.handle(
        at(HOUR / 2),
        showing::Input::Answered { peer: peer(2), answer: Err(Failure::Broken) },
    );
    auth.tick(at(HOUR / 2 + AUTH_AGAIN_MS_MIN));
    assert_eq!(asked(&mut auth).len(), 1);
    auth.handle(
        at(HOUR),
        showing::Input::Answered { peer: peer(2), answer: Err(Failure::Unsupported) },
    );
    assert_eq!(auth.next_wake(), None);
    auth.handle(at(HOUR), showing::Input::Gone(peer(2)));
    assert_eq!(auth.allowance(&peer(2)), None);
}

#[test]
fn new_grants_are_shown_to_everybody_at_once() {
    let mut auth = shower();
    for who in [2, 3] {
        auth.handle(at(0), showing::Input::Speaks(peer(who)));
        asked(&mut auth);
        let answer = Ok(answer(Access::Open, &[]));
        auth.handle(at(0), showing::Input::Answered { peer: peer(who), answer });
    }
    said(&mut auth);
    auth.handle(at(1), showing::Input::Credentials(vec![chain(1, HOUR)]));
    assert_eq!(asked(&mut auth).len(), 2);
}

#[test]
fn what_a_peer_issues_to_us_is_kept_if_it_is_better() {
    let mut giver = shower();
    giver.handle(at(0), showing::Input::Speaks(peer(1)));
    let given = chain(1, 30 * 24 * HOUR);
    let answer = Ok(answer(Access::Open, &[]));
    giver.handle(at(0), showing::Input::Answered { peer: peer(1), answer });
    said(&mut giver);
    giver.handle(at(1), showing::Input::Issue { peer: peer(1), chain: Box::new(given.clone()) });
    let [(_, request)] = &asked(&mut giver)[..] else { panic!("one question") };
    assert_eq!(request.issued, vec![given.encode()]);

    let receive = |auth: &mut Judging, request: &AuthRequest| {
        let (source, request) = (Group::Loopback, Box::new(request.clone()));
        auth.handle(at(2), Input::Asked { ticket: 1, peer: peer(9), source, request });
        outputs(auth).into_iter().any(|output| matches!(output, Output::Received(_)))
    };
    let mut auth = machine(Access::Closed);
    assert!(!receive(&mut auth, request), "from whom we hold nothing");
    auth.handle(at(1), Input::Credentials(vec![chain(1, HOUR)]));
    assert!(receive(&mut auth, request));
    auth.handle(at(1), Input::Credentials(vec![given]));
    assert!(!receive(&mut auth, request), "no news");
    let foreign =
        AuthRequest { issued: vec![chain(2, 60 * 24 * HOUR).encode()], ..request.clone() };
    assert!(!receive(&mut auth, &foreign), "for somebody else");
}

#[test]
fn a_new_list_goes_to_everybody_at_once_and_once() {
    let mut auth = shower();
    let asked = |auth: &mut Showing, now: Now| {
        auth.tick(now);
        let outputs = std::iter::from_fn(|| auth.poll_output());
        let asks = outputs.filter_map(|output| match output {
            showing::Output::Ask { peer, request } => Some((peer, request.lists, request.known)),
            showing::Output::Allowed(_) | showing::Output::Received(_) => None,
        });
        asks.collect::<Vec<_>>()
    };
    let done = |auth: &mut Showing, now: Now, who: u8| {
        let answer = Ok(answer(Access::Closed, &[]));
        auth.handle(now, showing::Input::Answered { peer: peer(who), answer });
    };
    for who in [2, 3] {
        auth.handle(at(1), showing::Input::Speaks(peer(who)));
    }
    assert_eq!(asked(&mut auth, at(1)).len(), 2);
    done(&mut auth, at(1), 2);
    let list = |version, byte| showing::Input::List {
        issuer: key(ROOT),
        version,
        bytes: Arc::new(vec![byte]),
    };
    auth.handle(at(2), list(1, 1));
    auth.handle(at(2), list(2, 2));
    // Of an older version nobody is told any more.
    auth.handle(at(2), list(1, 3));
    let known = vec![(key(ROOT), 2)];
    // The other one is told when its first question is answered.
    assert_eq!(asked(&mut auth, at(2)), [(peer(2), vec![vec![1]], vec![(key(ROOT), 1)])]);
    done(&mut auth, at(3), 3);
    assert_eq!(asked(&mut auth, at(3)), [(peer(3), vec![vec![1]], known.clone())]);
    done(&mut auth, at(4), 2);
    done(&mut auth, at(4), 3);
    let second: Vec<_> = asked(&mut auth, at(4));
    assert_eq!(second, [2, 3].map(|who| (peer(who), vec![vec![2]], known.clone())));
    done(&mut auth, at(5), 2);
    done(&mut auth, at(5), 3);
    assert_eq!(asked(&mut auth, at(6)), []);
}

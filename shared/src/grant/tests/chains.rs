//! Chains: every check on its own, and each byte of a chain turned.

use super::*;

/// The refusal of the ordinary chain of three links after a change of one of them.
fn refusal(place: u8, change: impl Fn(&mut Body)) -> (usize, &'static str, &'static str) {
    let bytes = bytes_of(&links(3, |n, body| {
        if n == place {
            change(body);
        }
    }));
    let error = Scene::shown_by(3).verify(&bytes).unwrap_err();
    (error.link, error.field.name(), error.fault.name())
}

#[test]
fn the_ordinary_chain_gives_what_its_last_link_says() {
    for count in 1..=4 {
        let rights = Scene::shown_by(count).verify(&chain(count)).unwrap();
        let last = terms(count - 1);
        assert_eq!(rights.network(), &NETWORK);
        assert_eq!(rights.root(), key(0));
        assert_eq!(rights.holder(), Audience::Peer(key(count)));
        assert_eq!((rights.actions(), rights.prefix()), (last.actions, &last.prefix));
        assert_eq!(
            (rights.not_before_ms(), rights.expires_ms()),
            (last.not_before_ms, last.expires_ms)
        );
        assert_eq!((rights.depth(), rights.ids().len()), (last.depth, usize::from(count)));
        assert_eq!(rights.limits(), []);
        assert!(rights.allows(Action::TopicPublish, b"topic/a/b"));
        assert!(!rights.allows(Action::TopicPublish, b"content/a"));
        assert!(!rights.allows(Action::AdminWrite, b"topic/a/b"));
    }
}

#[test]
fn every_rule_refuses_with_its_own_name() {
    let prefix =
        |text: &'static str| move |body: &mut Body| body.terms.prefix = Prefix::new(text).unwrap();
    assert_eq!(refusal(1, |body| body.network = [8; 32]), (1, "network", "other_network"));
    assert_eq!(
        refusal(0, |body| body.parent = GrantId::from_bytes([1; 32])),
        (0, "parent", "not_a_root")
    );
    assert_eq!(refusal(2, |body| body.parent = GrantId::NONE), (2, "parent", "other_parent"));
    assert_eq!(refusal(0, |body| body.issuer = key(9)), (0, "issuer", "not_trusted"));
    assert_eq!(refusal(1, |body| body.issuer = key(9)), (1, "issuer", "not_the_audience"));
    assert_eq!(
        refusal(2, |body| body.terms.audience = Audience::Peer(key(9))),
        (2, "audience", "not_the_holder")
    );
    assert_eq!(
        refusal(2, |body| body.terms.audience = Audience::Invite(key(3))),
        (2, "audience", "not_the_holder")
    );
    assert_eq!(refusal(1, |body| body.terms.depth = 0), (2, "depth", "not_delegable"));
    assert_eq!(refusal(1, |body| body.terms.depth = 3), (1, "depth", "more_than_parent"));
    assert_eq!(
        refusal(1, |body| body.terms.actions = ActionSet::from_bits(!0)),
        (1, "actions", "more_than_parent")
    );
    assert_eq!(
        refusal(1, |body| body.terms.not_before_ms -= HOUR),
        (1, "not_before", "more_than_parent")
    );
    assert_eq!(refusal(1, |body| body.terms.expires_ms += HOUR), (1, "expiry", "more_than_parent"));
    assert_eq!(refusal(1, prefix("topicality")), (1, "prefix", "more_than_parent"));
    assert_eq!(refusal(1, prefix("")), (1, "prefix", "more_than_parent"));
    assert_eq!(refusal(2, prefix("topic/ab")), (2, "prefix", "more_than_parent"));
    assert_eq!(
        refusal(1, |body| body.terms.expires_ms = body.terms.not_before_ms),
        (1, "expiry", "empty_window")
    );
    assert_eq!(
        refusal(0, |body| body.terms.expires_ms += LIFE_MAX),
        (0, "expiry", "too_long_lived")
    );
}

#[test]
fn uses_are_only_ever_fewer() {
    let verify = |above: u16, below: u16| {
        let bytes = bytes_of(&links(2, |n, body| {
            body.terms.max_uses = if n == 0 { above } else { below };
        }));
        Scene::shown_by(2).verify(&bytes).map(|rights| rights.limits().to_vec())
    };
    for (above, below, limited) in [(0, 0, 0), (0, 5, 1), (5, 5, 2), (5, 1, 2)] {
        assert_eq!(verify(above, below).unwrap().len(), limited, "{above} {below}");
    }
    for (above, below) in [(5, 0), (5, 6), (1, u16::MAX)] {
        let error = verify(above, below).unwrap_err();
        assert_eq!(
            (error.link, error.field, error.fault),
            (1, Field::MaxUses, Fault::MoreThanParent)
        );
    }
    let first = verify(5, 1).unwrap()[0];
    assert_eq!((first.issuer, first.max_uses), (key(0), 5));
}

#[test]
fn clocks_may_differ_by_two_minutes() {
    let begin = terms(0).not_before_ms;
    let end = terms(0).expires_ms;
    for (now_ms, fault) in [
        (begin - TOLERANCE - 1, Some("not_yet")),
        (begin - TOLERANCE, None),
        (begin, None),
        (end + TOLERANCE - 1, None),
        (end + TOLERANCE, Some("expired")),
        (0, Some("not_yet")),
        (u64::MAX, Some("expired")),
    ] {
        let result = Scene { now_ms, ..Scene::shown_by(1) }.verify(&chain(1));
        assert_eq!(result.as_ref().err().map(|e| e.fault.name()), fault, "{now_ms}");
        if let Ok(rights) = result {
            assert!(rights.is_valid_at(now_ms));
        }
    }
}

#[test]
fn times_at_the_end_of_time_do_not_overflow() {
    let bytes = bytes_of(&links(1, |_, body| {
        body.terms.not_before_ms = u64::MAX - HOUR;
        body.terms.expires_ms = u64::MAX;
    }));
    let scene = |now_ms| Scene { now_ms, ..Scene::shown_by(1) };
    assert_eq!(scene(NOW).verify(&bytes).unwrap_err().fault.name(), "not_yet");
    assert!(scene(u64::MAX - 1).verify(&bytes).is_ok());
    let bytes = bytes_of(&links(1, |_, body| {
        body.terms.not_before_ms = 0;
        body.terms.expires_ms = u64::MAX;
    }));
    assert_eq!(scene(NOW).verify(&bytes).unwrap_err().fault.name(), "too_long_lived");
}

#[test]
fn owners_grant_what_they_own_and_nothing_else() {
    let owned = |text: &str| Owner { key: key(0), owned: Prefix::new(text).unwrap() };
    let scene = |owners: Vec<Owner>| Scene { roots: Vec::new(), owners, ..Scene::shown_by(2) };
    let bytes = bytes_of(&links(2, |_, body| {
        body.terms.prefix = Prefix::new("topic/a").unwrap();
    }));
    assert!(scene(vec![owned("topic/a")]).verify(&bytes).is_ok());
    assert!(scene(vec![owned("topic/b"), owned("topic")]).verify(&bytes).is_ok());
    for (owners, field) in [
        (vec![], Field::Issuer),
        (vec![Owner { key: key(5), owned: Prefix::all() }], Field::Issuer),
        (vec![owned("topic/a/b")], Field::Prefix),
        (vec![owned("mailbox")], Field::Prefix),
    ] {
        let error = scene(owners).verify(&bytes).unwrap_err();
        assert_eq!((error.link, error.field), (0, field));
    }
}

#[test]
fn whoever_only_holds_an_invite_may_do_nothing_yet() {
    let bytes = bytes_of(&links(1, |_, body| body.terms.audience = Audience::Invite(key(1))));
    let scene = Scene { holder: Audience::Invite(key(1)), ..Scene::shown_by(1) };
    let rights = scene.verify(&bytes).unwrap();
    assert!(rights.actions().contains(Action::TopicPublish));
    assert!(!rights.allows(Action::TopicPublish, b"topic/a"));
    assert!(Scene::shown_by(1).verify(&bytes).is_err());
}

#[test]
fn the_largest_chain_fits_and_one_link_more_does_not() {
    let long = Prefix::new(&"x".repeat(128)).unwrap();
    let bytes = bytes_of(&links(4, |_, body| body.terms.prefix = long.clone()));
    assert_eq!(bytes.len(), 4 * 358);
    assert!(Scene::shown_by(4).verify(&bytes).is_ok());

    let longer = [&bytes[..], &bytes[..358]].concat();
    let error = Scene::shown_by(4).verify(&longer).unwrap_err();
    assert_eq!((error.link, error.fault), (4, Fault::Trailing(358)));
    let error = Chain::decode(&vec![1; 2_048]).unwrap_err();
    assert_ne!(error.fault.name(), "too_much");
    let error = Chain::decode(&vec![1; 2_049]).unwrap_err();
    assert_eq!(error.fault, Fault::TooMuch { size: 2_049, max: 2_048 });
}

#[test]
fn minting_gives_the_same_bytes_and_refuses_what_verifying_would() {
    let mut chain = Chain::mint(NETWORK, &signer(0), terms(0)).unwrap();
    for n in 1..4 {
        chain = chain.delegate(&signer(n), terms(n)).unwrap();
    }
    assert_eq!(chain.encode(), super::chain(4));
    assert_eq!((chain.len(), chain.last().terms()), (4, &terms(3)));
    assert_eq!(Chain::decode(&chain.encode()), Ok(chain.clone()));

    let error = chain.delegate(&signer(4), terms(3)).unwrap_err();
    assert_eq!((error.link, error.field), (4, Field::Length));
    let short = Chain::mint(NETWORK, &signer(0), terms(0)).unwrap();
    assert_eq!(short.delegate(&signer(5), terms(1)).unwrap_err().field, Field::Issuer);
    let wide = Terms { actions: ActionSet::from_bits(!0), ..terms(1) };
    assert_eq!(short.delegate(&signer(1), wide).unwrap_err().field, Field::Actions);
    let empty = Terms { expires_ms: 0, ..terms(0) };
    assert_eq!(Chain::mint(NETWORK, &signer(0), empty).unwrap_err().fault, Fault::EmptyWindow);
}

#[test]
fn a_second_signature_is_no_second_link() {
    let link = &links(1, |_, _| ())[0];
    let id = *blake3::hash(&link.body().encode()).as_bytes();
    assert_eq!(link.id(), GrantId::from_bytes(id));
    let mut bytes = bytes_of(std::slice::from_ref(link));
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    assert_eq!(Chain::decode(&bytes).unwrap().root().id(), link.id());
}

/// No bit of a chain can be turned, no byte can be taken away or added.
#[test]
fn tampering_with_any_byte_is_refused() {
    let bytes = chain(2);
    let scene = Scene::shown_by(2);
    assert!(scene.verify(&bytes).is_ok());
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(scene.verify(&changed).is_err(), "byte {at}, bit {bit}");
        }
        assert!(scene.verify(&bytes[..at]).is_err(), "cut at {at}");
        let mut added = bytes.clone();
        added.insert(at, bytes[at]);
        assert!(scene.verify(&added).is_err(), "a byte more at {at}");
    }
}

#[test]
fn errors_name_link_field_and_reason() {
    let error = Scene::shown_by(1).verify(&chain(2)).unwrap_err();
    assert_eq!(error.to_string(), "link 1, audience: it was granted to somebody else");
    let late = Scene { now_ms: NOW + 2 * DAY, ..Scene::shown_by(1) };
    let error = late.verify(&chain(1)).unwrap_err();
    assert_eq!(error.to_string(), "link 0, expiry: it ended 86400000 ms ago");
}

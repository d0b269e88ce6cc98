//! Invites: from minting to the chain of whoever accepts, and what people do to links.

use multiaddr::Multiaddr;

use super::*;

const SEED: [u8; 32] = [42; 32];

fn addresses(count: usize) -> Vec<Multiaddr> {
    let peer = key(0).peer().unwrap();
    (0..count)
        .map(|n| format!("/ip4/192.0.2.{n}/tcp/7073/ws/p2p/{peer}").parse().unwrap())
        .collect()
}

fn invite_terms() -> InviteTerms {
    InviteTerms {
        actions: [Action::TopicPublish, Action::TopicSubscribe].into_iter().collect(),
        prefix: Prefix::new("topic/a").unwrap(),
        not_before_ms: NOW,
        expires_ms: NOW + DAY,
        depth: 0,
        max_uses: 1,
        nonce: [5; 8],
        addresses: addresses(2),
    }
}

fn invite() -> Invite {
    Invite::mint(NETWORK, &signer(0), invite_terms(), SEED).unwrap()
}

fn error(text: &str) -> InviteError {
    Invite::parse(text, NOW).unwrap_err()
}

/// The payload of an invite changed, with length and check made anew.
fn changed(change: impl Fn(&mut Vec<u8>)) -> String {
    let fragment = invite().to_fragment();
    let bytes = data_encoding::BASE64URL_NOPAD.decode(&fragment.as_bytes()[3..]).unwrap();
    let mut payload = bytes[7..].to_vec();
    change(&mut payload);
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let check = blake3::derive_key("peerloom invite v1 check", &payload);
    let bytes = [&[1], &length[..], &check[..4], &payload].concat();
    format!("#j={}", data_encoding::BASE64URL_NOPAD.encode(&bytes))
}

#[test]
fn from_a_link_to_rights() {
    let made = invite();
    let link = made.to_link("https://mesh.example/").unwrap();
    let joiner = key(3).peer().unwrap();
    for text in
        [link.as_str(), &made.to_fragment(), &made.to_fragment()[1..], &format!(" {link}\n")]
    {
        let read = Invite::parse(text, NOW).unwrap();
        assert_eq!((read.key(), read.addresses()), (made.key(), &addresses(2)[..]));
        assert_eq!(read.to_fragment(), made.to_fragment());
        let chain = read.accept(&joiner, [6; 8]).unwrap();
        let rights = Scene::shown_by(3).verify(&chain.encode()).unwrap();
        assert!(rights.allows(Action::TopicPublish, b"topic/a"));
        assert!(!rights.allows(Action::TopicPublish, b"topic/b"));
        assert_eq!((rights.depth(), rights.expires_ms()), (0, NOW + DAY));
        let limit = rights.limits()[0];
        assert_eq!((limit.issuer, limit.max_uses, limit.id), (key(0), 1, made.chain().last().id()));
        // Whoever saw the chain, but has another key, gets nothing.
        assert!(Scene::shown_by(4).verify(&chain.encode()).is_err());
    }
}

#[test]
fn members_invite_within_their_own_rights() {
    let member = Chain::mint(NETWORK, &signer(0), terms(0)).unwrap();
    let made = Invite::mint_under(&member, &signer(1), invite_terms(), SEED).unwrap();
    let read = Invite::parse(&made.to_fragment(), NOW).unwrap();
    let chain = read.accept(&key(3).peer().unwrap(), [6; 8]).unwrap();
    assert_eq!(chain.len(), 3);
    assert!(Scene::shown_by(3).verify(&chain.encode()).is_ok());

    for (terms, field) in [
        (InviteTerms { actions: ActionSet::from_bits(!0), ..invite_terms() }, Field::Actions),
        (InviteTerms { prefix: Prefix::all(), ..invite_terms() }, Field::Prefix),
        (InviteTerms { depth: 2, ..invite_terms() }, Field::Depth),
        (InviteTerms { expires_ms: NOW + 2 * DAY, ..invite_terms() }, Field::Expiry),
    ] {
        let error = Invite::mint_under(&member, &signer(1), terms, SEED).unwrap_err();
        assert!(matches!(error, InviteError::Grant(e) if e.field == field), "{error}");
    }
    // Behind three links the invite is the fourth, and there is no room for whoever accepts.
    let mut full = Chain::mint(NETWORK, &signer(0), Terms { depth: 9, ..terms(0) }).unwrap();
    for n in 1..3 {
        full = full.delegate(&signer(n), Terms { depth: 9 - n, ..terms(n) }).unwrap();
    }
    let last = InviteTerms { not_before_ms: NOW, expires_ms: NOW + HOUR, ..invite_terms() };
    let error = Invite::mint_under(&full, &signer(3), last, SEED).unwrap_err();
    assert_eq!(error, InviteError::NotDelegable);
}

#[test]
fn minting_refuses_what_would_not_be_read() {
    let mint = |terms| Invite::mint(NETWORK, &signer(0), terms, SEED).map(|_| ());
    let too_many = InviteTerms { addresses: addresses(4), ..invite_terms() };
    assert_eq!(mint(too_many), Err(InviteError::TooManyAddresses { count: 4, max: 3 }));
    let long = |bytes: usize| -> Multiaddr {
        format!("/dns4/{}/tcp/1", "x".repeat(bytes)).parse().unwrap()
    };
    let bad = InviteTerms { addresses: vec![addresses(1)[0].clone(), long(250)], ..invite_terms() };
    assert_eq!(mint(bad), Err(InviteError::BadAddress { at: 1 }));
    let none = InviteTerms { addresses: vec![Multiaddr::empty()], ..invite_terms() };
    assert_eq!(mint(none), Err(InviteError::BadAddress { at: 0 }));

    // 1,200 characters hold 897 bytes.
    let rest = 7 + 32 + 1 + 3 + 230 + "topic/a".len();
    let sized = |last: usize| InviteTerms {
        addresses: vec![long(240), long(240), long(last)],
        ..invite_terms()
    };
    let overhead = long(9).len() - 9;
    let room = 897 - rest - 2 * (240 + overhead + 1) - overhead;
    let most = Invite::mint(NETWORK, &signer(0), sized(room), SEED);
    let most = most.map(|invite| invite.to_fragment().len());
    assert!(matches!(most, Ok(1_199 | 1_200) | Err(InviteError::TooLong { .. })), "{most:?}");
    let fits = (1..room + 8).rev().find(|n| mint(sized(*n)).is_ok()).unwrap();
    let largest = Invite::mint(NETWORK, &signer(0), sized(fits), SEED).unwrap();
    assert!((1_196..=1_200).contains(&largest.to_fragment().len()));
    assert!(Invite::parse(&largest.to_fragment(), NOW).is_ok());
    assert!(matches!(mint(sized(fits + 1)), Err(InviteError::TooLong { max: 1_200, .. })));
    // With a page in front it is too long as a whole.
    assert!(matches!(largest.to_link("https://mesh.example/"), Err(InviteError::TooLong { .. })));
    assert_eq!(invite().to_link("https://mesh.example/#x"), Err(InviteError::BadPage));
}

#[test]
fn what_people_do_to_links() {
    let good = invite().to_fragment();
    for text in ["", "hello", "#j", "https://mesh.example/", "#k=AQ", "https://mesh.example/#"] {
        assert_eq!(error(text), InviteError::NotAnInvite, "{text}");
    }
    assert_eq!(error("#j="), InviteError::CutOff);
    // Cut off anywhere.
    for end in 3..good.len() {
        assert_eq!(error(&good[..end]), InviteError::CutOff, "{end}");
    }
    assert!(matches!(error(&format!("{good}AAAA")), InviteError::Trailing { bytes: 3 }));
    assert_eq!(error(&format!("{good}.")).name(), "bad_character");
    assert_eq!(error(&good.replacen('A', "%", 1)).name(), "bad_character");
    assert!(matches!(
        error(&format!("#j={}", "A".repeat(1_198))),
        InviteError::TooLong { chars: 1_201, .. }
    ));
    assert!(matches!(error(&"x".repeat(2_049)), InviteError::TooLong { chars: 2_049, max: 2_048 }));
    assert_eq!(error("#j=AgAA"), InviteError::UnknownVersion(2));
}

#[test]
fn no_character_can_be_changed() {
    let good = invite().to_fragment();
    for at in 3..good.len() {
        for new in ['A', 'z', '-'] {
            let mut text = good.clone().into_bytes();
            if char::from(text[at]) == new {
                continue;
            }
            text[at] = u8::try_from(new).unwrap();
            let error = error(&String::from_utf8(text).unwrap());
            assert!(
                matches!(
                    error,
                    InviteError::Damaged
                        | InviteError::CutOff
                        | InviteError::Trailing { .. }
                        | InviteError::UnknownVersion(_)
                ),
                "{at}: {error}"
            );
        }
    }
}

/// Somebody who knows the format can repair the check, but not the signatures.
#[test]
fn repaired_damage_is_refused_too() {
    assert!(Invite::parse(&changed(|_| ()), NOW).is_ok());
    assert_eq!(error(&changed(|payload| payload[0] ^= 1)), InviteError::OtherKey);
    assert_eq!(
        error(&changed(|payload| payload[32] = 4)),
        InviteError::TooManyAddresses { count: 4, max: 3 }
    );
    assert_eq!(error(&changed(|payload| payload[34] = 0xff)), InviteError::BadAddress { at: 0 });
    assert_eq!(error(&changed(|payload| payload.truncate(40))), InviteError::CutOff);
    let last_byte = |payload: &mut Vec<u8>| *payload.last_mut().unwrap() ^= 1;
    assert!(
        matches!(error(&changed(last_byte)), InviteError::Grant(e) if e.field == Field::Signature)
    );
    // More actions than were signed.
    let actions = |payload: &mut Vec<u8>| {
        let start = payload.len() - 230 - "topic/a".len();
        payload[start + 130] = 0xff;
    };
    assert!(matches!(error(&changed(actions)), InviteError::Grant(e) if e.fault == Fault::Forged));
}

#[test]
fn invites_end_and_begin() {
    let text = invite().to_fragment();
    let at = |now_ms| Invite::parse(&text, now_ms).map(|_| ());
    assert_eq!(at(NOW - TOLERANCE), Ok(()));
    assert_eq!(at(NOW - TOLERANCE - 1), Err(InviteError::NotYet { ms: TOLERANCE + 1 }));
    assert_eq!(at(NOW + DAY + TOLERANCE - 1), Ok(()));
    assert_eq!(at(NOW + DAY + TOLERANCE), Err(InviteError::Expired { ms: TOLERANCE }));
}

#[test]
fn grants_that_are_no_invites() {
    let to = |audience, depth| {
        let terms = Terms { audience, depth, ..terms(0) };
        let grant = Chain::mint(NETWORK, &signer(0), terms).unwrap().encode();
        changed(move |payload| {
            payload.truncate(32);
            payload.push(0);
            payload.extend_from_slice(&grant);
        })
    };
    let own = invite().key();
    assert!(Invite::parse(&to(Audience::Invite(own), 1), NOW).is_ok());
    assert_eq!(error(&to(Audience::Invite(own), 0)), InviteError::NotDelegable);
    assert_eq!(error(&to(Audience::Peer(own), 1)), InviteError::OtherKey);
    assert_eq!(error(&to(Audience::Invite(key(1)), 1)), InviteError::OtherKey);
    let hashed: PeerId = "QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN".parse().unwrap();
    assert_eq!(invite().accept(&hashed, [0; 8]), Err(InviteError::UnfitPeer));
}

#[test]
fn the_seed_is_not_shown() {
    let text = format!("{:?}", invite());
    assert!(!text.contains("2a2a2a") && !text.contains("42, 42"), "{text}");
}

//! Vectors of lists of revocations and of invites.

use super::*;

fn list_outcome(known: &[Vec<u8>], now_ms: u64, bytes: &[u8]) -> Value {
    let mut revocations = Revocations::new(NETWORK);
    revocations.follow(key(0)).unwrap();
    for list in known {
        let list = SignedList::decode(list).unwrap();
        let joined = revocations.offer(&list, now_ms).unwrap().unwrap();
        revocations.apply(&joined, now_ms).unwrap();
    }
    let offered = SignedList::decode(bytes).and_then(|list| revocations.offer(&list, now_ms));
    match offered {
        Ok(Some(joined)) => json!({ "ok": hex(&joined.encode()) }),
        Ok(None) => json!({ "ok": Value::Null }),
        Err(e) => json!({ "error": e.name() }),
    }
}

fn list_case(name: &str, known: &[&SignedList], bytes: &[u8]) -> Value {
    let known: Vec<_> = known.iter().map(|list| list.encode()).collect();
    let mut value = json!({
        "name": name,
        "network": hex(&NETWORK),
        "followed": hex(key(0).as_bytes()),
        "now_ms": NOW.to_string(),
        "known": known.iter().map(|list| hex(list)).collect::<Value>(),
        "list": hex(bytes),
    });
    for (name, part) in list_outcome(&known, NOW, bytes).as_object().unwrap() {
        value[name] = part.clone();
    }
    value
}

pub(super) fn lists() -> Vec<Value> {
    let start = RevocationList::new(NETWORK, key(0));
    let next = |list: &RevocationList, entries: &[Entry]| list.next(NOW, entries).unwrap();
    let signed = |list: &RevocationList| list.clone().sign(&signer(0)).unwrap();
    let one = next(&start, &[entry(Target::Peer(key(2)), NOW)]);
    let other = next(
        &start,
        &[
            entry(Target::Issuer(key(3)), NOW),
            entry(Target::Grant(GrantId::from_bytes([9; 32])), NOW + DAY),
        ],
    );
    let two = next(&one, &[]);
    let spent = RevocationList::new(NETWORK, key(0))
        .next(NOW - 91 * DAY, &[entry(Target::Peer(key(2)), NOW - 91 * DAY)])
        .unwrap();
    let good = signed(&one).encode();
    let bad = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        change(&mut bytes);
        list_case(name, &[], &bytes)
    };
    let resigned = |name: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = one.encode();
        change(&mut bytes);
        let signature = sign(&signer(0), revocation::DOMAIN, &bytes);
        bytes.extend_from_slice(&signature);
        list_case(name, &[], &bytes)
    };
    vec![
        list_case("good/empty", &[], &signed(&next(&start, &[])).encode()),
        list_case("good/one entry", &[], &good),
        list_case(
            "good/three kinds",
            &[&signed(&one)],
            &signed(&next(&one, &other.entries().collect::<Vec<_>>())).encode(),
        ),
        list_case("good/the same again", &[&signed(&one)], &good),
        list_case("good/concurrent", &[&signed(&one)], &signed(&other).encode()),
        list_case(
            "good/concurrent with a higher version",
            &[&signed(&two)],
            &signed(&other).encode(),
        ),
        list_case("good/spent entries leave", &[], &signed(&spent).encode()),
        list_case("bad/rollback/", &[&signed(&two)], &good),
        bad("bad/cut_off/nothing", &Vec::clear),
        bad("bad/cut_off/last byte", &|bytes| bytes.truncate(bytes.len() - 1)),
        bad("bad/trailing/", &|bytes| bytes.push(0)),
        bad("bad/unknown_version/", &|bytes| bytes[0] = 2),
        bad("bad/other_network/", &|bytes| bytes[1] ^= 1),
        bad("bad/not_followed/", &|bytes| bytes[33] ^= 1),
        bad("bad/unknown_kind/", &|bytes| bytes[83] = 9),
        bad("bad/too_many/", &|bytes| bytes[81..83].copy_from_slice(&[2, 189])),
        bad("bad/forged/signature", &|bytes| *bytes.last_mut().unwrap() ^= 1),
        bad("bad/forged/reason", &|bytes| bytes[124] ^= 1),
        resigned("bad/from_the_future/", &|bytes| {
            bytes[73..81].copy_from_slice(&(NOW + TOLERANCE + 1).to_be_bytes())
        }),
        resigned("bad/out_of_order/an entry twice", &|bytes| {
            bytes.extend_from_within(83..);
            bytes[82] = 2;
        }),
    ]
}

fn invite_outcome(text: &str, now_ms: u64) -> Value {
    match Invite::parse(text, now_ms) {
        Ok(invite) => json!({ "ok": {
            "key": hex(invite.key().as_bytes()),
            "chain": hex(&invite.chain().encode()),
            "addresses": invite.addresses().iter().map(ToString::to_string).collect::<Value>(),
        } }),
        Err(e) => json!({ "error": e.name() }),
    }
}

fn invite_case(name: &str, now_ms: u64, text: &str) -> Value {
    let mut value = json!({ "name": name, "now_ms": now_ms.to_string(), "text": text });
    for (name, part) in invite_outcome(text, now_ms).as_object().unwrap() {
        value[name] = part.clone();
    }
    value
}

pub(super) fn invites() -> Vec<Value> {
    let peer = key(0).peer().unwrap();
    let address = format!("/dns4/mesh.example/tcp/443/tls/ws/p2p/{peer}");
    let terms = InviteTerms {
        actions: terms(1).actions,
        prefix: terms(1).prefix,
        not_before_ms: NOW,
        expires_ms: NOW + DAY,
        depth: 0,
        max_uses: 1,
        nonce: [5; 8],
        addresses: vec![address.parse().unwrap()],
    };
    let bare = InviteTerms { addresses: Vec::new(), ..terms.clone() };
    let member = Chain::mint(NETWORK, &signer(0), super::terms(0)).unwrap();
    let first = Invite::mint(NETWORK, &signer(0), terms.clone(), [42; 32]).unwrap();
    let bare = Invite::mint(NETWORK, &signer(0), bare, [43; 32]).unwrap();
    let by_member = Invite::mint_under(&member, &signer(1), terms, [44; 32]).unwrap();
    let good = first.to_fragment();
    let at = |name: &str, text: &str| invite_case(name, NOW, text);
    vec![
        at("good/one address", &good),
        at("good/no address", &bare.to_fragment()),
        at("good/of a member", &by_member.to_fragment()),
        at("good/a whole link", &first.to_link("https://mesh.example/").unwrap()),
        at("good/without the hash sign", &good[1..]),
        at("bad/not_an_invite/", "https://mesh.example/#room"),
        at("bad/cut_off/half", &good[..good.len() / 2]),
        at("bad/cut_off/last character", &good[..good.len() - 1]),
        at("bad/trailing/", &format!("{good}AAAA")),
        at("bad/bad_character/", &format!("{good}.")),
        at("bad/damaged/", &good.replacen(&good[40..44], "AAAA", 1)),
        at("bad/unknown_version/", "#j=AgAA"),
        at("bad/too_long/", &format!("#j={}", "A".repeat(1_198))),
        invite_case("bad/expired/", NOW + 2 * DAY, &good),
        invite_case("bad/not_yet/", NOW - DAY, &good),
    ]
}

/// Every list and invite of the file, read as another implementation would.
pub(super) fn check(file: &Value) {
    for value in items(&file["lists"]) {
        let known: Vec<_> = items(&value["known"]).iter().map(unhex).collect();
        let outcome = list_outcome(&known, time_in(&value["now_ms"]), &unhex(&value["list"]));
        hold(value, &outcome);
    }
    for value in items(&file["invites"]) {
        let outcome = invite_outcome(value["text"].as_str().unwrap(), time_in(&value["now_ms"]));
        hold(value, &outcome);
    }
}

fn hold(value: &Value, outcome: &Value) {
    let name = value["name"].as_str().unwrap();
    let error = outcome["error"].as_str();
    let expected = error.map_or("good/".to_owned(), |error| format!("bad/{error}/"));
    assert!(name.starts_with(&expected), "{name}: {outcome}");
    let part = if error.is_some() { "error" } else { "ok" };
    assert_eq!(value.get(part), outcome.get(part), "{name}");
}

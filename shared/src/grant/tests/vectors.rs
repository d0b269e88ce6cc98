//! The published vectors: `docs/grants/vectors.json` is made here and read here. Every implementation of
//! the format must give the same results.

mod bad;
mod good;
mod others;

use std::path::Path;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

use super::*;

/// A chain, who sees it, and what comes of it.
struct Case {
    name: String,
    scene: Scene,
    /// The signed lists that went into the scene.
    lists: Vec<Vec<u8>>,
    bytes: Vec<u8>,
}

impl Case {
    fn new(name: impl Into<String>, scene: Scene, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), scene, lists: Vec::new(), bytes }
    }

    /// The same after place `by` signed a list with these entries.
    fn after_list(mut self, by: u8, entries: &[Entry]) -> Self {
        self.scene.revoke(by, entries);
        let list = self.scene.revocations.list(&key(by)).unwrap().clone();
        self.lists.push(list.sign(&signer(by)).unwrap().encode());
        self
    }
}

fn hex(bytes: &[u8]) -> Value {
    HEXLOWER.encode(bytes).into()
}

fn unhex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(value.as_str().unwrap().as_bytes()).unwrap()
}

fn key_in(value: &Value) -> Key {
    Key::from_bytes(unhex(value).try_into().unwrap())
}

/// Times are text: not every reader of JSON holds 64 bits in a number.
fn time_in(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

/// The eight points of small order, and second spellings of points; see RFC 8032, section 5.1.3.
pub(super) fn weak_keys() -> Vec<[u8; 32]> {
    let eighth = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05";
    let other = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a";
    let plain = |low: u8| {
        let mut key = [0; 32];
        key[0] = low;
        key
    };
    // p + low, a second spelling of y = low.
    let spelt = |low: u8| {
        let mut key = [0xff; 32];
        key[0] = 0xed + low;
        key[31] = 0x7f;
        key
    };
    let minus_one = {
        let mut key = spelt(0);
        key[0] = 0xec;
        key
    };
    let unhexed =
        |text: &str| <[u8; 32]>::try_from(HEXLOWER.decode(text.as_bytes()).unwrap()).unwrap();
    let signed = |mut key: [u8; 32]| {
        key[31] |= 0x80;
        key
    };
    let mut keys = vec![plain(1), minus_one, plain(0), unhexed(eighth), unhexed(other)];
    keys.extend([plain(0), unhexed(eighth), unhexed(other)].map(signed));
    // Second spellings, and bytes that are no point at all.
    keys.extend([spelt(0), spelt(1), signed(spelt(0)), signed(spelt(1)), signed(plain(1))]);
    keys.extend((2..19).map(spelt));
    keys.push(plain(2));
    keys
}

/// The signature with S + L in the place of S: the same number modulo the group's order L.
pub(super) fn with_larger_s(signature: &[u8; 64]) -> [u8; 64] {
    let order = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";
    let order = HEXLOWER.decode(order.as_bytes()).unwrap();
    let mut larger = *signature;
    let mut carry = 0;
    for (byte, add) in larger[32..].iter_mut().zip(order) {
        let sum = u16::from(*byte) + u16::from(add) + carry;
        *byte = u8::try_from(sum & 0xff).unwrap();
        carry = sum >> 8;
    }
    assert_eq!(carry, 0);
    larger
}

fn audience_to(audience: Audience) -> Value {
    match audience {
        Audience::Peer(key) => json!({ "peer": hex(key.as_bytes()) }),
        Audience::Invite(key) => json!({ "invite": hex(key.as_bytes()) }),
    }
}

fn audience_in(value: &Value) -> Audience {
    value.get("peer").map_or_else(
        || Audience::Invite(key_in(&value["invite"])),
        |key| Audience::Peer(key_in(key)),
    )
}

fn names(actions: ActionSet) -> Value {
    actions.iter().map(Action::name).collect()
}

fn outcome(result: &Result<Rights, GrantError>) -> Value {
    match result {
        Ok(rights) => json!({ "ok": {
            "root": hex(rights.root().as_bytes()),
            "actions": names(rights.actions()),
            "prefix": rights.prefix().as_str(),
            "not_before_ms": rights.not_before_ms().to_string(),
            "expires_ms": rights.expires_ms().to_string(),
            "depth": rights.depth(),
            "ids": rights.ids().iter().map(|id| hex(id.as_bytes())).collect::<Value>(),
            "max_uses": rights.limits().iter().map(|limit| limit.max_uses).collect::<Value>(),
        } }),
        Err(e) => {
            json!({ "error": { "link": e.link, "field": e.field.name(), "fault": e.fault.name() } })
        }
    }
}

fn case_to(case: &Case) -> Value {
    let scene = &case.scene;
    let owners = scene
        .owners
        .iter()
        .map(|owner| json!({ "key": hex(owner.key.as_bytes()), "owned": owner.owned.as_str() }));
    let mut value = json!({
        "name": case.name,
        "network": hex(&scene.network),
        "now_ms": scene.now_ms.to_string(),
        "holder": audience_to(scene.holder),
        "roots": scene.roots.iter().map(|key| hex(key.as_bytes())).collect::<Value>(),
        "owners": owners.collect::<Value>(),
        "lists": case.lists.iter().map(|list| hex(list)).collect::<Value>(),
        "chain": hex(&case.bytes),
    });
    for (name, part) in outcome(&scene.verify(&case.bytes)).as_object().unwrap() {
        value[name] = part.clone();
    }
    value
}

/// The same question as a reader of the file puts it.
fn outcome_of(value: &Value) -> Value {
    let network: NetworkId = unhex(&value["network"]).try_into().unwrap();
    let now_ms = time_in(&value["now_ms"]);
    let mut revocations = Revocations::new(network);
    for list in items(&value["lists"]) {
        let list = SignedList::decode(&unhex(list)).unwrap();
        revocations.follow(list.list().issuer()).unwrap();
        let joined = revocations.offer(&list, now_ms).unwrap().unwrap();
        revocations.apply(&joined, now_ms).unwrap();
    }
    let roots: Vec<_> = items(&value["roots"]).iter().map(key_in).collect();
    let owners: Vec<_> = items(&value["owners"])
        .iter()
        .map(|owner| Owner {
            key: key_in(&owner["key"]),
            owned: Prefix::new(owner["owned"].as_str().unwrap()).unwrap(),
        })
        .collect();
    let context = Context {
        network: &network,
        now_ms,
        holder: audience_in(&value["holder"]),
        roots: &roots,
        owners: &owners,
        revocations: &revocations,
    };
    outcome(&verify(&unhex(&value["chain"]), &context))
}

fn text() -> String {
    let group = |name: &str, values: Vec<Value>| {
        let lines: Vec<_> = values.iter().map(|value| format!("    {value}")).collect();
        format!("  \"{name}\": [\n{}\n  ]", lines.join(",\n"))
    };
    let chains = good::cases().into_iter().chain(bad::cases());
    format!(
        "{{\n  \"format\": 1,\n{},\n{},\n{}\n}}\n",
        group("chains", chains.map(|case| case_to(&case)).collect()),
        group("lists", others::lists()),
        group("invites", others::invites()),
    )
}

#[test]
fn the_file_is_up_to_date_and_every_vector_holds() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/grants/vectors.json");
    let text = text();
    if std::env::var_os("PEERLOOM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    // The order of fields is left to features of the JSON library, which others in the build choose.
    let file: Value = serde_json::from_str(&found).unwrap();
    let wanted: Value = serde_json::from_str(&text).unwrap();
    assert!(
        file == wanted,
        "docs/grants/vectors.json differs; PEERLOOM_WRITE_DOCS=1 writes it anew"
    );

    let mut seen = std::collections::BTreeSet::new();
    let (mut good, mut bad) = (0, 0);
    for value in items(&file["chains"]) {
        let name = value["name"].as_str().unwrap();
        assert!(seen.insert(name), "{name} twice");
        let outcome = outcome_of(value);
        let expected = if value.get("ok").is_some() { "ok" } else { "error" };
        assert_eq!(outcome.get(expected), value.get(expected), "{name}");
        // The name says what a person expects, so that a wrong result cannot become a vector unseen.
        if let Some(error) = value.get("error") {
            let end = format!(
                "{}/{}",
                error["field"].as_str().unwrap(),
                error["fault"].as_str().unwrap()
            );
            assert!(name.starts_with(&format!("bad/{end}/")), "{name}: {end}");
            bad += 1;
        } else {
            assert!(name.starts_with("good/"), "{name}");
            good += 1;
        }
    }
    assert!(good >= 40 && bad >= 200, "{good} good and {bad} bad");
    others::check(&file);
}

/// Every kind of refusal has a vector.
#[test]
fn every_fault_has_a_vector() {
    let found: std::collections::BTreeSet<_> = bad::cases()
        .iter()
        .map(|case| case.scene.verify(&case.bytes).unwrap_err().fault.name())
        .collect();
    let all = [
        "too_much",
        "empty",
        "cut_off",
        "trailing",
        "unknown",
        "malformed",
        "empty_window",
        "too_long_lived",
        "other_network",
        "not_yet",
        "expired",
        "not_trusted",
        "not_owned",
        "not_a_root",
        "other_parent",
        "not_the_audience",
        "not_the_holder",
        "more_than_parent",
        "not_delegable",
        "revoked",
        "weak_key",
        "forged",
    ];
    assert_eq!(found, all.into_iter().collect());
}

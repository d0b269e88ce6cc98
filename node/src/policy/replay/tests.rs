use data_encoding::HEXLOWER;
use peerloom_shared::grant::Key;
use peerloom_shared::policy::Access;
use serde_json::json;

use super::*;
use crate::policy::folder::{Wanted, load};

const NOW: u64 = 1_800_000_000_000;
const PEER: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

fn own() -> Key {
    let secret = libp2p::identity::ed25519::SecretKey::try_from_bytes([1; 32]).expect("32 bytes");
    Key::of(&libp2p::identity::ed25519::Keypair::from(secret))
}

fn side(access: Access, rules: &str) -> Side {
    let dir = tempfile::tempdir().expect("a folder");
    std::fs::write(dir.path().join("rules.toml"), rules).expect("written");
    let wanted = Wanted { access: Some(access), own: Some(own()) };
    Side::new(load(dir.path(), &wanted, NOW).expect("good"))
}

fn asked(change: impl FnOnce(&mut serde_json::Value)) -> Asked {
    let mut value = json!({
        "atMs": NOW, "peer": PEER, "relayed": false, "action": "topic.publish",
        "resource": "topic/garden", "class": "native", "isRoot": false, "grants": [], "allowed": true,
    });
    change(&mut value);
    serde_json::from_value(value).expect("an entry")
}

/// A grant of the node's own key over a topic, as the log keeps it.
fn noted() -> serde_json::Value {
    let network = peerloom_shared::policy::Trust::founded_by(own()).network;
    json!([{
        "ids": ["ab"], "network": HEXLOWER.encode(&network), "root": HEXLOWER.encode(own().as_bytes()),
        "redeemed": true, "prefix": "topic/garden", "notBeforeMs": NOW - 1, "expiresMs": NOW + 1,
        "actions": peerloom_shared::grant::ActionSet::from_iter([Action::TopicPublish]).bits(), "depth": 0,
    }])
}

#[test]
fn what_another_folder_would_decide_otherwise_is_found() {
    let (open, closed) = (side(Access::Open, ""), side(Access::Closed, ""));
    let requests = vec![
        asked(|_| {}),
        asked(|it| it["grants"] = noted()),
        asked(|it| (it["action"], it["resource"]) = (json!("admin.read"), json!("admin"))),
        asked(|it| {
            (it["peer"], it["action"], it["resource"]) =
                (json!(null), json!("admin.read"), json!("admin"))
        }),
    ];
    let outcome = replay(requests.clone(), &open, &closed);
    assert_eq!((outcome.asked, outcome.flips.len()), (4, 1), "{outcome:?}");
    let flip = outcome.flips.first().expect("one");
    assert!(flip.now.allowed && !flip.then.allowed);
    assert_eq!((&*flip.now.by, &*flip.then.by), ("open.topics", "default.deny"));
    // A peer that asks for the operator's part was allowed at its time, by this log, and is not now.
    assert_eq!(outcome.older, 1);
    assert!(replay(requests, &closed, &closed).flips.is_empty());
}

#[test]
fn the_newest_flip_comes_first_and_lists_count() {
    let (open, listed) =
        (side(Access::Open, ""), side(Access::Open, &format!("[deny]\npeers = [\"{PEER}\"]\n")));
    let requests = (0..3_u64).map(|after| asked(|it| it["atMs"] = json!(NOW + after))).collect();
    let outcome = replay(requests, &open, &listed);
    let times: Vec<u64> = outcome.flips.iter().map(|flip| flip.asked.at_ms).collect();
    assert_eq!(times, [NOW + 2, NOW + 1, NOW]);
    assert!(outcome.flips.iter().all(|flip| flip.then.by == "deny.peers"));
}

#[test]
fn what_cannot_be_asked_again_is_counted_and_left_out() {
    let open = side(Access::Open, "");
    let requests = vec![
        asked(|it| it["cut"] = json!(true)),
        asked(|it| it["action"] = json!("moon.land")),
        asked(
            |it| it["grants"] = json!([{"ids": [], "network": "xx", "root": "", "redeemed": true, "actions": 1, "prefix": "", "notBeforeMs": 0, "expiresMs": 0, "depth": 0}]),
        ),
        asked(|it| it["net"] = json!("192.0.2.0")),
    ];
    let outcome = replay(requests, &open, &open);
    assert_eq!((outcome.asked, outcome.cut, outcome.unknown, outcome.coarse), (1, 1, 2, 1));
}

//! The distributed hash table of five nodes.
//! Invariant: what one put another gets, who provides is found, and where a peer is too.
//! Not here: whom the table admits (unit tests).

use peerloom_shared::view::Transport;
use peerloom_tests::{NodeProcess, PATIENCE, Refusal, Setup, wait_until};
use serde_json::{Value, json};

/// Asks until the table is filled enough to answer.
fn ask(node: &NodeProcess, verb: &str, body: &Value, good: impl Fn(&Value) -> bool) -> Value {
    let mut last: Option<Result<Value, Refusal>> = None;
    wait_until(PATIENCE * 2, &format!("{verb} {body}"), || {
        let answer = node.post(&format!("/api/v1/dht/{verb}"), body.clone());
        let done = answer.as_ref().ok().filter(|value| good(value)).cloned();
        if done.is_none() && last.as_ref() != Some(&answer) {
            println!("{verb}: {answer:?}");
            last = Some(answer);
        }
        done
    })
}

#[test]
fn five_nodes_find_what_one_of_them_knows() {
    let first = Setup::new().start();
    let address = first.address(Transport::Tcp);
    let others: Vec<_> = (0..4).map(|_| Setup::new().bootstrap(&address).start()).collect();
    for node in &others {
        node.wait_peer(first.id());
    }

    let record = json!({ "key": "greeting", "value": "hello" });
    ask(&others[0], "put", &record, |_| true);
    let got = ask(&others[3], "get", &json!({ "key": "greeting" }), |got| got["value"] == "hello");
    assert_eq!(got["key"], "greeting");

    ask(&others[1], "provide", &json!({ "key": "song" }), |_| true);
    let id = others[1].id();
    ask(&others[2], "providers", &json!({ "key": "song" }), |found| {
        found["providers"].as_array().is_some_and(|all| all.iter().any(|peer| peer == id))
    });

    let wanted = others[0].id();
    let found = ask(&others[3], "find-peer", &json!({ "id": wanted }), |found| {
        found["addresses"].as_array().is_some_and(|all| !all.is_empty())
    });
    assert_eq!(found["id"], wanted);
    let bare = others[0].address(Transport::Tcp).replace(&format!("/p2p/{wanted}"), "");
    let addresses = found["addresses"].as_array().expect("a list");
    assert!(
        addresses.iter().any(|at| at.as_str().is_some_and(|at| at.starts_with(&bare))),
        "{addresses:?} lacks {bare}"
    );

    // The same by the command line, and what is not there.
    let got = first.cli(&["dht", "get", "greeting", "--json"]);
    let got: Value = serde_json::from_str(got.expect_success()).expect("JSON");
    assert_eq!((&got["value"], &got["schema"]), (&"hello".into(), &"peerloom/dht-get/1".into()));
    let refusal =
        first.post("/api/v1/dht/get", json!({ "key": "nothing" })).expect_err("nobody knows");
    assert_eq!((refusal.status, refusal.code.as_str()), (404, "DHT-004"), "{refusal:?}");
    first.cli(&["dht", "get", "nothing"]).expect_failure(6, "DHT-004");

    // A record outlives the node that put it.
    let mut gone = others;
    gone[0].kill();
    let got = ask(&gone[2], "get", &json!({ "key": "greeting" }), |got| got["value"] == "hello");
    assert_eq!(got["key"], "greeting");
}

//! Allow and deny lists on running nodes.
//! Invariant: new rules hold for open connections too, within two seconds; bad rules change nothing.
//! Not here: the form of the file (`bad_input`), single decisions (unit tests).

use std::time::{Duration, Instant};

use peerloom_shared::view::Transport;
use peerloom_tests::setup::write_rules;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};

/// The longest that new rules may take to close what they forbid.
const CLOSED: Duration = Duration::from_secs(2);

fn connected(node: &NodeProcess, peer: &NodeProcess) -> bool {
    node.status().peers.iter().any(|known| known.id == peer.id())
}

/// Writes rules and waits until the peer is gone; how long that took.
fn shut_out(node: &NodeProcess, peer: &NodeProcess, rules: &str) -> Duration {
    let began = Instant::now();
    write_rules(&node.data_dir(), rules);
    wait_until(PATIENCE, "the connection is closed", || (!connected(node, peer)).then_some(()));
    began.elapsed()
}

/// The peer cannot be reached, nor come in, and both sides are told.
fn stays_out(node: &NodeProcess, peer: &NodeProcess) {
    let address = peer.address(Transport::Tcp);
    let refusal = node.connect(&address).expect_err("denied");
    assert_eq!((refusal.status, refusal.code.as_str()), (403, "POL-101"), "{refusal:?}");
    assert!(!refusal.retryable);
    node.cli(&["peers", "connect", &address]).expect_failure(5, "POL-101");
    // It knocks and is sent away: at the first byte or after the handshake.
    let refused = || node.metric("peerloom_admission_refused", "");
    let before = refused();
    let sent_away = peer.connect(&node.address(Transport::Tcp)).expect_err("not let in");
    assert!(["NET-110", "NET-111"].contains(&sent_away.code.as_str()), "{sent_away:?}");
    wait_until(PATIENCE, "a refusal is counted", || (refused() > before).then_some(()));
    wait_until(PATIENCE, "the peer sees that too", || (!connected(peer, node)).then_some(()));
    assert!(!connected(node, peer));
}

/// A node with two peers.
fn trio() -> (NodeProcess, NodeProcess, NodeProcess) {
    let node = Setup::new().start();
    let rules = format!("[allow]\npeers = [\"{}\"]\n", node.id());
    let address = node.address(Transport::Tcp);
    let [one, other] = [0, 1].map(|_| Setup::new().rules(&rules).bootstrap(&address).start());
    node.wait_peer(one.id());
    node.wait_peer(other.id());
    (node, one, other)
}

#[test]
fn a_denied_peer_is_shut_out_at_once() {
    let (node, bad, good) = trio();
    let took = shut_out(&node, &bad, &format!("[deny]\npeers = [\"{}\"]\n", bad.id()));
    assert!(took < CLOSED, "closed after {took:?}");
    stays_out(&node, &bad);
    assert!(connected(&node, &good), "the other one stays");
    assert!(node.metric("peerloom_policy_decisions", "deny") > 0.0);

    write_rules(&node.data_dir(), "");
    node.wait_peer(bad.id());
}

#[test]
fn a_denied_network_is_shut_out_at_once() {
    let (node, one, other) = trio();
    let took = shut_out(&node, &one, "[deny]\nnets = [\"127.0.0.0/8\"]\n");
    assert!(took < CLOSED, "closed after {took:?}");
    wait_until(PATIENCE, "the other one too", || (!connected(&node, &other)).then_some(()));
    stays_out(&node, &one);
    std::fs::remove_file(node.data_dir().join("policy/rules.toml")).expect("ours");
    node.wait_peer(one.id());
    node.wait_peer(other.id());
}

#[test]
fn who_is_not_on_an_allow_list_is_shut_out() {
    let (node, bad, good) = trio();
    let took = shut_out(&node, &bad, &format!("[allow]\npeers = [\"{}\"]\n", good.id()));
    assert!(took < CLOSED, "closed after {took:?}");
    stays_out(&node, &bad);
    assert!(connected(&node, &good));

    write_rules(&node.data_dir(), "[allow]\nnets = [\"127.0.0.1\"]\n");
    node.wait_peer(bad.id());
    shut_out(&node, &bad, "[allow]\nnets = [\"10.0.0.0/8\"]\n");
    stays_out(&node, &bad);
    wait_until(PATIENCE, "the other one too", || (!connected(&node, &good)).then_some(()));
}

#[test]
fn a_bad_file_changes_nothing() {
    let (node, bad, good) = trio();
    let rules = format!("[deny]\npeers = [\"{}\"]\n", bad.id());
    shut_out(&node, &bad, &rules);
    for (wrong, code) in [
        ("[deny\n", "POL-001"),
        ("[deny]\nperrs = []\n", "POL-002"),
        ("[allow]\npeers = [\"nobody\"]\n", "POL-003"),
    ] {
        let before = node.metric("peerloom_policy_reload_failed", "");
        write_rules(&node.data_dir(), wrong);
        wait_until(PATIENCE, "the file was looked at", || {
            (node.metric("peerloom_policy_reload_failed", "") > before).then_some(())
        });
        node.cli(&["reload"]).expect_failure(3, code);
        assert!(connected(&node, &good) && !connected(&node, &bad), "the old rules hold");
        assert!(node.log().contains("the policy in force stays"), "{}", node.log());
    }
    write_rules(&node.data_dir(), &rules);
    let answer = node.cli(&["reload", "--json"]);
    let answer: serde_json::Value = serde_json::from_str(answer.expect_success()).expect("JSON");
    assert_eq!(answer["schema"], "peerloom/reload/1");
    stays_out(&node, &bad);
}

#[test]
fn an_author_who_is_denied_is_not_heard_over_others() {
    let (node, bad, good) = trio();
    for member in [&node, &bad, &good] {
        member.join("lobby");
    }
    let hears = good.events();
    bad.say("lobby", "before");
    hears.message("before");
    // The good one bars the author, not the neighbour that brings his messages.
    let rules =
        format!("[allow]\npeers = [\"{}\"]\n[deny]\npeers = [\"{}\"]\n", node.id(), bad.id());
    write_rules(&good.data_dir(), &rules);
    let answer = good.post("/api/v1/reload", serde_json::json!({})).expect("good rules");
    assert!(answer["policyEpoch"].as_u64() > Some(1), "{answer}");
    bad.say("lobby", "after");
    node.say("lobby", "the last word");
    hears.message("the last word");
    assert_eq!(good.count("lobby", "after"), 0);
    wait_until(PATIENCE, "the others hear him", || {
        (node.count("lobby", "after") == 1).then_some(())
    });
}

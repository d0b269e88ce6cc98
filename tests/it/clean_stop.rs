//! Stopping a node on request.
//! Invariant: the first signal drains within five seconds and the exit code is 0; the second ends at once.
//! Not here: being killed (`restart`).

use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use peerloom_node::paths::DataFiles;
use peerloom_shared::limits::STOP_MS;
use peerloom_shared::view::Transport;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};

/// Two nodes in a room; the second one knows the first.
fn pair() -> (NodeProcess, NodeProcess) {
    let node = Setup::new().room("lobby").start();
    let other = Setup::new().bootstrap(&node.address(Transport::Tcp)).room("lobby").start();
    wait_until(PATIENCE, "the member", || {
        let room = other.room("lobby")?;
        room.members.iter().any(|member| member.id == node.id()).then_some(())
    });
    (node, other)
}

/// Stops a node and checks how it went.
fn drains(node: &mut NodeProcess, other: &NodeProcess, stop: impl FnOnce(&mut NodeProcess)) {
    let events = other.events();
    let began = Instant::now();
    stop(node);
    let status = node.running().wait(PATIENCE, "the end of the node");
    let took = began.elapsed();
    assert_eq!(status.code(), Some(0), "{}", node.log());
    assert!(took < Duration::from_millis(STOP_MS), "drained in {took:?}");
    assert!(node.log().contains("stopped"), "says so: {}", node.log());
    // It says goodbye: the other one need not wait until it is overdue.
    events.member("lobby", node.id(), false);
    other.wait_status("the connection is gone", |status| status.peers.is_empty().then_some(()));
    assert!(!DataFiles::of(node.data_dir()).running().exists(), "no stale note is left");
}

#[test]
fn an_interrupt_drains() {
    let (mut node, other) = pair();
    drains(&mut node, &other, |node| node.running().signal("INT"));
    assert!(node.log().contains("stopping ... (press Ctrl-C again to stop at once)"));
}

#[test]
fn a_termination_signal_drains() {
    let (mut node, other) = pair();
    drains(&mut node, &other, |node| node.running().signal("TERM"));
}

#[test]
fn the_command_to_shut_down_drains() {
    let (mut node, other) = pair();
    drains(&mut node, &other, |node| {
        let ran = node.cli(&["shutdown"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
    });
}

#[test]
fn a_second_signal_ends_at_once() {
    for (second, code) in [("INT", 130), ("TERM", 143)] {
        let mut node = Setup::new().start();
        // A request that never ends keeps the server busy while it drains.
        let token = std::fs::read_to_string(node.data_dir().join("admin.token")).expect("a token");
        let host = api_of(&node);
        let mut slow = TcpStream::connect(&host).expect("the API");
        let head = format!(
            "POST /api/v1/rooms/join HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
            token.trim()
        );
        slow.write_all(head.as_bytes()).expect("sent");
        assert!(node.get("/livez").starts_with("ok"), "the server has seen it by now");
        node.running().signal("INT");
        wait_until(PATIENCE, "the first signal is answered", || {
            node.log().contains("stopping").then_some(())
        });
        let began = Instant::now();
        node.running().signal(second);
        let status = node.running().wait(PATIENCE, "the end of the node");
        assert_eq!(status.code(), Some(code), "{}", node.log());
        assert!(node.log().contains("stopped at once"), "{}", node.log());
        assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
        drop(slow);
        // Nothing is lost: the same node comes up again.
        let id = node.id().to_owned();
        node.restart();
        assert_eq!(node.id(), id);
    }
}

/// Host and port of the API.
fn api_of(node: &NodeProcess) -> String {
    let note = DataFiles::of(node.data_dir()).running();
    let note = std::fs::read_to_string(note).expect("a note");
    let note: serde_json::Value = serde_json::from_str(&note).expect("JSON");
    let api = note["api"].as_str().and_then(|api| api.strip_prefix("http://")).expect("an API");
    api.to_owned()
}

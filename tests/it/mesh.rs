//! Three nodes in a row: the outer ones know only the middle one.
//! Invariant: the middle one carries what it is not part of, and its death is not the end.
//! Not here: transports, relayed connections.

use std::time::{Duration, Instant};

use peerloom_shared::view::Transport;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};

/// The longest that a peer may need to be back in its rooms.
const REJOIN: Duration = Duration::from_secs(15);

/// A node that keeps a link to `middle` and may connect to nobody else.
fn outer(middle: &NodeProcess, room: &str) -> NodeProcess {
    Setup::new()
        .rules(&format!("[allow]\npeers = [\"{}\"]\n", middle.id()))
        .bootstrap(&middle.address(Transport::Tcp))
        .room(room)
        .start()
}

fn sees(node: &NodeProcess, room: &str, member: &NodeProcess) {
    wait_until(PATIENCE, "the other member in the list", || {
        let room = node.room(room)?;
        room.members.iter().any(|known| known.id == member.id()).then_some(())
    });
}

#[test]
fn messages_cross_a_node_that_is_in_no_room() {
    let mut middle = Setup::new().start();
    let left = outer(&middle, "lobby");
    let right = outer(&middle, "lobby");
    let (left_hears, right_hears) = (left.events(), right.events());
    let events = middle.events();

    let hello = left.say("lobby", "hello from the left");
    assert_eq!(right_hears.message(&hello.text).author, left.id());
    let hello = right.say("lobby", "hello from the right");
    assert_eq!(left_hears.message(&hello.text).author, right.id());
    sees(&left, "lobby", &right);
    sees(&right, "lobby", &left);
    for (node, others) in [(&left, 1), (&right, 1), (&middle, 2)] {
        assert_eq!(node.status().peers.len(), others, "a row, not a ring");
    }
    assert!(middle.status().rooms.is_empty(), "the middle is in no room");
    assert!(middle.messages("lobby").is_empty(), "what is carried is not read");
    drop(events);

    middle.kill();
    for node in [&left, &right] {
        node.wait_status("alone", |status| status.peers.is_empty().then_some(()));
        assert!(node.room("lobby").is_some(), "still in the room");
    }
    middle.restart();
    let back = Instant::now();
    left.say("lobby", "again from the left");
    right_hears.message("again from the left");
    right.say("lobby", "again from the right");
    left_hears.message("again from the right");
    let took = back.elapsed();
    assert!(took < REJOIN, "the room was whole again after {took:?}");

    // The last one in a room leaves it: the others see it at once, not when it is overdue.
    right.post("/api/v1/rooms/leave", serde_json::json!({ "room": "lobby" })).expect("leaves");
    left_hears.member("lobby", right.id(), false);
    assert!(right.room("lobby").is_none());
    let refusal =
        right.post("/api/v1/rooms/send", serde_json::json!({ "room": "lobby", "text": "x" }));
    assert_eq!(refusal.expect_err("not in the room").code, "ROOM-002");
}

#[test]
fn a_full_mesh_hears_everything_once() {
    let first = Setup::new().room("lobby").start();
    let address = first.address(Transport::Tcp);
    let others: Vec<_> =
        (0..3).map(|_| Setup::new().bootstrap(&address).room("lobby").start()).collect();
    let nodes: Vec<_> = std::iter::once(&first).chain(&others).collect();
    for node in &nodes {
        for other in nodes.iter().filter(|other| other.id() != node.id()) {
            sees(node, "lobby", other);
        }
    }
    for (number, node) in nodes.iter().enumerate() {
        for text in 0..10 {
            node.say("lobby", &format!("{number}/{text}"));
        }
    }
    for node in &nodes {
        wait_until(PATIENCE, "all messages", || (node.messages("lobby").len() >= 40).then_some(()));
        for number in 0..nodes.len() {
            for text in 0..10 {
                assert_eq!(node.count("lobby", &format!("{number}/{text}")), 1);
            }
        }
    }
}

#[test]
fn the_room_of_universal_connectivity_carries_bare_text() {
    let first = Setup::new().room("universal-connectivity").start();
    let second = Setup::new()
        .bootstrap(&first.address(Transport::Tcp))
        .room("universal-connectivity")
        .start();
    let hears = second.events();
    let said = first.say("universal-connectivity", "bare text");
    let heard = hears.message(&said.text);
    assert_eq!((said.sent_ms, heard.sent_ms), (None, None));
    // Nobody says there that he is here; whoever was heard is.
    sees(&second, "universal-connectivity", &first);
}

#[test]
fn a_terminal_chat_sends_its_lines_and_ends() {
    let node = Setup::new().room("lobby").start();
    let chatting = Setup::new().bootstrap(&node.address(Transport::Tcp)).start();
    let hears = node.events();
    let ran = chatting.cli_with(&["chat", "lobby", "--name", "pipe", "--json"], "one\ntwo\n");
    let shown: Vec<serde_json::Value> = ran
        .expect_success()
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    for text in ["one", "two"] {
        hears.message(text);
        assert_eq!(shown.iter().filter(|message| message["text"] == text).count(), 1, "{ran:?}");
    }
}

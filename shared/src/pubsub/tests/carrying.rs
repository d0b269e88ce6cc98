use super::*;

const TOPIC: &str = "peerloom/open/theirs";

fn carrier() -> Bench {
    let mut bench = Bench::new();
    bench.machine = Pubsub::new(peer(0), 4711, Config { carry: true, ..Config::default() });
    bench
}

fn follows(peer: PeerId, topic: &str, follows: bool) -> Input {
    Input::Neighbour { peer, topic: topic.into(), follows }
}

#[test]
fn a_neighbours_room_is_carried_without_being_in_it() {
    let mut bench = carrier();
    let begun = bench.feed(follows(peer(1), TOPIC, true));
    assert!(matches!(&begun[..], [Output::Subscribe { topic, .. }] if topic == TOPIC), "{begun:?}");
    assert!(bench.machine.rooms().is_empty());
    let data = post_bytes(1, bench.now.unix_ms, PostKind::Text, "hello");
    let arrival = bench.arrival(peer(1), TOPIC, data);
    assert_eq!(bench.judged(arrival), (Acceptance::Accept, Vec::new()));
    let arrival = bench.arrival(peer(1), TOPIC, vec![0xff; 40]);
    assert_eq!(bench.judged(arrival).0, Acceptance::Reject);
    assert!(bench.feed(follows(peer(2), TOPIC, true)).is_empty());
    assert!(bench.feed(follows(peer(1), TOPIC, false)).is_empty());
    let ended = bench.feed(follows(peer(2), TOPIC, false));
    assert_eq!(ended, [Output::Unsubscribe { topic: TOPIC.into() }]);
}

#[test]
fn leaving_a_room_that_neighbours_need_keeps_it_carried() {
    let mut bench = carrier();
    bench.join("theirs");
    let first = bench.feed(follows(peer(1), TOPIC, true));
    assert!(!first.iter().any(|o| matches!(o, Output::Subscribe { .. })), "{first:?}");
    let ticket = bench.ticket();
    let left = bench.feed(Input::Leave { ticket, room: room("theirs") });
    assert!(!left.iter().any(|o| matches!(o, Output::Unsubscribe { .. })), "{left:?}");
    let ended = bench.feed(follows(peer(1), TOPIC, false));
    assert_eq!(ended, [Output::Unsubscribe { topic: TOPIC.into() }]);
}

#[test]
fn only_rooms_are_carried_and_only_by_those_who_want_to() {
    assert!(carrier().feed(follows(peer(1), "some/other/topic", true)).is_empty());
    let mut bench = Bench::new();
    let outputs = bench.feed(follows(peer(1), TOPIC, true));
    assert!(!outputs.iter().any(|o| matches!(o, Output::Subscribe { .. })), "{outputs:?}");
}

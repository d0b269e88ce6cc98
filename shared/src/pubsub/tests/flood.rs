//! Memory under floods.

use super::*;

/// PeerIds as an attacker makes them: any number, all different.
fn made_up(number: u32) -> PeerId {
    let mut bytes = vec![0x00, 0x24, 0x08, 0x01, 0x12, 0x20];
    bytes.extend([0x5A; 28]);
    bytes.extend(number.to_be_bytes());
    PeerId::from_bytes(&bytes).unwrap()
}

#[test]
fn a_flood_of_made_up_authors_and_topics_is_bounded() {
    let mut bench = Bench::in_room("lobby");
    bench.hears(peer(1), 1, PostKind::Presence, "Ada");
    let mut events = 0;
    for number in 0..15_000_u32 {
        bench.pass(1);
        if number % 2_500 == 0 {
            // An honest member keeps talking meanwhile.
            bench.hears(peer(1), 2 + u64::from(number), PostKind::Presence, "Ada");
        }
        let topic = match number % 3 {
            0 => format!("peerloom/open/room-{number}"),
            1 | 2 => "peerloom/open/lobby".to_owned(),
            _ => unreachable!(),
        };
        let data = post_bytes(number.into(), bench.now.unix_ms, PostKind::Presence, "flood");
        let arrival = Arrival {
            forwarder: made_up(1_000_000 + number % 20_000),
            ..bench.arrival(made_up(number), &topic, data)
        };
        events += bench.judged(arrival).1.len();
    }
    let (seen, windows, buckets) = bench.machine.judge.sizes();
    assert!(seen <= SEEN_MAX && windows <= COUNTER_WINDOWS_MAX && buckets <= 2 * RATE_KEYS_MAX);
    assert!(windows == COUNTER_WINDOWS_MAX, "the flood did reach the bound");
    let members = bench.members();
    assert_eq!(members.len(), ROOM_MEMBERS_MAX);
    assert!(members.contains(&(peer(1).to_string(), Some("Ada".into()))), "Ada was not pushed out");
    assert!(events <= ROOM_MEMBERS_MAX, "readers of events are not flooded either: {events}");
    assert!(bench.machine.pending.next_late().is_none());
    let rooms: Vec<_> = bench.machine.rooms().into_iter().map(|room| room.name).collect();
    assert_eq!(rooms, ["lobby"]);
}

#[test]
fn a_flood_of_newcomers_does_not_make_us_shout() {
    let mut bench = Bench::in_room("lobby");
    bench.run(2 * PRESENCE_EVERY_MS);
    let mut said = 0;
    for number in 0..2_500_u32 {
        bench.hears(made_up(number), 1, PostKind::Presence, "");
        said += bench.run(4).iter().filter(|(_, output)| published(output).is_some()).count();
    }
    // Ten seconds: one post each 2 s at most.
    assert!(said <= 6, "{said}");
}

#[test]
fn requests_without_end_are_refused_when_too_many_wait() {
    let mut bench = Bench::in_room("lobby");
    let mut answered = 0;
    for ticket in 100..1_100 {
        let outputs = bench.feed(Input::Say { ticket, room: room("lobby"), text: "x".into() });
        answered += outputs
            .iter()
            .filter(|o| **o == Output::Answer { ticket, result: Err(PubsubError::Busy) })
            .count();
    }
    assert_eq!(answered, 1_000 - PUBSUB_PENDING_MAX);
    let late = bench.run(ASK_MS);
    let timed_out = late.iter().filter(|(_, output)| {
        matches!(output, Output::Answer { result: Err(PubsubError::TimedOut), .. })
    });
    assert_eq!(timed_out.count(), PUBSUB_PENDING_MAX);
}

//! One row for each reason to refuse, and what acceptance shows.

use proptest::prelude::*;

use super::*;

const LOBBY: &str = "peerloom/open/lobby";

/// A change that turns a good arrival into one for a certain reason.
type Spoil = fn(&mut Bench, &mut Arrival);

#[test]
fn every_reason() {
    let table: [(Reason, Acceptance, Spoil); 18] = [
        (Reason::Unsigned, Acceptance::Reject, |_, a| a.author = None),
        (Reason::Unsigned, Acceptance::Reject, |_, a| a.seqno = None),
        (Reason::Own, Acceptance::Ignore, |_, a| a.author = Some(peer(0))),
        (Reason::NotJoined, Acceptance::Ignore, |_, a| a.topic = "peerloom/open/hall".into()),
        (Reason::NotJoined, Acceptance::Ignore, |_, a| a.topic = "no room's".into()),
        (Reason::Malformed, Acceptance::Reject, |_, a| a.data = b"no post".to_vec()),
        (Reason::Malformed, Acceptance::Reject, |_, a| a.data = Vec::new()),
        (Reason::Malformed, Acceptance::Reject, |_, a| a.data = vec![0; POST_BYTES_MAX + 1]),
        (Reason::Malformed, Acceptance::Reject, |b, a| {
            let long = "x".repeat(POST_BODY_BYTES_MAX + 1);
            a.data = post_bytes(9, b.now.unix_ms, PostKind::Text, &long);
        }),
        (Reason::Unsupported, Acceptance::Ignore, |_, a| a.data[1] = 2),
        (Reason::Unsupported, Acceptance::Ignore, |_, a| {
            a.data = vec![8, 1, 0x20, 77];
        }),
        (Reason::Clock, Acceptance::Ignore, |b, a| {
            let early = b.now.unix_ms - CLOCK_TOLERANCE_MS - 1;
            a.data = post_bytes(9, early, PostKind::Text, "late");
        }),
        (Reason::Clock, Acceptance::Ignore, |b, a| {
            let late = b.now.unix_ms + CLOCK_TOLERANCE_MS + 1;
            a.data = post_bytes(9, late, PostKind::Text, "early");
        }),
        (Reason::Foreign, Acceptance::Ignore, |_, a| {
            a.topic = "universal-connectivity".into();
            a.data = vec![0xFF];
        }),
        (Reason::Foreign, Acceptance::Ignore, |_, a| {
            a.topic = "universal-connectivity".into();
            a.data = vec![b'x'; GOSSIP_RPC_BYTES_MAX + 1];
        }),
        (Reason::Replay, Acceptance::Ignore, |b, a| {
            assert_eq!(b.judged(a.clone()).0, Acceptance::Accept);
        }),
        (Reason::Replay, Acceptance::Ignore, |b, a| {
            // That format has no counter: the sequence number alone tells.
            a.topic = "universal-connectivity".into();
            a.data = b"hi".to_vec();
            assert_eq!(b.judged(a.clone()).0, Acceptance::Accept);
        }),
        (Reason::Replay, Acceptance::Ignore, |b, a| {
            // Under another sequence number, so that only the counter tells.
            assert_eq!(b.judged(a.clone()).0, Acceptance::Accept);
            a.seqno = Some(1_000_000);
        }),
    ];
    for (row, (reason, acceptance, spoil)) in table.into_iter().enumerate() {
        let mut bench = Bench::in_room("lobby");
        bench.join("universal-connectivity");
        let data = post_bytes(9, bench.now.unix_ms, PostKind::Text, "hi");
        let mut arrival = bench.arrival(peer(1), LOBBY, data);
        spoil(&mut bench, &mut arrival);
        let before = bench.machine.counts().clone();
        let members = bench.members();
        let (found, outputs) = bench.judged(arrival);
        assert_eq!(found, acceptance, "row {row}");
        assert_eq!(reason.acceptance(), acceptance);
        assert_eq!((outputs, bench.members()), (vec![], members), "row {row}");
        let mut expected = before;
        expected.drop(reason);
        assert_eq!(*bench.machine.counts(), expected, "row {row}");
    }
}

#[test]
fn bounds_that_still_pass() {
    let table: [Spoil; 6] = [
        |b, a| {
            let early = b.now.unix_ms - CLOCK_TOLERANCE_MS;
            a.data = post_bytes(9, early, PostKind::Text, "late");
        },
        |b, a| {
            let late = b.now.unix_ms + CLOCK_TOLERANCE_MS;
            a.data = post_bytes(9, late, PostKind::Text, "early");
        },
        |b, a| {
            let long = "x".repeat(POST_BODY_BYTES_MAX);
            a.data = post_bytes(9, b.now.unix_ms, PostKind::Text, &long);
        },
        |_, a| {
            a.topic = "universal-connectivity".into();
            a.data = vec![b'x'; GOSSIP_RPC_BYTES_MAX];
        },
        // The same sequence number from another author.
        |b, a| {
            assert_eq!(b.judged(a.clone()).0, Acceptance::Accept);
            a.author = Some(peer(2));
        },
        // The same counter on another topic.
        |b, a| {
            assert_eq!(b.judged(a.clone()).0, Acceptance::Accept);
            b.join("hall");
            a.topic = "peerloom/open/hall".into();
            a.seqno = Some(1_000_000);
        },
    ];
    for (row, change) in table.into_iter().enumerate() {
        let mut bench = Bench::in_room("lobby");
        bench.join("universal-connectivity");
        let data = post_bytes(9, bench.now.unix_ms, PostKind::Text, "hi");
        let mut arrival = bench.arrival(peer(1), LOBBY, data);
        change(&mut bench, &mut arrival);
        let (acceptance, outputs) = bench.judged(arrival);
        assert_eq!((acceptance, messages(&outputs).len()), (Acceptance::Accept, 1), "row {row}");
    }
}

#[test]
fn an_accepted_post_is_shown_as_it_was_signed() {
    let mut bench = Bench::in_room("lobby");
    bench.pass(50);
    let data = post_bytes(1, START - 9, PostKind::Text, "hello\u{202E} there");
    let arrival = bench.arrival(peer(1), LOBBY, data);
    let (_, outputs) = bench.judged(arrival);
    let expected = Message {
        room: "lobby".into(),
        id: format!("{}-0000000000000001", peer(1)),
        author: peer(1).to_string(),
        text: "hello there".into(),
        sent_ms: Some(START - 9),
        received_ms: START + 50,
        own: false,
    };
    assert_eq!(outputs[0], member("lobby", peer(1), None, true));
    assert_eq!(messages(&outputs), [expected]);
    assert_eq!(bench.machine.counts().accepted, 1);
}

#[test]
fn foreign_text_has_no_time_and_nothing_to_see_is_not_shown() {
    let mut bench = Bench::in_room("universal-connectivity");
    let arrival = bench.arrival(peer(1), "universal-connectivity", "grüße".into());
    let (_, outputs) = bench.judged(arrival);
    let message = &messages(&outputs)[0];
    assert_eq!((message.text.as_str(), message.sent_ms), ("grüße", None));
    for blank in ["", " \n", "\u{200B}"] {
        let arrival = bench.arrival(peer(1), "universal-connectivity", blank.into());
        let (acceptance, outputs) = bench.judged(arrival);
        assert_eq!((acceptance, outputs), (Acceptance::Accept, vec![]), "valid, so passed on");
    }
}

#[test]
fn late_posts_of_a_burst_pass_and_replays_do_not() {
    let mut bench = Bench::in_room("lobby");
    let late = bench.arrival(peer(1), LOBBY, post_bytes(1, START, PostKind::Text, "first"));
    for counter in 2..=AUTHOR_BURST.into() {
        bench.hears(peer(1), counter, PostKind::Text, "more");
    }
    assert_eq!(bench.judged(late.clone()).0, Acceptance::Accept);
    assert_eq!(bench.judged(late).0, Acceptance::Ignore);
}

#[test]
fn an_author_whose_clock_was_set_back_is_heard_again() {
    let mut bench = Bench::in_room("lobby");
    bench.hears(peer(1), 1_000_000, PostKind::Text, "from the future");
    let stale = |bench: &mut Bench| {
        let data = post_bytes(5, bench.now.unix_ms, PostKind::Text, "back");
        let arrival = bench.arrival(peer(1), LOBBY, data);
        bench.judged(arrival).0
    };
    bench.pass(2 * CLOCK_TOLERANCE_MS);
    assert_eq!(stale(&mut bench), Acceptance::Ignore);
    bench.pass(1);
    assert_eq!(stale(&mut bench), Acceptance::Accept);
}

#[test]
fn one_author_cannot_outshout_a_room() {
    let mut bench = Bench::in_room("lobby");
    let say = |bench: &mut Bench, author, counter| {
        let data = post_bytes(counter, bench.now.unix_ms, PostKind::Text, "x");
        let arrival = bench.arrival(author, LOBBY, data);
        bench.judged(arrival).0
    };
    let burst = u64::from(AUTHOR_BURST);
    assert!((1..=burst).all(|counter| say(&mut bench, peer(1), counter) == Acceptance::Accept));
    assert_eq!(say(&mut bench, peer(1), burst + 1), Acceptance::Ignore);
    assert_eq!(bench.machine.counts().ignored[&Reason::AuthorRate], 1);
    assert_eq!(say(&mut bench, peer(2), 1), Acceptance::Accept, "others are heard");
    bench.pass(1_000);
    let rate = u64::from(AUTHOR_RATE_PER_S);
    let heard = (1..=2 * rate)
        .filter(|i| say(&mut bench, peer(1), burst + 1 + i) == Acceptance::Accept)
        .count();
    assert_eq!(heard as u64, rate);
}

#[test]
fn what_was_refused_for_its_rate_may_come_again() {
    let mut bench = Bench::in_room("lobby");
    for counter in 1..=AUTHOR_BURST.into() {
        bench.hears(peer(1), counter, PostKind::Text, "x");
    }
    let counter = u64::from(AUTHOR_BURST) + 1;
    let post = post_bytes(counter, START, PostKind::Text, "again");
    let arrival = bench.arrival(peer(1), LOBBY, post);
    assert_eq!(bench.judged(arrival.clone()).0, Acceptance::Ignore);
    bench.pass(1_000);
    assert_eq!(bench.judged(arrival).0, Acceptance::Accept);
}

#[test]
fn a_replay_does_not_spend_its_victims_budget() {
    let mut bench = Bench::in_room("lobby");
    let data = post_bytes(1, START, PostKind::Text, "hi");
    let original = bench.arrival(peer(1), LOBBY, data);
    assert_eq!(bench.judged(original.clone()).0, Acceptance::Accept);
    for round in 0..2 * u64::from(AUTHOR_BURST) {
        // Half known by their sequence number, half by their counter.
        let seqno = if round % 2 == 0 { original.seqno } else { Some(1_000_000 + round) };
        let replay = Arrival { seqno, ..original.clone() };
        assert_eq!(bench.judged(replay).0, Acceptance::Ignore);
    }
    bench.hears(peer(1), 2, PostKind::Text, "still here");
}

#[test]
fn one_neighbour_cannot_bring_everything() {
    let mut bench = Bench::in_room("lobby");
    let mut refused = 0;
    for _ in 0..FORWARDER_BURST + 5 {
        let arrival = bench.arrival(peer(1), "peerloom/open/hall", vec![]);
        bench.judged(arrival);
        refused = bench.machine.counts().ignored.get(&Reason::ForwarderRate).copied().unwrap_or(0);
    }
    assert_eq!(refused, 5);
    let data = post_bytes(1, START, PostKind::Text, "by another way");
    let arrival = Arrival { forwarder: peer(98), ..bench.arrival(peer(1), LOBBY, data) };
    assert_eq!(bench.judged(arrival).0, Acceptance::Accept);
}

#[test]
fn arrivals_count_as_soon_as_the_topic_may_be_followed() {
    let mut bench = Bench::new();
    let ticket = bench.ticket();
    bench.feed(Input::Join { ticket, room: room("lobby") });
    bench.hears(peer(1), 1, PostKind::Presence, "Ada");
    bench.feed(Input::Subscribed { ticket, result: Ok(()) });
    assert_eq!(bench.members(), [(peer(1).to_string(), Some("Ada".into()))]);
}

#[test]
fn reasons_have_distinct_names() {
    let names: std::collections::BTreeSet<_> = Reason::ALL.iter().map(|r| r.name()).collect();
    assert_eq!(names.len(), Reason::ALL.len());
}

proptest! {
    /// Whatever arrives: one judgement, which is counted, and no panic.
    #[test]
    fn any_arrival_is_judged_once(
        arrivals in proptest::collection::vec(
            (
                proptest::option::of(0..4_u8),
                proptest::option::of(0..40_u64),
                prop_oneof![Just(LOBBY), Just("universal-connectivity"), Just("else")],
                prop_oneof![
                    proptest::collection::vec(any::<u8>(), 0..60).boxed(),
                    (any::<u64>(), 0..400_000_u64, 1..4_u8, "\\PC{0,12}").prop_map(|(counter, off, kind, body)| {
                        let kind = [PostKind::Text, PostKind::Presence, PostKind::Leave][usize::from(kind) - 1];
                        post_bytes(counter, START - 200_000 + off, kind, &body)
                    }).boxed(),
                ],
            ),
            1..60,
        ),
    ) {
        let mut bench = Bench::in_room("lobby");
        bench.join("universal-connectivity");
        let total = arrivals.len() as u64;
        for (author, seqno, topic, data) in arrivals {
            let arrival = Arrival {
                id: vec![1, 2],
                forwarder: peer(9),
                author: author.map(peer),
                seqno,
                topic: topic.into(),
                data,
            };
            let (acceptance, outputs) = bench.judged(arrival);
            prop_assert!(acceptance == Acceptance::Accept || outputs.is_empty());
        }
        let counts = bench.machine.counts();
        let dropped: u64 = counts.rejected.values().chain(counts.ignored.values()).sum();
        prop_assert_eq!(counts.accepted + dropped, total);
    }
}

//! Join, leave, say: what is asked of the shell, and one answer for each ticket.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

fn say(bench: &mut Bench, name: &str, text: &str) -> (u64, Vec<Output>) {
    let ticket = bench.ticket();
    let outputs = bench.feed(Input::Say { ticket, room: room(name), text: text.into() });
    (ticket, outputs)
}

fn answer(ticket: u64, result: Result<Answer, PubsubError>) -> Output {
    Output::Answer { ticket, result }
}

#[test]
fn joining_and_leaving() {
    let mut bench = Bench::new();
    assert_eq!(bench.machine.next_wake(), None);
    let topic = "peerloom/open/lobby".to_owned();
    let outputs = bench.feed(Input::Join { ticket: 1, room: room("lobby") });
    assert_eq!(outputs, [Output::Subscribe { ticket: 1, topic: topic.clone() }]);
    assert!(bench.machine.rooms().is_empty(), "not in yet");
    // A second request for the same room waits for the same subscription.
    assert_eq!(bench.feed(Input::Join { ticket: 2, room: room("lobby") }), []);
    let outputs = bench.feed(Input::Subscribed { ticket: 1, result: Ok(()) });
    let joined = || Ok(Answer::Joined);
    assert_eq!(outputs[..2], [answer(1, joined()), answer(2, joined())]);
    assert!(published(&outputs[2]).is_some());
    assert_eq!(bench.machine.rooms()[0].topic, topic);
    // Once in, it is at once.
    assert_eq!(bench.feed(Input::Join { ticket: 3, room: room("lobby") }), [answer(3, joined())]);
    let outputs = bench.feed(Input::Leave { ticket: 4, room: room("lobby") });
    assert_eq!(published(&outputs[0]).unwrap().2.kind, PostKind::Leave);
    assert_eq!(outputs[1..], [Output::Unsubscribe { topic }, answer(4, Ok(Answer::Left))]);
    assert!(bench.machine.rooms().is_empty());
    let error = PubsubError::NotJoined { room: room("lobby") };
    assert_eq!(
        bench.feed(Input::Leave { ticket: 5, room: room("lobby") }),
        [answer(5, Err(error))]
    );
    assert_eq!(bench.machine.next_wake(), None);
}

#[test]
fn a_refused_subscription_is_no_room() {
    let mut bench = Bench::new();
    bench.feed(Input::Join { ticket: 1, room: room("lobby") });
    bench.feed(Input::Join { ticket: 2, room: room("lobby") });
    let outputs = bench.feed(Input::Subscribed { ticket: 1, result: Err("denied".into()) });
    let error = PubsubError::JoinFailed { room: room("lobby"), reason: "denied".into() };
    assert_eq!(outputs, [answer(1, Err(error.clone())), answer(2, Err(error))]);
    assert!(bench.machine.rooms.is_empty());
    bench.join("lobby");
}

#[test]
fn leaving_while_joining_answers_both() {
    let mut bench = Bench::new();
    bench.feed(Input::Join { ticket: 1, room: room("lobby") });
    let outputs = bench.feed(Input::Leave { ticket: 2, room: room("lobby") });
    let error = PubsubError::LeftMeanwhile { room: room("lobby") };
    let topic = "peerloom/open/lobby".to_owned();
    assert_eq!(
        outputs,
        [Output::Unsubscribe { topic }, answer(1, Err(error)), answer(2, Ok(Answer::Left))]
    );
    assert_eq!(bench.feed(Input::Subscribed { ticket: 1, result: Ok(()) }), []);
    assert!(bench.machine.rooms().is_empty());
}

#[test]
fn a_subscription_without_answer_is_given_up() {
    let mut bench = Bench::new();
    bench.feed(Input::Join { ticket: 1, room: room("lobby") });
    bench.run(1_000);
    bench.feed(Input::Join { ticket: 2, room: room("lobby") });
    let topic = "peerloom/open/lobby".to_owned();
    let timed_out = |ticket| answer(ticket, Err(PubsubError::TimedOut));
    assert_eq!(
        bench.run(60_000),
        [(ASK_MS, timed_out(1)), (ASK_MS, Output::Unsubscribe { topic }), (ASK_MS, timed_out(2))]
    );
    assert_eq!(bench.feed(Input::Subscribed { ticket: 1, result: Ok(()) }), []);
    assert_eq!(bench.machine.next_wake(), None);
}

#[test]
fn rooms_are_bounded() {
    let mut bench = Bench::new();
    for number in 0..ROOMS_MAX {
        bench.join(&format!("room-{number}"));
    }
    let ticket = bench.ticket();
    let outputs = bench.feed(Input::Join { ticket, room: room("one-more") });
    assert_eq!(outputs, [answer(ticket, Err(PubsubError::TooManyRooms))]);
    bench.feed(Input::Leave { ticket: 999, room: room("room-0") });
    bench.join("one-more");
}

#[test]
fn what_we_say_is_a_post_and_our_own_copy() {
    let mut bench = Bench::in_room("lobby");
    bench.pass(10);
    let (ticket, outputs) = say(&mut bench, "lobby", "hi\r\n\u{202E}there");
    let (for_ticket, topic, post) = published(&outputs[0]).unwrap();
    assert_eq!((for_ticket, topic.as_str()), (Some(ticket), "peerloom/open/lobby"));
    assert_eq!((post.kind, post.text()), (PostKind::Text, "hi\nthere"));
    assert_eq!(post.created_ms, START + 10);
    assert_eq!(post.counter, START + 2, "after one presence post; it started at the clock");
    assert_eq!(outputs.len(), 1);
    bench.pass(7);
    let result = Ok(PublishedId { seqno: 0xAB });
    let outputs = bench.feed(Input::Published { ticket, result });
    let message = Message {
        room: "lobby".into(),
        id: format!("{}-00000000000000ab", peer(0)),
        author: peer(0).to_string(),
        text: "hi\nthere".into(),
        sent_ms: Some(START + 10),
        received_ms: START + 17,
        own: true,
    };
    let event = Output::Event(PeerEvent::Message { message: message.clone() });
    assert_eq!(outputs, [event, answer(ticket, Ok(Answer::Said(message)))]);
    let again = Input::Published { ticket, result: Ok(PublishedId { seqno: 0xAB }) };
    assert_eq!(bench.feed(again), [], "answered once");
}

#[test]
fn the_foreign_room_gets_bare_text() {
    let mut bench = Bench::in_room("universal-connectivity");
    let (ticket, outputs) = say(&mut bench, "universal-connectivity", "grüße");
    let data = "grüße".as_bytes().to_vec();
    let topic = "universal-connectivity".to_owned();
    assert_eq!(outputs, [Output::Publish { ticket: Some(ticket), topic: topic.clone(), data }]);
    let outputs = bench.feed(Input::Published { ticket, result: Ok(PublishedId { seqno: 1 }) });
    assert_eq!(messages(&outputs)[0].sent_ms, None);
    // Nothing to say there when we go: the format has no such post.
    let outputs = bench.feed(Input::Leave { ticket: 99, room: room("universal-connectivity") });
    assert_eq!(outputs, [Output::Unsubscribe { topic }, answer(99, Ok(Answer::Left))]);
}

#[test]
fn what_cannot_be_said() {
    let long = "x".repeat(CHAT_TEXT_BYTES_MAX + 1);
    let table = [
        ("lobby", "", "ROOM-005", Kind::Reject),
        ("lobby", " \n\t", "ROOM-005", Kind::Reject),
        ("lobby", "\u{200B}\0", "ROOM-005", Kind::Reject),
        ("lobby", &long, "ROOM-006", Kind::Reject),
        ("hall", "hi", "ROOM-002", Kind::Reject),
    ];
    let mut bench = Bench::in_room("lobby");
    for (name, text, code, kind) in table {
        let (ticket, outputs) = say(&mut bench, name, text);
        let [Output::Answer { ticket: answered, result: Err(error) }] = &outputs[..] else {
            panic!("{outputs:?}");
        };
        assert_eq!((*answered, error.code(), error.kind()), (ticket, code, kind));
        assert!(!error.hint().is_empty() && !error.to_string().is_empty());
    }
    let most = "x".repeat(CHAT_TEXT_BYTES_MAX);
    assert!(published(&say(&mut bench, "lobby", &most).1[0]).is_some());
}

#[test]
fn what_could_not_be_published() {
    let table = [
        (PublishFailure::NobodyThere, "ROOM-003", Kind::Retry),
        (PublishFailure::Busy, "ROOM-007", Kind::Retry),
        (PublishFailure::Other("too large".into()), "ROOM-011", Kind::Fatal),
    ];
    for (failure, code, kind) in table {
        let mut bench = Bench::in_room("lobby");
        let (ticket, _) = say(&mut bench, "lobby", "hi");
        let outputs = bench.feed(Input::Published { ticket, result: Err(failure) });
        let [Output::Answer { ticket: answered, result: Err(error) }] = &outputs[..] else {
            panic!("{outputs:?}");
        };
        assert_eq!((*answered, error.code(), error.kind()), (ticket, code, kind));
    }
}

#[test]
fn we_are_told_before_others_take_us_for_a_flood() {
    const { assert!(SAY_RATE_PER_S < AUTHOR_RATE_PER_S && SAY_BURST < AUTHOR_BURST) };
    let mut bench = Bench::in_room("lobby");
    let mut said = 0;
    let mut busy = 0;
    for _ in 0..SAY_BURST + 10 {
        let (ticket, outputs) = say(&mut bench, "lobby", "x");
        if outputs == [answer(ticket, Err(PubsubError::Busy))] {
            busy += 1;
        } else {
            bench.feed(Input::Published { ticket, result: Ok(PublishedId { seqno: ticket }) });
            said += 1;
        }
    }
    assert_eq!((said, busy), (SAY_BURST, 10));
    bench.pass(1_000);
    assert!(published(&say(&mut bench, "lobby", "again").1[0]).is_some());
}

#[test]
fn our_counter_rises_over_leaving_joining_and_a_clock_set_back() {
    let mut bench = Bench::in_room("lobby");
    let mut counters = vec![];
    for round in 0..5 {
        let (_, outputs) = say(&mut bench, "lobby", "hi");
        counters.extend(outputs.iter().filter_map(published).map(|(.., post)| post.counter));
        let ticket = bench.ticket();
        let outputs = bench.feed(Input::Leave { ticket, room: room("lobby") });
        counters.extend(outputs.iter().filter_map(published).map(|(.., post)| post.counter));
        bench.now.unix_ms -= round * 1_000;
        let outputs = bench.join("lobby");
        counters.extend(outputs.iter().filter_map(published).map(|(.., post)| post.counter));
    }
    assert!(counters.windows(2).all(|pair| pair[0] < pair[1]), "{counters:?}");
}

#[test]
fn a_ticket_used_twice_is_refused_and_the_first_still_counts() {
    let mut bench = Bench::in_room("lobby");
    let (ticket, _) = say(&mut bench, "lobby", "first");
    let outputs = bench.feed(Input::Say { ticket, room: room("lobby"), text: "second".into() });
    assert_eq!(outputs, [answer(ticket, Err(PubsubError::Busy))]);
    let outputs = bench.feed(Input::Published { ticket, result: Ok(PublishedId { seqno: 1 }) });
    assert_eq!(messages(&outputs)[0].text, "first");
}

#[derive(Clone, Copy, Debug)]
enum Ask {
    Join,
    Leave,
    Say,
}

#[derive(Clone, Debug)]
enum Step {
    Ask(Ask, u8),
    /// The shell carries out the oldest request that it has not carried out yet, well or badly.
    Carry(bool),
    /// The shell loses the oldest request.
    Lose,
    Pass(u16),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..4_u8).prop_map(|room| Step::Ask(Ask::Join, room)),
        2 => (0..4_u8).prop_map(|room| Step::Ask(Ask::Leave, room)),
        4 => (0..4_u8).prop_map(|room| Step::Ask(Ask::Say, room)),
        5 => any::<bool>().prop_map(Step::Carry),
        1 => Just(Step::Lose),
        1 => (0..7_000_u16).prop_map(Step::Pass),
    ]
}

proptest! {
    /// Whatever is asked and however the shell fares: each ticket has one answer in the end.
    #[test]
    fn every_ticket_has_one_answer(steps in proptest::collection::vec(step(), 1..120)) {
        let mut bench = Bench::new();
        let mut asked: BTreeMap<u64, usize> = BTreeMap::new();
        let mut open = std::collections::VecDeque::new();
        let note = |outputs: Vec<Output>, asked: &mut BTreeMap<u64, usize>| {
            let mut open = Vec::new();
            for output in outputs {
                match output {
                    Output::Answer { ticket, .. } => *asked.get_mut(&ticket).unwrap() += 1,
                    Output::Subscribe { ticket, .. } => open.push((ticket, true)),
                    Output::Publish { ticket: Some(ticket), .. } => open.push((ticket, false)),
                    Output::Publish { ticket: None, .. }
                    | Output::Unsubscribe { .. }
                    | Output::Judge { .. }
                    | Output::WantKeys
                    | Output::Event(_) => {}
                }
            }
            open
        };
        for step in steps {
            let outputs = match step {
                Step::Ask(ask, number) => {
                    let ticket = bench.ticket();
                    asked.insert(ticket, 0);
                    let room = room(&format!("room-{number}"));
                    bench.feed(match ask {
                        Ask::Join => Input::Join { ticket, room },
                        Ask::Leave => Input::Leave { ticket, room },
                        Ask::Say => Input::Say { ticket, room, text: "hi".into() },
                    })
                }
                Step::Carry(well) => match open.pop_front() {
                    Some((ticket, true)) => {
                        let result = if well { Ok(()) } else { Err("no".into()) };
                        bench.feed(Input::Subscribed { ticket, result })
                    }
                    Some((ticket, false)) => {
                        let result = if well {
                            Ok(PublishedId { seqno: ticket })
                        } else {
                            Err(PublishFailure::NobodyThere)
                        };
                        bench.feed(Input::Published { ticket, result })
                    }
                    None => vec![],
                },
                Step::Lose => {
                    open.pop_front();
                    vec![]
                }
                Step::Pass(millis) => {
                    bench.run(millis.into()).into_iter().map(|(_, output)| output).collect()
                }
            };
            open.extend(note(outputs, &mut asked));
        }
        let rest = bench.run(ASK_MS).into_iter().map(|(_, output)| output).collect();
        note(rest, &mut asked);
        prop_assert!(asked.values().all(|answers| *answers == 1), "{:?}", asked);
    }

    /// The same seed and inputs give the same outputs.
    #[test]
    fn deterministic(waits in proptest::collection::vec(0..30_000_u64, 1..10)) {
        let play = || {
            let mut bench = Bench::in_room("lobby");
            waits.iter().flat_map(|wait| bench.run(*wait)).collect::<Vec<_>>()
        };
        prop_assert_eq!(play(), play());
    }
}

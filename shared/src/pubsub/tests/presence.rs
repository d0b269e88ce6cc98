//! Who is there, and how we say that we are.

use super::*;

#[test]
fn members_come_change_and_go() {
    let mut bench = Bench::in_room("lobby");
    let ada = peer(1);
    assert_eq!(
        bench.hears(ada, 1, PostKind::Presence, " Ada\u{202E} "),
        [member("lobby", ada, Some("Ada"), true)]
    );
    assert_eq!(bench.hears(ada, 2, PostKind::Presence, "Ada"), [], "no news");
    let outputs = bench.hears(ada, 3, PostKind::Text, "hi");
    assert_eq!((outputs.len(), messages(&outputs).len()), (1, 1), "a text keeps the name");
    assert_eq!(bench.members(), [(ada.to_string(), Some("Ada".into()))]);
    assert_eq!(
        bench.hears(ada, 4, PostKind::Presence, "Ada L."),
        [member("lobby", ada, Some("Ada L."), true)]
    );
    assert_eq!(bench.hears(ada, 5, PostKind::Presence, ""), [member("lobby", ada, None, true)]);
    assert_eq!(bench.hears(ada, 7, PostKind::Leave, ""), [member("lobby", ada, None, false)]);
    assert_eq!(bench.members(), []);
    // Written before the leave, arrived after it: that brings nobody back.
    assert_eq!(bench.hears(ada, 6, PostKind::Presence, "Ada"), []);
    assert_eq!(bench.members(), []);
    assert_eq!(bench.hears(peer(2), 1, PostKind::Leave, ""), [], "nobody knew them");
}

#[test]
fn who_is_silent_is_gone_after_a_minute() {
    let mut bench = Bench::in_room("lobby");
    bench.hears(peer(1), 1, PostKind::Presence, "Ada");
    bench.run(30_000);
    bench.hears(peer(2), 1, PostKind::Presence, "Bob");
    bench.run(20_000);
    bench.hears(peer(1), 2, PostKind::Text, "still here");
    let gone = |outputs: Vec<(u64, Output)>| -> Vec<(u64, Output)> {
        outputs.into_iter().filter(|(_, o)| matches!(o, Output::Event(_))).collect()
    };
    assert_eq!(gone(bench.run(39_999)), []);
    let bob = member("lobby", peer(2), Some("Bob"), false);
    assert_eq!(gone(bench.run(1)), [(30_000 + PRESENCE_GONE_MS, bob)]);
    let ada = member("lobby", peer(1), Some("Ada"), false);
    assert_eq!(gone(bench.run(60_000)), [(50_000 + PRESENCE_GONE_MS, ada)]);
    assert_eq!(bench.members(), []);
}

#[test]
fn members_of_the_foreign_room_stay_longer_and_we_say_nothing_there() {
    let mut bench = Bench::in_room("universal-connectivity");
    let arrival = bench.arrival(peer(1), "universal-connectivity", b"hi".to_vec());
    bench.judged(arrival);
    assert_eq!(bench.run(UC_MEMBER_GONE_MS - 1), [], "no presence posts in that format");
    let gone = member("universal-connectivity", peer(1), None, false);
    assert_eq!(bench.run(1), [(UC_MEMBER_GONE_MS, gone)]);
    assert_eq!(bench.machine.next_wake(), None);
}

#[test]
fn presence_comes_often_at_first_and_then_every_20_s() {
    let mut bench = Bench::new();
    let outputs = bench.join("lobby");
    let (ticket, topic, post) = outputs.iter().find_map(published).unwrap();
    assert_eq!((ticket, topic.as_str()), (None, "peerloom/open/lobby"));
    assert_eq!((post.kind, post.text(), post.created_ms), (PostKind::Presence, "Local", START));
    let said = bench.run(200_000);
    let times: Vec<_> = said.iter().map(|(at, _)| *at).collect();
    assert!(said.iter().all(|(_, output)| published(output).is_some()));
    let pauses: Vec<_> =
        std::iter::once(times[0]).chain(times.windows(2).map(|pair| pair[1] - pair[0])).collect();
    for (pause, expected) in
        pauses.iter().zip([1_000, 2_000, 4_000, 8_000, 16_000].into_iter().chain([20_000; 8]))
    {
        assert!((expected * 9 / 10..=expected * 11 / 10).contains(pause), "{pauses:?}");
    }
    let counters: Vec<_> =
        said.iter().filter_map(|(_, o)| published(o)).map(|(_, _, post)| post.counter).collect();
    assert!(counters.windows(2).all(|pair| pair[1] == pair[0] + 1));
}

#[test]
fn a_newcomer_soon_hears_of_us() {
    let mut bench = Bench::in_room("lobby");
    bench.run(100_000);
    bench.hears(peer(1), 1, PostKind::Presence, "Ada");
    let within = PRESENCE_GAP_MS + 2 * PRESENCE_REPLY_MS;
    let said = bench.run(within);
    assert_eq!(said.iter().filter(|(_, o)| published(o).is_some()).count(), 1);
    // A neighbour that begins to follow the topic gets the same.
    bench.run(3_000);
    let (peer, topic) = (peer(2), "peerloom/open/lobby".to_owned());
    assert_eq!(bench.feed(Input::Neighbour { peer, topic, follows: true }), []);
    let said = bench.run(within);
    assert_eq!(said.iter().filter(|(_, o)| published(o).is_some()).count(), 1);
}

#[test]
fn a_neighbour_that_no_longer_follows_is_gone() {
    let mut bench = Bench::in_room("lobby");
    bench.hears(peer(1), 1, PostKind::Presence, "Ada");
    let stops =
        |topic: &str| Input::Neighbour { peer: peer(1), topic: topic.into(), follows: false };
    assert_eq!(bench.feed(stops("peerloom/open/hall")), []);
    assert_eq!(bench.feed(stops("no room's")), []);
    let gone = member("lobby", peer(1), Some("Ada"), false);
    assert_eq!(bench.feed(stops("peerloom/open/lobby")), [gone]);
    assert_eq!(bench.feed(stops("peerloom/open/lobby")), []);
}

#[test]
fn a_new_name_is_said_soon() {
    let mut bench = Bench::in_room("lobby");
    bench.run(100_000);
    bench.feed(Input::SetName(Some("  New\u{202E} name ".into())));
    let said = bench.run(PRESENCE_GAP_MS + PRESENCE_REPLY_MS);
    let names: Vec<_> =
        said.iter().filter_map(|(_, o)| published(o)).map(|(.., p)| p.text().to_owned()).collect();
    assert_eq!(names, ["New name"]);
    let wake = bench.machine.next_wake();
    bench.feed(Input::SetName(Some("New name".into())));
    assert_eq!(bench.machine.next_wake(), wake, "the same name is no news");
    bench.feed(Input::SetName(Some("\u{200B}".into())));
    let said = bench.run(PRESENCE_GAP_MS + PRESENCE_REPLY_MS);
    assert_eq!(said.iter().filter_map(|(_, o)| published(o)).count(), 1);
    assert_eq!(bench.machine.name, None);
}

#[test]
fn two_machines_see_each_other() {
    let mut ada = Bench::in_room("lobby");
    let mut bob = Bench::new();
    bob.machine = Pubsub::new(peer(7), 1, Config { name: Some("Bob".into()), ..Config::default() });
    let said = bob.join("lobby");
    let data = said.iter().find_map(|output| {
        if let Output::Publish { data, .. } = output { Some(data.clone()) } else { None }
    });
    let arrival = ada.arrival(peer(7), "peerloom/open/lobby", data.unwrap());
    assert_eq!(ada.judged(arrival).1, [member("lobby", peer(7), Some("Bob"), true)]);
    let ticket = bob.ticket();
    let gone = bob.feed(Input::Leave { ticket, room: room("lobby") });
    let Output::Publish { data, .. } = gone[0].clone() else { panic!("{gone:?}") };
    let arrival = ada.arrival(peer(7), "peerloom/open/lobby", data);
    assert_eq!(ada.judged(arrival).1, [member("lobby", peer(7), Some("Bob"), false)]);
}

//! Members' rooms: who has the key reads, who carries does not, who has an old one waits.

use std::sync::Arc;

use super::*;
use crate::grant::{Key, Signer};
use crate::room_key::{KeyRing, RoomKey, seal};

const GARDEN: &str = "peerloom/members/garden";

fn root() -> Signer {
    libp2p_identity::ed25519::SecretKey::try_from_bytes([1; 32]).unwrap().into()
}

fn first() -> RoomKey {
    RoomKey::first([9; 32], Key::of(&root()), GARDEN, (START, [3; 32]))
}

fn keys(keys: &[&RoomKey]) -> Input {
    Input::Keys(Arc::new(KeyRing::of(keys.iter().map(|key| (*key).clone().sign(&root())))))
}

/// Somebody in the garden, with or without its key.
fn member(key: Option<&RoomKey>) -> Bench {
    let mut bench = Bench::new();
    if let Some(key) = key {
        bench.feed(keys(&[key]));
    }
    bench.join("members/garden");
    bench
}

/// A post of the peer 5, sealed.
fn sealed(bench: &mut Bench, key: &RoomKey, counter: u64, text: &str) -> Arrival {
    let body = seal(key, &peer(5), counter, &PostKind::Text.to_seal(text)).unwrap();
    let post = Post {
        counter,
        created_ms: bench.now.unix_ms,
        kind: PostKind::Sealed,
        body,
        reply_to: Vec::new(),
    };
    bench.arrival(peer(5), GARDEN, post.encode())
}

fn texts(outputs: &[Output]) -> Vec<String> {
    messages(outputs).into_iter().map(|message| message.text).collect()
}

#[test]
fn what_is_said_is_sealed_and_who_has_the_key_reads_it() {
    let key = first();
    let (mut anna, mut bo) = (member(Some(&key)), member(Some(&key)));
    let ticket = anna.ticket();
    let text = "the roses are open".to_owned();
    let said = anna.feed(Input::Say { ticket, room: room("members/garden"), text: text.clone() });
    let [Output::Publish { topic, data, .. }] = &said[..] else { panic!("{said:?}") };
    assert_eq!(topic, GARDEN);
    assert!(!String::from_utf8_lossy(data).contains("roses"));
    // Anna's key is the local one of her bench; Bo is the peer 0 too, so she arrives under her own id.
    bo.machine = Pubsub::new(peer(7), 1, Config::default());
    bo.feed(keys(&[&key]));
    bo.join("members/garden");
    let arrival = bo.arrival(peer(0), GARDEN, data.clone());
    let (acceptance, outputs) = bo.judged(arrival);
    assert_eq!((acceptance, texts(&outputs)), (Acceptance::Accept, vec![text]));
    // The same bytes under another's signature are a forgery.
    let counter = Post::decode(data).unwrap();
    let stolen = bo.arrival(peer(6), GARDEN, counter.encode());
    assert_eq!(bo.judged(stolen).0, Acceptance::Reject);
}

#[test]
fn who_carries_the_room_passes_on_what_it_cannot_read() {
    let mut carrier = Bench::new();
    carrier.machine = Pubsub::new(peer(0), 1, Config { carry: true, ..Config::default() });
    carrier.feed(Input::Neighbour { peer: peer(5), topic: GARDEN.into(), follows: true });
    let arrival = sealed(&mut carrier, &first(), 1, "secret");
    assert_eq!(carrier.judged(arrival), (Acceptance::Accept, Vec::new()));
}

#[test]
fn seals_are_for_members_rooms_and_nothing_else_is() {
    let key = first();
    let mut bench = member(Some(&key));
    let data = post_bytes(1, bench.now.unix_ms, PostKind::Text, "in the open");
    let open = bench.arrival(peer(5), GARDEN, data);
    assert_eq!(bench.judged(open).0, Acceptance::Reject);
    bench.join("lobby");
    let mut elsewhere = sealed(&mut bench, &key, 2, "x");
    elsewhere.topic = "peerloom/open/lobby".into();
    assert_eq!(bench.judged(elsewhere).0, Acceptance::Reject);
    let mut inner = PostKind::Text.to_seal("x");
    for broken in [vec![], vec![4], vec![77, 1], {
        inner[1] = 0xff;
        inner
    }] {
        let body = seal(&key, &peer(5), 3, &broken).unwrap();
        let created_ms = bench.now.unix_ms;
        let post = Post { counter: 3, created_ms, kind: PostKind::Sealed, body, reply_to: vec![] };
        let arrival = bench.arrival(peer(5), GARDEN, post.encode());
        assert_ne!(bench.judged(arrival).0, Acceptance::Accept, "{broken:?}");
    }
}

#[test]
fn without_the_key_nothing_is_said_and_the_key_is_asked_for() {
    let mut bench = Bench::new();
    let joined = bench.join("members/garden");
    assert!(joined.contains(&Output::WantKeys), "{joined:?}");
    assert!(!joined.iter().any(|output| matches!(output, Output::Publish { .. })), "{joined:?}");
    let (ticket, name) = (bench.ticket(), room("members/garden"));
    let said = bench.feed(Input::Say { ticket, room: name.clone(), text: "hi".into() });
    let missing = Err(PubsubError::NoKey { room: name });
    assert_eq!(said, [Output::Answer { ticket, result: missing }], "asked a moment ago");
    let came = bench.feed(keys(&[&first()]));
    assert!(came.is_empty() || published(&came[0]).is_some(), "{came:?}");
    // The next presence post says that we are here.
    let later = bench.run(PRESENCE_EVERY_MS);
    assert!(later.iter().any(|(_, output)| published(output).is_some()), "{later:?}");
}

#[test]
fn what_came_before_its_key_is_read_once_the_key_is_here() {
    let (old, mut bench) = (first(), member(Some(&first())));
    let new = old.next(Key::of(&root()), (START + 1, [4; 32]));
    let arrival = sealed(&mut bench, &new, 1, "under the new key");
    let (acceptance, outputs) = bench.judged(arrival);
    assert_eq!(acceptance, Acceptance::Accept);
    assert_eq!(outputs, [Output::WantKeys]);
    let arrival = sealed(&mut bench, &new, 2, "and more");
    assert_eq!(bench.judged(arrival).1, [], "asked a moment ago");
    let late = sealed(&mut bench, &old, 3, "under the old key");
    assert_eq!(texts(&bench.judged(late).1), ["under the old key"]);
    let opened = bench.feed(keys(&[&old, &new]));
    assert_eq!(texts(&opened), ["under the new key", "and more"]);
    assert_eq!(bench.machine.sealed.waiting(), 0);
    // What does not open under the key that it names was made without it.
    let mut forged = sealed(&mut bench, &new, 9, "x");
    forged.author = Some(peer(6));
    assert_eq!(bench.judged(forged).0, Acceptance::Reject);
}

#[test]
fn what_waits_for_a_key_is_bounded() {
    let mut bench = member(None);
    let key = first();
    let mut counter = 0;
    for _ in 0..3 {
        for _ in 0..ROOM_SEALED_WAITING_MAX {
            counter += 1;
            let arrival = sealed(&mut bench, &key, counter, &counter.to_string());
            bench.judged(arrival);
            bench.pass(1_000);
        }
        assert!(bench.machine.sealed.waiting() <= ROOM_SEALED_WAITING_MAX);
    }
    let opened = texts(&bench.feed(keys(&[&key])));
    assert_eq!(opened.last(), Some(&counter.to_string()));
    assert!(opened.len() <= 60, "older than a minute: {opened:?}");
}

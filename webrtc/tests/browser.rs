//! Proves in a real browser that its WebRTC keeps what the backend's traits promise.
#![cfg(all(target_arch = "wasm32", feature = "browser"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(clippy::wildcard_enum_match_arm)]

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::mem::discriminant;
use std::ops::{Deref, DerefMut};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use futures::future::{Either, join, select};
use futures_timer::Delay;
use peerloom_webrtc::backend::browser::{Browser, Connection, Peering, dial_direct_any};
use peerloom_webrtc::backend::{
    Backend, ChannelId, Event, Failure, Kind, Local, Negotiation, Order, Platform, Role,
};
use peerloom_webrtc::limits::{ConnectionLimits, StreamLimits};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// What is not there by then will not come.
const EVENT_MS: u64 = 10_000;
const FRAME: usize = 16 * 1024;
const RESET: &[u8] = &[0x02, 0x08, 0x02];

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    let work = pin!(work);
    match select(work, Delay::new(Duration::from_millis(EVENT_MS))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => panic!("{what}: nothing happened for {EVENT_MS} ms"),
    }
}

fn start(limits: ConnectionLimits, role: Role) -> Peering {
    Browser { ice_servers: Vec::new(), limits }.start(role).unwrap()
}

/// Both ends of a negotiation, and what of it is still to be done.
struct Both {
    a: Peering,
    b: Peering,
    connected: [bool; 2],
    steps: usize,
}

impl Both {
    fn new(limits: ConnectionLimits) -> Self {
        let (mut a, b) = (start(limits, Role::Initiator), start(limits, Role::Responder));
        a.order(Order::CreateOffer);
        Self { a, b, connected: [false; 2], steps: 0 }
    }

    /// Carries one thing from one side to the other; the error is the side's own.
    async fn step(&mut self, change: &impl Fn(String) -> String) -> Result<(), Failure> {
        let (at_a, local) = in_time(
            "negotiation",
            poll_fn(|cx| {
                if let Poll::Ready(local) = self.a.poll_local(cx) {
                    return Poll::Ready((true, local));
                }
                self.b.poll_local(cx).map(|local| (false, local))
            }),
        )
        .await;
        self.steps += 1;
        let (from, to) = if at_a { (&mut self.a, &mut self.b) } else { (&mut self.b, &mut self.a) };
        match local {
            Local::Description(sdp) => {
                to.order(Order::ApplyRemote(change(sdp)));
                from.order(Order::ApplyLocal);
            }
            Local::RemoteApplied if !at_a => from.order(Order::CreateAnswer),
            Local::RemoteApplied => {}
            Local::Candidate(candidate) => to.order(Order::AddCandidate(candidate)),
            Local::Connected => self.connected[usize::from(at_a)] = true,
            Local::Failed(why) => return Err(why),
        }
        Ok(())
    }

    async fn connected(mut self) -> Self {
        while self.connected != [true; 2] {
            self.step(&|sdp| sdp).await.unwrap();
        }
        self
    }
}

/// One end of a connection, and what came while something else was waited for.
struct End {
    connection: Connection,
    waiting: VecDeque<Event>,
}

impl End {
    fn of(peering: Peering) -> Self {
        Self { connection: peering.into_backend().expect("connected"), waiting: VecDeque::new() }
    }
}

impl Deref for End {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl DerefMut for End {
    fn deref_mut(&mut self) -> &mut Connection {
        &mut self.connection
    }
}

async fn pair(limits: ConnectionLimits) -> (End, End) {
    let both = Both::new(limits).connected().await;
    (End::of(both.a), End::of(both.b))
}

/// The next event in the order of the browser.
async fn next(end: &mut End) -> Result<Event, Failure> {
    match end.waiting.pop_front() {
        Some(event) => Ok(event),
        None => in_time("event", poll_fn(|cx| end.connection.poll_event(cx))).await,
    }
}

/// The next event that is not [`Event::Drained`], which comes when the browser likes.
async fn event(end: &mut End) -> Event {
    loop {
        match next(end).await.unwrap() {
            Event::Drained(_) => {}
            other => return other,
        }
    }
}

/// The next event at one end, while the other end is polled as well.
async fn event_beside(end: &mut End, other: &mut End) -> Event {
    let mut event = pin!(event(end));
    poll_fn(|cx| {
        while let Poll::Ready(event) = other.connection.poll_event(cx) {
            other.waiting.push_back(event.unwrap());
        }
        event.as_mut().poll(cx)
    })
    .await
}

async fn opened(end: &mut End) -> ChannelId {
    let id = end.open(Kind::Announced).unwrap();
    assert_eq!(event(end).await, Event::Opened(id));
    id
}

async fn incoming(end: &mut End) -> ChannelId {
    match event(end).await {
        Event::Incoming(id) => id,
        other => panic!("no incoming channel but {other:?}"),
    }
}

fn data(bytes: usize, seed: u8) -> Vec<u8> {
    let pattern = |place: usize| (place / 251 + place) as u8 ^ seed;
    (0..bytes).map(pattern).collect()
}

/// Sends all, keeping to the marks of the buffer.
async fn send_all(end: &mut End, channel: ChannelId, data: &[u8]) {
    let limits = StreamLimits::DEFAULT;
    for frame in data.chunks(FRAME) {
        if end.buffered(channel) > limits.send_high_bytes {
            let mut came = VecDeque::new();
            while end.buffered(channel) > limits.send_low_bytes {
                let event = next(end).await.unwrap();
                if event != Event::Drained(channel) {
                    came.push_back(event);
                }
            }
            came.append(&mut end.waiting);
            end.waiting = came;
        }
        end.send(channel, frame).unwrap();
    }
}

async fn receive(end: &mut End, channel: ChannelId, bytes: usize) -> Vec<u8> {
    let mut got = Vec::new();
    while got.len() < bytes {
        match event(end).await {
            Event::Message(from, message) if from == channel => got.extend_from_slice(&message),
            other => panic!("after {} bytes: {:?}", got.len(), discriminant(&other)),
        }
    }
    got
}

#[wasm_bindgen_test]
async fn channels_carry_a_mebibyte_both_ways_and_close() {
    let (mut a, mut b) = pair(ConnectionLimits::DEFAULT).await;
    // One from each side, so that each has one that it opened and one that came.
    let a1 = opened(&mut a).await;
    let b1 = incoming(&mut b).await;
    let b2 = opened(&mut b).await;
    let a2 = incoming(&mut a).await;
    for (from, to, seed) in [(a1, b1, 1), (a2, b2, 2)] {
        let (forth, back) = (data(1 << 20, seed), data(1 << 20, !seed));
        join(send_all(&mut a, from, &forth), send_all(&mut b, to, &back)).await;
        let (at_a, at_b) =
            join(receive(&mut a, from, back.len()), receive(&mut b, to, forth.len())).await;
        assert!(at_a == back && at_b == forth, "bytes differ");
    }
    // An empty message is one.
    a.send(a1, b"").unwrap();
    assert_eq!(event(&mut b).await, Event::Message(b1, Bytes::new()));
    // What is buffered when a channel is closed still comes.
    let last = data(300 * 1024, 3);
    for frame in last.chunks(FRAME) {
        a.send(a1, frame).unwrap();
    }
    a.close_channel(a1);
    assert!(receive(&mut b, b1, last.len()).await == last);
    assert_eq!(event(&mut b).await, Event::Closed(b1));
    assert_eq!(event(&mut a).await, Event::Closed(a1));
    assert_eq!(a.send(a1, b"late"), Ok(()));
    assert_eq!(a.buffered(a1), 0);
    // The other one lives on.
    b.send(b2, b"still").unwrap();
    assert_eq!(event(&mut a).await, Event::Message(a2, Bytes::from_static(b"still")));
}

#[wasm_bindgen_test]
async fn negotiated_channels_are_not_announced() {
    let (mut a, mut b) = pair(ConnectionLimits::DEFAULT).await;
    let at_b = b.open(Kind::Negotiated(100)).unwrap();
    assert_eq!(event(&mut b).await, Event::Opened(at_b));
    let at_a = a.open(Kind::Negotiated(100)).unwrap();
    assert_eq!(event(&mut a).await, Event::Opened(at_a));
    a.send(at_a, b"known").unwrap();
    assert_eq!(event(&mut b).await, Event::Message(at_b, Bytes::from_static(b"known")));
    // The browser has it in use: an error, and no exception.
    assert!(matches!(a.open(Kind::Negotiated(100)), Err(Failure::Platform(_))));
}

#[wasm_bindgen_test]
async fn ten_channels_may_come_early_and_one_more_is_reset() {
    let both = Both::new(ConnectionLimits::DEFAULT).connected().await;
    let (mut a, b) = (End::of(both.a), both.b);
    let mut ours = Vec::new();
    for place in 0..10 {
        let id = opened(&mut a).await;
        a.send(id, &[place]).unwrap();
        ours.push(id);
    }
    let refused = opened(&mut a).await;
    assert_eq!(event(&mut a).await, Event::Message(refused, Bytes::from_static(RESET)));
    // A frame of full size may wait in each; a byte more may not.
    a.send(ours[0], &[7; FRAME]).unwrap();
    assert_eq!(event(&mut a).await, Event::Message(ours[0], Bytes::from_static(RESET)));
    assert_eq!(event(&mut a).await, Event::Closed(ours[0]));

    let mut b = End::of(b);
    // Channels do not wait for each other: only within each of them is there an order.
    let (mut theirs, mut messages, mut closed) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..21 {
        match event(&mut b).await {
            Event::Incoming(id) => theirs.push(id),
            Event::Message(id, message) => {
                assert_eq!(Some(usize::from(message[0])), theirs.iter().position(|it| *it == id));
                messages.push(message);
            }
            Event::Closed(id) => closed.push(id),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((theirs.len(), messages.len()), (10, 10));
    assert_eq!(closed, [theirs[0]]);
    // The refused channel is closed soon.
    assert_eq!(event_beside(&mut a, &mut b).await, Event::Closed(refused));
    b.send(theirs[9], b"back").unwrap();
    assert_eq!(event(&mut a).await, Event::Message(ours[9], Bytes::from_static(b"back")));
    // Handed over, it takes more.
    let more = opened(&mut a).await;
    let there = incoming(&mut b).await;
    a.send(more, &[7; FRAME]).unwrap();
    a.send(more, &[8; FRAME]).unwrap();
    assert_eq!(receive(&mut b, there, 2 * FRAME).await.len(), 2 * FRAME);
}

#[wasm_bindgen_test]
async fn streams_beyond_the_limit_are_reset_and_closing_makes_room() {
    let few = ConnectionLimits { streams: 2, ..ConnectionLimits::DEFAULT };
    let mut both = Both::new(ConnectionLimits::DEFAULT);
    both.b = start(few, Role::Responder);
    let both = both.connected().await;
    let (mut a, mut b) = (End::of(both.a), End::of(both.b));
    let first = opened(&mut a).await;
    let there = incoming(&mut b).await;
    let second = b.open(Kind::Announced).unwrap();
    assert_eq!(event(&mut b).await, Event::Opened(second));
    assert!(matches!(event(&mut a).await, Event::Incoming(_)));
    assert!(b.open(Kind::Announced).is_err());
    let third = opened(&mut a).await;
    assert_eq!(event(&mut a).await, Event::Message(third, Bytes::from_static(RESET)));
    assert_eq!(event_beside(&mut a, &mut b).await, Event::Closed(third));
    a.close_channel(first);
    assert_eq!(event(&mut b).await, Event::Closed(there));
    assert_eq!(event(&mut a).await, Event::Closed(first));
    opened(&mut a).await;
    incoming(&mut b).await;
}

#[wasm_bindgen_test]
async fn no_refused_channel_is_met_with_silence() {
    let none = ConnectionLimits { streams: 0, ..ConnectionLimits::DEFAULT };
    let mut both = Both::new(ConnectionLimits::DEFAULT);
    both.b = start(none, Role::Responder);
    let both = both.connected().await;
    let (mut a, mut b) = (End::of(both.a), End::of(both.b));
    // Twice, and all at once, so that refusals fall into the opening of others.
    for _ in 0..2 {
        let ids: Vec<_> = (0..8).map(|_| a.open(Kind::Announced).unwrap()).collect();
        let mut told = Vec::new();
        let mut closed = 0;
        while closed < ids.len() {
            match event_beside(&mut a, &mut b).await {
                Event::Message(id, reset) if reset == RESET => told.push(id),
                Event::Closed(_) => closed += 1,
                Event::Opened(_) => {}
                other => panic!("{other:?}"),
            }
        }
        told.sort();
        assert_eq!(told, ids);
    }
    assert!(b.waiting.is_empty());
}

#[wasm_bindgen_test]
async fn an_overrun_closes_the_channel_and_nothing_else() {
    let mut limits = ConnectionLimits::DEFAULT;
    limits.stream.receive_max_bytes = 4 * FRAME;
    let (mut a, mut b) = pair(limits).await;
    let flood = opened(&mut a).await;
    let at_b = incoming(&mut b).await;
    let quiet = opened(&mut a).await;
    let quiet_b = incoming(&mut b).await;
    // Nobody reads there, and the fifth is too much.
    for _ in 0..5 {
        a.send(flood, &[1; FRAME]).unwrap();
    }
    assert_eq!(event(&mut a).await, Event::Message(flood, Bytes::from_static(RESET)));
    assert_eq!(event(&mut a).await, Event::Closed(flood));
    assert_eq!(receive(&mut b, at_b, 4 * FRAME).await.len(), 4 * FRAME);
    assert_eq!(event(&mut b).await, Event::Closed(at_b));
    a.send(quiet, b"here").unwrap();
    assert_eq!(event(&mut b).await, Event::Message(quiet_b, Bytes::from_static(b"here")));
    // Empty messages count, too.
    for _ in 0..4 * FRAME / size_of::<Event>() + 1 {
        a.send(quiet, b"").unwrap();
    }
    assert_eq!(event(&mut a).await, Event::Message(quiet, Bytes::from_static(RESET)));
}

#[wasm_bindgen_test]
async fn the_other_side_hears_of_a_close_at_once() {
    let (mut a, mut b) = pair(ConnectionLimits::DEFAULT).await;
    let ours = opened(&mut a).await;
    let theirs = incoming(&mut b).await;
    let began = js_sys::Date::now();
    poll_fn(|cx| a.poll_close(cx)).await;
    assert_eq!(event(&mut b).await, Event::Closed(theirs));
    assert_eq!(next(&mut b).await, Err(Failure::Closed));
    let took = js_sys::Date::now() - began;
    wasm_bindgen_test::console_log!("closing was heard of after {took} ms");
    assert!(took < 2_000.0, "{took} ms");
    // Both are over, and say so as often as they are asked.
    for connection in [&mut a, &mut b] {
        assert_eq!(next(connection).await, Err(Failure::Closed));
        assert_eq!(connection.open(Kind::Announced), Err(Failure::Closed));
        poll_fn(|cx| connection.poll_close(cx)).await;
    }
    assert_eq!(a.send(ours, b"late"), Ok(()));
    a.close_channel(ours);
}

#[wasm_bindgen_test]
async fn bad_descriptions_fail_and_bad_candidates_are_skipped() {
    let mut b = start(ConnectionLimits::DEFAULT, Role::Responder);
    b.order(Order::ApplyRemote("v=0 and nothing".to_owned()));
    let local = in_time("refusal", poll_fn(|cx| b.poll_local(cx))).await;
    assert!(matches!(local, Local::Failed(Failure::Platform(_))), "{local:?}");

    let mut both = Both::new(ConnectionLimits::DEFAULT);
    while both.steps < 3 {
        both.step(&|sdp| sdp).await.unwrap();
    }
    for bad in ["", "null", "7", "{}", "[1]", r#"{"candidate":"x","sdpMid":"9"}"#] {
        both.a.order(Order::AddCandidate(bad.to_owned()));
        both.b.order(Order::AddCandidate(bad.to_owned()));
    }
    both.connected().await;
}

#[wasm_bindgen_test]
async fn another_certificate_fails_the_handshake() {
    let mut both = Both::new(ConnectionLimits::DEFAULT);
    let forged = |sdp: String| {
        let (before, after) = sdp.split_once("a=fingerprint:sha-256 ").unwrap();
        format!("{before}a=fingerprint:sha-256 00:00{}", &after[5..])
    };
    let why = loop {
        if let Err(why) = both.step(&forged).await {
            break why;
        }
    };
    assert!(matches!(why, Failure::Handshake(_)), "{why:?}");
}

#[wasm_bindgen_test]
async fn dropping_at_any_moment_leaves_no_error_in_the_page() {
    js_sys::eval(
        "globalThis.seen = [];
         addEventListener('error', (event) => seen.push(String(event.message)));
         addEventListener('unhandledrejection', (event) => seen.push(String(event.reason)));",
    )
    .unwrap();
    // In each moment of the negotiation, one side first.
    for steps in 0..8 {
        let mut both = Both::new(ConnectionLimits::DEFAULT);
        while both.steps < steps && both.connected != [true; 2] {
            both.step(&|sdp| sdp).await.unwrap();
        }
        if steps % 2 == 0 { drop(both.a) } else { drop(both.b) }
    }
    // A dialler that libp2p gives up: it wants one that it could send to another thread.
    fn sendable<T: Send>(future: T) -> T {
        future
    }
    let nowhere = "192.0.2.1:9".parse().unwrap();
    let dial = sendable(dial_direct_any(nowhere, [0; 32], ConnectionLimits::DEFAULT));
    let step = Both::new(ConnectionLimits::DEFAULT).connected();
    assert!(matches!(select(pin!(dial), pin!(step)).await, Either::Right(_)));
    // In the middle of traffic.
    for round in 0..6 {
        let (mut a, mut b) = pair(ConnectionLimits::DEFAULT).await;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..4 {
            ours.push(opened(&mut a).await);
            theirs.push(incoming(&mut b).await);
        }
        for _ in 0..8 {
            for (from, to) in ours.iter().zip(&theirs) {
                a.send(*from, &[1; FRAME]).unwrap();
                b.send(*to, &[2; FRAME]).unwrap();
            }
        }
        for _ in 0..round {
            next(&mut b).await.unwrap();
        }
        // Some channels are closing meanwhile.
        a.close_channel(ours[0]);
        b.close_channel(theirs[1]);
        a.open(Kind::Announced).unwrap();
        match round % 3 {
            0 => drop((a, b)),
            1 => drop((b, a)),
            _ => {
                drop(a);
                // The other one hears of it while it is still full.
                while next(&mut b).await.is_ok() {}
            }
        }
    }
    // All late events have come by the time that a new pair has talked.
    let (mut a, mut b) = pair(ConnectionLimits::DEFAULT).await;
    let id = opened(&mut a).await;
    let there = incoming(&mut b).await;
    send_all(&mut a, id, &data(1 << 20, 9)).await;
    receive(&mut b, there, 1 << 20).await;
    let seen = js_sys::eval("seen.join('; ')").unwrap();
    assert_eq!(seen.as_string().as_deref(), Some(""));
}

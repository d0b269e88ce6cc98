//! The event stream over a socket, and the log behind it.
//! Invariant: a reader gets every event once, in order, or learns how many it lost.
//! Not here: where events come from.

use std::net::SocketAddr;
use std::time::Duration;

use futures::FutureExt;
use peerloom_shared::limits;
use peerloom_shared::view::{Message, PeerEvent};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use super::client::{Request, with_server};
use super::fake::FakeNode;
use crate::admin::{EventId, EventLog, EventReader};

/// One open stream.
struct Stream {
    lines: BufReader<TcpStream>,
    id: Option<String>,
}

impl Stream {
    async fn open(address: SocketAddr, last: Option<&str>) -> Self {
        let mut request = Request::new(address, "GET", "/api/v1/events").without("Connection");
        if let Some(last) = last {
            request = request.with("Last-Event-ID", last);
        }
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(&request.bytes()).await.unwrap();
        let mut stream = Self { lines: BufReader::new(socket), id: None };
        assert_eq!(stream.line().await.as_deref(), Some("HTTP/1.1 200 OK"));
        let mut kind = None;
        loop {
            let line = stream.line().await.unwrap();
            match line.strip_prefix("content-type: ") {
                Some(value) => kind = Some(value.to_owned()),
                None if line.is_empty() => break,
                None => {}
            }
        }
        assert_eq!(kind.as_deref(), Some("text/event-stream"));
        stream
    }

    async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).await.unwrap_or_default();
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// The next event; `None` when the server ended the stream.
    async fn event(&mut self) -> Option<Value> {
        loop {
            let line = self.line().await?;
            if let Some(id) = line.strip_prefix("id: ") {
                self.id = Some(id.to_owned());
            }
            if let Some(data) = line.strip_prefix("data: ") {
                return Some(serde_json::from_str(data).unwrap());
            }
        }
    }
}

fn note(number: u64) -> PeerEvent {
    let message = Message {
        room: "r".to_owned(),
        id: number.to_string(),
        author: "a".to_owned(),
        text: "line\nbreak".to_owned(),
        sent_ms: None,
        received_ms: number,
        own: false,
    };
    PeerEvent::Message { message }
}

async fn number(reader: &mut EventReader) -> u64 {
    let event = reader.next().await.event;
    let PeerEvent::Message { message } = event else { panic!("{event:?}") };
    message.received_ms
}

#[actix_web::test]
async fn the_stream_begins_with_the_status_and_resumes_without_loss() {
    with_server("127.0.0.1:0", |address, node| async move {
        node.log.publish(PeerEvent::Status { status: node.picture() });
        let mut stream = Stream::open(address, None).await;
        assert_eq!(stream.event().await.unwrap()["status"]["schema"], "peerloom/status/1");
        node.inner.lock().unwrap().rooms.entry("lobby".to_owned()).or_default();
        node.say("lobby", "one").unwrap();
        let first = stream.event().await.unwrap();
        assert_eq!((&first["type"], &first["message"]["text"]), (&json!("message"), &json!("one")));
        assert_eq!(stream.id.as_deref(), Some("b007-1"));
        drop(stream);
        node.say("lobby", "two").unwrap();
        node.say("lobby", "three").unwrap();
        let mut stream = Stream::open(address, Some("b007-1")).await;
        assert_eq!(stream.event().await.unwrap()["type"], "status");
        assert_eq!(stream.event().await.unwrap()["message"]["text"], "two");
        assert_eq!(stream.event().await.unwrap()["message"]["text"], "three");
        assert_eq!(stream.id.as_deref(), Some("b007-3"));
    })
    .await;
}

#[actix_web::test]
async fn a_resume_that_is_too_old_begins_with_a_gap() {
    with_server("127.0.0.1:0", |address, node| async move {
        let kept = u64::try_from(limits::EVENTS_KEPT_MAX).unwrap();
        (1..=kept + 25).for_each(|number| node.log.publish(note(number)));
        let mut stream = Stream::open(address, Some("b007-5")).await;
        assert_eq!(stream.event().await.unwrap(), json!({ "type": "gap", "lost": 20 }));
        assert_eq!(stream.id.as_deref(), Some("b007-25"));
        assert_eq!(stream.event().await.unwrap()["message"]["receivedMs"], 26);
        // An id of an earlier start.
        let mut stream = Stream::open(address, Some("dead-7")).await;
        assert_eq!(stream.event().await.unwrap(), json!({ "type": "gap", "lost": 25 }));
        for bad in ["7", "x-1", "b007-", "b007-1-1"] {
            let request = Request::new(address, "GET", "/api/v1/events").with("Last-Event-ID", bad);
            request.send(address).await.assert_problem(400, "API-003");
        }
    })
    .await;
}

#[actix_web::test]
async fn places_for_readers_are_bounded_and_come_back() {
    with_server("127.0.0.1:0", |address, _| async move {
        let mut streams = Vec::new();
        for _ in 0..limits::EVENT_READERS_MAX {
            streams.push(Stream::open(address, None).await);
        }
        let one_more = Request::new(address, "GET", "/api/v1/events");
        let response = one_more.send(address).await;
        response.assert_problem(429, "API-010");
        drop(streams);
        // The server learns of the closed sockets by itself; the test asks until it has.
        loop {
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(&one_more.bytes()).await.unwrap();
            let mut line = String::new();
            BufReader::new(socket).read_line(&mut line).await.unwrap();
            if line.starts_with("HTTP/1.1 200") {
                break;
            }
        }
    })
    .await;
}

#[actix_web::test]
async fn a_slow_reader_learns_what_it_lost_and_holds_nobody_up() {
    with_server("127.0.0.1:0", |address, node: std::sync::Arc<FakeNode>| async move {
        let mut slow = Stream::open(address, None).await;
        // Wait for the greeting, so that the reader's place is before the first event.
        while !slow.line().await.unwrap().starts_with(':') {}
        let big = "x".repeat(4_000);
        let total = 6_000;
        for number in 1..=total {
            let PeerEvent::Message { mut message } = note(number) else { unreachable!() };
            message.text = big.clone();
            node.log.publish(PeerEvent::Message { message });
        }
        let (mut seen, mut lost, mut last) = (0, 0, 0);
        while seen + lost < total {
            let event = slow.event().await.unwrap();
            match event["lost"].as_u64() {
                Some(more) => lost += more,
                None => {
                    let number = event["message"]["receivedMs"].as_u64().unwrap();
                    assert!(number > last);
                    assert_eq!(number, seen + lost + 1);
                    last = number;
                    seen += 1;
                }
            }
        }
        assert!(lost > 0 && seen > 100, "seen {seen}, lost {lost}");
    })
    .await;
}

#[actix_web::test]
async fn the_log_is_bounded_in_bytes() {
    let log = EventLog::new(1);
    let mut reader = log.read(None);
    for number in 0..1_000 {
        let PeerEvent::Message { mut message } = note(number) else { unreachable!() };
        message.text = "x".repeat(32 * 1024);
        log.publish(PeerEvent::Message { message });
    }
    let PeerEvent::Gap { lost } = reader.next().await.event else { panic!("no gap") };
    let kept = usize::try_from(1_000 - lost).unwrap();
    assert!(kept * 32 * 1024 <= limits::EVENTS_KEPT_BYTES_MAX);
    assert!((kept + 2) * 33 * 1024 > limits::EVENTS_KEPT_BYTES_MAX);
}

#[actix_web::test]
async fn readers_wait_for_events_and_each_gets_all() {
    let log = EventLog::new(1);
    log.publish(note(0));
    let (mut one, mut two) = (log.read(None), log.read(Some(log.id(0))));
    assert_eq!(number(&mut two).await, 0);
    assert!(one.next().now_or_never().is_none(), "an event from before");
    let publisher = async {
        for number in 1..=100 {
            log.publish(note(number));
            tokio::task::yield_now().await;
        }
    };
    let both = async {
        for expected in 1..=100 {
            assert_eq!(number(&mut one).await, expected);
            assert_eq!(number(&mut two).await, expected);
        }
    };
    let all = async { futures::join!(publisher, both) };
    tokio::time::timeout(Duration::from_secs(10), all).await.unwrap();
    // A place that was never given out is now.
    let mut ahead = log.read(Some(log.id(10_000)));
    log.publish(note(101));
    assert_eq!(number(&mut ahead).await, 101);
}

#[actix_web::test]
async fn only_the_newest_status_counts() {
    let (log, node) = (EventLog::new(1), FakeNode::new());
    let mut reader = log.read(None);
    for uptime_ms in 1..=3 {
        let mut status = node.picture();
        status.uptime_ms = uptime_ms;
        log.publish(PeerEvent::Status { status });
    }
    let PeerEvent::Status { status } = reader.next().await.event else { panic!("no status") };
    assert_eq!(status.uptime_ms, 3);
    assert!(reader.next().now_or_never().is_none());
}

#[test]
fn event_ids_are_read_back() {
    let id = EventLog::new(u64::MAX).id(42);
    assert_eq!(id.to_string().parse::<EventId>(), Ok(id));
}

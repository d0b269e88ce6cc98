//! What strangers may send to a listening port. A process of its own, because it measures memory.

#![cfg(all(feature = "native", target_os = "linux"))]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

#[path = "../it/harness.rs"]
mod harness;

use std::net::UdpSocket;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use crate::harness::{Client, Server};

/// A STUN binding request as a client of version 2 sends it first.
fn check(name: &str) -> Vec<u8> {
    use is::stun::{StunMessage, TransId};
    use is::{DefaultSha1HmacProvider, Sha1HmacProvider as _};
    let (server, _) = name.split_once(':').expect("two names");
    let message = StunMessage::binding_request(name, TransId::new(), true, 1, 1, true);
    let mut bytes = vec![0; 500];
    let hmac = |key: &[u8], parts: &[&[u8]]| DefaultSha1HmacProvider.sha1_hmac(key, parts);
    let length = message.to_bytes(Some(server.as_bytes()), &mut bytes, hmac).expect("room");
    bytes.truncate(length);
    bytes
}

fn memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = status.split(' ').nth(1).expect("a number").parse().expect("a number");
    pages * 4096
}

static ALONE: Mutex<()> = Mutex::const_new(());

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_strange_datagrams_costs_nothing() {
    let _alone = ALONE.lock().await;
    let server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let good = check("libp2p+webrtc+v2/0123456789abcdef01234567:abcd");
    let mut chance = 88_172_645_463_325_252_u64;
    let mut random = move || {
        chance ^= chance << 13;
        chance ^= chance >> 7;
        chance ^= chance << 17;
        chance
    };
    let before = memory();
    for turn in 0..100_000_usize {
        let mut bytes = if turn % 2 == 0 {
            // Nearly right: one bit is another.
            let mut bytes = good.clone();
            let at = random() as usize % bytes.len();
            bytes[at] ^= 1 << (random() % 8);
            bytes
        } else {
            (0..random() % 600).map(|_| random().to_le_bytes()[0]).collect()
        };
        if turn % 3 == 0
            && let Some(first) = bytes.first_mut()
        {
            *first = 0;
        }
        socket.send_to(&bytes, server.socket()).expect("sent");
        if turn % 1_000 == 0 {
            tokio::task::yield_now().await;
        }
    }
    let start = Instant::now();
    let client = Client::dial(&server.address, None).await.expect("an honest client connects");
    assert!(start.elapsed() < Duration::from_secs(2), "after {:?}", start.elapsed());
    client.echo(100_000).await;
    let grown = memory().saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes");
    assert!(server.dropped.counts().len() > 3, "{:?}", server.dropped.counts());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_half_finished_handshakes_make_room() {
    let _alone = ALONE.lock().await;
    let server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
    let before = memory();
    let sockets: Vec<UdpSocket> =
        (0..100).map(|_| UdpSocket::bind("127.0.0.1:0").expect("a socket")).collect();
    for turn in 0..1_000_usize {
        let name = format!("libp2p+webrtc+v2/0123456789abcdef0123{turn:04}:abcd{turn:04}");
        sockets[turn % sockets.len()].send_to(&check(&name), server.socket()).expect("sent");
    }
    let start = Instant::now();
    let client = Client::dial(&server.address, None).await.expect("an honest client connects");
    assert!(start.elapsed() < Duration::from_secs(2), "after {:?}", start.elapsed());
    client.echo(100_000).await;
    let grown = memory().saturating_sub(before);
    assert!(grown < 20 << 20, "{grown} bytes");
}

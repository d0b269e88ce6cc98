//! Pings of a foreign peer.
//! Invariant: every ping on a stream is answered, not only the first, on every transport.
//! Not here: our own pings (`transports` shows their times).

use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use peerloom_shared::view::Transport;
use peerloom_tests::{Form, Setup};

use crate::raw::Raw;

const PINGS: u8 = 20;
/// Deadline of one answer. A stream that sleeps until something else wakes it would need 15 s.
const ANSWER: Duration = Duration::from_secs(5);

fn twenty_pings(form: Form, transport: Transport) {
    let node = Setup::new().listen(&[form.at("/ip4/127.0.0.1")]).start();
    let raw = Raw::honest();
    let peer = raw.connect(&node.address(transport));
    let mut stream = raw.open(peer, "/ipfs/ping/1.0.0").expect("the node speaks ping");
    raw.runtime.block_on(async {
        for number in 0..PINGS {
            let sent = [number; 32];
            let mut answer = [0; 32];
            let round = async {
                stream.write_all(&sent).await.expect("sent");
                stream.flush().await.expect("sent");
                stream.read_exact(&mut answer).await.expect("answered");
            };
            let within = tokio::time::timeout(ANSWER, round).await;
            assert!(within.is_ok(), "ping {number} was not answered");
            assert_eq!(answer, sent);
        }
    });
}

#[test]
fn twenty_pings_on_one_tcp_stream() {
    twenty_pings(Form::Tcp, Transport::Tcp);
}

#[test]
fn twenty_pings_on_one_websocket_stream() {
    twenty_pings(Form::WebSocket, Transport::WebSocket);
}

#[test]
fn twenty_pings_on_one_quic_stream() {
    twenty_pings(Form::Quic, Transport::Quic);
}

#[test]
fn twenty_pings_on_one_webrtc_direct_stream() {
    twenty_pings(Form::WebrtcDirect, Transport::WebrtcDirect);
}

#[test]
fn the_command_counts_answers() {
    let node = Setup::new().start();
    let other = Setup::new().bootstrap(&node.address(Transport::Tcp)).start();
    node.wait_peer(other.id());
    let ran = node.cli(&["ping", other.id(), "--count", "2"]);
    assert_eq!(ran.expect_success().lines().count(), 2, "{ran:?}");
    assert!(ran.stderr.contains("2 of 2 answered"), "{ran:?}");
}

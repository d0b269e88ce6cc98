//! WebRTC-direct between two native peers: both versions, half-closed streams, refusals.

use libp2p_core::Transport as _;
use libp2p_core::transport::{ListenerId, TransportError, TransportEvent};
use peerloom_webrtc::address::Direct;
use peerloom_webrtc::backend::Failure;
use peerloom_webrtc::backend::native::{Certificate, DirectError};
use peerloom_webrtc::direct::Version;

use crate::harness::{Client, Server, event, opts, transport};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_versions_connect_and_carry_half_closed_streams() {
    for listen in ["/ip4/127.0.0.1/udp/0/webrtc-direct", "/ip6/::1/udp/0/webrtc-direct"] {
        let server = Server::start(listen).await;
        for version in [Version::V1, Version::V2] {
            let client = Client::dial(&server.address, Some(version)).await.expect("connected");
            assert_eq!(client.server, server.peer);
            for bytes in [0, 1, 16_377, 16_378, 3_000_000] {
                client.echo(bytes).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_streams_at_once() {
    let server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
    let client = Client::dial(&server.address, None).await.expect("connected");
    let all = (0..64).map(|i| client.echo(10_000 + i));
    futures::future::join_all(all).await;
    // And again, so that channels are used that were closed.
    for _ in 0..100 {
        client.echo(100).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_on_all_addresses_names_each() {
    let (mut transport, _) = transport();
    let any = "/ip4/0.0.0.0/udp/0/webrtc-direct".parse().expect("an address");
    transport.listen_on(ListenerId::next(), any).expect("listening");
    let six = "/ip6/::/udp/0/webrtc-direct".parse().expect("an address");
    transport.listen_on(ListenerId::next(), six).expect("listening");
    let (mut v4, mut v6) = (false, false);
    while !(v4 && v6) {
        if let TransportEvent::NewAddress { listen_addr, .. } = event(&mut transport).await {
            let direct = Direct::parse(&listen_addr).expect("direct");
            assert!(!direct.socket.ip().is_unspecified() && direct.fingerprint.is_some());
            v4 |= direct.socket.is_ipv4();
            v6 |= direct.socket.is_ipv6();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_certificate_than_in_the_address_is_refused() {
    let server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
    let other = Certificate::generate().expect("another").fingerprint();
    let direct = Direct { socket: server.socket(), fingerprint: Some(other), peer: None };
    let refused = Client::dial(&direct.to_multiaddr(), None).await.err().expect("refused");
    assert!(matches!(refused, DirectError::Failed(Failure::Handshake(_))), "{refused}");
    // The listener is none the worse for it.
    let client = Client::dial(&server.address, None).await.expect("connected");
    client.echo(100_000).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_in_use_is_an_error_and_a_strange_address_is_not_ours() {
    let server = Server::start("/ip4/127.0.0.1/udp/0/webrtc-direct").await;
    let (mut transport, _) = transport();
    let direct = Direct { socket: server.socket(), fingerprint: None, peer: None };
    let error = transport.listen_on(ListenerId::next(), direct.to_multiaddr()).unwrap_err();
    assert!(matches!(error, TransportError::Other(DirectError::Socket(_))), "{error:?}");
    for strange in ["/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1/webrtc-direct"] {
        let dialled = transport.dial(strange.parse().expect("an address"), opts());
        assert!(matches!(dialled, Err(TransportError::MultiaddrNotSupported(_))));
    }
}

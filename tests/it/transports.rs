//! Two real nodes over each transport, on both families of addresses.
//! Invariant: what one says the other hears once, and both name the path that carried it.
//! Not here: more than two nodes (`mesh`).

use std::net::{Ipv6Addr, TcpListener, UdpSocket};

use peerloom_node::traffic;
use peerloom_shared::view::{Direction, LinkState, Path, Transport};
use peerloom_tests::{Form, NodeProcess, Setup};

const V4: &str = "/ip4/127.0.0.1";
const V6: &str = "/ip6/::1";

fn transport(form: Form) -> Transport {
    match form {
        Form::Tcp => Transport::Tcp,
        Form::Quic => Transport::Quic,
        Form::WebSocket => Transport::WebSocket,
        Form::WebrtcDirect => Transport::WebrtcDirect,
    }
}

fn listening(form: Form, host: &str) -> Setup {
    Setup::new().listen(&[form.at(host)])
}

/// Both hear each other, once, and both show the connection as what it is.
fn talk(left: &NodeProcess, right: &NodeProcess, form: Form) {
    let (left_hears, right_hears) = (left.events(), right.events());
    for node in [left, right] {
        node.join("lobby");
    }
    for (from, to, hears) in [(left, right, &right_hears), (right, left, &left_hears)] {
        let said = from.say("lobby", &format!("hello from {}", from.id()));
        assert!(said.own);
        let heard = hears.message(&said.text);
        assert_eq!((heard.author.as_str(), heard.own), (from.id(), false));
        assert_eq!(heard.id, said.id);
        let last = from.say("lobby", &format!("that is all from {}", from.id()));
        hears.message(&last.text);
        assert_eq!(to.count("lobby", &said.text), 1);
    }
    for (node, other, direction) in
        [(left, right, Direction::Outbound), (right, left, Direction::Inbound)]
    {
        let status = node.status();
        let peer = status.peers.iter().find(|peer| peer.id == other.id()).expect("connected");
        assert_eq!(peer.path, Path::Direct);
        let over = |c: &peerloom_shared::view::ConnectionInfo| {
            c.transport == transport(form) && c.path == Path::Direct && c.direction == direction
        };
        assert!(peer.connections.iter().any(over), "{:?}", peer.connections);
        let label = format!("path=\"{}\"", traffic::name(transport(form)));
        assert!(node.metric("peerloom_connections", &label) >= 1.0);
        for direction in ["sent", "received"] {
            let label = format!("{label},direction=\"{direction}\"");
            let bytes = node.metric("peerloom_stream_bytes_total", &label);
            assert!(bytes > 100.0, "{label}: {bytes}");
        }
    }
}

/// One node links to the other by configuration, a third one by the API.
fn pair(form: Form, host: &str) {
    let server = listening(form, host).start();
    let address = server.address(transport(form));
    let client = listening(form, host).bootstrap(&address).start();
    client.wait_status("the link is up", |status| {
        let link = status.links.first()?;
        assert_eq!((&link.address, link.transport), (&address, transport(form)));
        (link.state == LinkState::Connected && link.peer.as_deref() == Some(server.id()))
            .then_some(())
    });
    talk(&client, &server, form);

    let asked = listening(form, host).start();
    let answer = asked.connect(&address).expect("connects");
    assert_eq!(answer["id"], server.id());
    talk(&asked, &server, form);
}

fn pair_v6(form: Form) {
    match TcpListener::bind((Ipv6Addr::LOCALHOST, 0)) {
        Ok(_) => pair(form, V6),
        Err(error) => println!("skipped: this machine has no IPv6 loopback ({error})"),
    }
}

#[test]
fn tcp_on_ipv4() {
    pair(Form::Tcp, V4);
}

#[test]
fn quic_on_ipv4() {
    pair(Form::Quic, V4);
}

#[test]
fn websocket_on_ipv4() {
    pair(Form::WebSocket, V4);
}

#[test]
fn webrtc_direct_on_ipv4() {
    pair(Form::WebrtcDirect, V4);
}

#[test]
fn tcp_on_ipv6() {
    pair_v6(Form::Tcp);
}

#[test]
fn quic_on_ipv6() {
    pair_v6(Form::Quic);
}

#[test]
fn websocket_on_ipv6() {
    pair_v6(Form::WebSocket);
}

#[test]
fn webrtc_direct_on_ipv6() {
    pair_v6(Form::WebrtcDirect);
}

/// Another peer than the named one answers, and nothing stays connected.
fn wrong_peer(form: Form) {
    let server = listening(form, V4).start();
    let client = listening(form, V4).start();
    let stranger = peerloom_shared::PeerId::random().to_string();
    let wrong = server.address(transport(form)).replace(server.id(), &stranger);
    let refusal = client.connect(&wrong).expect_err("another peer answers");
    assert_eq!((refusal.code.as_str(), refusal.retryable), ("NET-104", false), "{refusal:?}");
    assert!(refusal.text.contains(server.id()), "{refusal:?}");
    assert!(client.status().peers.is_empty());
}

#[test]
fn another_peer_behind_a_tcp_address_is_told() {
    wrong_peer(Form::Tcp);
}

#[test]
fn another_peer_behind_a_quic_address_is_told() {
    wrong_peer(Form::Quic);
}

#[test]
fn another_peer_behind_a_websocket_address_is_told() {
    wrong_peer(Form::WebSocket);
}

#[test]
fn another_peer_behind_a_webrtc_direct_address_is_told() {
    wrong_peer(Form::WebrtcDirect);
}

#[test]
fn another_peer_behind_an_address_has_its_exit_code() {
    let (server, client) = (Setup::new().start(), Setup::new().start());
    let stranger = peerloom_shared::PeerId::random().to_string();
    let wrong = server.address(Transport::Tcp).replace(server.id(), &stranger);
    client.cli(&["peers", "connect", &wrong]).expect_failure(8, "NET-104");
    // A link to it goes on trying, and says why it is not up.
    let linked = Setup::new().bootstrap(&wrong).start();
    linked.wait_status("the link says who answers", |status| {
        let link = status.links.first()?;
        let detail = link.detail.as_deref().unwrap_or_default();
        (link.state == LinkState::Waiting && detail.contains(server.id())).then_some(())
    });
}

/// A link comes back after the other side has hung up, and after it was killed and restarted.
fn comes_back(form: Form) {
    let mut server = listening(form, V4).start();
    let client = listening(form, V4).bootstrap(&server.address(transport(form))).start();
    let opened = |known: u64| {
        client.wait_status("a new connection", |status| {
            let peer = status.peers.iter().find(|peer| peer.id == server.id())?;
            let newest = peer.connections.iter().map(|c| c.opened_ms).max()?;
            (newest > known).then_some(newest)
        })
    };
    let first = opened(0);
    server.wait_peer(client.id());
    server
        .post("/api/v1/peers/disconnect", serde_json::json!({ "id": client.id() }))
        .expect("hangs up");
    let second = opened(first);
    server.kill();
    server.restart();
    client.wait_status("connected again", |status| {
        let peer = status.peers.iter().find(|peer| peer.id == server.id())?;
        peer.connections.iter().any(|c| c.opened_ms > second).then_some(())
    });
}

#[test]
fn a_tcp_link_comes_back() {
    comes_back(Form::Tcp);
}

#[test]
fn a_quic_link_comes_back() {
    comes_back(Form::Quic);
}

#[test]
fn a_websocket_link_comes_back() {
    comes_back(Form::WebSocket);
}

#[test]
fn a_webrtc_direct_link_comes_back() {
    comes_back(Form::WebrtcDirect);
}

/// The certificate is kept, so an address that people wrote down stays right.
#[test]
fn a_webrtc_direct_address_survives_a_restart() {
    let mut server = listening(Form::WebrtcDirect, V4).start();
    let address = server.address(Transport::WebrtcDirect);
    server.kill();
    server.restart();
    assert_eq!(server.address(Transport::WebrtcDirect), address);
    let client = listening(Form::WebrtcDirect, V4).bootstrap(&address).start();
    client.wait_peer(server.id());
}

#[test]
fn an_address_without_a_transport_is_told() {
    let node = Setup::new().start();
    let peer = peerloom_shared::PeerId::random();
    for address in [
        format!("/ip4/127.0.0.1/udp/9/quic/p2p/{peer}"),
        format!("/ip4/127.0.0.1/sctp/9/p2p/{peer}"),
        format!("/ip4/127.0.0.1/udp/9/p2p/{peer}"),
        format!("/ip4/127.0.0.1/tcp/9/http/p2p/{peer}"),
        format!("/memory/9/p2p/{peer}"),
    ] {
        let refusal = node.connect(&address).expect_err("no transport");
        assert_eq!(refusal.code, "NET-105", "{refusal:?}");
    }
}

#[test]
fn nobody_behind_an_address_is_told() {
    let node = Setup::new().start();
    let peer = peerloom_shared::PeerId::random();
    // Held, and never answered.
    let held = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let udp = held.local_addr().expect("its address").port();
    // No test listens at this address of loopback.
    let tcp = "/ip4/127.77.0.1/tcp/9";
    for address in [
        format!("{tcp}/p2p/{peer}"),
        format!("{tcp}/ws/p2p/{peer}"),
        format!("/ip4/127.0.0.1/udp/{udp}/quic-v1/p2p/{peer}"),
    ] {
        let refusal = node.connect(&address).expect_err("nobody there");
        assert_eq!((refusal.code.as_str(), refusal.retryable), ("NET-110", true), "{refusal:?}");
    }
    let closed = format!("{tcp}/p2p/{peer}");
    node.cli(&["peers", "connect", &closed]).expect_failure(1, "NET-110");
}

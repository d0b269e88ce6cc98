use proptest::prelude::*;

use super::{Parts, circuit, peer, with_peer, without_peer};
use crate::view::{Path, Transport};
use crate::{Multiaddr, PeerId};

/// Three peers whose ids never change.
const A: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const R: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
const HASH: &str = "uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ";

fn at(text: &str) -> Multiaddr {
    let text = text.replace("{A}", A).replace("{R}", R).replace("{C}", HASH);
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

#[test]
fn real_addresses_and_their_transport() {
    use Transport::{Circuit, Memory, Other, Quic, Tcp, WebSocket, Webrtc, WebrtcDirect};
    let table = [
        ("/ip4/1.2.3.4/tcp/7072", Tcp, true),
        ("/ip6/2600::1/tcp/7072/p2p/{A}", Tcp, true),
        ("/ip4/1.2.3.4/udp/7072/quic-v1/p2p/{A}", Quic, true),
        ("/ip4/1.2.3.4/tcp/7073/ws", WebSocket, true),
        ("/dns4/example.com/tcp/443/wss/p2p/{A}", WebSocket, true),
        ("/dns4/example.com/tcp/443/tls/ws/p2p/{A}", WebSocket, true),
        ("/ip4/1.2.3.4/tcp/443/tls/sni/1-2-3-4.k.libp2p.direct/ws/p2p/{A}", WebSocket, true),
        ("/ip4/1.2.3.4/udp/7071/webrtc-direct/certhash/{C}/p2p/{A}", WebrtcDirect, true),
        ("/ip6/::1/udp/7071/webrtc-direct/certhash/{C}", WebrtcDirect, true),
        ("/ip4/1.2.3.4/udp/1/quic-v1/webtransport/certhash/{C}/certhash/{C}/p2p/{A}", Other, true),
        ("/ip4/1.2.3.4/tcp/1/p2p/{R}/p2p-circuit/p2p/{A}", Circuit, true),
        ("/ip4/1.2.3.4/tcp/1/ws/p2p/{R}/p2p-circuit", Circuit, true),
        ("/ip4/1.2.3.4/udp/1/quic-v1/p2p/{R}/p2p-circuit/webrtc/p2p/{A}", Webrtc, true),
        ("/memory/7", Memory, true),
        ("/dnsaddr/bootstrap.libp2p.io/p2p/{A}", Other, true),
        ("/p2p/{R}/p2p-circuit/p2p/{A}", Circuit, false),
        ("/p2p/{A}", Other, false),
        ("/ip4/1.2.3.4/udp/1", Other, true),
        ("/ip4/1.2.3.4/udp/1/quic", Other, false),
        ("/unix/tmp%2Fsocket", Other, false),
        ("/ip4/1.2.3.4/tcp/1/p2p/{R}/p2p-circuit/p2p/{A}/p2p-circuit/p2p/{R}", Circuit, false),
        ("/ip4/1.2.3.4/tcp/1/p2p/{A}/p2p/{R}", Tcp, false),
        ("/ip4/1.2.3.4/ip4/5.6.7.8/tcp/1", Tcp, false),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", Tcp, false),
        ("/tcp/1", Tcp, false),
    ];
    for (text, transport, plain) in table {
        let address = at(text);
        let parts = Parts::of(&address);
        assert_eq!(parts.transport, transport, "{text}");
        assert_eq!(parts.plain, plain, "{text}");
        assert_eq!(Transport::of(&address), transport, "{text}");
        let relayed = transport == Transport::Circuit;
        assert_eq!(Path::of(&address) == Path::Relayed, relayed, "{text}");
    }
    assert!(!Parts::of(&Multiaddr::empty()).plain);
}

#[test]
fn relay_and_peer_are_told_apart() {
    let parts = Parts::of(&at("/ip4/1.2.3.4/tcp/9/ws/p2p/{R}/p2p-circuit/p2p/{A}"));
    assert_eq!(parts.relay, R.parse().ok());
    assert_eq!(parts.peer, A.parse().ok());
    assert_eq!(parts.port, Some(9));
    assert_eq!(parts.carrier, Transport::WebSocket);
    let direct = Parts::of(&at("/ip4/1.2.3.4/tcp/9/p2p/{A}"));
    assert_eq!((direct.relay, direct.peer), (None, A.parse().ok()));
}

#[test]
fn ends_can_be_changed() {
    let (a, r): (PeerId, PeerId) = (A.parse().expect("id"), R.parse().expect("id"));
    let bare = at("/ip4/1.2.3.4/tcp/9");
    assert_eq!(with_peer(bare.clone(), a), at("/ip4/1.2.3.4/tcp/9/p2p/{A}"));
    assert_eq!(with_peer(with_peer(bare.clone(), r), a), at("/ip4/1.2.3.4/tcp/9/p2p/{A}"));
    assert_eq!(without_peer(with_peer(bare.clone(), a)), bare);
    assert_eq!(peer(&with_peer(bare.clone(), a)), Some(a));
    assert_eq!(circuit(bare, r, a), at("/ip4/1.2.3.4/tcp/9/p2p/{R}/p2p-circuit/p2p/{A}"));
    assert_eq!(
        without_peer(at("/ip4/1.2.3.4/tcp/9/p2p/{R}/p2p-circuit")),
        at("/ip4/1.2.3.4/tcp/9/p2p/{R}/p2p-circuit")
    );
}

proptest! {
    #[test]
    fn any_bytes_that_are_a_multiaddr_can_be_taken_apart(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        if let Ok(address) = Multiaddr::try_from(bytes) {
            let parts = Parts::of(&address);
            prop_assert!(!parts.plain || parts.host.is_some());
        }
    }
}

use proptest::prelude::*;

use super::{Refusal, Scope, acceptable};
use crate::{Multiaddr, PeerId};

const US: &str = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";
const A: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const R: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";
const HASH: &str = "uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ";

fn at(text: &str) -> Multiaddr {
    let text = text.replace("{A}", A).replace("{R}", R).replace("{C}", HASH).replace("{US}", US);
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn told(address: &Multiaddr, over: Scope) -> Result<Scope, Refusal> {
    let (a, us): (PeerId, PeerId) = (A.parse().expect("id"), US.parse().expect("id"));
    acceptable(address, &a, &us, over)
}

#[test]
fn reach_of_real_addresses() {
    use Scope::{Global, Loopback, Private};
    let table = [
        ("/ip4/127.0.0.1/tcp/1", Loopback),
        ("/ip4/127.8.9.1/udp/1/quic-v1", Loopback),
        ("/ip6/::1/tcp/1", Loopback),
        ("/ip6/::ffff:127.0.0.1/tcp/1", Loopback),
        ("/memory/1", Loopback),
        ("/dns4/localhost/tcp/1/ws", Loopback),
        ("/dns4/page.LocalHost./tcp/1/ws", Loopback),
        ("/ip4/10.0.0.1/tcp/1", Private),
        ("/ip4/172.16.0.1/tcp/1", Private),
        ("/ip4/172.32.0.1/tcp/1", Global),
        ("/ip4/192.168.1.7/udp/1/webrtc-direct/certhash/{C}", Private),
        ("/ip4/169.254.1.1/tcp/1", Private),
        ("/ip4/100.64.0.1/tcp/1", Private),
        ("/ip4/100.128.0.1/tcp/1", Global),
        ("/ip4/198.18.0.1/tcp/1", Private),
        ("/ip6/fd00::1/tcp/1", Private),
        ("/ip6/fe80::1/tcp/1", Private),
        ("/ip6/::ffff:192.168.0.1/tcp/1", Private),
        ("/dns4/printer/tcp/1", Private),
        ("/dns4/printer.local/tcp/1", Private),
        ("/dns6/nas.home.arpa/tcp/1", Private),
        ("/ip4/8.8.8.8/tcp/1", Global),
        ("/ip6/2600::1/tcp/1", Global),
        ("/dns4/example.com/tcp/443/wss", Global),
        ("/dnsaddr/example.com", Global),
        ("/ip4/127.0.0.1/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{A}", Loopback),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/webrtc/p2p/{A}", Global),
        ("/p2p/{A}", Global),
    ];
    for (text, scope) in table {
        assert_eq!(Scope::of(&at(text)), scope, "{text}");
    }
}

#[test]
fn what_is_taken_over_which_path() {
    use Scope::{Global, Loopback, Private};
    let table = [
        ("/ip4/127.0.0.1/tcp/1", [true, false, false]),
        ("/memory/5", [true, false, false]),
        ("/ip4/192.168.1.2/tcp/1/ws", [true, true, false]),
        ("/ip6/fd00::1/udp/1/quic-v1", [true, true, false]),
        ("/dns4/nas.local/tcp/1", [true, true, false]),
        ("/ip4/8.8.8.8/udp/1/quic-v1/p2p/{A}", [true, true, true]),
        ("/ip4/8.8.8.8/udp/7071/webrtc-direct/certhash/{C}/p2p/{A}", [true, true, true]),
        ("/ip4/8.8.8.8/udp/1/quic-v1/webtransport/certhash/{C}/certhash/{C}", [true, true, true]),
        ("/dns4/example.com/tcp/443/wss/p2p/{A}", [true, true, true]),
        ("/dns4/example.com/tcp/443/tls/ws/p2p/{A}", [true, true, true]),
        ("/ip4/127.0.0.1/tcp/1/ws/p2p/{R}/p2p-circuit/p2p/{A}", [true, false, false]),
        ("/ip4/10.0.0.1/tcp/1/p2p/{R}/p2p-circuit", [true, true, false]),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/p2p/{A}", [true, true, true]),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/webrtc/p2p/{A}", [true, true, true]),
    ];
    for (text, expected) in table {
        for (over, expected) in [Loopback, Private, Global].into_iter().zip(expected) {
            let got = told(&at(text), over);
            assert_eq!(got.is_ok(), expected, "{text} over {over:?}: {got:?}");
            if !expected {
                assert_eq!(got, Err(Refusal::TooNarrow), "{text}");
            }
        }
    }
}

#[test]
fn what_is_never_taken() {
    let table = [
        ("/ip4/0.0.0.0/tcp/1", Refusal::NoHost),
        ("/ip4/0.1.2.3/tcp/1", Refusal::NoHost),
        ("/ip4/224.0.0.251/udp/1/quic-v1", Refusal::NoHost),
        ("/ip4/255.255.255.255/tcp/1", Refusal::NoHost),
        ("/ip4/240.0.0.1/tcp/1", Refusal::NoHost),
        ("/ip6/::/tcp/1", Refusal::NoHost),
        ("/ip6/ff02::1/tcp/1", Refusal::NoHost),
        ("/ip6/fe80::1/tcp/1", Refusal::NoHost),
        ("/ip6/::ffff:0.0.0.0/tcp/1", Refusal::NoHost),
        ("/ip4/8.8.8.8/tcp/0", Refusal::NoPort),
        ("/ip4/8.8.8.8/udp/0/quic-v1", Refusal::NoPort),
        ("/ip4/8.8.8.8", Refusal::NoPort),
        ("/dns4/example.com", Refusal::NoPort),
        ("/dnsaddr/example.com", Refusal::Odd),
        ("/p2p/{A}", Refusal::Odd),
        ("/p2p/{R}/p2p-circuit/p2p/{A}", Refusal::Odd),
        ("/ip6zone/eth0/ip6/fe80::1/tcp/1", Refusal::Odd),
        ("/unix/tmp", Refusal::Odd),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}", Refusal::OtherPeer),
        ("/ip4/8.8.8.8/tcp/1/p2p/{US}", Refusal::OtherPeer),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/p2p/{R}", Refusal::OtherPeer),
        ("/ip4/8.8.8.8/tcp/1/p2p/{US}/p2p-circuit/p2p/{A}", Refusal::BadRelay),
        ("/ip4/8.8.8.8/tcp/1/p2p/{A}/p2p-circuit/p2p/{A}", Refusal::BadRelay),
        ("/ip4/8.8.8.8/tcp/1/p2p-circuit/p2p/{A}", Refusal::BadRelay),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/p2p-circuit/p2p/{A}", Refusal::Odd),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/p2p/{A}/p2p-circuit/p2p/{A}", Refusal::Odd),
    ];
    for (text, refusal) in table {
        assert_eq!(told(&at(text), Scope::Loopback), Err(refusal), "{text}");
    }
    let long = format!("/dns4/{}.com/tcp/1", "a".repeat(600));
    assert_eq!(told(&at(&long), Scope::Loopback), Err(Refusal::TooLong));
    let us: PeerId = US.parse().expect("id");
    let about_us = acceptable(&at("/ip4/8.8.8.8/tcp/1"), &us, &us, Scope::Loopback);
    assert_eq!(about_us, Err(Refusal::Ourselves));
}

proptest! {
    #[test]
    fn a_wider_path_never_takes_more(ip in any::<[u8; 4]>(), port in any::<u16>()) {
        let [a, b, c, d] = ip;
        let address = at(&format!("/ip4/{a}.{b}.{c}.{d}/tcp/{port}"));
        for (narrow, wide) in [(Scope::Loopback, Scope::Private), (Scope::Private, Scope::Global)] {
            prop_assert!(told(&address, wide).is_err() || told(&address, narrow).is_ok());
        }
        if let Ok(scope) = told(&address, Scope::Global) {
            prop_assert_eq!(scope, Scope::Global);
            prop_assert!(!std::net::Ipv4Addr::from(ip).is_private());
        }
    }
}

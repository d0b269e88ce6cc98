//! Multiaddresses of WebRTC-direct and `/webrtc`, and back.
//! Invariant: an address is understood whole or not at all.
//! Not here: whether an address may be dialled (whoever uses this crate).

use std::net::{IpAddr, SocketAddr};

use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_identity::PeerId;
use libp2p_webrtc_utils::Fingerprint;

use crate::signal::Reach;

/// Names that only the local network answers (RFC 6762, RFC 8375), or that are used so.
const SITE_NAMES: [&str; 4] = [".local", ".home.arpa", ".internal", ".lan"];

/// A WebRTC-direct address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Direct {
    /// Where.
    pub socket: SocketAddr,
    /// The certificate that is to be found there; without it nobody can dial.
    pub fingerprint: Option<Fingerprint>,
    /// Who.
    pub peer: Option<PeerId>,
}

impl Direct {
    /// Reads `/ip4/A/udp/P/webrtc-direct`, with or without `/certhash/C` and `/p2p/X`.
    #[must_use]
    pub fn parse(address: &Multiaddr) -> Option<Self> {
        let mut parts = address.iter();
        #[expect(clippy::wildcard_enum_match_arm, reason = "names and others are no address")]
        let ip = match parts.next()? {
            Protocol::Ip4(v4) => IpAddr::V4(v4),
            Protocol::Ip6(v6) => IpAddr::V6(v6),
            _ => return None,
        };
        let Protocol::Udp(port) = parts.next()? else { return None };
        let Protocol::WebRTCDirect = parts.next()? else { return None };
        let socket = SocketAddr::new(ip, port);
        let mut direct = Self { socket, fingerprint: None, peer: None };
        for part in parts {
            #[expect(clippy::wildcard_enum_match_arm, reason = "nothing else belongs there")]
            match part {
                Protocol::Certhash(hash)
                    if direct.fingerprint.is_none() && direct.peer.is_none() =>
                {
                    direct.fingerprint = Some(Fingerprint::try_from_multihash(hash)?);
                }
                Protocol::P2p(peer) if direct.peer.is_none() => direct.peer = Some(peer),
                _ => return None,
            }
        }
        Some(direct)
    }

    /// The address in libp2p's form.
    #[must_use]
    pub fn to_multiaddr(self) -> Multiaddr {
        let mut address = Multiaddr::from(self.socket.ip())
            .with(Protocol::Udp(self.socket.port()))
            .with(Protocol::WebRTCDirect);
        if let Some(fingerprint) = self.fingerprint {
            address.push(Protocol::Certhash(fingerprint.to_multihash()));
        }
        if let Some(peer) = self.peer {
            address.push(Protocol::P2p(peer));
        }
        address
    }
}

/// A `/webrtc` address: `<relay>/p2p-circuit/webrtc/p2p/X`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signalled {
    /// The relayed address over which the other side is asked: `<relay>/p2p-circuit/p2p/X`.
    pub circuit: Multiaddr,
    /// Who.
    pub peer: PeerId,
}

impl Signalled {
    /// Reads such an address.
    #[must_use]
    pub fn parse(address: &Multiaddr) -> Option<Self> {
        let mut parts: Vec<Protocol<'_>> = address.iter().collect();
        let Some(Protocol::P2p(peer)) = parts.pop() else { return None };
        let Some(Protocol::WebRTC) = parts.pop() else { return None };
        let Some(Protocol::P2pCircuit) = parts.last() else { return None };
        let one_relay =
            parts.iter().filter(|part| matches!(part, Protocol::P2pCircuit)).count() == 1;
        if !one_relay || parts.len() < 2 {
            return None;
        }
        let circuit = parts.into_iter().collect::<Multiaddr>().with(Protocol::P2p(peer));
        Some(Self { circuit, peer })
    }

    /// The `/webrtc` twin of a relayed listen address, `<relay>/p2p-circuit[/p2p/us]`.
    #[must_use]
    pub fn of_circuit(circuit: &Multiaddr) -> Option<Multiaddr> {
        let mut parts: Vec<Protocol<'_>> = circuit.iter().collect();
        let us = match parts.last() {
            Some(Protocol::P2p(_)) => parts.pop(),
            Some(_) | None => None,
        };
        let Some(Protocol::P2pCircuit) = parts.last() else { return None };
        let mut address: Multiaddr = parts.into_iter().collect();
        address.push(Protocol::WebRTC);
        if let Some(us) = us {
            address.push(us);
        }
        Some(address)
    }
}

/// How far away the other end of a connection with this remote address is.
pub(crate) fn reach(address: &Multiaddr) -> Reach {
    // The address of a relayed connection tells where its relay is, not its other end.
    if address.iter().any(|part| matches!(part, Protocol::P2pCircuit)) {
        return Reach::World;
    }
    match address.iter().next() {
        Some(Protocol::Ip4(ip)) => Reach::of(ip.into()),
        Some(Protocol::Ip6(ip)) => Reach::of(ip.into()),
        Some(Protocol::Memory(_)) => Reach::Machine,
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name)) => {
            if name == "localhost" {
                Reach::Machine
            } else if !name.contains('.') || SITE_NAMES.iter().any(|end| name.ends_with(end)) {
                Reach::Site
            } else {
                Reach::World
            }
        }
        // What is not known is far.
        _ => Reach::World,
    }
}

/// The relay of a relayed address.
pub(crate) fn relay_of(circuit: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in circuit {
        if let Protocol::P2p(peer) = part {
            last = Some(peer);
        } else if matches!(part, Protocol::P2pCircuit) {
            return last;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Direct, Signalled, reach, relay_of};
    use crate::signal::Reach;

    const HASH: &str = "uEiA4R9mJ77hi021JEsImnNBbs7JUN6cmKI7DKy6F-3OMKQ";
    const PEER: &str = "12D3KooWDPiBPJwDP5LLAGSGvhNbdgUsAgTHsdCtzDCMD2LGTEoG";
    const RELAY: &str =
        "/ip4/1.2.3.4/tcp/1/ws/p2p/12D3KooWD8Jdj8cFkSwUM7YWBXrwCGjXyWej2GAS3836pd5JwGnJ";

    #[test]
    fn direct_addresses_come_back_as_they_went() {
        for text in [
            "/ip4/0.0.0.0/udp/7071/webrtc-direct".to_owned(),
            format!("/ip6/::1/udp/7071/webrtc-direct/certhash/{HASH}"),
            format!("/ip4/127.0.0.1/udp/7071/webrtc-direct/certhash/{HASH}/p2p/{PEER}"),
        ] {
            let address = text.parse().expect("an address");
            let read = Direct::parse(&address).expect("understood");
            assert_eq!(read.to_multiaddr(), address);
        }
    }

    #[test]
    fn other_addresses_are_not_direct() {
        for text in [
            "/ip4/127.0.0.1/udp/7072/quic-v1".to_owned(),
            "/ip4/127.0.0.1/tcp/7072/webrtc-direct".to_owned(),
            "/dns4/example.org/udp/7071/webrtc-direct".to_owned(),
            format!("/ip4/127.0.0.1/udp/7071/webrtc-direct/p2p/{PEER}/p2p-circuit"),
            format!("/ip4/127.0.0.1/udp/7071/webrtc-direct/p2p/{PEER}/certhash/{HASH}"),
        ] {
            assert_eq!(Direct::parse(&text.parse().expect("an address")), None, "{text}");
        }
    }

    #[test]
    fn a_signalled_address_names_its_circuit() {
        let address = format!("{RELAY}/p2p-circuit/webrtc/p2p/{PEER}").parse().expect("an address");
        let read = Signalled::parse(&address).expect("understood");
        assert_eq!(read.circuit.to_string(), format!("{RELAY}/p2p-circuit/p2p/{PEER}"));
        assert_eq!(read.peer.to_string(), PEER);
        assert_eq!(Signalled::of_circuit(&read.circuit), Some(address));
        let listen = format!("{RELAY}/p2p-circuit").parse().expect("an address");
        let twin = Signalled::of_circuit(&listen).expect("a circuit");
        assert_eq!(twin.to_string(), format!("{RELAY}/p2p-circuit/webrtc"));
    }

    #[test]
    fn other_addresses_are_not_signalled() {
        for text in [
            format!("{RELAY}/p2p-circuit/p2p/{PEER}"),
            format!("{RELAY}/webrtc/p2p/{PEER}"),
            format!("{RELAY}/p2p-circuit/webrtc"),
            format!("/webrtc/p2p/{PEER}"),
            format!("/p2p-circuit/webrtc/p2p/{PEER}"),
            format!("{RELAY}/p2p-circuit/p2p/{PEER}/p2p-circuit/webrtc/p2p/{PEER}"),
        ] {
            assert_eq!(Signalled::parse(&text.parse().expect("an address")), None, "{text}");
        }
        assert_eq!(Signalled::of_circuit(&RELAY.parse().expect("an address")), None);
    }

    #[test]
    fn how_far_a_relay_is() {
        let of = |text: &str| reach(&text.parse().expect("an address"));
        for text in ["/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1/ws", "/dns4/localhost/tcp/1/ws"] {
            assert_eq!(of(text), Reach::Machine, "{text}");
        }
        assert_eq!(of("/memory/1"), Reach::Machine);
        for text in [
            "/ip4/192.168.1.7/udp/1/quic-v1",
            "/ip4/169.254.1.1/tcp/1",
            "/ip6/fd12::1/tcp/1",
            "/ip6/fe80::1/tcp/1",
            "/dns/pi.local/tcp/1/ws",
            "/dns/router/tcp/1/ws",
            "/dns4/hub.home.arpa/tcp/1/ws",
        ] {
            assert_eq!(of(text), Reach::Site, "{text}");
        }
        for text in [
            "/ip4/1.2.3.4/tcp/1".to_owned(),
            "/ip6/2001:4860::1/udp/1/quic-v1".to_owned(),
            "/dns4/example.org/tcp/443/tls/ws".to_owned(),
            "/dns4/localhost.example.org/tcp/443/tls/ws".to_owned(),
            "/dnsaddr/localhost".to_owned(),
            format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit"),
            format!("/ip4/127.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit/webrtc"),
            String::new(),
        ] {
            assert_eq!(of(&text), Reach::World, "{text}");
        }
    }

    #[test]
    fn the_relay_of_a_circuit_stands_before_it() {
        let relay = RELAY.parse().expect("an address");
        assert_eq!(relay_of(&relay), None);
        for end in ["/p2p-circuit".to_owned(), format!("/p2p-circuit/p2p/{PEER}")] {
            let circuit = format!("{RELAY}{end}").parse().expect("an address");
            let relay = relay_of(&circuit).expect("a relay");
            assert!(RELAY.ends_with(&relay.to_string()));
        }
        assert_eq!(relay_of(&format!("/p2p-circuit/p2p/{PEER}").parse().expect("one")), None);
    }
}

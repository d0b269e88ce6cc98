//! A multiaddr taken apart once: host, port, transport, relay, peer.
//! Invariant: an address that is not [`Parts::plain`] is never dialled on a stranger's word.
//! Not here: whether an address may be used (`scope`), whose network it is in (`group`).

use std::net::IpAddr;

use multiaddr::Protocol;

use crate::view::Transport;
use crate::{Multiaddr, PeerId};

/// The machine an address leads to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Host {
    /// An IP address; an IPv4 address inside IPv6 is given as IPv4.
    Ip(IpAddr),
    /// A DNS name in lower case.
    Name(String),
    /// A DNS name whose records hold whole multiaddrs.
    AddressList(String),
    /// This process.
    Memory,
}

/// What an address says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The machine to dial: for a circuit, the relay's.
    pub host: Option<Host>,
    /// Its TCP or UDP port.
    pub port: Option<u16>,
    /// The transport, as people see it.
    pub transport: Transport,
    /// The transport below a circuit; for every other address the same as `transport`.
    pub carrier: Transport,
    /// Whether it goes through a relay.
    pub circuit: bool,
    /// The relay of a circuit, when it is named.
    pub relay: Option<PeerId>,
    /// The peer at the end, when it is named.
    pub peer: Option<PeerId>,
    /// Whether every part stands where it belongs and is known to this program.
    pub plain: bool,
}

impl Parts {
    /// Takes an address apart. It never fails: what it cannot place makes the result not plain.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Self {
        let mut parts = Self {
            host: None,
            port: None,
            transport: Transport::Other,
            carrier: Transport::Other,
            circuit: false,
            relay: None,
            peer: None,
            plain: true,
        };
        for part in address {
            if !parts.take(part) {
                parts.plain = false;
            }
        }
        if !parts.circuit {
            parts.transport = parts.carrier;
        }
        parts.plain &= parts.host.is_some();
        parts
    }

    /// Places one part; `false` when it has no place.
    #[expect(clippy::wildcard_enum_match_arm, reason = "what we do not know has no place")]
    fn take(&mut self, part: Protocol<'_>) -> bool {
        // A peer id ends the way to a host; only a circuit leads on from there.
        let at_peer = self.peer.is_some();
        match part {
            Protocol::P2pCircuit if !self.circuit => {
                self.circuit = true;
                self.transport = Transport::Circuit;
                self.relay = self.peer.take();
                true
            }
            Protocol::P2p(peer) => self.peer.replace(peer).is_none(),
            Protocol::WebRTC if self.circuit && !at_peer => {
                self.transport = Transport::Webrtc;
                true
            }
            _ if self.circuit || at_peer => false,
            Protocol::Ip4(ip) => self.host(Host::Ip(ip.into())),
            Protocol::Ip6(ip) => self.host(Host::Ip(IpAddr::V6(ip).to_canonical())),
            Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) => {
                self.host(Host::Name(name.to_ascii_lowercase()))
            }
            Protocol::Dnsaddr(name) => self.host(Host::AddressList(name.to_ascii_lowercase())),
            Protocol::Memory(_) => {
                self.carrier = Transport::Memory;
                self.host(Host::Memory)
            }
            Protocol::Tcp(port) => self.port(port, Transport::Tcp),
            Protocol::Udp(port) => self.port(port, Transport::Other),
            _ if self.port.is_none() => false,
            Protocol::QuicV1 => self.over(Transport::Quic),
            Protocol::WebTransport => self.over(Transport::Other),
            Protocol::WebRTCDirect => self.over(Transport::WebrtcDirect),
            Protocol::Ws(_) | Protocol::Wss(_) => self.over(Transport::WebSocket),
            Protocol::Tls | Protocol::Sni(_) | Protocol::Certhash(_) | Protocol::Noise => true,
            _ => false,
        }
    }

    fn host(&mut self, host: Host) -> bool {
        self.host.replace(host).is_none()
    }

    fn port(&mut self, port: u16, carrier: Transport) -> bool {
        self.carrier = carrier;
        self.host.is_some() && self.port.replace(port).is_none()
    }

    fn over(&mut self, carrier: Transport) -> bool {
        self.carrier = carrier;
        true
    }
}

/// The peer an address names at its end.
#[must_use]
pub fn peer(address: &Multiaddr) -> Option<PeerId> {
    if let Some(Protocol::P2p(peer)) = address.iter().last() { Some(peer) } else { None }
}

/// The address without the peer at its end.
#[must_use]
pub fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if peer(&address).is_some() {
        address.pop();
    }
    address
}

/// The address with `peer` at its end, in place of any other.
#[must_use]
pub fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    without_peer(address).with(Protocol::P2p(peer))
}

/// The address that leads to `peer` through `relay`, when the relay is reached at `carrier`.
#[must_use]
pub fn circuit(carrier: Multiaddr, relay: PeerId, peer: PeerId) -> Multiaddr {
    with_peer(carrier, relay).with(Protocol::P2pCircuit).with(Protocol::P2p(peer))
}

#[cfg(test)]
mod tests;

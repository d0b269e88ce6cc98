//! Small questions about multiaddrs.
//! Invariant: pure; never fails, an odd address simply answers "no".
//! Not here: which addresses are acceptable (`defence::scope`).

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

/// The first IP address in it.
pub(super) fn ip(address: &Multiaddr) -> Option<IpAddr> {
    address.iter().find_map(|part| {
        if let Protocol::Ip4(ip) = part {
            Some(IpAddr::V4(ip))
        } else if let Protocol::Ip6(ip) = part {
            Some(IpAddr::V6(ip))
        } else {
            None
        }
    })
}

/// Whether it goes through a relay.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The peer it ends at.
pub(super) fn peer(address: &Multiaddr) -> Option<PeerId> {
    if let Some(Protocol::P2p(peer)) = address.iter().last() { Some(peer) } else { None }
}

/// The relay that a circuit address goes through.
pub(super) fn relay(address: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in address {
        match part {
            Protocol::P2p(peer) => last = Some(peer),
            Protocol::P2pCircuit => return last,
            _ => {}
        }
    }
    None
}

/// The address without the peer at its end.
pub(super) fn without_peer(mut address: Multiaddr) -> Multiaddr {
    if peer(&address).is_some() {
        address.pop();
    }
    address
}

/// The address with `peer` at its end.
pub(super) fn with_peer(address: Multiaddr, peer: PeerId) -> Multiaddr {
    without_peer(address).with(Protocol::P2p(peer))
}

//! Small questions about multiaddrs.
//! Invariant: pure; never fails, an odd address simply answers "no".
//! Not here: which addresses are acceptable (`defence::scope`).

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};

pub(super) use crate::defence::address::{peer, with_peer, without_peer};

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

/// Where the other end of an inbound connection is: for a relayed one the relay's address, because
/// the address it sends back holds nothing but its PeerId.
pub(super) fn inbound(local: &Multiaddr, remote: &Multiaddr) -> Multiaddr {
    let at = if is_relayed(local) { local } else { remote };
    without_peer(at.clone())
}

/// The relay that a circuit address goes through.
pub(super) fn relay(address: &Multiaddr) -> Option<PeerId> {
    let mut last = None;
    for part in address {
        if let Protocol::P2p(peer) = part {
            last = Some(peer);
        } else if part == Protocol::P2pCircuit {
            return last;
        }
    }
    None
}

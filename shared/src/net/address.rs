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

/// Whether the bytes of a connection at this address go through a relay.
pub(super) fn is_relayed(address: &Multiaddr) -> bool {
    needs_relay(address) && !is_signalled(address)
}

/// Whether it leads nowhere without a relay: through one, or to a peer that one introduces (`/webrtc`).
pub(super) fn needs_relay(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// Whether a relay only introduces the two ends, which then connect directly (`/webrtc`).
pub(super) fn is_signalled(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::WebRTC)
}

/// Where the other end of an inbound connection is: where a relay has a part in it, our own address
/// at the relay, because the address that is sent back holds nothing but a PeerId.
pub(super) fn inbound(local: &Multiaddr, remote: &Multiaddr) -> Multiaddr {
    let at = if needs_relay(local) { local } else { remote };
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

//! Which addresses of a heard-of peer we can and may dial now.
//! Invariant: a circuit through a connected relay touches no host that we do not talk to already.
//! Not here: whether the addresses were acceptable when they were told (`defence::scope`).

use super::Config;
use super::peers::Peers;
use crate::defence::address::{Parts, circuit, without_peer};
use crate::defence::book::BookEntry;
use crate::defence::scope::Scope;
use crate::view::Transport;
use crate::{Multiaddr, PeerId};

/// Whether an address is of a kind that this peer could ever dial: those are worth remembering.
pub(super) fn is_possible(config: &Config, address: &Multiaddr) -> bool {
    let parts = Parts::of(address);
    parts.circuit || can_carry(config, parts.carrier)
}

fn can_carry(config: &Config, carrier: Transport) -> bool {
    match carrier {
        Transport::WebSocket | Transport::WebrtcDirect | Transport::Memory => true,
        Transport::Tcp | Transport::Quic => !config.relay_only,
        Transport::Webrtc | Transport::Circuit | Transport::Other => false,
    }
}

/// The relay through which an address leads.
pub(super) fn relay(address: &Multiaddr) -> Option<PeerId> {
    Parts::of(address).relay
}

/// The addresses to dial, the direct ones first.
pub(super) fn usable(
    config: &Config,
    peers: &Peers,
    entry: &BookEntry,
    ours: &dyn Fn(&Multiaddr) -> bool,
) -> Vec<Multiaddr> {
    let mut direct = Vec::new();
    let mut circuits = Vec::new();
    for address in &entry.addrs {
        let parts = Parts::of(address);
        let near = Scope::of(address) < Scope::Global && !config.dial_private;
        if let Some(relay) = parts.relay {
            if let Some(through) = through(peers, relay, address, entry.peer) {
                circuits.push(through);
            } else if !config.relay_only && !near {
                circuits.push(through_stranger(address));
            }
        } else if can_carry(config, parts.carrier) && !near && !ours(address) {
            direct.push(address.clone());
        }
    }
    direct.append(&mut circuits);
    let mut seen = crate::ordered::BTreeSet::new();
    direct.retain(|address| seen.insert(address.to_vec()));
    direct
}

/// The circuit to `peer` over our own connection to the relay.
fn through(peers: &Peers, relay: PeerId, told: &Multiaddr, peer: PeerId) -> Option<Multiaddr> {
    let connection = peers.direct(&relay)?;
    Some(if connection.outbound {
        without_peer(circuit(connection.address.clone(), relay, peer))
    } else {
        through_stranger(told)
    })
}

/// The circuit as it was told, up to the relay: what follows names a further step (WebRTC) that is
/// arranged over the circuit.
fn through_stranger(told: &Multiaddr) -> Multiaddr {
    let mut address = Multiaddr::empty();
    for part in told {
        let last = part == multiaddr::Protocol::P2pCircuit;
        address.push(part);
        if last {
            break;
        }
    }
    address
}

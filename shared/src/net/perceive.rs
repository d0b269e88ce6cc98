//! What the network's changes and work mean to the machines: the part that all shells share.
//! Invariant: pure translation; whoever tells of an address is judged by the path it was told over.
//! Not here: the other direction (`effect`).

use libp2p::PeerId;

use super::address;
use super::state::{Change, NetState};
use super::work::{DiscoveryWork, TransportWork};
use crate::defence::book::Source;
use crate::defence::scope::Scope;
use crate::limits::RELAYS_WANTED;
use crate::wire::UC_DISCOVERY_TOPIC;
use crate::{discovery, pubsub, routing, transport};

/// The width of the path to a connected peer. A peer reached only through a relay may be anywhere.
fn scope(state: &NetState, peer: &PeerId) -> Scope {
    state.direct_address(peer).map_or(Scope::Global, Scope::of)
}

/// What a change means to the transport machine.
#[must_use]
pub fn by_transport(state: &NetState, change: &Change) -> Option<transport::Input> {
    match change {
        Change::Identified(peer, identity) if identity.relay => {
            let address = state.direct_address(peer)?.clone();
            // Who listens is reached directly by everybody as near as the relay is; a relay helps
            // such a peer only when it is out in the internet.
            let helps = !listens(state) || Scope::of(&address) == Scope::Global;
            helps.then_some(transport::Input::RelaySeen { peer: *peer, address })
        }
        Change::Addresses => {
            Some(transport::Input::WantRelays(if is_reachable(state) { 0 } else { RELAYS_WANTED }))
        }
        Change::Gone(peer) => Some(transport::Input::RelayGone { peer: *peer }),
        Change::Reserved(relay) => {
            let through = |at: &&_| address::relay(at) == Some(*relay);
            let addrs = state.external.iter().filter(through).cloned().collect();
            Some(transport::Input::Reserved { relay: *relay, addrs })
        }
        Change::ReservationLost(relay) => Some(transport::Input::ReservationLost {
            relay: *relay,
            reason: "the relay no longer holds the slot".to_owned(),
        }),
        Change::Connected { .. }
        | Change::Disconnected { .. }
        | Change::Identified(..)
        | Change::RoomKeys(_)
        | Change::Follows { .. } => None,
    }
}

/// Whether this peer has listeners of its own, as nodes have and browsers have not.
fn listens(state: &NetState) -> bool {
    state.listen.iter().any(|at| !address::needs_relay(at))
}

/// Whether the whole internet can reach this peer without a relay.
fn is_reachable(state: &NetState) -> bool {
    let direct = |at: &&_| !address::needs_relay(at) && Scope::of(at) == Scope::Global;
    state.external.iter().any(|at| direct(&at))
}

/// What work means to the transport machine.
#[must_use]
pub fn transport_work(work: TransportWork) -> transport::Input {
    let TransportWork::ListenerClosed { address, reason } = work;
    transport::Input::ListenerClosed { address, reason }
}

/// What a change means to the discovery machine.
#[must_use]
pub fn by_discovery(state: &NetState, change: &Change) -> Option<discovery::Input> {
    match change {
        Change::Connected { id, connection } => Some(discovery::Input::Connected {
            peer: connection.peer,
            connection: *id,
            address: connection.address.clone(),
            relayed: connection.relayed(),
            outbound: connection.outbound,
        }),
        Change::Disconnected { id, connection } => {
            Some(discovery::Input::Disconnected { peer: connection.peer, connection: *id })
        }
        Change::Identified(peer, identity) => Some(discovery::Input::Heard {
            peer: *peer,
            addrs: identity.addresses.clone(),
            source: Source::Identify,
            over: scope(state, peer),
        }),
        Change::Addresses => {
            Some(discovery::Input::OurAddresses(state.external.iter().cloned().collect()))
        }
        Change::Follows { topic, .. } if topic == UC_DISCOVERY_TOPIC => {
            let listeners = state.topics.get(topic).map_or(0, crate::ordered::BTreeSet::len);
            Some(discovery::Input::DiscoveryPeers(listeners))
        }
        Change::Gone(_)
        | Change::Reserved(_)
        | Change::ReservationLost(_)
        | Change::RoomKeys(_)
        | Change::Follows { .. } => None,
    }
}

/// What work means to the discovery machine.
#[must_use]
pub fn discovery_work(state: &NetState, work: DiscoveryWork) -> discovery::Input {
    match work {
        DiscoveryWork::PeerHeard { peer, addresses } => discovery::Input::Heard {
            peer,
            addrs: addresses,
            source: Source::Mdns,
            // mDNS does not cross a router.
            over: Scope::Private,
        },
        DiscoveryWork::AnnouncementArrived(arrival) => discovery::Input::AnnouncementArrived {
            over: scope(state, &arrival.forwarder),
            id: arrival.id,
            forwarder: arrival.forwarder,
            author: arrival.author,
            data: arrival.data,
        },
    }
}

/// What a change means to the routing machine.
#[must_use]
pub fn by_routing(state: &NetState, change: &Change) -> Option<routing::Input> {
    match change {
        Change::Identified(peer, identity) => Some(routing::Input::Identified {
            peer: *peer,
            speaks_kad: identity.kad,
            addrs: identity.addresses.clone(),
            over: scope(state, peer),
        }),
        Change::Gone(peer) => Some(routing::Input::Gone { peer: *peer }),
        Change::Connected { .. }
        | Change::Disconnected { .. }
        | Change::Reserved(_)
        | Change::ReservationLost(_)
        | Change::Follows { .. }
        | Change::RoomKeys(_)
        | Change::Addresses => None,
    }
}

/// What a change means to the pubsub machine.
#[must_use]
pub fn by_pubsub(change: &Change) -> Option<pubsub::Input> {
    match change {
        Change::Follows { peer, topic, follows } => {
            Some(pubsub::Input::Neighbour { peer: *peer, topic: topic.clone(), follows: *follows })
        }
        Change::RoomKeys(keys) => Some(pubsub::Input::Keys(std::sync::Arc::clone(keys))),
        Change::Connected { .. }
        | Change::Disconnected { .. }
        | Change::Gone(_)
        | Change::Identified(..)
        | Change::Reserved(_)
        | Change::ReservationLost(_)
        | Change::Addresses => None,
    }
}

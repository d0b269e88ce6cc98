//! Who acts, and on what.
//! Invariant: a subject holds only what is proven at the moment of the question.
//! Not here: judging them.

use std::net::IpAddr;

use libp2p_identity::PeerId;
use multiaddr::{Multiaddr, Protocol};

/// Who wants to act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Subject {
    /// This peer itself, for its operator.
    Local,
    /// A remote peer with a proven PeerId: the other end of a connection, or the author of a message.
    Peer {
        /// Its proven PeerId.
        id: PeerId,
        /// The address its bytes come from, where there is a connection.
        addr: Option<IpAddr>,
        /// Whether they come through a relay. Then `addr` is the relay's.
        relayed: bool,
    },
    /// A remote address before the handshake: nobody is proven yet.
    Address(IpAddr),
}

impl Subject {
    /// A peer of which only the key is proven, such as the author of a message.
    #[must_use]
    pub const fn author(id: PeerId) -> Self {
        Self::Peer { id, addr: None, relayed: false }
    }

    /// The other end of a connection, read from its remote address. One that a relay introduced has
    /// an address that nobody told: the IP in it is the relay's.
    #[must_use]
    pub fn connected(id: PeerId, remote: &Multiaddr) -> Self {
        if remote.iter().any(|part| part == Protocol::WebRTC) {
            return Self::Peer { id, addr: None, relayed: false };
        }
        Self::Peer { id, addr: ip_of(remote), relayed: is_circuit(remote) }
    }

    /// The proven PeerId.
    #[must_use]
    pub const fn peer(&self) -> Option<PeerId> {
        match self {
            Self::Peer { id, .. } => Some(*id),
            Self::Local | Self::Address(_) => None,
        }
    }

    /// The address that bytes come from. Of a relayed peer it is the relay's.
    #[must_use]
    pub const fn ip(&self) -> Option<IpAddr> {
        match self {
            Self::Peer { addr, .. } => *addr,
            Self::Address(ip) => Some(*ip),
            Self::Local => None,
        }
    }
}

/// What is acted on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// This node as a whole.
    Node,
    /// A peer.
    Peer(PeerId),
    /// An address to dial or to listen on.
    Address(Multiaddr),
    /// A protocol, by its id.
    Protocol(String),
    /// A gossip topic.
    Topic(String),
    /// A DHT key.
    Key(Vec<u8>),
    /// A relay.
    Relay(PeerId),
    /// Content, by its id.
    Content(String),
    /// The mailbox of a peer.
    Mailbox(PeerId),
    /// The way of envelopes to a peer.
    Route(PeerId),
    /// The control interface.
    Admin,
}

impl Resource {
    /// Every peer that the resource names.
    pub(super) fn peers(&self) -> impl Iterator<Item = PeerId> + '_ {
        let (one, address) = match self {
            Self::Peer(id) | Self::Relay(id) | Self::Mailbox(id) | Self::Route(id) => {
                (Some(*id), None)
            }
            Self::Address(address) => (None, Some(address)),
            Self::Node
            | Self::Protocol(_)
            | Self::Topic(_)
            | Self::Key(_)
            | Self::Content(_)
            | Self::Admin => (None, None),
        };
        one.into_iter().chain(address.into_iter().flat_map(peers_in))
    }

    /// Every IP address that the resource names. Names are not resolved here.
    pub(super) fn ips(&self) -> impl Iterator<Item = IpAddr> + '_ {
        let address = match self {
            Self::Address(address) => Some(address),
            Self::Node
            | Self::Peer(_)
            | Self::Protocol(_)
            | Self::Topic(_)
            | Self::Key(_)
            | Self::Relay(_)
            | Self::Content(_)
            | Self::Mailbox(_)
            | Self::Route(_)
            | Self::Admin => None,
        };
        address.into_iter().flat_map(ips_in)
    }
}

/// The IP address that a multiaddr begins with, or the first one in it.
pub(super) fn ip_of(address: &Multiaddr) -> Option<IpAddr> {
    ips_in(address).next()
}

/// Whether the address leads through a relay.
pub(super) fn is_circuit(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::P2pCircuit)
}

/// The peer at the far end of an address. For a circuit that is the part behind the relay, so a bare
/// `<relay>/p2p-circuit` names nobody.
#[must_use]
pub fn target_of(address: &Multiaddr) -> Option<PeerId> {
    match address.iter().last() {
        Some(Protocol::P2p(id)) => Some(id),
        _ => None,
    }
}

fn peers_in(address: &Multiaddr) -> impl Iterator<Item = PeerId> + '_ {
    address.iter().filter_map(|part| if let Protocol::P2p(id) = part { Some(id) } else { None })
}

fn ips_in(address: &Multiaddr) -> impl Iterator<Item = IpAddr> + '_ {
    address.iter().filter_map(|part| {
        if let Protocol::Ip4(ip) = part {
            Some(IpAddr::V4(ip))
        } else if let Protocol::Ip6(ip) = part {
            Some(IpAddr::V6(ip))
        } else {
            None
        }
    })
}

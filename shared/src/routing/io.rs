//! What the routing machine is told and what it asks for.
//! Invariant: every [`Input::Ask`] gets exactly one [`Output::Answer`] with its ticket.
//! Not here: any decision.

use crate::defence::scope::Scope;
use crate::{Multiaddr, PeerId};

use super::RoutingError;

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// A connected peer told what it speaks and where it is.
    Identified {
        /// The peer.
        peer: PeerId,
        /// Whether it serves our DHT protocol.
        speaks_kad: bool,
        /// Its addresses, unchecked.
        addrs: Vec<Multiaddr>,
        /// The width of the path over which it told them.
        over: Scope,
    },
    /// The last connection to that peer closed.
    Gone {
        /// The peer.
        peer: PeerId,
    },
    /// Somebody here wants something from the DHT.
    Ask {
        /// Comes back in [`Output::Answer`].
        ticket: u64,
        /// What.
        ask: Ask,
    },
    /// The answer to [`Output::Query`].
    Done {
        /// The number of the query.
        query: u64,
        /// What was found, or why nothing was.
        result: Result<Found, Miss>,
    },
}

/// Why a query found nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// Nobody who was asked knows it.
    NotFound,
    /// It did not get so far, in plain words.
    Failed(String),
}

/// Something to do in the DHT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Find the addresses of a peer.
    FindPeer(PeerId),
    /// Get the value stored under a key.
    Get(Vec<u8>),
    /// Store a value.
    Put {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
    },
    /// Tell the DHT that we provide what the key names.
    Provide(Vec<u8>),
    /// Find peers that provide what the key names.
    FindProviders(Vec<u8>),
    /// Fill the routing table: look up our own key.
    Refresh,
}

/// What a query found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// For [`Ask::FindPeer`]: where the peer is. Without addresses: nobody knows.
    Peer {
        /// The peer.
        peer: PeerId,
        /// Its addresses, unchecked.
        addrs: Vec<Multiaddr>,
    },
    /// For [`Ask::Get`]. Anybody may have written it.
    Value {
        /// The key.
        key: Vec<u8>,
        /// The value.
        value: Vec<u8>,
        /// Who says to have published it.
        publisher: Option<PeerId>,
    },
    /// For [`Ask::Put`]: enough peers acknowledged.
    Stored,
    /// For [`Ask::Provide`].
    Provided,
    /// For [`Ask::FindProviders`]: the providers, perhaps none.
    Providers(Vec<PeerId>),
    /// For [`Ask::Refresh`]: peers met on the way.
    Refreshed {
        /// Peers near us and their addresses, unchecked.
        peers: Vec<(PeerId, Vec<Multiaddr>)>,
    },
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Put this peer into the routing table, with exactly these addresses.
    Admit {
        /// The peer.
        peer: PeerId,
        /// Its acceptable addresses.
        addrs: Vec<Multiaddr>,
    },
    /// Take this peer out of the routing table.
    Expel {
        /// The peer.
        peer: PeerId,
    },
    /// Start a query.
    Query {
        /// Comes back in [`Input::Done`].
        query: u64,
        /// What to do.
        ask: Ask,
    },
    /// Stop a query. A late [`Input::Done`] does no harm.
    Cancel {
        /// The number of the query.
        query: u64,
    },
    /// The answer to an [`Input::Ask`].
    Answer {
        /// Its ticket.
        ticket: u64,
        /// What came out.
        result: Result<Found, RoutingError>,
    },
    /// A query told where a peer is; discovery wants to know. The addresses are unchecked.
    Heard {
        /// The peer.
        peer: PeerId,
        /// Its addresses.
        addrs: Vec<Multiaddr>,
    },
}

//! What the discovery machine is told and what it asks for.
//! Invariant: every [`Output::Dial`] is answered by one [`Input::Dialed`] with the same ticket.
//! Not here: any decision.

use crate::defence::book::{BookEntry, Source};
use crate::defence::scope::Scope;
use crate::pubsub::Acceptance;
use crate::{Multiaddr, PeerId};

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// Keep a connection to this address, for ever: a bootstrap or relay address. Ask
    /// [`super::Discovery::check_link`] first when a person should learn why an address is not taken.
    Keep(Multiaddr),
    /// Stop keeping it. Its connection is left alone.
    Unkeep(Multiaddr),
    /// Somebody told us where a peer is.
    Heard {
        /// The peer.
        peer: PeerId,
        /// Its addresses, unchecked.
        addrs: Vec<Multiaddr>,
        /// How we heard.
        source: Source,
        /// The width of the path over which we heard it.
        over: Scope,
    },
    /// A message on the discovery topic. Answered by one [`Output::Judge`].
    AnnouncementArrived {
        /// The gossip message id, handed back in the judgement.
        id: Vec<u8>,
        /// The neighbour that forwarded it.
        forwarder: PeerId,
        /// The width of the path to that neighbour.
        over: Scope,
        /// The signed author.
        author: Option<PeerId>,
        /// The payload.
        data: Vec<u8>,
    },
    /// A connection opened, whoever opened it.
    Connected {
        /// The peer, proven by the handshake.
        peer: PeerId,
        /// A number that no other connection of this process has.
        connection: u64,
        /// The remote address: for an outbound connection the address as it was dialled.
        address: Multiaddr,
        /// Whether a relay carries it.
        relayed: bool,
        /// Whether we opened it.
        outbound: bool,
    },
    /// A connection closed.
    Disconnected {
        /// The peer.
        peer: PeerId,
        /// The number it opened with.
        connection: u64,
    },
    /// The answer to [`Output::Dial`]. It may come before or after the connection's own event.
    Dialed {
        /// The ticket of the dial.
        ticket: u64,
        /// The peer that answered, or why nobody did, in plain words. A dial to a peer that is
        /// connected already may answer with that peer.
        result: Result<PeerId, String>,
    },
    /// Where others can reach us: external, listen and circuit addresses. Replaces the list before.
    OurAddresses(Vec<Multiaddr>),
    /// How many neighbours subscribe to the discovery topic.
    DiscoveryPeers(usize),
    /// The address book from disk.
    Loaded(Vec<BookEntry>),
    /// Try everything again now: a person asked, or the network came back.
    RetryNow,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection.
    Dial {
        /// Comes back in [`Input::Dialed`].
        ticket: u64,
        /// The peer that must be there; `None` when a link's address names none.
        peer: Option<PeerId>,
        /// Where: the first that answers wins. Without the trailing `/p2p/` part when `peer` says it.
        addrs: Vec<Multiaddr>,
        /// Dial although the peer is connected: each link of a browser is a connection of its own,
        /// and a direct link is dialled although the peer is reached over a relay.
        even_if_connected: bool,
    },
    /// Publish this on the discovery topic.
    Announce(Vec<u8>),
    /// The verdict on an announcement: exactly one for each that arrived.
    Judge {
        /// The id it arrived with.
        id: Vec<u8>,
        /// The neighbour that forwarded it.
        forwarder: PeerId,
        /// The verdict.
        acceptance: Acceptance,
    },
    /// Write this entry to the address book on disk, in place of the peer's former one.
    Save(BookEntry),
    /// Delete this peer from the address book on disk.
    Forget(PeerId),
    /// [`super::Discovery::links`] or [`super::Discovery::health`] changed.
    LinksChanged,
}

/// How this peer discovers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Browser: every link is a connection of its own, also two to one peer. Native: links that
    /// name the same peer are one dial, and one connection to that peer serves them all.
    pub each_link_address: bool,
    /// Whether peers that were only heard of may be dialled at addresses of this host and of
    /// private networks. Links may, always.
    pub dial_private: bool,
    /// How many heard-of peers to keep connected, counting connections we opened. 0: links only.
    pub outbound_wanted: usize,
    /// Browser: heard-of peers are dialled at WebSocket and WebRTC-direct addresses, and through
    /// relays that are connected; nothing else can be dialled there.
    pub relay_only: bool,
}

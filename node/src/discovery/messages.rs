//! What the discovery actor can be asked.
//! Invariant: an address given by a person is kept until the person takes it back.
//! Not here: single dials (transport).

use actix::Message;
use libp2p::{Multiaddr, PeerId};
use peerloom_shared::defence::book::{BookEntry, Source};
use peerloom_shared::defence::scope::Scope;

/// Keeps a connection to this address.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct AddBootstrap(pub Multiaddr);

/// Takes note of where a peer is said to be.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct NotePeer {
    /// Who.
    pub peer: PeerId,
    /// Where, unchecked.
    pub addresses: Vec<Multiaddr>,
    /// How we heard.
    pub source: Source,
    /// The width of the path over which we heard.
    pub over: Scope,
}

/// Takes over an address book from disk.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Remember(pub Vec<BookEntry>);

/// Tries everything again now.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct FindPeers;

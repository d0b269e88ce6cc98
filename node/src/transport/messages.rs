//! What the transport actor can be asked.
//! Invariant: every ask is authorized again where it becomes a command.
//! Not here: whom to dial and when (discovery).

use std::time::Duration;

use actix::Message;
use libp2p::{Multiaddr, PeerId};
use peerloom_shared::net::NetError;

/// Listens on these addresses; those that fail are tried again.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct Listen(pub Vec<Multiaddr>);

/// Opens a connection.
#[derive(Debug, Message)]
#[rtype(result = "Result<PeerId, NetError>")]
pub struct Dial {
    /// Who must be there.
    pub peer: Option<PeerId>,
    /// Where.
    pub addresses: Vec<Multiaddr>,
    /// Whether to dial although a connection exists.
    pub even_if_connected: bool,
}

/// Closes all connections of a peer.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), NetError>")]
pub struct HangUp(pub PeerId);

/// Measures the round trip to a connected peer.
#[derive(Debug, Message)]
#[rtype(result = "Result<Duration, NetError>")]
pub struct Ping(pub PeerId);

/// Holds this many slots at relays.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct ReserveRelay(pub usize);

//! What the routing actor can be asked.
//! Invariant: a lookup is bounded in number and time.
//! Not here: the Kademlia protocol (libp2p's).

use actix::Message;
use peerloom_shared::routing::{Ask, Found, RoutingError};

/// Asks the distributed hash table: find a peer, get or put a record, provide or find providers.
#[derive(Debug, Message)]
#[rtype(result = "Result<Found, RoutingError>")]
pub struct Lookup(pub Ask);

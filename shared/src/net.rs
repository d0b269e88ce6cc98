//! The libp2p side of Peerloom, for native nodes and browsers alike.
//! Invariant: one [`Driver`] owns the swarm; everybody else holds a [`NetHandle`].
//! Not here: transports of one platform (each shell builds its own), protocol decisions (machines).

mod address;
pub mod auth;
pub mod behaviour;
pub mod clock;
pub mod command;
mod discovery;
pub mod driver;
pub mod effect;
#[cfg(not(target_arch = "wasm32"))]
mod followers;
pub mod gate;
pub mod gated;
mod gossip;
pub mod handle;
pub mod judge;
pub mod perceive;
pub mod picture;
pub mod ping;
mod pubsub;
#[cfg(not(target_arch = "wasm32"))]
mod relay_budget;
mod routing;
pub mod state;
mod table;
mod transport;
pub mod work;

pub use behaviour::{Behaviour, Profile, Settings};
pub use command::NetCommand;
pub use driver::{Driver, Exit, Observer};
pub use handle::{NetError, NetHandle};
pub use judge::{Auditor, Judge};
pub use picture::Picture;
pub use state::NetState;
pub use work::{Lanes, Works};

/// Our Kademlia network, apart from the public one: our record rules cannot hold there.
pub const KAD_PROTOCOL: &str = "/peerloom/kad/1";
/// The gossip of members' rooms: an instance of its own, so that strangers hear not even their names.
pub const MEMBERS_PROTOCOL: &str = "/peerloom/meshsub";
/// The name under which gossip of every version and dialect is judged.
pub const GOSSIP_PROTOCOL: &str = "/meshsub";
/// How peers that a relay connects ask each other for a direct connection.
pub const SIGNALLING_PROTOCOL: &str = "/webrtc-signaling/0.0.1";
/// What identify tells as protocol version.
pub const PROTOCOL_VERSION: &str = "peerloom/1";

/// The agent string of identify for a peer of the given kind, `native` or `browser`.
#[must_use]
pub fn agent(kind: &str) -> String {
    format!("peerloom/{} ({kind})", env!("CARGO_PKG_VERSION"))
}

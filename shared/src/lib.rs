//! The Peerloom protocol, once, for native nodes and browser peers.
//! Invariant: without the feature `net` this crate is pure: no clock, no randomness source, no I/O.
//! Not here: sockets of a particular platform, actors, pages.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod auth;
pub mod bounded;
pub mod defence;
pub mod discovery;
pub mod grant;
pub mod limits;
pub mod machine;
#[cfg(feature = "net")]
pub mod net;
pub mod ordered;
pub mod policy;
pub mod pubsub;
pub mod room_key;
pub mod routing;
pub mod time;
pub mod transport;
pub mod view;
pub mod wire;

pub use libp2p_identity::PeerId;
pub use multiaddr::Multiaddr;

//! WebRTC for rust-libp2p, native and in browsers.
//!
//! The default features are pure: a frame codec, the state of a stream, the signalling rules, STUN
//! names and SDP, all without input, output, clock or chance. `native` and `browser` put them on a
//! platform and give libp2p a `Transport` and a `NetworkBehaviour`.

#![warn(missing_docs)]

#[cfg(feature = "libp2p")]
pub mod address;
pub mod backend;
#[cfg(feature = "libp2p")]
pub mod behaviour;
#[cfg(feature = "libp2p")]
mod by_id;
#[cfg(feature = "libp2p")]
pub mod connection;
pub mod direct;
pub mod frame;
pub mod limits;
#[cfg(feature = "libp2p")]
mod negotiate;
pub mod sdp;
pub mod signal;
pub mod stream;
#[cfg(feature = "libp2p")]
pub mod transport;

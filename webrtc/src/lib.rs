//! WebRTC for rust-libp2p, native and in browsers.
//!
//! The default features are pure: a frame codec, the state of a stream, the signalling rules, STUN
//! names and SDP, all without input, output, clock or chance. `native` and `browser` put them on a
//! platform and give libp2p a `Transport` and a `NetworkBehaviour`.

#![warn(missing_docs)]

pub mod backend;
pub mod frame;
pub mod limits;
pub mod stream;

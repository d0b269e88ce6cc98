//! WebRTC for rust-libp2p, native and in browsers.
//!
//! The default features are pure: a frame codec, the state of a stream, the signalling rules, STUN
//! names and SDP, all without input, output, clock or chance. `native` and `browser` put them on a
//! platform and give libp2p a `Transport` and a `NetworkBehaviour`.
//!
//! The transport goes before the relay client's own, which would take its addresses for relayed ones.
//! A peer that listens at `/webrtc` then listens at the `/webrtc` twin of every relayed address that it
//! has, and dials such addresses of others.
//!
//! # A native peer
//!
//! ```
//! # #[cfg(all(feature = "native", not(target_arch = "wasm32")))]
//! # mod example {
#![doc = include_str!("../docs/native.rs")]
//! # }
//! ```
//!
//! # A page
//!
//! Compiled with every build for browsers.
//!
//! ```rust,ignore
#![doc = include_str!("../docs/browser.rs")]
//! ```

#![warn(missing_docs)]

/// The example above, so that the compiler reads it.
#[cfg(all(feature = "browser", target_arch = "wasm32"))]
mod example {
    #![expect(dead_code, unreachable_pub, reason = "it is there for the reader")]
    use crate as peerloom_webrtc;

    include!("../docs/browser.rs");
}

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

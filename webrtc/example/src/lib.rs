//! A small libp2p peer over `peerloom-webrtc`, the same on native sockets and in a web page.
//!
//! It is the crate's example and the other side of its tests. Read `transport` first: how the WebRTC
//! transports are put together with others is all that is special; `node` is a common swarm loop,
//! `streams` a common behaviour, and `calls` what runs over streams. The native program `webrtc-echo`
//! and the page's class `Peer` give the same commands to the same loop.

pub mod calls;
pub mod command;
#[cfg(target_arch = "wasm32")]
mod js;
pub mod limits;
pub mod node;
pub mod streams;
pub mod transport;

//! The Peerloom browser peer: the shared machines and driver, compiled to WebAssembly.
//! Invariant: nothing here judges for other peers; whatever leaves the page went through libp2p.
//! Not here: the protocol (peerloom-shared) and the page, which sees only the npm package.

#![cfg(target_arch = "wasm32")]

mod dom;
mod grants;
mod idb;
pub mod js;
pub mod keystore;
mod peer_loop;
mod swarm;
pub mod websocket;

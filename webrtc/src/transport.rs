//! libp2p transports.
//! Invariant: they give out connections whose other side is known.
//! Not here: signalling (`behaviour`), the platforms (`backend`).

#[cfg(all(feature = "browser", target_arch = "wasm32"))]
pub mod browser;
#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub mod native;
pub mod signalled;

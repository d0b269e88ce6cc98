//! Tests of native peers over this machine's sockets.

#![cfg(feature = "native")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    reason = "tests"
)]

mod bad_signalling;
mod direct;
mod harness;
mod signalled;

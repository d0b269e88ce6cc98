//! Whole-mesh tests: real nodes on real sockets, and nodes inside the test where a process is too far.
//! Invariant: every test has its own folders and ports, so all may run at once.
//! Not here: the harness (the library of this crate).
#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "tests report by panicking"
)]

mod actors;
mod admission;
mod audit;
mod bad_input;
mod clean_stop;
mod dht;
mod discovery;
mod driver;
mod forged;
mod inside;
mod introduced;
mod invites;
mod matrix;
mod members_rooms;
mod memory;
mod mesh;
mod ping;
mod policy;
mod policy_verbs;
mod raw;
mod relay;
mod reload;
mod restart;
mod transports;

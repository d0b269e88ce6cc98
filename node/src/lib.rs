//! The Peerloom native node: six actors around one swarm, a store, an admin server, a command line.
//! Invariant: actors carry, machines (`peerloom_shared`) decide, one Driver owns the swarm.
//! Not here: protocols and their decisions.
#![forbid(unsafe_code)]

pub mod actor;
pub mod admin;
pub mod audit;
pub mod book_writer;
pub mod boot;
pub mod cli;
pub mod config;
pub mod discovery;
pub mod error;
pub mod gauges;
pub mod group;
pub mod identity;
pub mod lock;
pub mod node;
mod node_api;
pub mod node_handle;
pub mod paths;
pub mod policy;
pub mod pubsub;
pub mod recent;
pub mod root;
pub mod routing;
mod settle;
pub mod store;
pub mod swarm;
pub mod telemetry;
pub mod text;
pub mod toml_text;
pub mod traffic;
pub mod transport;
pub mod watcher;

pub use node::{Node, Options, Started};
pub use node_handle::NodeHandle;

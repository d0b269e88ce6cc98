//! The node's HTTP side: the page, the admin API, health and metrics.
//! Invariant: it runs on a thread of its own and reaches the node through [`NodeApi`] alone, so
//! a slow or hostile client costs the mesh nothing.
//! Not here: the implementation of [`NodeApi`], libp2p's listeners, and the command line's client.

pub mod api;
pub mod assets;
pub mod auth;
pub mod events;
pub mod metrics;
pub mod problem;
mod routes;
mod routes_dht;
mod routes_grants;
pub mod server;
#[cfg(test)]
mod tests;

pub use api::grants::{GivenInfo, GrantsInfo, HeldInfo, InviteMade, JoinedInfo};
pub use api::{Access, Answer, Bootstrap, FoundPeer, KeyInfo, NodeApi, Reached, Reloaded};
pub use auth::{AdminToken, WeakToken};
pub use events::{EventId, EventLog, EventReader, Numbered};
pub use metrics::Metrics;
pub use problem::{ApiError, ErrorKind};
pub use server::{AdminError, AdminServer, serve};

//! What the admin server needs of a node, as a trait, and the small types that only the API shows.
//! Invariant: the server knows a node by this trait alone; it holds no state of a capability.
//! Not here: routes, HTTP, and the implementation for the running node.

pub mod grants;

use std::time::Duration;

use futures::future::BoxFuture;
use peerloom_shared::view::Message;
use peerloom_shared::view::RoomInfo;
use peerloom_shared::view::Status;
use peerloom_shared::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::grants::{GrantsInfo, InviteMade, JoinedInfo};
use super::events::EventLog;
use super::problem::ApiError;
use crate::identity::ledger::Removal;
use crate::node_handle::invites::Invitation;

/// The answer to a call that takes time.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ApiError>>;

/// What an admin request wants, for the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// It only looks: action `admin.read`.
    Read,
    /// It changes something: action `admin.write`.
    Write,
}

/// What a browser needs to join: `peerloom/bootstrap/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bootstrap {
    /// `peerloom/bootstrap/1`.
    pub schema: String,
    /// The node's PeerId.
    pub id: String,
    /// The node's agent string.
    pub agent: String,
    /// Addresses that a browser can dial, the best first.
    pub addresses: Vec<String>,
    /// Rooms to offer.
    pub rooms: Vec<String>,
}

/// The public part of the node's key: `peerloom/key/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyInfo {
    /// `peerloom/key/1`.
    pub schema: String,
    /// The PeerId that the key makes.
    pub id: String,
    /// The key's type: `ed25519`.
    pub kind: String,
    /// The public key as 32 bytes in hex.
    pub public_key: String,
}

/// A peer that was to be connected, and is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reached {
    /// The peer.
    pub peer: PeerId,
    /// When it was connected before: over which address. The one that was asked for was not tried then.
    pub already: Option<Multiaddr>,
}

/// What a reload did: `peerloom/reload/1`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Reloaded {
    /// `peerloom/reload/1`.
    pub schema: String,
    /// The policy's epoch after it.
    pub policy_epoch: u64,
    /// Settings that changed and count from now on.
    pub applied: Vec<String>,
    /// Settings that changed and count after the next start.
    pub needs_restart: Vec<String>,
}

/// Where a peer can be reached, as the routing table found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FoundPeer {
    /// The peer.
    pub id: String,
    /// Its addresses.
    pub addresses: Vec<String>,
}

/// A node, as its admin server sees it.
///
/// Every call that takes time ends by its own deadline; the server's one is only the last net.
/// Calls run on the server's own thread, so an implementation sends messages and awaits answers.
/// Errors carry the same codes that the command line and the page show.
pub trait NodeApi: Send + Sync + 'static {
    /// Asks the policy whether the operator may do this. Called once for each admin request.
    ///
    /// # Errors
    /// The policy's denial.
    fn admit(&self, access: Access) -> Result<(), ApiError>;

    /// Notes a request that was admitted and may change something, before it is carried out: its method
    /// and its path.
    fn wrote(&self, verb: &str, target: &str);

    /// What a browser needs to join. Loopback addresses come first, and only, when
    /// `over_loopback`: elsewhere they would lead a browser to itself.
    fn bootstrap(&self, over_loopback: bool) -> Bootstrap;

    /// Whether the node does its work.
    ///
    /// # Errors
    /// One sentence for each reason why it does not.
    fn ready(&self) -> Result<(), Vec<String>>;

    /// All metrics as OpenMetrics text.
    fn metrics_text(&self) -> String;

    /// What happens in the node, for readers of the event stream.
    fn events(&self) -> &EventLog;

    /// The public part of the key.
    fn key_public(&self) -> KeyInfo;

    /// The configuration in force, without secrets, each value with the layer it came from.
    fn config_json(&self) -> Value;

    /// Begins a clean stop and returns at once.
    fn shutdown(&self);

    /// Reads rules and configuration again.
    fn reload(&self) -> Answer<'_, Reloaded>;

    /// The whole picture.
    fn status(&self) -> Answer<'_, Status>;

    /// Connects to an address and gives the peer there.
    fn connect(&self, address: Multiaddr) -> Answer<'_, Reached>;

    /// Closes all connections to a peer.
    fn disconnect(&self, peer: PeerId) -> Answer<'_, ()>;

    /// Measures one round trip.
    fn ping(&self, peer: PeerId) -> Answer<'_, Duration>;

    /// The rooms that the node is in.
    fn rooms(&self) -> Answer<'_, Vec<RoomInfo>>;

    /// Joins a room; `name` is the display name to use from now on.
    fn join(&self, room: String, name: Option<String>) -> Answer<'_, ()>;

    /// Leaves a room.
    fn leave(&self, room: String) -> Answer<'_, ()>;

    /// Says something in a room.
    fn send(&self, room: String, text: String) -> Answer<'_, Message>;

    /// The newest messages of a room, oldest first, at most `limit`.
    fn messages(&self, room: String, limit: usize) -> Answer<'_, Vec<Message>>;

    /// Makes an invitation, as a link to `page`; to the node's own page without one.
    fn invite(&self, wanted: Invitation, page: Option<String>) -> Answer<'_, InviteMade>;

    /// What this node holds and gave.
    fn grants(&self) -> Answer<'_, GrantsInfo>;

    /// Takes something back, here and everywhere.
    fn revoke(&self, removal: Removal) -> Answer<'_, ()>;

    /// Accepts an invitation.
    fn accept(&self, link: String) -> Answer<'_, JoinedInfo>;

    /// Looks for a peer's addresses.
    fn find_peer(&self, peer: PeerId) -> Answer<'_, FoundPeer>;

    /// Reads a record.
    fn get(&self, key: Vec<u8>) -> Answer<'_, Vec<u8>>;

    /// Writes a record.
    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Answer<'_, ()>;

    /// Says that this node provides what the key names.
    fn provide(&self, key: Vec<u8>) -> Answer<'_, ()>;

    /// Looks for peers that provide what the key names.
    fn providers(&self, key: Vec<u8>) -> Answer<'_, Vec<PeerId>>;
}

//! What people and programs see of a peer: one vocabulary for API, command line, page and npm.
//! Invariant: field names and meanings are the published schema `peerloom/<thing>/<n>`.
//! Not here: how any of it is found out.

use serde::{Deserialize, Serialize};

use crate::Multiaddr;
use crate::defence::address::Parts;

/// How well a peer is connected, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Health {
    /// No peer, and every link waits for its next try.
    Offline,
    /// No peer yet, and at least one link is being dialled.
    Connecting,
    /// There are peers, but a link is down or every path is relayed.
    Degraded,
    /// All links are up and at least one path is direct.
    Connected,
}

/// The transport that carries a connection, read from its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// TCP with Noise and yamux.
    Tcp,
    /// QUIC version 1.
    Quic,
    /// WebSocket, plain or over TLS.
    #[serde(rename = "websocket")]
    WebSocket,
    /// WebRTC straight to a listening node, by certificate hash.
    WebrtcDirect,
    /// WebRTC between two peers that met over a relay.
    Webrtc,
    /// Through a relay.
    Circuit,
    /// Inside one process.
    Memory,
    /// Something newer than this program.
    Other,
}

/// Whether bytes go straight to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Path {
    /// Straight.
    Direct,
    /// Through a relay, which limits time and bytes.
    Relayed,
}

/// Who opened a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// The remote peer.
    Inbound,
    /// We.
    Outbound,
}

/// State of a link: an address we were told to keep connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LinkState {
    /// A dial is under way.
    Dialing,
    /// A connection over this address is open.
    Connected,
    /// The next try comes after a pause.
    Waiting,
}

/// What kind of program a peer says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeerKind {
    /// A Peerloom node.
    Native,
    /// A Peerloom browser peer.
    Browser,
    /// Any other libp2p program.
    Other,
}

/// A link and its state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Link {
    /// The address as it was given.
    pub address: String,
    /// Its transport.
    pub transport: Transport,
    /// The peer behind it, when the address names one or a connection has shown it.
    pub peer: Option<String>,
    /// Its state.
    pub state: LinkState,
    /// Why the last try failed, in plain words.
    pub detail: Option<String>,
    /// Milliseconds to the next try, while waiting.
    pub retry_in_ms: Option<u64>,
}

/// One open connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConnectionInfo {
    /// The remote address.
    pub address: String,
    /// Its transport.
    pub transport: Transport,
    /// Direct or relayed.
    pub path: Path,
    /// Who opened it.
    pub direction: Direction,
    /// When it opened: Unix time in ms.
    pub opened_ms: u64,
}

/// How two connected peers stand to each other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// Nothing keeps them apart.
    #[default]
    Full,
    /// It has some seconds to show a grant, and may do nothing else until then.
    Stranger,
    /// It does not let us take part.
    Refuses,
}

impl Standing {
    /// Whether nothing keeps them apart.
    #[must_use]
    pub fn is_full(&self) -> bool {
        *self == Self::Full
    }
}

/// One connected peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PeerInfo {
    /// Its PeerId.
    pub id: String,
    /// The agent it names in identify.
    pub agent: Option<String>,
    /// What kind of program it is.
    pub kind: PeerKind,
    /// Last round-trip time, in ms.
    pub rtt_ms: Option<f64>,
    /// The better of its paths.
    pub path: Path,
    /// Its connections.
    pub connections: Vec<ConnectionInfo>,
    /// Whether it and we may deal with each other.
    #[serde(default, skip_serializing_if = "Standing::is_full")]
    pub standing: Standing,
    /// What it allows us, as it said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allows: Option<Allows>,
}

/// What a peer allows us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Allows {
    /// What strangers get there: `open`, `friends`, `closed`.
    pub access: String,
    /// The actions that it allows us on something.
    pub actions: Vec<String>,
    /// When the first of our grants there ends: Unix time in ms.
    pub expires_ms: Option<u64>,
    /// Which of our grants does not count there, and why. Safe to show.
    pub reason: Option<String>,
    /// The number of its rule set.
    pub epoch: u64,
}

/// A member of a room, other than ourselves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Member {
    /// Its PeerId.
    pub id: String,
    /// The name it gives itself. Names are not unique and prove nothing.
    pub name: Option<String>,
    /// When it was last heard: Unix time in ms.
    pub last_seen_ms: u64,
}

/// A room that we are in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoomInfo {
    /// Its name.
    pub name: String,
    /// The gossip topic behind it.
    pub topic: String,
    /// Its members, without ourselves.
    pub members: Vec<Member>,
}

/// A chat message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// The room.
    pub room: String,
    /// Unique for one author and message: hex of author and sequence number hashed.
    pub id: String,
    /// The author's PeerId, proven by signature.
    pub author: String,
    /// The text.
    pub text: String,
    /// When the author says it was sent: Unix time in ms; `None` where the format carries no time.
    pub sent_ms: Option<u64>,
    /// When it reached us: Unix time in ms.
    pub received_ms: u64,
    /// Whether we wrote it.
    pub own: bool,
}

/// The whole picture of a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    /// `peerloom/status/1`.
    pub schema: String,
    /// Our PeerId.
    pub id: String,
    /// Our agent string.
    pub agent: String,
    /// How well we are connected.
    pub health: Health,
    /// Why, in one sentence.
    pub reason: String,
    /// The addresses we keep connected.
    pub links: Vec<Link>,
    /// Connected peers.
    pub peers: Vec<PeerInfo>,
    /// Rooms we are in.
    pub rooms: Vec<RoomInfo>,
    /// Where others can reach us.
    pub addresses: Vec<String>,
    /// Where we listen (native only).
    pub listen: Vec<String>,
    /// Milliseconds since the start.
    pub uptime_ms: u64,
}

/// Something that happened, as readers of the event stream see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum PeerEvent {
    /// The picture changed. Coalesced.
    Status {
        /// The new picture.
        status: Status,
    },
    /// A chat message arrived or was sent by us.
    Message {
        /// The message.
        message: Message,
    },
    /// Somebody came to a room or left it.
    Member {
        /// The room.
        room: String,
        /// Who.
        id: String,
        /// The name they give themselves.
        name: Option<String>,
        /// Whether they are there now.
        present: bool,
    },
    /// New rules are in force.
    #[serde(rename = "policy.reloaded")]
    PolicyReloaded {
        /// The number of the set in force.
        epoch: u64,
    },
    /// New rules could not be loaded; those in force stay.
    #[serde(rename = "policy.failed")]
    PolicyFailed {
        /// The code of the error.
        code: String,
        /// What is wrong, with file and line.
        message: String,
        /// The number of the set in force.
        epoch: u64,
    },
    /// This reader was too slow and lost events.
    Gap {
        /// How many.
        lost: u64,
    },
}

impl Transport {
    /// The transport of an address.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Self {
        Parts::of(address).transport
    }
}

impl Path {
    /// The path of an address: through a circuit it is relayed, unless the circuit serves only to
    /// arrange a WebRTC connection.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Self {
        match Transport::of(address) {
            Transport::Circuit => Self::Relayed,
            Transport::Tcp
            | Transport::Quic
            | Transport::WebSocket
            | Transport::WebrtcDirect
            | Transport::Webrtc
            | Transport::Memory
            | Transport::Other => Self::Direct,
        }
    }
}

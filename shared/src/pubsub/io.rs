//! What the pubsub machine is told and what it asks for.
//! Invariant: every arrival gets one judgement, every ticket one answer.
//! Not here: the decisions.

use std::sync::Arc;

use libp2p_identity::PeerId;

use super::PubsubError;
use crate::room_key::KeyRing;
use crate::view::{Message, PeerEvent};
use crate::wire::RoomName;

/// What happened. Tickets are chosen by the shell, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Somebody wants to be in a room.
    Join {
        /// To answer under.
        ticket: u64,
        /// The room.
        room: RoomName,
    },
    /// Somebody wants to be out of a room.
    Leave {
        /// To answer under.
        ticket: u64,
        /// The room.
        room: RoomName,
    },
    /// The display name for presence posts; `None` for none.
    SetName(Option<String>),
    /// Somebody wants to say something in a room.
    Say {
        /// To answer under.
        ticket: u64,
        /// The room.
        room: RoomName,
        /// The text.
        text: String,
    },
    /// What became of an [`Output::Publish`] with a ticket.
    Published {
        /// Its ticket.
        ticket: u64,
        /// What the envelope says, or why there is none.
        result: Result<PublishedId, PublishFailure>,
    },
    /// What became of an [`Output::Subscribe`].
    Subscribed {
        /// Its ticket.
        ticket: u64,
        /// Done, or why not.
        result: Result<(), String>,
    },
    /// A message came, its signature proven. It waits for an [`Output::Judge`].
    Arrived(Arrival),
    /// The keys of members' rooms that we have from now on.
    Keys(Arc<KeyRing>),
    /// A connected peer started or stopped to follow a topic. Optional: it makes presence quicker.
    Neighbour {
        /// The peer.
        peer: PeerId,
        /// The topic.
        topic: String,
        /// Whether it follows the topic now.
        follows: bool,
    },
}

/// What the signed envelope of our own message says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedId {
    /// Its sequence number.
    pub seqno: u64,
}

/// Why a message was not published.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PublishFailure {
    /// No neighbour follows the topic (yet).
    #[error("no neighbour follows the topic yet")]
    NobodyThere,
    /// All queues to the neighbours are full.
    #[error("the queues to all neighbours are full")]
    Busy,
    /// Anything else, in plain words.
    #[error("{0}")]
    Other(String),
}

/// A message as it came, its signature proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// Its wire id, to judge it by.
    pub id: Vec<u8>,
    /// The neighbour that brought it.
    pub forwarder: PeerId,
    /// Who signed it; `None`: nobody did.
    pub author: Option<PeerId>,
    /// The author's sequence number.
    pub seqno: Option<u64>,
    /// The topic.
    pub topic: String,
    /// The payload.
    pub data: Vec<u8>,
}

/// What gossip shall do with a message that waits for judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Acceptance {
    /// Pass it on.
    Accept,
    /// Drop it, and lower the score of who brought it: it can never be valid.
    Reject,
    /// Drop it without blame: it may be valid elsewhere, or at another time.
    Ignore,
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Follow a topic; [`Input::Subscribed`] answers.
    Subscribe {
        /// To answer under.
        ticket: u64,
        /// The topic.
        topic: String,
    },
    /// Follow a topic no longer.
    Unsubscribe {
        /// The topic.
        topic: String,
    },
    /// Publish, signed; [`Input::Published`] answers when there is a ticket.
    Publish {
        /// To answer under; `None`: nobody waits, and a failure is no matter.
        ticket: Option<u64>,
        /// The topic.
        topic: String,
        /// The payload.
        data: Vec<u8>,
    },
    /// The judgement on an arrival.
    Judge {
        /// Its wire id.
        id: Vec<u8>,
        /// Who brought it.
        forwarder: PeerId,
        /// The judgement.
        acceptance: Acceptance,
    },
    /// A key is missing: ask connected peers what they can give us.
    WantKeys,
    /// Something for readers of the event stream.
    Event(PeerEvent),
    /// The answer to a request.
    Answer {
        /// The request's ticket.
        ticket: u64,
        /// How it went.
        result: Result<Answer, PubsubError>,
    },
}

/// How a request went well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// We are in the room.
    Joined,
    /// We are out of the room.
    Left,
    /// It is said.
    Said(Message),
}

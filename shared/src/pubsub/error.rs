//! Why a request about rooms failed, and what to do about it.
//! Invariant: codes never change their meaning.
//! Not here: errors of remote input; those are counted, not returned.

use crate::limits::{CHAT_TEXT_BYTES_MAX, ROOMS_MAX};
use crate::wire::RoomName;

/// What a caller should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same request may work in a moment.
    Retry,
    /// The request itself is wrong.
    Reject,
    /// It will not work before something else changes.
    Fatal,
}

/// Why a request about rooms failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PubsubError {
    /// We are not in that room.
    #[error("not in the room {room}")]
    NotJoined {
        /// The room.
        room: RoomName,
    },
    /// No neighbour is in that room yet.
    #[error("nobody in the room {room} to send to yet")]
    NobodyThere {
        /// The room.
        room: RoomName,
    },
    /// We are in as many rooms as we can be.
    #[error("already in {ROOMS_MAX} rooms, which is the most")]
    TooManyRooms,
    /// Nothing to say.
    #[error("the message is empty")]
    EmptyText,
    /// Too much to say at once.
    #[error("a message of {bytes} bytes is too long; at most {CHAT_TEXT_BYTES_MAX} are allowed")]
    TextTooLong {
        /// How long it is.
        bytes: usize,
    },
    /// Too many requests or messages wait already.
    #[error("too much waits to be sent")]
    Busy,
    /// No answer came in time.
    #[error("no answer in time")]
    TimedOut,
    /// The room was left while it was being joined.
    #[error("the room {room} was left while it was being joined")]
    LeftMeanwhile {
        /// The room.
        room: RoomName,
    },
    /// The network refused to follow the room's topic.
    #[error("cannot join the room {room}: {reason}")]
    JoinFailed {
        /// The room.
        room: RoomName,
        /// Why, in plain words.
        reason: String,
    },
    /// The key of a members' room is missing.
    #[error("the key of the room {room} has not come yet")]
    NoKey {
        /// The room.
        room: RoomName,
    },
    /// The network refused to publish.
    #[error("cannot send to the room {room}: {reason}")]
    SendFailed {
        /// The room.
        room: RoomName,
        /// Why, in plain words.
        reason: String,
    },
}

impl PubsubError {
    /// The stable code. `ROOM-001` is a bad name, see [`crate::wire::RoomNameError`].
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NotJoined { .. } => "ROOM-002",
            Self::NobodyThere { .. } => "ROOM-003",
            Self::TooManyRooms => "ROOM-004",
            Self::EmptyText => "ROOM-005",
            Self::TextTooLong { .. } => "ROOM-006",
            Self::Busy => "ROOM-007",
            Self::TimedOut => "ROOM-008",
            Self::LeftMeanwhile { .. } => "ROOM-009",
            Self::JoinFailed { .. } => "ROOM-010",
            Self::SendFailed { .. } => "ROOM-011",
            Self::NoKey { .. } => "ROOM-012",
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NotJoined { .. } => "Join the room first.",
            Self::NobodyThere { .. } => {
                "Wait until a peer is connected and in the room, then send again."
            }
            Self::TooManyRooms => "Leave a room first.",
            Self::EmptyText => "Write something that can be seen.",
            Self::TextTooLong { .. } => "Send it in several messages.",
            Self::Busy => "Send again in a moment, and less at once.",
            Self::TimedOut => "Try again; if it stays so, look at the health of this peer.",
            Self::LeftMeanwhile { .. } => "Join the room again if you want to be in it.",
            Self::JoinFailed { .. } => "Look at the reason, then join again.",
            Self::SendFailed { .. } => "Look at the reason, then send again.",
            Self::NoKey { .. } => {
                "It comes from a connected node once this peer has shown a grant for the room; ask whoever \
                 made the room for an invitation if you have none."
            }
        }
    }

    /// What the caller should do.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::NobodyThere { .. } | Self::Busy | Self::TimedOut | Self::NoKey { .. } => {
                Kind::Retry
            }
            Self::NotJoined { .. }
            | Self::EmptyText
            | Self::TextTooLong { .. }
            | Self::LeftMeanwhile { .. } => Kind::Reject,
            Self::TooManyRooms | Self::JoinFailed { .. } | Self::SendFailed { .. } => Kind::Fatal,
        }
    }
}

//! What goes over the wire: rooms and topics, posts, announcements, and text made safe to show.
//! Invariant: a decoder checks size before it allocates, and what it returns obeys every field rule.
//! Not here: framing of streams, signatures (libp2p's), who may send what.

mod announcement;
mod auth;
mod post;
mod room;
pub mod text;

pub use announcement::Announcement;
pub use auth::{AuthAnswer, AuthRequest, AuthStatus};
pub use post::{Post, PostKind};
pub use room::{
    RoomName, RoomNameError, UC_DISCOVERY_TOPIC, UC_ROOM, is_members_topic, room_of_topic,
    room_topic,
};

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Over a stated limit. Nothing was decoded.
    #[error("{what} of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Does not decode, or breaks a field rule.
    #[error("malformed: {0}")]
    Malformed(&'static str),
    /// Well-formed, but newer than this program.
    #[error("unsupported {what} {value}")]
    Unsupported {
        /// Which field says so.
        what: &'static str,
        /// Its value.
        value: u64,
    },
}

/// Checks a size against its limit.
const fn within(what: &'static str, bytes: usize, max: usize) -> Result<(), WireError> {
    if bytes > max { Err(WireError::TooLarge { what, bytes, max }) } else { Ok(()) }
}

#[cfg(test)]
mod tests;

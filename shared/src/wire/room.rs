//! Names of rooms and the gossip topics behind them.
//! Invariant: every room has one topic and every topic of ours one room.
//! Not here: which rooms we are in.

use std::fmt;
use std::str::FromStr;

use crate::limits::ROOM_NAME_BYTES_MAX;

/// The room of the universal-connectivity app: its topic has the same name, its payload is bare text.
pub const UC_ROOM: &str = "universal-connectivity";

/// The topic on which universal-connectivity's browser peers, and we, announce addresses.
pub const UC_DISCOVERY_TOPIC: &str = "universal-connectivity-browser-peer-discovery";

/// What stands before the room's name in the topics of open rooms.
const OPEN_PREFIX: &str = "peerloom/open/";

/// What stands before the room's name in the topics of members' rooms.
const MEMBERS_PREFIX: &str = "peerloom/members/";

/// What stands before the name of a members' room.
const MEMBERS: &str = "members/";

/// A room's name: 1 to 64 bytes of `a`-`z`, `0`-`9`, `-`, `_`, `.`; for a members' room behind
/// `members/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RoomName(String);

impl RoomName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the room is for whoever holds a grant for it, and sealed against everybody else.
    #[must_use]
    pub fn is_members(&self) -> bool {
        self.0.starts_with(MEMBERS)
    }

    /// Whether the room speaks universal-connectivity's format: bare text, no presence, no times.
    #[must_use]
    pub fn is_uc(&self) -> bool {
        self.0 == UC_ROOM
    }
}

impl FromStr for RoomName {
    type Err = RoomNameError;

    fn from_str(whole: &str) -> Result<Self, RoomNameError> {
        let name = whole.strip_prefix(MEMBERS).unwrap_or(whole);
        if name.is_empty() {
            return Err(RoomNameError::Empty);
        }
        if name.len() > ROOM_NAME_BYTES_MAX {
            return Err(RoomNameError::TooLong { bytes: name.len() });
        }
        match name.chars().find(|c| !matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.')) {
            Some(character) => Err(RoomNameError::Character { character }),
            None => Ok(Self(whole.to_owned())),
        }
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for RoomName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

/// Why a text is no room name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoomNameError {
    /// Nothing at all.
    #[error("a room needs a name")]
    Empty,
    /// Over the limit.
    #[error("a room name of {bytes} bytes is too long; at most {ROOM_NAME_BYTES_MAX} are allowed")]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// A character that names cannot hold.
    #[error("a room name cannot hold {character:?}")]
    Character {
        /// The first such character.
        character: char,
    },
}

impl RoomNameError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        "ROOM-001"
    }

    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        "Use 1 to 64 of the characters a-z, 0-9, '-', '_' and '.'; a room for members begins with members/."
    }
}

/// The gossip topic of a room.
#[must_use]
pub fn room_topic(room: &RoomName) -> String {
    match room.as_str().strip_prefix(MEMBERS) {
        Some(name) => format!("{MEMBERS_PREFIX}{name}"),
        None if room.is_uc() => UC_ROOM.to_owned(),
        None => format!("{OPEN_PREFIX}{room}"),
    }
}

/// Whether a topic is a members' room's.
#[must_use]
pub fn is_members_topic(topic: &str) -> bool {
    room_of_topic(topic).is_some_and(|room| room.is_members())
}

/// The room of a gossip topic; `None` for topics that are no room's.
#[must_use]
pub fn room_of_topic(topic: &str) -> Option<RoomName> {
    let room: RoomName = if topic == UC_ROOM {
        topic.parse().ok()?
    } else if let Some(name) = topic.strip_prefix(MEMBERS_PREFIX) {
        format!("{MEMBERS}{name}").parse().ok()?
    } else {
        topic.strip_prefix(OPEN_PREFIX)?.parse().ok()?
    };
    // `peerloom/open/universal-connectivity` is nobody's: that room has the other topic.
    (room_topic(&room) == topic).then_some(room)
}

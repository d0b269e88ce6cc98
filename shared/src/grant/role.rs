//! Roles: usual bundles of rights, as people name them in invites.
//! Invariant: a role's name and rights change only together with a new name; grants carry rights, never roles.
//! Not here: who may give a role (`verify`, the policy).

use std::fmt;
use std::str::FromStr;

use super::ActionSet;
use crate::limits::{MEMBER_LIFE_MS, RELAY_LIFE_MS, VISIT_LIFE_MS};
use crate::policy::Action;

/// A bundle of rights with a usual life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Reads and writes for a day.
    Visitor,
    /// Takes part, and may invite others.
    Member,
    /// A node that runs unattended for others.
    Relay,
}

/// What every role may do: connect, speak, read and write.
const VISITOR: [Action; 12] = [
    Action::ConnectIn,
    Action::ProtocolOpen,
    Action::RelayReserve,
    Action::RelayCircuit,
    Action::TopicSubscribe,
    Action::TopicPublish,
    Action::TopicRelay,
    Action::TopicHistory,
    Action::DhtQuery,
    Action::ContentFetch,
    Action::DmSend,
    Action::HopForward,
];
/// What members may do besides.
const MEMBER: [Action; 5] = [
    Action::DhtPut,
    Action::DhtProvide,
    Action::ContentPin,
    Action::MailboxPut,
    Action::InviteMint,
];

impl Role {
    /// All of them, the smallest first.
    pub const ALL: [Self; 3] = [Self::Visitor, Self::Member, Self::Relay];

    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Visitor => "visitor",
            Self::Member => "member",
            Self::Relay => "relay",
        }
    }

    /// What it may do.
    #[must_use]
    pub fn actions(self) -> ActionSet {
        let base = VISITOR.into_iter();
        match self {
            Self::Visitor => base.collect(),
            Self::Member | Self::Relay => base.chain(MEMBER).collect(),
        }
    }

    /// How long it is granted for, in ms.
    #[must_use]
    pub const fn life_ms(self) -> u64 {
        match self {
            Self::Visitor => VISIT_LIFE_MS,
            Self::Member => MEMBER_LIFE_MS,
            Self::Relay => RELAY_LIFE_MS,
        }
    }

    /// How many links whoever has it may add: an invite of a member takes two, the invite's and its
    /// guest's.
    #[must_use]
    pub const fn depth(self) -> u8 {
        match self {
            Self::Visitor => 0,
            Self::Member | Self::Relay => 2,
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text names no role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none of visitor, member, relay")]
pub struct UnknownRole;

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL.into_iter().find(|role| role.name() == text).ok_or(UnknownRole)
    }
}

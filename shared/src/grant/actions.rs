//! Sets of actions as 64 bits.
//! Invariant: a bit means one action for ever; a bit without a meaning here allows nothing.
//! Not here: what the actions are (`policy::Action`).

use std::fmt;

use crate::policy::Action;

/// The actions that a grant allows. Bits that this version does not know are kept, so that bytes do
/// not change on their way through, and allow nothing.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct ActionSet(u64);

impl ActionSet {
    /// No action.
    pub const EMPTY: Self = Self(0);

    /// The set with these bits.
    #[must_use]
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Its bits.
    #[must_use]
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// This set and one action more.
    #[must_use]
    pub const fn with(self, action: Action) -> Self {
        Self(self.0 | 1 << Self::bit(action))
    }

    /// Whether the action is in the set.
    #[must_use]
    pub const fn contains(self, action: Action) -> bool {
        self.0 & 1 << Self::bit(action) != 0
    }

    /// Whether each bit of this set, known or not, is in the other one.
    #[must_use]
    pub const fn is_within(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    /// The known actions of the set.
    pub fn iter(self) -> impl Iterator<Item = Action> {
        Action::ALL.into_iter().filter(move |action| self.contains(*action))
    }

    /// The bit of an action, 0 being the least significant: part of the format.
    #[must_use]
    pub const fn bit(action: Action) -> u32 {
        match action {
            Action::ConnectIn => 0,
            Action::ConnectOut => 1,
            Action::ProtocolOpen => 2,
            Action::RelayReserve => 3,
            Action::RelayCircuit => 4,
            Action::TopicSubscribe => 5,
            Action::TopicPublish => 6,
            Action::TopicRelay => 7,
            Action::TopicHistory => 8,
            Action::DhtPut => 9,
            Action::DhtProvide => 10,
            Action::DhtQuery => 11,
            Action::ContentFetch => 12,
            Action::ContentPin => 13,
            Action::DmSend => 14,
            Action::MailboxPut => 15,
            Action::MailboxTake => 16,
            Action::HopForward => 17,
            Action::InviteMint => 18,
            Action::GrantRevoke => 19,
            Action::AdminRead => 20,
            Action::AdminWrite => 21,
            Action::PolicyReload => 22,
        }
    }
}

impl FromIterator<Action> for ActionSet {
    fn from_iter<I: IntoIterator<Item = Action>>(actions: I) -> Self {
        actions.into_iter().fold(Self::EMPTY, Self::with)
    }
}

impl fmt::Debug for ActionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let known = Self::from_iter(self.iter());
        let mut set = f.debug_set();
        set.entries(self.iter().map(Action::name));
        if known != *self {
            set.entry(&format_args!("unknown bits {:#x}", self.0 & !known.0));
        }
        set.finish()
    }
}

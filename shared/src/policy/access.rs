//! What strangers get: the profile of a policy.
//! Invariant: names are stable: they stand in settings, answers on the wire and policy files.
//! Not here: what the profiles allow (the engine's default policies; for `Open`, `rules`).

use std::fmt;
use std::str::FromStr;

/// How open a node is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Access {
    /// Strangers may take part.
    #[default]
    Open,
    /// Members may do what members do; strangers get a word, to become members.
    Friends,
    /// Everybody needs a grant for everything.
    Closed,
}

impl Access {
    /// All of them, the most open first.
    pub const ALL: [Self; 3] = [Self::Open, Self::Friends, Self::Closed];

    /// The stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Friends => "friends",
            Self::Closed => "closed",
        }
    }

    /// Whether a peer has to show first that it belongs here.
    #[must_use]
    pub const fn asks_first(self) -> bool {
        !matches!(self, Self::Open)
    }
}

impl fmt::Display for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The text is no profile of a policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is none of open, friends, closed")]
pub struct UnknownAccess;

impl FromStr for Access {
    type Err = UnknownAccess;

    fn from_str(text: &str) -> Result<Self, UnknownAccess> {
        Self::ALL.into_iter().find(|access| access.name() == text).ok_or(UnknownAccess)
    }
}

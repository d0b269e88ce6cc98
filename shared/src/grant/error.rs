//! Why a grant does not count: which link, which field, what is wrong with it.
//! Invariant: a refusal names the first failing field in the order of checks, and only that one.
//! Not here: what a remote peer is told; that is a code, never this.

use std::fmt;

use super::Key;
use super::prefix::PrefixError;

/// A chain that does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("link {link}, {field}: {fault}")]
pub struct GrantError {
    /// The link at fault; 0 is the root.
    pub link: usize,
    /// Its field at fault.
    pub field: Field,
    /// What is wrong with it.
    pub fault: Fault,
}

impl GrantError {
    pub(super) const fn new(link: usize, field: Field, fault: Fault) -> Self {
        Self { link, field, fault }
    }
}

/// A part of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// How many bytes or links there are.
    Length,
    /// The version of the format.
    Version,
    /// The network.
    Network,
    /// The id of the link before.
    Parent,
    /// Who signs.
    Issuer,
    /// Who receives.
    Audience,
    /// What is allowed.
    Actions,
    /// When it begins.
    NotBefore,
    /// When it ends.
    Expiry,
    /// How many links may follow.
    Depth,
    /// How often it may be used.
    MaxUses,
    /// On what it is allowed.
    Prefix,
    /// The link's id, by which it can be revoked.
    Id,
    /// The signature.
    Signature,
}

impl Field {
    /// The stable name, such as `not_before`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Version => "version",
            Self::Network => "network",
            Self::Parent => "parent",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::Actions => "actions",
            Self::NotBefore => "not_before",
            Self::Expiry => "expiry",
            Self::Depth => "depth",
            Self::MaxUses => "max_uses",
            Self::Prefix => "prefix",
            Self::Id => "id",
            Self::Signature => "signature",
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Over a limit.
    #[error("{size} is over the limit of {max}")]
    TooMuch {
        /// How much there is.
        size: usize,
        /// The limit.
        max: usize,
    },
    /// There are no bytes at all.
    #[error("nothing is there")]
    Empty,
    /// The bytes end in the middle.
    #[error("the bytes end too early")]
    CutOff,
    /// Bytes follow after the end.
    #[error("{0} bytes follow after the end")]
    Trailing(usize),
    /// A value that this version gives no meaning.
    #[error("{0} has no meaning here")]
    Unknown(u8),
    /// A prefix that breaks a rule.
    #[error("{0}")]
    Prefix(PrefixError),
    /// The end is not after the beginning.
    #[error("it ends before it begins")]
    EmptyWindow,
    /// It lasts longer than any grant may.
    #[error("{ms} ms is longer than any grant may last")]
    TooLongLived {
        /// How long it lasts, in ms.
        ms: u64,
    },
    /// It is for another network.
    #[error("it belongs to another network")]
    OtherNetwork,
    /// It does not count yet.
    #[error("it begins in {ms} ms")]
    NotYet {
        /// Time until it begins, in ms.
        ms: u64,
    },
    /// It does not count any more.
    #[error("it ended {ms} ms ago")]
    Expired {
        /// Time since its end, in ms.
        ms: u64,
    },
    /// The first issuer is neither trusted nor the owner of what it grants.
    #[error("nobody here trusts {0}")]
    NotTrusted(Key),
    /// The first issuer owns something, and grants more than that.
    #[error("the issuer does not own all of it")]
    NotOwned,
    /// A first link that names a parent.
    #[error("a first link has no parent")]
    NotARoot,
    /// It hangs on another link than the one before it.
    #[error("it belongs to another link than the one before")]
    OtherParent,
    /// Signed by somebody to whom nothing was granted.
    #[error("the link before was not granted to {0}")]
    NotTheAudience(Key),
    /// Granted to somebody else than who shows it.
    #[error("it was granted to somebody else")]
    NotTheHolder,
    /// More than the link before allows.
    #[error("it gives more than the link before")]
    MoreThanParent,
    /// The link before may not be passed on any further.
    #[error("the link before may not be passed on")]
    NotDelegable,
    /// Taken back.
    #[error("{by} took it back")]
    Revoked {
        /// Whose list says so.
        by: Key,
    },
    /// A key that proves nothing.
    #[error("the key is no sound Ed25519 key")]
    WeakKey,
    /// The signature is not the issuer's.
    #[error("the signature is not the issuer's")]
    Forged,
}

impl Fault {
    /// The stable name, such as `expired`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooMuch { .. } => "too_much",
            Self::Empty => "empty",
            Self::CutOff => "cut_off",
            Self::Trailing(_) => "trailing",
            Self::Unknown(_) => "unknown",
            Self::Prefix(_) => "malformed",
            Self::EmptyWindow => "empty_window",
            Self::TooLongLived { .. } => "too_long_lived",
            Self::OtherNetwork => "other_network",
            Self::NotYet { .. } => "not_yet",
            Self::Expired { .. } => "expired",
            Self::NotTrusted(_) => "not_trusted",
            Self::NotOwned => "not_owned",
            Self::NotARoot => "not_a_root",
            Self::OtherParent => "other_parent",
            Self::NotTheAudience(_) => "not_the_audience",
            Self::NotTheHolder => "not_the_holder",
            Self::MoreThanParent => "more_than_parent",
            Self::NotDelegable => "not_delegable",
            Self::Revoked { .. } => "revoked",
            Self::WeakKey => "weak_key",
            Self::Forged => "forged",
        }
    }
}

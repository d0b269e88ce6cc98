//! Why a list of revocations is refused.
//! Invariant: one named error for each reason.
//! Not here: what follows from it; callers drop the list and keep what they know.

use super::super::Key;

/// A list that is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RevocationError {
    /// Over the limit. Nothing was read.
    #[error("a list of {bytes} bytes is over the limit of {max}")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// More entries than a list may have.
    #[error("{count} entries are over the limit of {max}")]
    TooMany {
        /// How many it has.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// The bytes end in the middle.
    #[error("the list ends too early")]
    CutOff,
    /// Bytes follow after the end.
    #[error("{0} bytes follow after the list")]
    Trailing(usize),
    /// Another version of the format.
    #[error("lists of version {0} are not known here")]
    UnknownVersion(u8),
    /// An entry of a kind without meaning.
    #[error("entry {entry} is of the unknown kind {kind}")]
    UnknownKind {
        /// Its place.
        entry: usize,
        /// Its kind.
        kind: u8,
    },
    /// An entry that does not come after the one before it.
    #[error("entry {entry} is out of order")]
    OutOfOrder {
        /// Its place.
        entry: usize,
    },
    /// It is for another network.
    #[error("the list belongs to another network")]
    OtherNetwork,
    /// It was signed by somebody whose grants do not matter here.
    #[error("nobody here follows {0}")]
    NotFollowed(Key),
    /// It says that it was made later than now.
    #[error("the list was made {ms} ms in the future")]
    FromTheFuture {
        /// How far ahead, in ms.
        ms: u64,
    },
    /// Older than the newest known, and it says nothing new.
    #[error("version {offered} is older than version {known}")]
    Rollback {
        /// The newest known version.
        known: u64,
        /// The version that was offered.
        offered: u64,
    },
    /// The issuer's key proves nothing.
    #[error("the issuer's key is no sound Ed25519 key")]
    WeakKey,
    /// The signature is not the issuer's.
    #[error("the signature is not the issuer's")]
    Forged,
    /// Signing with another key than the issuer's.
    #[error("the list belongs to another signer")]
    NotTheIssuer,
    /// As many issuers are followed as can be.
    #[error("{max} issuers are followed already")]
    TooManyIssuers {
        /// The limit.
        max: usize,
    },
    /// There is no next version number.
    #[error("the version numbers of this issuer are used up")]
    Exhausted,
}

impl RevocationError {
    /// The stable name, such as `rollback`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many",
            Self::CutOff => "cut_off",
            Self::Trailing(_) => "trailing",
            Self::UnknownVersion(_) => "unknown_version",
            Self::UnknownKind { .. } => "unknown_kind",
            Self::OutOfOrder { .. } => "out_of_order",
            Self::OtherNetwork => "other_network",
            Self::NotFollowed(_) => "not_followed",
            Self::FromTheFuture { .. } => "from_the_future",
            Self::Rollback { .. } => "rollback",
            Self::WeakKey => "weak_key",
            Self::Forged => "forged",
            Self::NotTheIssuer => "not_the_issuer",
            Self::TooManyIssuers { .. } => "too_many_issuers",
            Self::Exhausted => "exhausted",
        }
    }
}

//! Why an invite cannot be made or used, in words that help whoever pasted it.
//! Invariant: one named error for each reason.
//! Not here: translations; the page has them by name.

use super::super::GrantError;

/// An invite that cannot be made or used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// There is no `#j=` in the text.
    #[error("this is no invitation: it has no part that begins with #j=")]
    NotAnInvite,
    /// Over the limit.
    #[error("the invitation has {chars} characters; at most {max} are possible")]
    TooLong {
        /// Its length, in characters.
        chars: usize,
        /// The limit.
        max: usize,
    },
    /// A character that no invite has.
    #[error("character {at} of the invitation does not belong there")]
    BadCharacter {
        /// Its place behind `#j=`, from 0.
        at: usize,
    },
    /// The end is missing.
    #[error("the invitation is cut off: copy all of it")]
    CutOff,
    /// Something was added at the end.
    #[error("something was added to the invitation: {bytes} bytes too many")]
    Trailing {
        /// How many bytes.
        bytes: usize,
    },
    /// Made by a newer program.
    #[error("invitations of version {0} need a newer program")]
    UnknownVersion(u8),
    /// A part was changed.
    #[error("the invitation was changed on its way: copy it again")]
    Damaged,
    /// More addresses than an invite may have.
    #[error("an invitation has at most {max} addresses, not {count}")]
    TooManyAddresses {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// An address that is none, or too long.
    #[error("address {at} of the invitation is not usable")]
    BadAddress {
        /// Its place, from 0.
        at: usize,
    },
    /// The page's address has a fragment already.
    #[error("the address of a page for invitations has no # in it")]
    BadPage,
    /// It ended.
    #[error("the invitation ended {ms} ms ago: ask for a new one")]
    Expired {
        /// Time since its end, in ms.
        ms: u64,
    },
    /// It does not count yet, or the clock here is wrong.
    #[error("the invitation begins in {ms} ms: is the clock right?")]
    NotYet {
        /// Time until it begins, in ms.
        ms: u64,
    },
    /// Its grant is not for the key in it.
    #[error("the invitation does not fit its own key")]
    OtherKey,
    /// Its grant may not be passed on to whoever accepts it.
    #[error("the invitation cannot be passed on to anybody")]
    NotDelegable,
    /// Only peers with an Ed25519 key can hold a grant.
    #[error("only peers with an Ed25519 key can accept an invitation")]
    UnfitPeer,
    /// Its grant does not count.
    #[error("the invitation's grant does not count: {0}")]
    Grant(#[from] GrantError),
}

impl InviteError {
    /// The stable name, such as `cut_off`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::NotAnInvite => "not_an_invite",
            Self::TooLong { .. } => "too_long",
            Self::BadCharacter { .. } => "bad_character",
            Self::CutOff => "cut_off",
            Self::Trailing { .. } => "trailing",
            Self::UnknownVersion(_) => "unknown_version",
            Self::Damaged => "damaged",
            Self::TooManyAddresses { .. } => "too_many_addresses",
            Self::BadAddress { .. } => "bad_address",
            Self::BadPage => "bad_page",
            Self::Expired { .. } => "expired",
            Self::NotYet { .. } => "not_yet",
            Self::OtherKey => "other_key",
            Self::NotDelegable => "not_delegable",
            Self::UnfitPeer => "unfit_peer",
            Self::Grant(_) => "grant",
        }
    }
}

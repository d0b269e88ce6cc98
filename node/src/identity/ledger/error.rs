//! Why a grant or an invite cannot be made, used or taken back.
//! Invariant: one named error for each reason, with its code.
//! Not here: why a grant that is shown does not count (`peerloom_shared::auth`).

use peerloom_shared::grant::{InviteError, Prefix, RevocationError};
use thiserror::Error;

use crate::error::{Code, Coded, codes};
use crate::store::StoreError;

/// See the module's text.
#[derive(Debug, Error)]
pub enum GrantsError {
    /// The invite itself.
    #[error(transparent)]
    Invite(#[from] InviteError),
    /// This node was not granted the right to invite.
    #[error("this node holds no grant that allows it to invite others here")]
    MayNotInvite,
    /// The invite would give more than this node holds.
    #[error("this node holds no grant that covers the role for {}", words(prefix))]
    MoreThanHeld {
        /// What the invite would be about.
        prefix: Prefix,
    },
    /// There is nothing of the kind.
    #[error("this node gave nothing of the kind, or it has ended")]
    NotGiven,
    /// As many as can be.
    #[error("there are {max} already, as many as can be")]
    Full {
        /// The limit.
        max: usize,
    },
    /// A list of revocations.
    #[error(transparent)]
    List(#[from] RevocationError),
    /// The disk.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Chance(String),
    /// The network is gone.
    #[error("the network has stopped")]
    Gone,
}

fn words(prefix: &Prefix) -> String {
    if prefix.as_str().is_empty() { "everything".to_owned() } else { format!("`{prefix}`") }
}

impl Coded for GrantsError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Invite(InviteError::Expired { .. } | InviteError::NotYet { .. }) => {
                &codes::INV_002
            }
            Self::Invite(InviteError::TooLong { .. } | InviteError::BadPage) => &codes::INV_005,
            Self::Invite(_) => &codes::INV_001,
            Self::MayNotInvite => &codes::INV_003,
            Self::MoreThanHeld { .. } => &codes::INV_004,
            Self::NotGiven => &codes::INV_006,
            Self::Full { .. } => &codes::INV_008,
            Self::List(_) | Self::Chance(_) => &codes::NODE_006,
            Self::Store(error) => error.code(),
            Self::Gone => &codes::NODE_003,
        }
    }
}

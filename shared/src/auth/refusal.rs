//! Why a grant that was shown does not count here.
//! Invariant: its text names the grant's link and field, never a rule of ours.
//! Not here: refusals of actions (`policy::Denial`).

use crate::grant::{CheckError, Fault, GrantError};
use crate::wire::AuthStatus;

/// Why a grant does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is for another network, as a whole.
    #[error("this is another network")]
    OtherNetwork,
    /// The grant itself.
    #[error("{0}")]
    Grant(#[from] GrantError),
    /// Too much is shown at the moment.
    #[error("too many grants are shown at the moment; try again in some seconds")]
    Busy,
    /// Its last use is used up.
    #[error("link {link}: this invite was for {max} and is used up; ask for a new one")]
    UsedUp {
        /// The link that is limited.
        link: usize,
        /// How many may use it.
        max: u16,
    },
    /// What was taken back is not known well enough to count on anything of this root.
    #[error(
        "the list of revocations is more than a day old; nothing counts until a newer one is here"
    )]
    Stale,
}

impl Refusal {
    /// Its number on the wire.
    #[must_use]
    pub const fn status(&self) -> AuthStatus {
        match self {
            Self::Busy => AuthStatus::Busy,
            Self::Grant(GrantError {
                fault: Fault::Expired { .. } | Fault::NotYet { .. }, ..
            }) => AuthStatus::Expired,
            Self::Grant(_) | Self::OtherNetwork | Self::UsedUp { .. } | Self::Stale => {
                AuthStatus::Denied
            }
        }
    }
}

impl From<CheckError> for Refusal {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Grant(error) => Self::Grant(error),
            CheckError::SourceBusy | CheckError::Busy => Self::Busy,
        }
    }
}

//! Taking rights back: lists that issuers sign, and what a peer knows of them.
//! Invariant: a removal that was seen stands until nothing is left that it could hit; versions only grow.
//! Not here: spreading lists, writing them to disk, what a peer does while its lists are stale.

mod error;
mod known;
mod list;

pub use error::RevocationError;
pub use known::{Freshness, Hit, Revocations};
pub use list::{Entry, Reason, RevocationList, SignedList, Target};

#[cfg(test)]
pub(super) use list::DOMAIN;

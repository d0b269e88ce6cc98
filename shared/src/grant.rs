//! Carried rights: signed chains of grants, invites, and taking rights back. See `docs/grants.md`.
//! Invariant: pure. What verifies is never more than its issuer had, and never more than was signed.
//! Not here: who is allowed without a grant (`policy`), storing and spreading, private keys at rest.

mod actions;
mod body;
mod cache;
mod chain;
mod error;
mod invite;
mod key;
mod prefix;
mod read;
mod revocation;
mod rights;
mod role;
mod verify;

pub use actions::ActionSet;
pub use body::{Audience, Body, GrantId, Link, NetworkId, Terms};
pub use cache::{ChainCache, CheckError};
pub use chain::Chain;
pub use error::{Fault, Field, GrantError};
pub use invite::{Invite, InviteError, InviteTerms};
pub(crate) use key::sign;
pub use key::{Key, Signer};
pub use prefix::{Prefix, PrefixError, path_of, resource_of};
pub(crate) use read::Reader;
pub use revocation::{
    Entry, Freshness, Hit, Reason, RevocationError, RevocationList, Revocations, SignedList, Target,
};
pub use rights::{Limit, Rights};
pub use role::{Role, UnknownRole};
pub use verify::{Context, Owner, verify};

#[cfg(test)]
mod tests;

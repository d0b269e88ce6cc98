//! What the identity actor can be asked.
//! Invariant: the key itself is never part of an answer.
//! Not here: reading and writing key files (`keystore`).

use actix::Message;
use peerloom_shared::grant::{Chain, GrantId, Invite, SignedList};

use peerloom_shared::wire::RoomName;

use super::grants::Picture;
use super::ledger::{GrantsError, Removal, Wish};

/// Signs bytes under a domain, so that a signature for one purpose fits no other.
#[derive(Debug, Message)]
#[rtype(result = "Result<Vec<u8>, SignError>")]
pub struct Sign {
    /// An ASCII tag; none is a prefix of another.
    pub tag: &'static str,
    /// What is signed.
    pub payload: Vec<u8>,
}

/// The key refused to sign.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the identity key cannot sign: {0}")]
pub struct SignError(pub String);

/// Makes an invite.
#[derive(Debug, Message)]
#[rtype(result = "Result<Invite, GrantsError>")]
pub struct MintInvite(pub Wish);

/// Sees to it that a members' room has a key, if this node is the one to make it.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), GrantsError>")]
pub struct EnsureKey(pub RoomName);

/// Accepts an invite: its text, as a link or a part of one.
#[derive(Debug, Message)]
#[rtype(result = "Result<(Invite, Chain), GrantsError>")]
pub struct AcceptInvite(pub String);

/// Forgets a chain that this node holds.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), GrantsError>")]
pub struct DropHeld(pub GrantId);

/// Takes back what this node gave.
#[derive(Debug, Message)]
#[rtype(result = "Result<SignedList, GrantsError>")]
pub struct Revoke(pub Removal);

/// Shows what this node holds and gave.
#[derive(Debug, Message)]
#[rtype(result = "Picture")]
pub struct ShowGrants;

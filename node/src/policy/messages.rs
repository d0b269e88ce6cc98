//! What the policy actor can be asked.
//! Invariant: nobody asks it for a verdict; it only edits what others read.
//! Not here: the files (`folder`).

use actix::Message;

use super::error::PolicyError;

/// Reads the policy folder again and gives the epoch of the set in force.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, PolicyError>")]
pub struct Reload;

//! What the policy actor can be asked.
//! Invariant: nobody asks it for a verdict; it only edits what others read.
//! Not here: the rules' file format (`rule_files`).

use actix::Message;

use super::rule_files::RulesError;

/// Reads the rules again and gives the epoch of the set in force.
#[derive(Debug, Message)]
#[rtype(result = "Result<u64, RulesError>")]
pub struct Reload;

//! The identity capability of a native node: its actor, its key files, its grants.
//! Invariant: secrets are files of mode 0600 and never part of an answer or a log line.
//! Not here: judging what others show (`peerloom_shared::auth`), deciding (`policy`).

pub mod actor;
pub mod grants;
pub mod keystore;
pub mod ledger;
pub mod messages;
pub mod secret_file;

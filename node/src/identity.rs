//! The identity capability of a native node: its actor and its key files.
//! Invariant: secrets are files of mode 0600 and never part of an answer or a log line.
//! Not here: what is signed.

pub mod actor;
pub mod keystore;
pub mod messages;
pub mod secret_file;

//! The policy capability of a native node: its actor and its rules file.
//! Invariant: see the actor.
//! Not here: verdicts (`peerloom_shared::policy`).

pub mod actor;
pub mod messages;
pub mod rule_files;

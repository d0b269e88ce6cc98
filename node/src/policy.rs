//! The policy capability of a native node: its actor, the policy folder, and what decides.
//! Invariant: see the actor; what decides never waits and never panics.
//! Not here: lists, permits, verdicts (`peerloom_shared::policy`).

pub mod actor;
pub mod assertions;
pub mod beside;
mod cache;
pub mod compile;
pub mod engine;
pub mod entities_file;
pub mod error;
pub mod explain;
pub mod facts;
pub mod folder;
pub mod keeper;
pub mod messages;
pub mod names;
pub mod network_file;
pub mod observe;
pub mod replay;
pub mod roster;
pub mod rule;
pub mod rule_files;
pub mod slices;
pub mod source;
pub mod tests_file;
pub mod time;
mod toml_file;
pub mod watch;
mod words;

pub use engine::CedarEngine;
pub use error::PolicyError;

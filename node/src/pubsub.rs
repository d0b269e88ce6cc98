//! The pubsub capability of a native node: its actor and what that can be asked.
//! Invariant: see the actor.
//! Not here: the machine (`peerloom_shared::pubsub`).

pub mod actor;
pub mod messages;
pub mod outlets;

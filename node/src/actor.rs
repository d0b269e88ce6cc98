//! What all actors share: asking them, feeding them, noticing their death.
//! Invariant: work is bounded by slots and lanes, never by mailboxes.
//! Not here: any capability.

pub mod death;
pub mod handle;
pub mod lane;
pub mod shell;

pub use death::{Death, DeathWatch};
pub use handle::{Ask, AskError, Handle};
pub use lane::{Gauge, lane};
pub use shell::{Machined, Shell};

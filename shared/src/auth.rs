//! `/peerloom/auth/1`, as two machines: showing our grants to peers, and judging what they show.
//! Invariant: only verified rights leave here, and whatever strangers send, tables are bounded.
//! Not here: what the rights allow (`policy`), streams (`net`), keys and files (the shells).

pub mod judging;
mod receiving;
mod refusal;
pub mod showing;

pub use judging::Judging;
pub use refusal::Refusal;
pub use showing::{Allowance, Failure, Showing};

#[cfg(test)]
mod tests;

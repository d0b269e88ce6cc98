//! The contract of every sans-IO machine and how a shell drives one.
//! Invariant: a machine holds state only: no handle, clock, channel or task.
//! Not here: any machine, any shell.

use crate::time::{Mono, Now};

/// A sans-IO state machine. After every [`Machine::handle`] and [`Machine::tick`] the shell drains
/// [`Machine::poll_output`] to `None`, carries the outputs out, and only then feeds the next input.
pub trait Machine {
    /// What happened outside: requests, arrivals, results of earlier outputs.
    type Input;
    /// What the shell must do.
    type Output;

    /// Takes one input at the moment `now`.
    fn handle(&mut self, now: Now, input: Self::Input);

    /// Does what has become due. Harmless when called early or twice.
    fn tick(&mut self, now: Now);

    /// The next thing to do, or `None` when all is said.
    fn poll_output(&mut self) -> Option<Self::Output>;

    /// When [`Machine::tick`] wants to be called next; `None` when only an input can change anything.
    fn next_wake(&self) -> Option<Mono>;
}

//! The server over real sockets, in front of a small node that lives in memory.
//! Invariant: every test has a deadline, and every refusal and path is tried at least once.
//! Not here: the running node behind the server; its own tests try that.

mod client;
mod events;
mod fake;
mod hostile;
mod life;
mod outside;
mod page;
mod paths;

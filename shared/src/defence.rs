//! What keeps strangers from costing us more than they should: rates, address rules, the address book.
//! Invariant: every table here is bounded and takes time as an argument.
//! Not here: who may do what (policy), which peer is dialled next (discovery).

pub mod address;
pub mod book;
pub mod group;
pub mod rate;
pub mod scope;

//! Who may do what: one pure question, `authorize`, asked before every effect.
//! Invariant: a [`Permit`] comes from here alone, fits one action on one resource, and is used up.
//! Not here: reading rule files, quarantine (the gate's), grants and roles.

mod action;
mod cidr;
mod permit;
mod rules;
mod subject;
mod verdict;

pub use action::Action;
pub use cidr::{Cidr, CidrError};
pub use permit::{Permit, PermitMismatch};
pub use rules::{PolicySet, Rules, RulesError};
pub use subject::{Resource, Subject};
pub use verdict::{Denial, Verdict};

#[cfg(test)]
mod tests;

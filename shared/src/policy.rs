//! Who may do what: one pure question, `authorize`, asked before every effect.
//! Invariant: a [`Permit`] comes from here alone, fits one action on one resource, and is used up.
//! Not here: reading rule files, quarantine (the gate's), verifying grants.

mod access;
mod action;
mod cidr;
mod engine;
mod held;
mod permit;
mod rules;
mod subject;
mod trust;
mod verdict;

pub use access::{Access, UnknownAccess};
pub use action::Action;
pub use cidr::{Cidr, CidrError};
pub use engine::{Engine, Objection, Question, RuleIds, Ruling};
pub use held::{Class, Held, Holdings};
pub use permit::{Permit, PermitMismatch};
pub use rules::{PolicySet, Rules, RulesError};
pub use subject::{Resource, Subject, target_of};
pub use trust::Trust;
pub use verdict::{Denial, Verdict};

#[cfg(test)]
mod tests;

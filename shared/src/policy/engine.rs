//! The seam behind which rules are written in a language of their own.
//! Invariant: a ruling is a pure function of its question; an engine never changes once it is in force.
//! Not here: the language (the native node's), deny lists and unproven subjects (`rules`), permits.

use std::fmt;
use std::sync::Arc;

use super::{Access, Action, Held, Resource, Subject};

/// All that one decision may look at.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// Who wants to act.
    pub subject: &'a Subject,
    /// What.
    pub action: Action,
    /// On what.
    pub resource: &'a Resource,
    /// What the subject has proven beyond its key. Nothing for this peer itself.
    pub held: &'a Held,
    /// Unix time in ms.
    pub now_ms: u64,
}

/// Names of the rules that decided, in the order of the engine.
pub type RuleIds = Arc<[Arc<str>]>;

/// What an engine says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ruling {
    /// These rules allow it.
    Allow(RuleIds),
    /// It is not allowed.
    Deny(Objection),
}

/// Why an engine does not allow something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Objection {
    /// The rules that forbid it; none where no rule allows it.
    pub rules: RuleIds,
    /// In words, for the operator, and for the person whom it concerns: what is missing, whom to ask.
    pub reason: Option<Arc<str>>,
}

impl Objection {
    /// Whether a rule forbids it, so that no grant could change it.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        !self.rules.is_empty()
    }
}

/// Rules compiled for deciding.
pub trait Engine: fmt::Debug + Send + Sync {
    /// Decides. Called on the path of messages: never waits.
    fn rule(&self, question: &Question<'_>) -> Ruling;

    /// What strangers get, for those who have to know before there is a question.
    fn access(&self) -> Access;
}

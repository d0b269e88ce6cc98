//! Observing: until a set time, what no rule allows is noted and allowed all the same.
//! Invariant: what a rule forbids, what the lists deny, and what is the operator's stays denied.
//! Not here: the setting (`config`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use peerloom_shared::limits::POLICY_OBSERVE_LOG_MS;
use peerloom_shared::policy::{Access, Engine, Question, Ruling};

use crate::admin::Metrics;

/// In place of a rule that allows.
const RULE: &str = "observe";

/// An engine that only watches another one.
#[derive(Debug)]
pub struct Observing {
    engine: Arc<dyn Engine>,
    until_ms: u64,
    metrics: Metrics,
    logged_ms: AtomicU64,
    silent: AtomicU64,
    rule: Arc<str>,
}

impl Observing {
    /// Watches `engine` until this Unix time in ms, and asks it from then on.
    #[must_use]
    pub fn new(engine: Arc<dyn Engine>, until_ms: u64, metrics: Metrics) -> Self {
        let (logged_ms, silent) = (AtomicU64::new(0), AtomicU64::new(0));
        Self { engine, until_ms, metrics, logged_ms, silent, rule: RULE.into() }
    }

    fn note(&self, question: &Question<'_>, reason: &str) {
        let action = question.action.name();
        self.metrics.count_observed(action);
        let last = self.logged_ms.load(Ordering::Relaxed);
        if question.now_ms < last.saturating_add(POLICY_OBSERVE_LOG_MS) {
            self.silent.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.logged_ms.store(question.now_ms, Ordering::Relaxed);
        let more = self.silent.swap(0, Ordering::Relaxed);
        let (who, on) = (question.subject, question.resource);
        tracing::warn!(action, ?who, ?on, reason, more, "would be denied; only observed for now");
    }
}

/// Whether a denial would only be noted by a node that observes until this Unix time in ms.
#[must_use]
pub const fn observed(until_ms: u64, question: &Question<'_>, forbidden: bool) -> bool {
    question.now_ms < until_ms && !forbidden && !question.action.is_operators()
}

impl Engine for Observing {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        let ruling = self.engine.rule(question);
        match &ruling {
            Ruling::Deny(objection)
                if observed(self.until_ms, question, objection.is_forbidden()) =>
            {
                self.note(question, objection.reason.as_deref().unwrap_or_default());
                Ruling::Allow([Arc::clone(&self.rule)].into())
            }
            Ruling::Allow(_) | Ruling::Deny(_) => ruling,
        }
    }

    fn access(&self) -> Access {
        self.engine.access()
    }
}

#[cfg(test)]
mod tests;

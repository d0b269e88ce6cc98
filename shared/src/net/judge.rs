//! The one place where the libp2p side asks the policy.
//! Invariant: reads an immutable snapshot, never waits, counts every decision.
//! Not here: the rules (`policy`), who edits them (the shell's policy actor).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use super::clock::unix_ms;
use crate::policy::{Action, Denial, Holdings, Permit, PolicySet, Question, Resource, Subject};

/// Decisions taken since the start, by action and effect.
#[derive(Debug)]
pub struct Decisions {
    allowed: [AtomicU64; Action::ALL.len()],
    denied: [AtomicU64; Action::ALL.len()],
}

impl Default for Decisions {
    fn default() -> Self {
        Self {
            allowed: std::array::from_fn(|_| AtomicU64::new(0)),
            denied: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }
}

impl Decisions {
    fn count(&self, action: Action, allowed: bool) {
        let row = if allowed { &self.allowed } else { &self.denied };
        let cell = Action::ALL.iter().position(|a| *a == action).and_then(|i| row.get(i));
        if let Some(cell) = cell {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Every action with the number of times it was allowed and denied.
    pub fn each(&self) -> impl Iterator<Item = (Action, u64, u64)> + '_ {
        Action::ALL.into_iter().zip(self.allowed.iter().zip(&self.denied)).map(
            |(action, (yes, no))| (action, yes.load(Ordering::Relaxed), no.load(Ordering::Relaxed)),
        )
    }
}

/// Sees every decision that was taken, for an audit. Called on the path of messages: never waits.
pub trait Auditor: std::fmt::Debug + Send + Sync {
    /// What was asked and what the answer was. `Err` is a denial.
    fn decided(&self, question: &Question<'_>, answer: Result<&Permit, &Denial>);
}

/// Reads the current policy and counts what it says. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Judge {
    policy: watch::Receiver<Arc<PolicySet>>,
    holdings: Holdings,
    decisions: Arc<Decisions>,
    auditor: Option<Arc<dyn Auditor>>,
}

impl Judge {
    /// A judge over the snapshots that `policy` carries.
    #[must_use]
    pub fn new(policy: watch::Receiver<Arc<PolicySet>>) -> Self {
        let (holdings, decisions) = (Holdings::default(), Arc::default());
        Self { policy, holdings, decisions, auditor: None }
    }

    /// The same judge, which tells an auditor what it decides.
    #[must_use]
    pub fn audited(self, auditor: Arc<dyn Auditor>) -> Self {
        Self { auditor: Some(auditor), ..self }
    }

    /// What peers have proven, as this judge looks it up.
    #[must_use]
    pub const fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// The rule set in force.
    #[must_use]
    pub fn policy(&self) -> Arc<PolicySet> {
        Arc::clone(&self.policy.borrow())
    }

    /// Decides one request.
    ///
    /// # Errors
    /// The denial, when the policy says no.
    pub fn authorize(
        &self,
        subject: &Subject,
        action: Action,
        resource: &Resource,
    ) -> Result<Permit, Denial> {
        let held = subject.peer().map(|peer| self.holdings.of(&peer)).unwrap_or_default();
        let question = Question { subject, action, resource, held: &held, now_ms: unix_ms() };
        let answer = self.policy().authorize(&question).permit();
        self.decisions.count(action, answer.is_ok());
        if let Some(auditor) = &self.auditor {
            auditor.decided(&question, answer.as_ref());
        }
        answer
    }

    /// What [`authorize`](Self::authorize) would say, without counting it: for telling a peer what it may
    /// do.
    #[must_use]
    pub fn would_allow(&self, subject: &Subject, action: Action, resource: &Resource) -> bool {
        let held = subject.peer().map(|peer| self.holdings.of(&peer)).unwrap_or_default();
        let question = Question { subject, action, resource, held: &held, now_ms: unix_ms() };
        self.policy().authorize(&question).is_allowed()
    }

    /// What was decided since the start.
    #[must_use]
    pub fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// Waits for the next snapshot. Pends for ever once nobody can edit the policy any more.
    pub async fn changed(&mut self) {
        if self.policy.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

//! The one place where the libp2p side asks the policy.
//! Invariant: reads an immutable snapshot, never waits, counts every decision.
//! Not here: the rules (`policy`), who edits them (the shell's policy actor).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::watch;

use crate::policy::{Action, Denial, Permit, PolicySet, Resource, Subject};

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

/// Reads the current policy and counts what it says. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Judge {
    policy: watch::Receiver<Arc<PolicySet>>,
    decisions: Arc<Decisions>,
}

impl Judge {
    /// A judge over the snapshots that `policy` carries.
    #[must_use]
    pub fn new(policy: watch::Receiver<Arc<PolicySet>>) -> Self {
        Self { policy, decisions: Arc::default() }
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
        let verdict = self.policy.borrow().authorize(subject, action, resource);
        self.decisions.count(action, verdict.is_allowed());
        verdict.permit()
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

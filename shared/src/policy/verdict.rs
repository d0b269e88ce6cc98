//! The answer to `authorize`.
//! Invariant: an answer names its rule set by epoch, so a stale one can be told from a fresh one.
//! Not here: what a remote peer gets to see; that is a code, never this text.

use std::borrow::Cow;
use std::sync::Arc;

use super::{Action, Permit};

/// The answer of policy to one question.
#[derive(Debug)]
#[must_use]
pub enum Verdict {
    /// It may be done once, with this permit.
    Allow(Permit),
    /// It must not be done.
    Deny(Denial),
}

impl Verdict {
    /// The permit, or why there is none.
    ///
    /// # Errors
    /// The denial.
    pub fn permit(self) -> Result<Permit, Denial> {
        match self {
            Self::Allow(permit) => Ok(permit),
            Self::Deny(denial) => Err(denial),
        }
    }

    /// Whether it may be done.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allow(_))
    }
}

/// Why policy said no. For the operator's eyes: remote peers get a code only.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the rule {rule} of rule set {epoch} forbids {action}{}", why(.reason))]
pub struct Denial {
    /// What was asked for.
    pub action: Action,
    /// The rule that decided, such as `deny.peers`; [`Denial::NO_RULE`] where none allows it.
    pub rule: Cow<'static, str>,
    /// The words of the rule: what is missing, whom to ask.
    pub reason: Option<Arc<str>>,
    /// Whether a rule forbids it, so that nothing that the subject may still show can change it.
    pub forbidden: bool,
    /// The rule set that decided.
    pub epoch: u64,
}

impl Denial {
    /// In place of a rule where no rule allows what was asked for.
    pub const NO_RULE: &str = "default.deny";
}

fn why(reason: &Option<Arc<str>>) -> String {
    reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
}

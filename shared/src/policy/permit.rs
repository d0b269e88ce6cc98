//! The proof that policy said yes, carried by the command it was asked for.
//! Invariant: made by `authorize` only, never copied, never written down, used up by one effect.
//! Not here: deciding.

use libp2p_identity::PeerId;

use super::{Action, Resource, RuleIds};

/// The right to do one thing once.
///
/// It cannot be made by hand:
/// ```compile_fail,E0451
/// use peerloom_shared::policy::{Action, Permit, Resource};
/// let _ = Permit { action: Action::AdminWrite, resource: Resource::Admin, subject_peer: None, rules: None, epoch: 0 };
/// ```
/// It cannot be copied:
/// ```compile_fail,E0599
/// use peerloom_shared::policy::{Action, Held, PolicySet, Question, Resource, Subject};
/// let (rules, held) = (PolicySet::open(), Held::default());
/// let (subject, action, resource) = (&Subject::Local, Action::AdminRead, &Resource::Admin);
/// let question = Question { subject, action, resource, held: &held, now_ms: 0 };
/// let permit = rules.authorize(&question).permit().unwrap();
/// let _ = permit.clone();
/// ```
/// It cannot be used twice:
/// ```compile_fail,E0382
/// use peerloom_shared::policy::{Action, Held, PolicySet, Question, Resource, Subject};
/// let (rules, held) = (PolicySet::open(), Held::default());
/// let (subject, action, resource) = (&Subject::Local, Action::AdminRead, &Resource::Admin);
/// let question = Question { subject, action, resource, held: &held, now_ms: 0 };
/// let permit = rules.authorize(&question).permit().unwrap();
/// permit.redeem(Action::AdminRead, &Resource::Admin).unwrap();
/// permit.redeem(Action::AdminRead, &Resource::Admin).unwrap();
/// ```
#[derive(Debug)]
#[must_use]
pub struct Permit {
    action: Action,
    resource: Resource,
    subject_peer: Option<PeerId>,
    rules: Option<RuleIds>,
    epoch: u64,
}

impl Permit {
    pub(super) const fn mint(
        action: Action,
        resource: Resource,
        subject_peer: Option<PeerId>,
        epoch: u64,
    ) -> Self {
        Self { action, resource, subject_peer, rules: None, epoch }
    }

    pub(super) fn by(self, rules: RuleIds) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// Uses the permit up for the effect that is about to happen.
    ///
    /// # Errors
    /// [`PermitMismatch`] when the permit was given for another action or another resource. The
    /// effect must not happen then.
    pub fn redeem(self, action: Action, resource: &Resource) -> Result<(), PermitMismatch> {
        if self.action == action && self.resource == *resource {
            Ok(())
        } else {
            Err(PermitMismatch { granted: self.action, wanted: action })
        }
    }

    /// The action it was given for.
    #[must_use]
    pub const fn action(&self) -> Action {
        self.action
    }

    /// The resource it was given for.
    #[must_use]
    pub const fn resource(&self) -> &Resource {
        &self.resource
    }

    /// The remote peer it was given to; `None` for this peer itself and before a handshake.
    #[must_use]
    pub const fn subject_peer(&self) -> Option<PeerId> {
        self.subject_peer
    }

    /// The rules that allowed it; none where nothing forbids it.
    #[must_use]
    pub fn rules(&self) -> &[std::sync::Arc<str>] {
        self.rules.as_deref().unwrap_or_default()
    }

    /// The rule set that gave it.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }
}

/// A permit was shown for something it was not given for: a bug of ours, never a peer's doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a permit for {granted} does not cover this {wanted}")]
pub struct PermitMismatch {
    /// What the permit was given for.
    pub granted: Action,
    /// What it was shown for.
    pub wanted: Action,
}

//! What is taken to be so beside a question: groups of made-up peers, grants that are only noted down.
//! Invariant: for trying policies out alone; the node's own decisions have nothing beside them.
//! Not here: what it is tried out for (`assertions`, `explain`, `replay`).

use std::sync::Arc;

use cedar_policy::EntityUid;
use data_encoding::HEXLOWER;
use peerloom_shared::grant::{ActionSet, Key, NetworkId, Prefix, Rights};
use peerloom_shared::limits::CLOCK_TOLERANCE_MS;
use peerloom_shared::policy::{Access, Action, Engine, Question, Ruling};

use super::engine::CedarEngine;
use crate::audit::AskedGrant;

/// What is taken to be so.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// Groups and roles that the subject is in as well.
    pub groups: Vec<EntityUid>,
    /// Grants that it holds as well.
    pub noted: Vec<Noted>,
}

/// A grant that was verified once, as it was noted down then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The ids of all links in hex, the root's first.
    pub ids: Vec<String>,
    /// The network it counts in.
    pub network: NetworkId,
    /// The key it comes from.
    pub root: Key,
    /// Whether a peer holds it, and not an invite.
    pub redeemed: bool,
    /// What it allows.
    pub actions: ActionSet,
    /// On what.
    pub prefix: Prefix,
    /// Since when, Unix time in ms.
    pub not_before_ms: u64,
    /// Until when, Unix time in ms.
    pub expires_ms: u64,
}

impl Noted {
    /// The grant of a note; `None` for a note that is damaged.
    #[must_use]
    pub fn of(note: &AskedGrant) -> Option<Self> {
        let hex = |text: &String| HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok();
        Some(Self {
            ids: note.ids.clone(),
            network: hex(&note.network)?,
            root: Key::from_bytes(hex(&note.root)?),
            redeemed: note.redeemed,
            actions: ActionSet::from_bits(note.actions),
            prefix: Prefix::new(&note.prefix).ok()?,
            not_before_ms: note.not_before_ms,
            expires_ms: note.expires_ms,
        })
    }

    /// Whether it counts at this Unix time in ms, give or take the clock tolerance.
    #[must_use]
    pub const fn is_valid_at(&self, now_ms: u64) -> bool {
        self.not_before_ms <= now_ms.saturating_add(CLOCK_TOLERANCE_MS)
            && now_ms < self.expires_ms.saturating_add(CLOCK_TOLERANCE_MS)
    }
}

/// A grant that counts now.
#[derive(Clone, Copy, Debug)]
pub(super) enum Shown<'a> {
    /// Verified.
    Verified(&'a Rights),
    /// Noted down.
    Noted(&'a Noted),
}

impl<'a> Shown<'a> {
    /// All that count at the time of the question.
    pub(super) fn all(
        question: &'a Question<'_>,
        beside: &'a Beside,
    ) -> impl Iterator<Item = Self> {
        let now = question.now_ms;
        let verified = question.held.valid_at(now).map(|rights| Self::Verified(rights));
        let noted =
            beside.noted.iter().filter(move |noted| noted.redeemed && noted.is_valid_at(now));
        verified.chain(noted.map(Self::Noted))
    }

    pub(super) fn network(self) -> &'a NetworkId {
        match self {
            Self::Verified(rights) => rights.network(),
            Self::Noted(noted) => &noted.network,
        }
    }

    pub(super) fn root(self) -> Key {
        match self {
            Self::Verified(rights) => rights.root(),
            Self::Noted(noted) => noted.root,
        }
    }

    pub(super) fn actions(self) -> ActionSet {
        match self {
            Self::Verified(rights) => rights.actions(),
            Self::Noted(noted) => noted.actions,
        }
    }

    pub(super) fn prefix(self) -> &'a Prefix {
        match self {
            Self::Verified(rights) => rights.prefix(),
            Self::Noted(noted) => &noted.prefix,
        }
    }

    /// Whether the holder may do this to what has this path.
    pub(super) fn allows(self, action: Action, path: &[u8]) -> bool {
        match self {
            Self::Verified(rights) => rights.allows(action, path),
            Self::Noted(noted) => noted.actions.contains(action) && noted.prefix.covers(path),
        }
    }
}

/// An engine with something beside its questions.
#[derive(Debug)]
pub(super) struct Along {
    pub(super) engine: Arc<CedarEngine>,
    pub(super) beside: Beside,
}

impl Engine for Along {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        self.engine.judge(question, &self.beside).ruling
    }

    fn access(&self) -> Access {
        self.engine.access()
    }
}

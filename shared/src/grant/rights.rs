//! What a verified chain allows.
//! Invariant: made by verification alone, and never wider than the narrowest link.
//! Not here: deciding; a `deny` beats every right.

use super::{ActionSet, Audience, Chain, GrantId, Key, NetworkId, Prefix};
use crate::limits::CLOCK_TOLERANCE_MS;
use crate::policy::Action;

/// A link that may be used a limited number of times. Only its issuer can count that exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The link.
    pub id: GrantId,
    /// Who granted it, and counts.
    pub issuer: Key,
    /// How often it may be used.
    pub max_uses: u16,
}

/// Rights that one holder has proven, until they end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights {
    network: NetworkId,
    root: Key,
    holder: Audience,
    actions: ActionSet,
    prefix: Prefix,
    not_before_ms: u64,
    expires_ms: u64,
    depth: u8,
    ids: Vec<GrantId>,
    limits: Vec<Limit>,
}

impl Rights {
    /// The rights of a chain all of whose checks have passed. Links lie inside each other, so the last
    /// one is the narrowest in every respect.
    pub(super) fn of(chain: &Chain, ids: Vec<GrantId>) -> Self {
        let terms = chain.last().terms();
        let limits = chain.links().zip(&ids).filter(|(link, _)| link.terms().max_uses > 0);
        Self {
            network: chain.root().body().network,
            root: chain.root().body().issuer,
            holder: terms.audience,
            actions: terms.actions,
            prefix: terms.prefix.clone(),
            not_before_ms: terms.not_before_ms,
            expires_ms: terms.expires_ms,
            depth: terms.depth,
            limits: limits
                .map(|(link, id)| Limit {
                    id: *id,
                    issuer: link.body().issuer,
                    max_uses: link.terms().max_uses,
                })
                .collect(),
            ids,
        }
    }

    /// Whether the holder may do this to the resource with this path (see [`super::path_of`]). Who
    /// holds an unredeemed invite may do nothing yet.
    #[must_use]
    pub fn allows(&self, action: Action, path: &[u8]) -> bool {
        matches!(self.holder, Audience::Peer(_))
            && self.actions.contains(action)
            && self.prefix.covers(path)
    }

    /// Whether the rights count at this Unix time in ms, give or take the clock tolerance.
    #[must_use]
    pub const fn is_valid_at(&self, now_ms: u64) -> bool {
        self.not_before_ms <= now_ms.saturating_add(CLOCK_TOLERANCE_MS)
            && now_ms < self.expires_ms.saturating_add(CLOCK_TOLERANCE_MS)
    }

    /// The network they count in.
    #[must_use]
    pub const fn network(&self) -> &NetworkId {
        &self.network
    }

    /// The key that they come from.
    #[must_use]
    pub const fn root(&self) -> Key {
        self.root
    }

    /// Who has them.
    #[must_use]
    pub const fn holder(&self) -> Audience {
        self.holder
    }

    /// What may be done.
    #[must_use]
    pub const fn actions(&self) -> ActionSet {
        self.actions
    }

    /// What it may be done to.
    #[must_use]
    pub const fn prefix(&self) -> &Prefix {
        &self.prefix
    }

    /// When they begin, Unix time in ms.
    #[must_use]
    pub const fn not_before_ms(&self) -> u64 {
        self.not_before_ms
    }

    /// When they end, Unix time in ms.
    #[must_use]
    pub const fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// How many links more the holder may add.
    #[must_use]
    pub const fn depth(&self) -> u8 {
        self.depth
    }

    /// The ids of all links, the root's first.
    #[must_use]
    pub fn ids(&self) -> &[GrantId] {
        &self.ids
    }

    /// The links that may be used a limited number of times.
    #[must_use]
    pub fn limits(&self) -> &[Limit] {
        &self.limits
    }
}

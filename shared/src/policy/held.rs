//! What peers have proven beyond their keys: verified grants, as the judge looks them up.
//! Invariant: only verification writes here; bounded; what has ended allows nothing.
//! Not here: verifying (`grant`), asking for it (`auth`), what it allows (`engine`).

use std::sync::{Arc, PoisonError, RwLock};

use libp2p_identity::PeerId;

use crate::bounded::BoundedMap;
use crate::grant::{Key, Rights};
use crate::limits::HELD_PEERS_MAX;

/// What kind of program a peer says it is. It says so itself: good for wording and sizing, proof of
/// nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// It did not say.
    #[default]
    Unknown,
    /// A native node.
    Native,
    /// A page.
    Browser,
}

impl Class {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Native => "native",
            Self::Browser => "browser",
        }
    }
}

/// What one peer has proven.
#[derive(Clone, Debug, Default)]
pub struct Held {
    /// Differs whenever the rest does; 0 for a peer that has shown nothing.
    pub version: u64,
    /// What it says it is.
    pub class: Class,
    /// Whether its own key is one of the trusted roots.
    pub is_root: bool,
    /// Its verified grants.
    pub rights: Arc<[Arc<Rights>]>,
}

impl Held {
    /// The grants that count at this Unix time in ms.
    pub fn valid_at(&self, now_ms: u64) -> impl Iterator<Item = &Arc<Rights>> {
        self.rights.iter().filter(move |rights| rights.is_valid_at(now_ms))
    }

    /// When the first of the grants that count now ends, Unix time in ms, with the clock tolerance.
    #[must_use]
    pub fn changes_ms(&self, now_ms: u64) -> Option<u64> {
        let ends = self.valid_at(now_ms).map(|rights| rights.expires_ms());
        ends.min().map(|end| end.saturating_add(crate::limits::CLOCK_TOLERANCE_MS))
    }

    /// Whether it may be called a member of the network: a root, or whoever a root or its delegate
    /// granted anything.
    #[must_use]
    pub fn is_member(&self, roots: &[Key], now_ms: u64) -> bool {
        self.is_root || self.valid_at(now_ms).any(|rights| roots.contains(&rights.root()))
    }
}

/// What all peers have proven. Cheap to clone; all clones are one. The lock is held for a lookup or an
/// insert, never while anything is verified or decided.
#[derive(Clone, Debug)]
pub struct Holdings(Arc<RwLock<Inner>>);

#[derive(Debug)]
struct Inner {
    peers: BoundedMap<PeerId, Held>,
    version: u64,
}

impl Default for Holdings {
    fn default() -> Self {
        Self(Arc::new(RwLock::new(Inner { peers: BoundedMap::new(HELD_PEERS_MAX), version: 0 })))
    }
}

impl Holdings {
    /// What this peer has proven: nothing, for most.
    #[must_use]
    pub fn of(&self, peer: &PeerId) -> Held {
        let inner = self.0.read().unwrap_or_else(PoisonError::into_inner);
        inner.peers.get(peer).cloned().unwrap_or_default()
    }

    /// Takes over what verification found. The version is given here.
    pub fn put(&self, peer: PeerId, held: Held) {
        let mut inner = self.0.write().unwrap_or_else(PoisonError::into_inner);
        inner.version = inner.version.saturating_add(1);
        let version = inner.version;
        inner.peers.insert(peer, Held { version, ..held });
    }

    /// Forgets what a peer has proven, for example because it was taken back.
    pub fn forget(&self, peer: &PeerId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).peers.remove(peer);
    }
}

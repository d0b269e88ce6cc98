//! Checked chains remembered, and the price of checking bounded.
//! Invariant: a remembered yes never outlives 60 s, its grant, or a change of what it rests on.
//! Not here: decisions; they are remembered elsewhere, if at all.

use std::sync::Arc;

use super::{Audience, Chain, Context, GrantError, Rights};
use crate::bounded::BoundedMap;
use crate::defence::rate::Buckets;
use crate::limits::{
    GRANT_CACHE_MAX, GRANT_CACHE_MS, GRANT_CHAIN_BYTES_MAX, GRANT_SOURCE_BURST,
    GRANT_SOURCE_RATE_PER_S, GRANT_SOURCES_MAX, GRANT_TOTAL_BURST, GRANT_TOTAL_RATE_PER_S,
};
use crate::time::Mono;

/// Why a chain was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It does not count.
    #[error(transparent)]
    Grant(#[from] GrantError),
    /// Its signatures were not looked at: this source sent too many chains lately.
    #[error("this source shows too many grants; try again in some seconds")]
    SourceBusy,
    /// The same, for all sources together.
    #[error("too many grants are shown at the moment; try again in some seconds")]
    Busy,
}

/// Chains that were checked before. `S` is a source: an IP group, or a relay for peers behind it.
#[derive(Debug)]
pub struct ChainCache<S> {
    checked: BoundedMap<[u8; 32], Checked>,
    sources: Buckets<S>,
    total: Buckets<()>,
}

#[derive(Debug)]
struct Checked {
    rights: Arc<Rights>,
    until: Mono,
}

impl<S: Ord + Clone> Default for ChainCache<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S: Ord + Clone> ChainCache<S> {
    /// An empty cache with the limits of `limits`.
    #[must_use]
    pub fn new() -> Self {
        Self {
            checked: BoundedMap::new(GRANT_CACHE_MAX),
            sources: Buckets::new(GRANT_SOURCES_MAX, GRANT_SOURCE_RATE_PER_S, GRANT_SOURCE_BURST),
            total: Buckets::new(1, GRANT_TOTAL_RATE_PER_S, GRANT_TOTAL_BURST),
        }
    }

    /// Checks a chain that `source` shows, or remembers that it was checked. Signatures cost a token
    /// each; everything that fails before them costs none, for it costs next to no time. The wall clock
    /// is the context's, `now` only counts how long an answer is remembered.
    ///
    /// # Errors
    /// [`CheckError`].
    pub fn check(
        &mut self,
        now: Mono,
        source: S,
        bytes: &[u8],
        context: &Context<'_>,
    ) -> Result<Arc<Rights>, CheckError> {
        // Longer bytes are refused below without being hashed here.
        let key = (bytes.len() <= GRANT_CHAIN_BYTES_MAX).then(|| key_of(bytes, context));
        if let Some(rights) = key.and_then(|key| self.recall(now, &key, context.now_ms)) {
            return Ok(rights);
        }
        let chain = Chain::decode(bytes)?;
        let rights = Arc::new(chain.examine(context)?);
        let signatures = u32::try_from(chain.len()).unwrap_or(u32::MAX);
        self.take(now, source, signatures)?;
        chain.prove()?;
        if let Some(key) = key {
            let until = now.after(GRANT_CACHE_MS);
            self.checked.insert(key, Checked { rights: Arc::clone(&rights), until });
        }
        Ok(rights)
    }

    /// Takes the price of checking this many signatures for `source`; `false` when it has had its share.
    pub fn spend(&mut self, now: Mono, source: S, signatures: u32) -> bool {
        self.take(now, source, signatures).is_ok()
    }

    fn take(&mut self, now: Mono, source: S, signatures: u32) -> Result<(), CheckError> {
        if !self.sources.take(now, source, signatures) {
            return Err(CheckError::SourceBusy);
        }
        if self.total.take(now, (), signatures) { Ok(()) } else { Err(CheckError::Busy) }
    }

    fn recall(&mut self, now: Mono, key: &[u8; 32], now_ms: u64) -> Option<Arc<Rights>> {
        let known = self.checked.get(key)?;
        if now >= known.until || !known.rights.is_valid_at(now_ms) {
            self.checked.remove(key);
            return None;
        }
        Some(Arc::clone(&known.rights))
    }

    /// How many chains are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.checked.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.checked.is_empty()
    }
}

/// Everything that the answer rests on, but the time.
fn key_of(bytes: &[u8], context: &Context<'_>) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hasher.update(bytes);
    };
    part(context.network);
    part(match context.holder {
        Audience::Peer(_) => b"peer",
        Audience::Invite(_) => b"invite",
    });
    part(context.holder.key().as_bytes());
    part(&context.revocations.epoch().to_be_bytes());
    for root in context.roots {
        part(root.as_bytes());
    }
    part(b"owners");
    for owner in context.owners {
        part(owner.key.as_bytes());
        part(owner.owned.as_str().as_bytes());
    }
    part(b"chain");
    part(bytes);
    *hasher.finalize().as_bytes()
}

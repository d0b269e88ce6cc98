//! What a listener dropped, counted by reason.
//! Invariant: the reasons are fixed words, so strangers cannot make it grow.
//! Not here: dropping (`socket`).

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Datagrams that were dropped, by reason, since the start.
#[derive(Debug, Default)]
pub struct Dropped(Mutex<BTreeMap<&'static str, u64>>);

impl Dropped {
    pub(super) fn count(&self, reason: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// All reasons seen so far, each with its count. The reasons are fixed words.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

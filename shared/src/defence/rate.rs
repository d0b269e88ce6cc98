//! Token buckets by key: how much one source may send.
//! Invariant: a key never gets more than `burst + rate * t`, and the table never outgrows its capacity.
//! Not here: what happens to work that is refused; callers count and ignore it.

use crate::ordered::{BTreeMap, BTreeSet};
use crate::time::Mono;

/// What one token weighs, in ticks. A bucket gains `rate_per_s` ticks each millisecond, so all sums
/// stay whole numbers whatever the rate.
const TICKS_PER_TOKEN: u128 = 1_000;

/// Token buckets, one for each key.
///
/// A bucket is kept as the moment at which it is full again, counted in ticks. A full bucket is the
/// same as none, so at capacity the bucket that is nearest to full goes: that gives the least away.
#[derive(Debug)]
pub struct Buckets<K> {
    capacity: usize,
    rate_per_s: u32,
    burst: u32,
    full_at: BTreeMap<K, u128>,
    by_full_at: BTreeSet<(u128, K)>,
}

impl<K: Ord + Clone> Buckets<K> {
    /// Buckets for at most `capacity` keys (at least one). Each starts with `burst` tokens, gains
    /// `rate_per_s` tokens a second and never holds more than `burst`.
    #[must_use]
    pub fn new(capacity: usize, rate_per_s: u32, burst: u32) -> Self {
        Self {
            capacity: capacity.max(1),
            rate_per_s,
            burst,
            full_at: BTreeMap::new(),
            by_full_at: BTreeSet::new(),
        }
    }

    /// Takes `n` tokens from the bucket of `key`. `false`, and nothing taken, when it holds fewer.
    pub fn take(&mut self, now: Mono, key: K, n: u32) -> bool {
        let present = u128::from(now.as_millis()).saturating_mul(u128::from(self.rate_per_s));
        let old = self.full_at.get(&key).copied();
        let start = old.unwrap_or(present).max(present);
        let cost = u128::from(n).saturating_mul(TICKS_PER_TOKEN);
        let full = start.saturating_add(cost);
        let room = u128::from(self.burst).saturating_mul(TICKS_PER_TOKEN);
        if full.saturating_sub(present) > room {
            return false;
        }
        match old {
            Some(old) => {
                self.by_full_at.remove(&(old, key.clone()));
            }
            None => self.make_room(),
        }
        self.by_full_at.insert((full, key.clone()));
        self.full_at.insert(key, full);
        true
    }

    /// Number of keys that are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.full_at.len()
    }

    /// Whether no key is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.full_at.is_empty()
    }

    fn make_room(&mut self) {
        while self.full_at.len() >= self.capacity {
            let Some((_, key)) = self.by_full_at.pop_first() else { return };
            self.full_at.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests;

//! What was here before: messages by (author, seqno), and posts by their counter.
//! Invariant: nothing is admitted twice while it is remembered; memory is bounded whoever writes.
//! Not here: gossipsub's own cache, which goes by wire id.

use std::collections::VecDeque;
use std::hash::{DefaultHasher, Hash, Hasher};

use libp2p_identity::PeerId;

use crate::limits::{CLOCK_TOLERANCE_MS, COUNTER_WINDOW_WORDS, SEEN_MAX};
use crate::ordered::BTreeSet;
use crate::time::Mono;

/// Bits of one word of a window.
const WORD_BITS: u64 = u64::BITS as u64;

/// Posts that a window remembers.
const WINDOW: u64 = COUNTER_WINDOW_WORDS as u64 * WORD_BITS;

/// The last (author, seqno) pairs, as digests: a pair takes 16 bytes, not 200. The digest starts with
/// a secret, so that nobody can look for two messages that have the same.
#[derive(Debug)]
pub(super) struct Seen {
    secret: u64,
    digests: BTreeSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    pub(super) const fn new(secret: u64) -> Self {
        Self { secret, digests: BTreeSet::new(), order: VecDeque::new() }
    }

    pub(super) fn contains(&self, author: &PeerId, seqno: u64) -> bool {
        self.digests.contains(&self.digest(author, seqno))
    }

    pub(super) fn insert(&mut self, author: &PeerId, seqno: u64) {
        let digest = self.digest(author, seqno);
        if !self.digests.insert(digest) {
            return;
        }
        self.order.push_back(digest);
        while self.order.len() > SEEN_MAX {
            let Some(oldest) = self.order.pop_front() else { return };
            self.digests.remove(&oldest);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.digests.len().max(self.order.len())
    }

    fn digest(&self, author: &PeerId, seqno: u64) -> u64 {
        let mut hasher = DefaultHasher::new();
        (self.secret, author, seqno).hash(&mut hasher);
        hasher.finish()
    }
}

/// The replay window of one author on one topic: the highest counter and which of the 512 up to it
/// were here.
#[derive(Clone, Debug)]
pub(super) struct Window {
    highest: u64,
    words: [u64; COUNTER_WINDOW_WORDS],
    touched: Mono,
}

impl Window {
    /// A window that has admitted `counter` and nothing else.
    pub(super) fn starting(counter: u64, now: Mono) -> Self {
        let mut window = Self { highest: counter, words: [0; COUNTER_WINDOW_WORDS], touched: now };
        window.mark(counter);
        window
    }

    /// Whether a post with this counter is new as far as the window can tell.
    pub(super) fn admits(&self, counter: u64) -> bool {
        if counter > self.highest {
            return true;
        }
        self.highest.abs_diff(counter) < WINDOW && !self.marked(counter)
    }

    /// Whether the window is of no use any more. It was last touched so long ago that whatever it
    /// remembers is refused by its time alone; an author whose clock was set back is let in again.
    pub(super) const fn is_over(&self, now: Mono) -> bool {
        now.since(self.touched) > CLOCK_TOLERANCE_MS.saturating_mul(2)
    }

    /// Takes note of an admitted post. Whether it is the newest of its author.
    pub(super) fn record(&mut self, counter: u64, now: Mono) -> bool {
        self.touched = now;
        let newest = counter > self.highest;
        if newest {
            if counter.abs_diff(self.highest) >= WINDOW {
                self.words = [0; COUNTER_WINDOW_WORDS];
            } else {
                for skipped in self.highest.saturating_add(1)..=counter {
                    self.unmark(skipped);
                }
            }
            self.highest = counter;
        }
        self.mark(counter);
        newest
    }

    fn mark(&mut self, counter: u64) {
        let (word, bit) = place(counter);
        if let Some(word) = self.words.get_mut(word) {
            *word |= bit;
        }
    }

    fn unmark(&mut self, counter: u64) {
        let (word, bit) = place(counter);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    fn marked(&self, counter: u64) -> bool {
        let (word, bit) = place(counter);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }
}

/// Word and bit of a counter. Counters that share a place are a whole window apart.
fn place(counter: u64) -> (usize, u64) {
    let slot = counter % WINDOW;
    let word = usize::try_from(slot / WORD_BITS).unwrap_or_default();
    (word, 1 << (slot % WORD_BITS))
}

#[cfg(test)]
mod tests;

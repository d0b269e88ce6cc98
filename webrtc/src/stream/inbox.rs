//! The unread bytes of a stream.
//! Invariant: bytes are copied in, so one unread byte never keeps a whole channel message alive, and a
//! million small frames cost no more than their bytes.
//! Not here: how much may be unread (`stream`).

use std::collections::VecDeque;
use std::io::Read as _;

#[derive(Debug, Default)]
pub(super) struct Inbox {
    bytes: VecDeque<u8>,
}

impl Inbox {
    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.bytes.capacity()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Takes bytes in, of which there are at most `max` at any time.
    pub(super) fn put(&mut self, data: &[u8], max: usize) {
        let wanted = self.bytes.len().saturating_add(data.len());
        if wanted > self.bytes.capacity() {
            // Doubles as usual, but not beyond the most that there may be.
            let grown = self.bytes.capacity().saturating_mul(2).min(max).max(wanted);
            self.bytes.reserve_exact(grown.saturating_sub(self.bytes.len()));
        }
        self.bytes.extend(data);
    }

    /// Moves bytes out, as many as there are and fit.
    pub(super) fn take(&mut self, into: &mut [u8]) -> usize {
        let mut taken = 0_usize;
        while let Some(rest) = into.get_mut(taken..).filter(|rest| !rest.is_empty()) {
            // A queue gives one of its two slices at a time and never fails.
            match self.bytes.read(rest) {
                Ok(0) | Err(_) => break,
                Ok(more) => taken = taken.saturating_add(more),
            }
        }
        taken
    }

    /// Gives the memory back when nothing is unread and it is more than `keep` bytes.
    pub(super) fn trim(&mut self, keep: usize) {
        if self.bytes.is_empty() && self.bytes.capacity() > keep {
            self.bytes = VecDeque::new();
        }
    }

    pub(super) fn clear(&mut self) {
        self.bytes = VecDeque::new();
    }
}

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

    pub(super) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn put(&mut self, data: &[u8]) {
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

//! Role: the bytes that are sent, and what their hash must be.
//! Invariant: the same for all stacks; `js/pattern.mjs` makes the same bytes.
//! Not here: sending them.

use sha2::{Digest as _, Sha256};

/// A prime, so that no size of frame or packet repeats with it: a piece that is lost or moved shows.
const BLOCK_BYTES: usize = 65_521;

/// What is sent over and over.
pub(crate) fn block() -> Vec<u8> {
    let mut state = 2_463_534_242_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes().first().copied().unwrap_or_default()
    };
    (0..BLOCK_BYTES).map(|_| next()).collect()
}

/// The SHA-256 of the first so many bytes, in hexadecimal.
pub(crate) fn sha256(bytes: u64) -> String {
    let block = block();
    let mut hash = Sha256::new();
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let piece = block.get(..left.min(block.len())).unwrap_or_default();
        hash.update(piece);
        left = left.saturating_sub(piece.len());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

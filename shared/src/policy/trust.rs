//! Which network this is, and whose word counts in it.
//! Invariant: part of a rule set, so it changes only with the whole of it.
//! Not here: files; what a trusted word allows (the engine).

use crate::grant::{Key, NetworkId};

/// What tells this hash from every other use.
const NETWORK_CONTEXT: &str = "peerloom network v1";

/// The network that everybody is in: the hash of `open`. Written out, so that a page that founds no network
/// does not load the hash.
const OPEN: NetworkId = [
    0xa2, 0x16, 0xea, 0xe9, 0x17, 0xb9, 0x19, 0xeb, 0x03, 0x7c, 0x5d, 0xbb, 0x1a, 0xc1, 0xb3, 0x88,
    0x3c, 0xce, 0xdb, 0x65, 0xcb, 0xef, 0x0d, 0x56, 0x62, 0xb0, 0x1f, 0x81, 0xe2, 0x12, 0x1a, 0x85,
];

/// Which network a peer belongs to, and whom it trusts there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// The network.
    pub network: NetworkId,
    /// Keys whose grants count for everything.
    pub roots: Vec<Key>,
}

impl Trust {
    /// The network that everybody is in, with nobody to trust in it.
    #[must_use]
    pub fn open() -> Self {
        Self { network: OPEN, roots: Vec::new() }
    }

    /// The network that the holder of a key founds by inviting others into it.
    #[must_use]
    pub fn founded_by(root: Key) -> Self {
        Self { network: blake3::derive_key(NETWORK_CONTEXT, root.as_bytes()), roots: vec![root] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_open_network_is_the_hash_of_its_name() {
        assert_eq!(OPEN, blake3::derive_key(NETWORK_CONTEXT, b"open"));
    }
}

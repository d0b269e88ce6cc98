//! Which network this is, and whose word counts in it.
//! Invariant: part of a rule set, so it changes only with the whole of it.
//! Not here: files; what a trusted word allows (the engine).

use crate::grant::{Key, NetworkId};

/// What tells this hash from every other use.
const NETWORK_CONTEXT: &str = "peerloom network v1";

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
        Self { network: blake3::derive_key(NETWORK_CONTEXT, b"open"), roots: Vec::new() }
    }

    /// The network that the holder of a key founds by inviting others into it.
    #[must_use]
    pub fn founded_by(root: Key) -> Self {
        Self { network: blake3::derive_key(NETWORK_CONTEXT, root.as_bytes()), roots: vec![root] }
    }
}

//! Ordered maps and sets: trees on nodes, sorted lists in pages.
//! Invariant: both kinds have the same methods with the same results, in the order of the keys.
//! Not here: capacities (`bounded`, and who owns a map).

#[cfg(not(target_arch = "wasm32"))]
pub use std::collections::{BTreeMap, BTreeSet};

// Every kind of tree costs a page 8 KB, a list a tenth of that; and a page's tables are short.
#[cfg(target_arch = "wasm32")]
pub use {list::Map as BTreeMap, set_list::Set as BTreeSet};

#[cfg(any(test, target_arch = "wasm32"))]
mod list;
#[cfg(any(test, target_arch = "wasm32"))]
mod set_list;

#[cfg(test)]
mod tests;

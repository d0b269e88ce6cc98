//! What the pubsub actor shows its work to.
//! Invariant: nothing here can hold the actor up.
//! Not here: the actor.

use std::sync::Arc;

use peerloom_shared::view::RoomInfo;
use tokio::sync::watch;

use crate::admin::{EventLog, Metrics};
use crate::recent::Recent;

/// Looks at every message before the machine does. For programs that embed a node, and for tests
/// that must see what a panic in the middle of a message does.
pub type Inspect = Arc<dyn Fn(&peerloom_shared::pubsub::Arrival) + Send + Sync>;

/// What the actor shows its work to.
pub struct Outlets {
    /// Everything that happens.
    pub events: EventLog,
    /// Numbers.
    pub metrics: Metrics,
    /// The newest messages.
    pub recent: Recent,
    /// The rooms with their members.
    pub rooms: watch::Sender<Arc<Vec<RoomInfo>>>,
    /// Looks at every message first.
    pub inspect: Option<Inspect>,
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlets").finish_non_exhaustive()
    }
}

//! What the pubsub actor shows its work to.
//! Invariant: nothing here can hold the actor up.
//! Not here: the actor.

use std::sync::Arc;

use peerloom_shared::pubsub::Counts;
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
    /// What has been counted so far.
    pub counted: Counts,
}

impl Outlets {
    /// Shows the rooms, if they changed.
    pub fn show_rooms(&self, rooms: Vec<RoomInfo>) {
        self.rooms.send_if_modified(|shown| {
            let changed = **shown != rooms;
            if changed {
                *shown = Arc::new(rooms);
            }
            changed
        });
    }

    /// Adds what has been judged since the last call to the metrics.
    pub fn count(&mut self, now: &Counts) {
        let accepted = now.accepted.saturating_sub(self.counted.accepted);
        self.metrics.count_gossip("accept", "valid", accepted);
        let both = [
            ("reject", &now.rejected, &self.counted.rejected),
            ("ignore", &now.ignored, &self.counted.ignored),
        ];
        for (outcome, now, before) in both {
            for (reason, count) in now {
                let before = before.get(reason).copied().unwrap_or_default();
                let more = count.saturating_sub(before);
                self.metrics.count_gossip(outcome, reason.name(), more);
            }
        }
        self.counted = now.clone();
    }
}

impl std::fmt::Debug for Outlets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Outlets").finish_non_exhaustive()
    }
}

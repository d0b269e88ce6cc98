//! Requests that wait for the Driver.
//! Invariant: a ticket waits once, comes out once, and never waits longer than its deadline.
//! Not here: the answers.

use crate::limits::PUBSUB_PENDING_MAX;
use crate::ordered::BTreeMap;
use crate::time::Mono;
use crate::wire::RoomName;

/// What waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For the subscription to a room's topic.
    Join { room: RoomName },
    /// For the envelope of a message.
    Say { room: RoomName, text: String, sent_ms: Option<u64> },
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    waiting: BTreeMap<u64, (Mono, Waiting)>,
}

impl Pending {
    /// Lets a request wait. `false` when too many wait, or one under the same ticket.
    pub(super) fn insert(&mut self, ticket: u64, deadline: Mono, waiting: Waiting) -> bool {
        if self.waiting.len() >= PUBSUB_PENDING_MAX || self.waiting.contains_key(&ticket) {
            return false;
        }
        self.waiting.insert(ticket, (deadline, waiting));
        true
    }

    /// Takes out the joins of one room.
    pub(super) fn take_joins(&mut self, wanted: &RoomName) -> Vec<u64> {
        let is_join =
            |waiting: &Waiting| matches!(waiting, Waiting::Join { room } if room == wanted);
        self.take(|_, waiting| is_join(waiting)).into_iter().map(|(ticket, _)| ticket).collect()
    }

    /// Takes out a message: room, text and the time it was written.
    pub(super) fn take_say(&mut self, ticket: u64) -> Option<(RoomName, String, Option<u64>)> {
        match self.waiting.remove(&ticket)? {
            (_, Waiting::Say { room, text, sent_ms }) => Some((room, text, sent_ms)),
            join @ (_, Waiting::Join { .. }) => {
                self.waiting.insert(ticket, join);
                None
            }
        }
    }

    /// Takes out what has waited too long.
    pub(super) fn take_late(&mut self, now: Mono) -> Vec<(u64, Waiting)> {
        self.take(|deadline, _| deadline <= now)
    }

    fn take(&mut self, wanted: impl Fn(Mono, &Waiting) -> bool) -> Vec<(u64, Waiting)> {
        let mut taken = Vec::new();
        self.waiting.retain(|ticket, (deadline, waiting)| {
            let goes = wanted(*deadline, waiting);
            if goes {
                taken.push((*ticket, waiting.clone()));
            }
            !goes
        });
        taken
    }

    /// When the first of them has waited too long.
    pub(super) fn next_late(&self) -> Option<Mono> {
        self.waiting.values().map(|(deadline, _)| *deadline).min()
    }
}

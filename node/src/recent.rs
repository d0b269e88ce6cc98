//! The newest messages of each room, for readers that come late to this node's own API.
//! Invariant: bounded in rooms and messages; in memory only.
//! Not here: history between peers.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use peerloom_shared::limits::{ROOM_RECENT_MAX, ROOMS_MAX};
use peerloom_shared::view::Message;

/// The messages. Cheap to clone; clones share them.
#[derive(Clone, Debug, Default)]
pub struct Recent(Arc<Mutex<BTreeMap<String, VecDeque<Message>>>>);

impl Recent {
    /// Keeps a message.
    pub fn keep(&self, message: &Message) {
        let mut rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !rooms.contains_key(&message.room) && rooms.len() >= ROOMS_MAX {
            rooms.pop_first();
        }
        let room = rooms.entry(message.room.clone()).or_default();
        if room.len() >= ROOM_RECENT_MAX {
            room.pop_front();
        }
        room.push_back(message.clone());
    }

    /// The newest messages of a room, oldest first.
    #[must_use]
    pub fn of(&self, room: &str, limit: usize) -> Vec<Message> {
        let rooms = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(messages) = rooms.get(room) else { return Vec::new() };
        messages.iter().skip(messages.len().saturating_sub(limit)).cloned().collect()
    }
}

//! The keys that a peer has.
//! Invariant: a bounded number of rooms, and of each the newest keys, newest first.
//! Not here: whether a key counts (checked before it is put in).

use super::{KeyId, RoomKey, SignedRoomKey};
use crate::limits::{ROOM_KEYS_KEPT, ROOM_KEYS_ROOMS_MAX};

/// Keys by room, newest first. One that somebody sealed with before a change still opens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRing(Vec<SignedRoomKey>);

impl KeyRing {
    /// The keys that fit, of those that are given.
    #[must_use]
    pub fn of(keys: impl IntoIterator<Item = SignedRoomKey>) -> Self {
        let mut ring = Self::default();
        for key in keys {
            ring.add(key);
        }
        ring
    }

    /// Whether nothing is in it.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts a key in; the oldest of its room may have to go. `false` where it is there already, is too old
    /// to be kept, or of one room too many.
    pub fn add(&mut self, new: SignedRoomKey) -> bool {
        let (topic, rank) = (new.key().topic.clone(), new.key().rank());
        let of_room = self.of_room(&topic);
        let known = of_room.len();
        let place = of_room.iter().take_while(|key| key.key().rank() > rank).count();
        let is_there = of_room.get(place).is_some_and(|key| key.key().rank() == rank);
        let is_full = known == 0 && self.newest().count() >= ROOM_KEYS_ROOMS_MAX;
        if is_there || is_full || place >= ROOM_KEYS_KEPT {
            return false;
        }
        let start = self.0.partition_point(|key| key.key().topic < topic);
        self.0.insert(start.saturating_add(place), new);
        if known >= ROOM_KEYS_KEPT {
            self.0.remove(start.saturating_add(ROOM_KEYS_KEPT));
        }
        true
    }

    fn of_room(&self, topic: &str) -> &[SignedRoomKey] {
        let start = self.0.partition_point(|key| *key.key().topic < *topic);
        let rest = self.0.get(start..).unwrap_or_default();
        let end = rest.partition_point(|key| *key.key().topic == *topic);
        rest.get(..end).unwrap_or_default()
    }

    /// The key to seal with in a room.
    #[must_use]
    pub fn newest_of(&self, topic: &str) -> Option<&RoomKey> {
        self.of_room(topic).first().map(SignedRoomKey::key)
    }

    /// A key of a room by its name.
    #[must_use]
    pub fn find(&self, topic: &str, id: &KeyId) -> Option<&RoomKey> {
        self.of_room(topic).iter().map(SignedRoomKey::key).find(|key| key.id() == *id)
    }

    /// Whether just this key is in it.
    #[must_use]
    pub fn contains(&self, key: &SignedRoomKey) -> bool {
        self.of_room(&key.key().topic).contains(key)
    }

    /// The newest key of each room.
    pub fn newest(&self) -> impl Iterator<Item = &SignedRoomKey> {
        let mut last: Option<&str> = None;
        self.0.iter().filter(move |key| {
            let topic = Some(key.key().topic.as_str());
            std::mem::replace(&mut last, topic) != topic
        })
    }

    /// All keys.
    pub fn iter(&self) -> impl Iterator<Item = &SignedRoomKey> {
        self.0.iter()
    }
}

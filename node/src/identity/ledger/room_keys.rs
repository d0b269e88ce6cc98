//! Keys of members' rooms: made by a root, kept by whoever was given them.
//! Invariant: whoever makes a room's first key makes all of them; whoever was invited into a room makes none;
//! of each room the newest few are kept.
//! Not here: who is given them (`peerloom_shared::net::auth`), what is sealed with them.

use peerloom_shared::grant::{NetworkId, path_of};
use peerloom_shared::limits::ROOM_KEYS_ROOMS_MAX;
use peerloom_shared::policy::{Resource, Trust};
use peerloom_shared::room_key::{KeyRing, RoomKey, SignedRoomKey};
use peerloom_shared::wire::is_members_topic;

use super::{GrantsError, Ledger, rows};
use crate::store::{Change, Shelf};

/// When a key is made, Unix time in ms, and its random bytes.
type Making = (u64, [u8; 32]);

impl Ledger {
    /// The keys of a network's rooms.
    #[must_use]
    pub fn room_keys(&self, network: &NetworkId) -> KeyRing {
        let of_it = self.keys.iter().filter(|((of, _), key)| {
            // Those who invited this node would not know what it sealed with a key of its own.
            let own = key.key().issuer == self.key();
            of == network && !(own && self.is_guest_of(network, &key.key().topic))
        });
        KeyRing::of(of_it.map(|(_, key)| key.clone()))
    }

    /// Whether this node is in a room by the word of another root.
    fn is_guest_of(&self, network: &NetworkId, topic: &str) -> bool {
        let Some(path) = path_of(&Resource::Topic(topic.to_owned())) else { return false };
        self.held.values().any(|chain| {
            let root = chain.root().body();
            root.network == *network
                && root.issuer != self.key()
                && chain.last().terms().prefix.covers(&path)
        })
    }

    /// The first key of a room, where this node is a root and the room is for members and has none.
    ///
    /// # Errors
    /// When there are as many rooms as can be.
    pub fn first_key(
        &self,
        trust: &Trust,
        topic: &str,
        making: Making,
    ) -> Result<Vec<Change>, GrantsError> {
        let ring = self.room_keys(&trust.network);
        let is_maker =
            trust.roots.contains(&self.key()) && !self.is_guest_of(&trust.network, topic);
        if !is_maker || !is_members_topic(topic) || ring.newest_of(topic).is_some() {
            return Ok(Vec::new());
        }
        if ring.newest().count() >= ROOM_KEYS_ROOMS_MAX {
            return Err(GrantsError::Full { max: ROOM_KEYS_ROOMS_MAX });
        }
        let key = RoomKey::first(trust.network, self.key(), topic, making).sign(&self.signer);
        Ok(vec![rows::room_key(&key)])
    }

    /// Another key for each room of this node's, so that whoever lost a right reads nothing that is said
    /// from now on.
    ///
    /// # Errors
    /// When `secret` gives none.
    pub fn next_keys(
        &self,
        now_ms: u64,
        trust: &Trust,
        mut secret: impl FnMut() -> Result<[u8; 32], GrantsError>,
    ) -> Result<Vec<Change>, GrantsError> {
        let mut changes = Vec::new();
        let ring = self.room_keys(&trust.network);
        for key in ring.newest().filter(|key| key.key().issuer == self.key()) {
            let next = key.key().next(self.key(), (now_ms, secret()?)).sign(&self.signer);
            changes.extend(self.kept_key(&next));
        }
        Ok(changes)
    }

    /// A key that a root made: what is kept of its room from now on.
    #[must_use]
    pub fn kept_key(&self, new: &SignedRoomKey) -> Vec<Change> {
        let network = &new.key().network;
        let before = self.room_keys(network);
        let mut after = before.clone();
        if !after.add(new.clone()) {
            return Vec::new();
        }
        let over = before.iter().filter(|key| !after.contains(key));
        let gone = over.map(|key| Change { value: None, ..rows::room_key(key) });
        let mut changes: Vec<_> = gone.collect();
        changes.push(rows::room_key(new));
        changes
    }

    /// Keys of networks that this node is not in any more are of no use; there must be room for others.
    #[must_use]
    pub fn foreign_keys(&self, network: &NetworkId) -> Vec<Change> {
        let of_held = |of: &NetworkId| {
            of == network || self.held.values().any(|chain| chain.root().body().network == *of)
        };
        let foreign = self.keys.iter().filter(|((of, _), _)| !of_held(of));
        foreign
            .map(|(_, key)| Change { shelf: Shelf::RoomKeys, value: None, ..rows::room_key(key) })
            .collect()
    }
}

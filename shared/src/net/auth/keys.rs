//! Keys of members' rooms on `/peerloom/auth/1`: handed to whoever may follow the room, taken from
//! whoever brings them.
//! Invariant: nobody is given the key of a room that the policy does not let them follow; a page, which
//! judges nobody, gives none.
//! Not here: what is sealed with them (`room_key`), keeping them on disk.

use std::sync::Arc;

use libp2p::PeerId;

use super::{Behaviour, Event};
use crate::room_key::{KeyRing, SignedRoomKey};

impl Behaviour {
    /// The keys that this peer has.
    #[must_use]
    pub fn room_keys(&self) -> &Arc<KeyRing> {
        &self.keys
    }

    /// Has these keys from now on.
    pub(super) fn set_keys(&mut self, keys: KeyRing) {
        if *self.keys != keys {
            self.keys = Arc::new(keys);
            self.event(Event::RoomKeys);
        }
    }

    /// Those of the bytes that are keys which we lack.
    fn lacking(&self, bytes: &[Vec<u8>]) -> Vec<SignedRoomKey> {
        let keys = bytes.iter().filter_map(|key| SignedRoomKey::decode(key).ok());
        keys.filter(|key| !self.keys.contains(key)).collect()
    }

    /// Keys that came with an answer. There is no disk to write them to first: whoever showed them once
    /// shows them again.
    #[cfg(target_arch = "wasm32")]
    pub(super) fn take_keys(&mut self, _: PeerId, keys: &[Vec<u8>]) {
        let policy = self.judge.policy();
        let trust = policy.trust();
        let mut ring = (*self.keys).clone();
        for key in self.lacking(keys) {
            if key.counts(&trust.network, &trust.roots) {
                ring.add(key);
            }
        }
        self.set_keys(ring);
    }

    /// Keys that came with an answer.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn take_keys(&mut self, peer: PeerId, keys: &[Vec<u8>]) {
        let keys = self.lacking(keys);
        let connection = self.of(peer).next().map(|(id, _)| id);
        if let Some(connection) = connection
            && !keys.is_empty()
        {
            let source = self.source(peer, connection);
            self.judge(crate::auth::judging::Input::Keys { source, keys });
        }
    }

    /// The keys that go to a connected peer.
    #[cfg(target_arch = "wasm32")]
    #[expect(clippy::unused_self, reason = "the node's twin has keys to give")]
    pub(super) fn keys_for(&self, _: PeerId) -> Vec<Vec<u8>> {
        Vec::new()
    }

    /// The keys that go to a connected peer: of each room that it may follow, the newest.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn keys_for(&self, peer: PeerId) -> Vec<Vec<u8>> {
        use crate::policy::{Action, Resource, Subject};

        if self.keys.is_empty() {
            return Vec::new();
        }
        let who = self.of(peer).next().map_or_else(
            || Subject::author(peer),
            |(_, connection)| Subject::connected(peer, &connection.remote),
        );
        let may = |key: &&SignedRoomKey| {
            let topic = Resource::Topic(key.key().topic.clone());
            self.judge.would_allow(&who, Action::TopicSubscribe, &topic)
        };
        self.keys.newest().filter(may).map(SignedRoomKey::encode).collect()
    }
}

//! Members' rooms: posts that are sealed with the room's key, and those that wait for it.
//! Invariant: a bounded number of posts waits, each for a bounded time; keys are asked for now and then.
//! Not here: the keys themselves (`room_key`), who may have them.

use std::collections::VecDeque;
use std::sync::Arc;

use super::accept::{Accepted, Content, content_of};
use super::counts::Reason;
use super::{Output, Pubsub};
use crate::limits::{ROOM_KEYS_ASK_MS, ROOM_SEALED_WAITING_MAX, ROOM_SEALED_WAITING_MS};
use crate::ordered::BTreeMap;
use crate::room_key::{KeyRing, key_of, open};
use crate::time::{Mono, Now};
use crate::wire::{Post, RoomName, room_topic};

/// A post whose key has not come yet.
#[derive(Debug)]
struct Waiting {
    until: Mono,
    room: RoomName,
    accepted: Accepted,
}

/// The keys that we have, and what waits for others.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    pub(super) keys: Arc<KeyRing>,
    waiting: VecDeque<Waiting>,
    asked: Option<Mono>,
}

impl Sealed {
    /// How many posts wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.len()
    }
}

impl Pubsub {
    /// Opens a sealed post if its key is here. What does not open under its own key was made by somebody
    /// who does not have it.
    pub(super) fn unseal(&self, name: &RoomName, accepted: &mut Accepted) -> Result<(), Reason> {
        let Content::Sealed { counter, created_ms, bytes } = &accepted.content else {
            return Ok(());
        };
        let topic = room_topic(name);
        let id = key_of(bytes).ok_or(Reason::Malformed)?;
        let Some(key) = self.sealed.keys.find(&topic, &id) else { return Ok(()) };
        let text = open(key, &accepted.author, *counter, bytes).ok_or(Reason::Malformed)?;
        let post = Post::unsealed(*counter, *created_ms, &text).map_err(Reason::of)?;
        accepted.content = content_of(post);
        Ok(())
    }

    /// Keeps a post until its key comes.
    pub(super) fn wait_for_key(&mut self, now: Now, room: &RoomName, accepted: Accepted) {
        self.want_keys(now.mono);
        let waiting = &mut self.sealed.waiting;
        waiting.retain(|post| post.until > now.mono);
        // The oldest goes: what is new is more likely to be opened.
        if waiting.len() >= ROOM_SEALED_WAITING_MAX {
            waiting.pop_front();
        }
        let until = now.mono.after(ROOM_SEALED_WAITING_MS);
        waiting.push_back(Waiting { until, room: room.clone(), accepted });
    }

    /// Asks for keys, unless that was done a moment ago.
    pub(super) fn want_keys(&mut self, now: Mono) {
        let due = self.sealed.asked.is_none_or(|asked| asked.after(ROOM_KEYS_ASK_MS) <= now);
        if due {
            self.sealed.asked = Some(now);
            self.outputs.push_back(Output::WantKeys);
        }
    }

    /// Other keys are here.
    pub(super) fn set_keys(&mut self, now: Now, keys: Arc<KeyRing>) {
        let old = std::mem::replace(&mut self.sealed.keys, keys);
        let changed: BTreeMap<RoomName, ()> = self
            .rooms
            .iter()
            .filter(|(_, room)| {
                let newest = |ring: &KeyRing| ring.newest_of(&room.topic).map(|key| key.id());
                newest(&old) != newest(&self.sealed.keys)
            })
            .map(|(name, _)| (name.clone(), ()))
            .collect();
        // Whoever still has the old key learns by our next post that there is another one.
        for (name, room) in &mut self.rooms {
            if changed.contains_key(name) {
                room.hasten(now.mono, &mut self.rng);
            }
        }
        for post in std::mem::take(&mut self.sealed.waiting) {
            let Waiting { until, room, mut accepted } = post;
            if until <= now.mono || !self.rooms.contains_key(&room) {
                continue;
            }
            match self.unseal(&room, &mut accepted) {
                Ok(()) if matches!(accepted.content, Content::Sealed { .. }) => {
                    self.sealed.waiting.push_back(Waiting { until, room, accepted });
                }
                Ok(()) => self.take_in(now, &room, accepted),
                Err(reason) => self.counts.drop(reason),
            }
        }
        self.say_presence(now);
    }
}

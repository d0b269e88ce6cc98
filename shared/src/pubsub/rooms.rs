//! A room that we are in or joining, and when we next say in it that we are here.
//! Invariant: our counter in a room only rises; presence posts keep their distance.
//! Not here: carrying them out.

use libp2p_identity::PeerId;
use rand::rngs::SmallRng;
use rand::{Rng, RngExt};

use super::members::Members;
use crate::limits::{
    PRESENCE_EVERY_MS, PRESENCE_FIRST_MS, PRESENCE_GAP_MS, PRESENCE_GONE_MS, PRESENCE_REPLY_MS,
    UC_MEMBER_GONE_MS,
};
use crate::room_key::{KeyRing, seal};
use crate::time::{Mono, Now};
use crate::wire::{Post, PostKind, RoomName, room_topic};

/// How far a room is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The subscription with this ticket is under way.
    Joining { ticket: u64 },
    /// We follow its topic.
    Joined,
}

/// What our posts are made with.
#[derive(Debug)]
pub(super) struct Pen<'a> {
    pub(super) author: &'a PeerId,
    pub(super) keys: &'a KeyRing,
    pub(super) now: Now,
}

#[derive(Debug)]
pub(super) struct Room {
    pub(super) topic: String,
    pub(super) state: State,
    pub(super) members: Members,
    /// How long a member is shown after it was heard.
    pub(super) gone_ms: u64,
    /// Whether all that is said here is sealed.
    pub(super) sealed: bool,
    /// The counter of our last post here.
    counter: u64,
    /// `None` before we are in, and where the format has no presence.
    pub(super) presence: Option<Presence>,
}

impl Room {
    /// A room whose topic we begin to follow. Our first post's counter is `counter + 1`.
    pub(super) fn joining(room: &RoomName, ticket: u64, counter: u64) -> Self {
        Self {
            topic: room_topic(room),
            sealed: room.is_members(),
            state: State::Joining { ticket },
            members: Members::default(),
            gone_ms: if room.is_uc() { UC_MEMBER_GONE_MS } else { PRESENCE_GONE_MS },
            counter,
            presence: None,
        }
    }

    /// Our next post here, encoded. `None` where it has to be sealed and the key is missing.
    pub(super) fn post(&mut self, pen: &Pen<'_>, kind: PostKind, body: &str) -> Option<Vec<u8>> {
        let counter = self.counter.saturating_add(1);
        let (kind, body) = if self.sealed {
            let key = pen.keys.newest_of(&self.topic)?;
            (PostKind::Sealed, seal(key, pen.author, counter, &kind.to_seal(body))?)
        } else {
            (kind, body.as_bytes().to_vec())
        };
        self.counter = counter;
        let created_ms = pen.now.unix_ms;
        Some(Post { counter, created_ms, kind, body, reply_to: Vec::new() }.encode())
    }

    /// The counter of our last post.
    pub(super) const fn counter(&self) -> u64 {
        self.counter
    }

    /// Lets the next presence post come soon: a newcomer does not know us yet.
    pub(super) fn hasten(&mut self, now: Mono, rng: &mut SmallRng) {
        let spread = PRESENCE_REPLY_MS.saturating_mul(self.members.len() as u64 + 1);
        if let Some(presence) = &mut self.presence {
            presence.hasten(now, rng.random_range(0..=spread));
        }
    }
}

/// The rhythm of our presence posts in one room.
#[derive(Debug)]
pub(super) struct Presence {
    next: Mono,
    last: Option<Mono>,
    step_ms: u64,
}

impl Presence {
    /// The first is due now.
    pub(super) const fn starting(now: Mono) -> Self {
        Self { next: now, last: None, step_ms: PRESENCE_FIRST_MS }
    }

    pub(super) const fn next(&self) -> Mono {
        self.next
    }

    /// One was sent: sets the time of the next.
    pub(super) fn sent(&mut self, now: Mono, rng: &mut SmallRng) {
        self.last = Some(now);
        self.next = now.after(jittered(self.step_ms, rng));
        self.step_ms = self.step_ms.saturating_mul(2).min(PRESENCE_EVERY_MS);
    }

    fn hasten(&mut self, now: Mono, delay_ms: u64) {
        let earliest = self.last.map_or(now, |last| last.after(PRESENCE_GAP_MS));
        self.next = self.next.min(now.after(delay_ms).max(earliest));
    }
}

/// A pause, longer or shorter by up to a tenth, so that a room does not speak all at once.
fn jittered(millis: u64, rng: &mut impl Rng) -> u64 {
    let tenth = millis / 10;
    millis.saturating_sub(tenth).saturating_add(rng.random_range(0..=tenth.saturating_mul(2)))
}

//! Judging what arrives, in the order in which the checks cost and can be abused.
//! Invariant: what is refused changes nothing but budgets: a replay cannot spend its victim's budget,
//! and junk cannot push out what is remembered.
//! Not here: signatures (proven before), policy (asked before), what is done with the content.

use libp2p_identity::PeerId;

use super::counts::Reason;
use super::io::Arrival;
use super::seen::{Seen, Window};
use crate::bounded::BoundedMap;
use crate::defence::rate::Buckets;
use crate::limits::{
    AUTHOR_BURST, AUTHOR_RATE_PER_S, CLOCK_TOLERANCE_MS, COUNTER_WINDOWS_MAX, FORWARDER_BURST,
    FORWARDER_RATE_PER_S, GOSSIP_RPC_BYTES_MAX, RATE_KEYS_MAX,
};
use crate::time::{Mono, Now};
use crate::wire::text::{clean_name, clean_text};
use crate::wire::{Post, PostKind, RoomName, WireError};

/// An arrival that passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Accepted {
    pub(super) author: PeerId,
    pub(super) seqno: u64,
    pub(super) content: Content,
    /// Whether the author is not known to have written anything later in this room.
    pub(super) newest: bool,
}

/// What an accepted arrival says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Content {
    Text {
        text: String,
        sent_ms: Option<u64>,
    },
    Presence {
        name: Option<String>,
    },
    Leave,
    /// Not opened yet.
    Sealed {
        counter: u64,
        created_ms: u64,
        bytes: Vec<u8>,
    },
}

/// All that is remembered for judging.
#[derive(Debug)]
pub(super) struct Judge {
    local: PeerId,
    seen: Seen,
    windows: BoundedMap<(PeerId, RoomName), Window>,
    authors: Buckets<PeerId>,
    forwarders: Buckets<PeerId>,
}

impl Judge {
    pub(super) fn new(local: PeerId, secret: u64) -> Self {
        Self {
            local,
            seen: Seen::new(secret),
            windows: BoundedMap::new(COUNTER_WINDOWS_MAX),
            authors: Buckets::new(RATE_KEYS_MAX, AUTHOR_RATE_PER_S, AUTHOR_BURST),
            forwarders: Buckets::new(RATE_KEYS_MAX, FORWARDER_RATE_PER_S, FORWARDER_BURST),
        }
    }

    /// Judges an arrival; `room` is the room of its topic, when we are in it.
    pub(super) fn judge(
        &mut self,
        now: Now,
        room: Option<&RoomName>,
        arrival: &Arrival,
    ) -> Result<Accepted, Reason> {
        let (Some(author), Some(seqno)) = (arrival.author, arrival.seqno) else {
            return Err(Reason::Unsigned);
        };
        if author == self.local {
            return Err(Reason::Own);
        }
        if !self.forwarders.take(now.mono, arrival.forwarder, 1) {
            return Err(Reason::ForwarderRate);
        }
        let room = room.ok_or(Reason::NotJoined)?;
        if self.seen.contains(&author, seqno) {
            return Err(Reason::Replay);
        }
        let (content, counter) = if room.is_uc() {
            (read_foreign(&arrival.data)?, None)
        } else {
            let (content, counter) = read_post(now, room, &arrival.data)?;
            self.check_counter(now.mono, author, room, counter)?;
            (content, Some(counter))
        };
        // Last: only what is new and in time counts against its author.
        if !self.authors.take(now.mono, author, 1) {
            return Err(Reason::AuthorRate);
        }
        self.seen.insert(&author, seqno);
        let newest =
            counter.is_none_or(|counter| self.record_counter(now.mono, author, room, counter));
        Ok(Accepted { author, seqno, content, newest })
    }

    fn check_counter(
        &mut self,
        now: Mono,
        author: PeerId,
        room: &RoomName,
        counter: u64,
    ) -> Result<(), Reason> {
        let key = (author, room.clone());
        if self.windows.get(&key).is_some_and(|window| window.is_over(now)) {
            self.windows.remove(&key);
        }
        match self.windows.get(&key) {
            Some(window) if !window.admits(counter) => Err(Reason::Replay),
            Some(_) | None => Ok(()),
        }
    }

    fn record_counter(&mut self, now: Mono, author: PeerId, room: &RoomName, counter: u64) -> bool {
        let key = (author, room.clone());
        if let Some(window) = self.windows.get_mut(&key) {
            return window.record(counter, now);
        }
        self.windows.insert(key, Window::starting(counter, now));
        true
    }

    /// How many (messages, windows, rate buckets) are remembered.
    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize, usize) {
        (self.seen.len(), self.windows.len(), self.authors.len() + self.forwarders.len())
    }
}

impl Reason {
    pub(super) const fn of(error: WireError) -> Self {
        match error {
            // A later version may be valid for others: not the neighbour's fault.
            WireError::Unsupported { .. } => Self::Unsupported,
            WireError::TooLarge { .. } | WireError::Malformed(_) => Self::Malformed,
        }
    }
}

fn read_post(now: Now, room: &RoomName, data: &[u8]) -> Result<(Content, u64), Reason> {
    let post = Post::decode(data).map_err(Reason::of)?;
    // In a members' room nothing is said in the open, and elsewhere nobody has a key.
    if room.is_members() != (post.kind == PostKind::Sealed) {
        return Err(Reason::Malformed);
    }
    if post.created_ms.abs_diff(now.unix_ms) > CLOCK_TOLERANCE_MS {
        return Err(Reason::Clock);
    }
    let counter = post.counter;
    Ok((content_of(post), counter))
}

/// What a post says.
pub(super) fn content_of(post: Post) -> Content {
    match post.kind {
        PostKind::Text => {
            Content::Text { text: clean_text(post.text()), sent_ms: Some(post.created_ms) }
        }
        PostKind::Presence => {
            Content::Presence { name: Some(clean_name(post.text())).filter(|n| !n.is_empty()) }
        }
        PostKind::Leave => Content::Leave,
        PostKind::Sealed => {
            Content::Sealed { counter: post.counter, created_ms: post.created_ms, bytes: post.body }
        }
    }
}

fn read_foreign(data: &[u8]) -> Result<Content, Reason> {
    if data.len() > GOSSIP_RPC_BYTES_MAX {
        return Err(Reason::Foreign);
    }
    let text = std::str::from_utf8(data).map_err(|_| Reason::Foreign)?;
    Ok(Content::Text { text: clean_text(text), sent_ms: None })
}

//! The address book: where peers were, how we know, and when to try them again.
//! Invariant: at most [`BOOK_MAX`] peers; who was reached once is never pushed out by who was not.
//! Not here: which of them is dialled now (discovery), the disk (shells store [`BookEntry::encode`]).

mod entry;

// Trees in pages too: lists of this length, with entries of this size, would take long to load.
use std::collections::{BTreeMap, BTreeSet};

use rand::RngExt as _;
use rand::rngs::SmallRng;

pub use self::entry::{BadEntry, BookEntry, Source};

use crate::defence::address::without_peer;
use crate::defence::scope::Scope;
use crate::limits::{
    ADDRESSES_MAX, BACKOFF_FIRST_MS, BACKOFF_PEER_MAX_MS, BOOK_FAILURES_MAX, BOOK_LIFE_MS,
    BOOK_MAX, BOOK_SAVE_EVERY_MS,
};
use crate::time::{Mono, Now};
use crate::{Multiaddr, PeerId};

/// What a change of the book means for the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Write this entry.
    Save(BookEntry),
    /// Delete this peer.
    Forget(PeerId),
}

/// An entry and what is known of it since the start.
#[derive(Debug)]
struct Slot {
    entry: BookEntry,
    next_try: Mono,
    /// Neither connected nor being dialled, so that its turn may come.
    idle: bool,
    saved_unix_ms: u64,
}

/// The order of eviction, worst first: never reached before reached, many failures before few, long
/// silent before heard of lately.
type Rank = (bool, u32, u64);

impl Slot {
    fn rank(&self) -> Rank {
        let reached = self.entry.reached_unix_ms != 0;
        (reached, u32::MAX.saturating_sub(self.entry.failures), self.entry.last_seen_unix_ms)
    }
}

/// The address book in memory.
#[derive(Debug, Default)]
pub struct Book {
    slots: BTreeMap<PeerId, Slot>,
    worst: BTreeSet<(Rank, PeerId)>,
    /// Turns of idle entries that were reached once.
    tried: BTreeSet<(Mono, PeerId)>,
    /// Turns of idle entries that were only heard of.
    fresh: BTreeSet<(Mono, PeerId)>,
    changes: Vec<Change>,
}

impl Book {
    /// Number of peers.
    #[must_use]
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no peer is known.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// What is known of a peer.
    #[must_use]
    pub fn get(&self, peer: &PeerId) -> Option<&BookEntry> {
        self.slots.get(peer).map(|slot| &slot.entry)
    }

    /// All entries.
    pub fn iter(&self) -> impl Iterator<Item = &BookEntry> {
        self.slots.values().map(|slot| &slot.entry)
    }

    /// What has to be written to disk since the last call.
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Takes in entries from disk. Entries that are too old are deleted there; a peer that is known
    /// already keeps what was learnt since the start.
    pub fn load(&mut self, now: Now, entries: Vec<BookEntry>) {
        for mut entry in entries {
            if now.unix_ms.saturating_sub(entry.last_seen_unix_ms) > BOOK_LIFE_MS {
                self.changes.push(Change::Forget(entry.peer));
            } else if !self.slots.contains_key(&entry.peer) {
                // A clock that was wrong once must not keep an entry for ever.
                entry.last_seen_unix_ms = entry.last_seen_unix_ms.min(now.unix_ms);
                entry.addrs.truncate(ADDRESSES_MAX);
                let saved_unix_ms = entry.last_seen_unix_ms;
                self.put(Slot { entry, next_try: now.mono, idle: true, saved_unix_ms });
            }
        }
    }

    /// Takes in acceptable addresses of a peer. `true` when there is one that was not known.
    pub fn learn(
        &mut self,
        now: Now,
        peer: PeerId,
        told: &[Multiaddr],
        (source, over): (Source, Scope),
    ) -> bool {
        let told: Vec<_> = told.iter().cloned().map(without_peer).collect();
        if let Some(mut slot) = self.lift(&peer) {
            let old = slot.entry.addrs.clone();
            slot.entry.learn(&told, source, over);
            let fresh = slot.entry.addrs.iter().any(|address| !old.contains(address));
            slot.entry.last_seen_unix_ms = now.unix_ms;
            if fresh && source.is_own_word() {
                // It moved: the failures were those of other addresses. On the word of others a turn
                // does not come earlier, or they would steer our dials.
                slot.next_try = now.mono.min(slot.next_try);
            }
            let changed = slot.entry.addrs != old;
            self.put_and_save(now, slot, changed);
            return fresh;
        }
        if told.is_empty() {
            return false;
        }
        let mut entry = BookEntry {
            peer,
            addrs: Vec::new(),
            source,
            last_seen_unix_ms: now.unix_ms,
            reached_unix_ms: 0,
            failures: 0,
        };
        entry.learn(&told, source, over);
        self.put_and_save(
            now,
            Slot { entry, next_try: now.mono, idle: true, saved_unix_ms: 0 },
            true,
        );
        true
    }

    /// A dial to the peer is under way, or it is connected: its turn does not come.
    pub fn engage(&mut self, peer: &PeerId) {
        if let Some(mut slot) = self.lift(peer) {
            slot.idle = false;
            self.put(slot);
        }
    }

    /// A dial of ours reached the peer.
    pub fn reached(&mut self, now: Now, peer: &PeerId) {
        if let Some(mut slot) = self.lift(peer) {
            let first = slot.entry.reached_unix_ms == 0;
            slot.entry.reached_unix_ms = now.unix_ms.max(1);
            slot.entry.last_seen_unix_ms = now.unix_ms;
            self.put_and_save(now, slot, first);
        }
    }

    /// The peer's connection held, so its failures are forgotten; its turn comes after the first
    /// pause.
    pub fn settle(&mut self, now: Now, peer: &PeerId, rng: &mut SmallRng) {
        if let Some(mut slot) = self.lift(peer) {
            slot.idle = true;
            slot.next_try = now.mono.after(pause(0, BACKOFF_PEER_MAX_MS, rng));
            let failed = slot.entry.failures != 0;
            slot.entry.failures = 0;
            self.put_and_save(now, slot, failed);
        }
    }

    /// A try failed: the next comes after a pause that doubles each time. A peer that was never
    /// reached is forgotten after [`BOOK_FAILURES_MAX`] of them.
    pub fn failed(&mut self, now: Now, peer: &PeerId, rng: &mut SmallRng) {
        let Some(mut slot) = self.lift(peer) else { return };
        slot.next_try = now.mono.after(pause(slot.entry.failures, BACKOFF_PEER_MAX_MS, rng));
        slot.entry.failures = slot.entry.failures.saturating_add(1);
        slot.idle = true;
        let old = now.unix_ms.saturating_sub(slot.entry.last_seen_unix_ms) > BOOK_LIFE_MS;
        let never = slot.entry.reached_unix_ms == 0 && slot.entry.failures >= BOOK_FAILURES_MAX;
        if old || never {
            self.changes.push(Change::Forget(*peer));
        } else {
            // Failures alone are not worth a write: after a restart everybody gets a try.
            self.put(slot);
        }
    }

    /// Nothing can be dialled of the peer now: look again at `at`.
    pub fn postpone(&mut self, peer: &PeerId, at: Mono) {
        if let Some(mut slot) = self.lift(peer) {
            slot.next_try = at;
            slot.idle = true;
            self.put(slot);
        }
    }

    /// The turn of every idle entry that `choose` picks comes now.
    pub fn hasten(&mut self, now: Mono, choose: impl Fn(&BookEntry) -> bool) {
        let chosen: Vec<PeerId> = self
            .slots
            .values()
            .filter(|slot| slot.idle && slot.next_try > now && choose(&slot.entry))
            .map(|slot| slot.entry.peer)
            .collect();
        for peer in chosen {
            self.postpone(&peer, now);
        }
    }

    /// The peer whose turn it is. Peers that were reached once go before those only heard of: an
    /// attacker can make up any number of the latter.
    #[must_use]
    pub fn due(&self, now: Mono) -> Option<PeerId> {
        let first = |fresh| self.first_turn(fresh).filter(|(at, _)| *at <= now);
        first(false).or_else(|| first(true)).map(|(_, peer)| peer)
    }

    /// When the next turn comes.
    #[must_use]
    pub fn next_turn(&self) -> Option<Mono> {
        let turns = [self.first_turn(false), self.first_turn(true)];
        turns.into_iter().flatten().map(|(at, _)| at).min()
    }

    fn first_turn(&self, fresh: bool) -> Option<(Mono, PeerId)> {
        let turns = if fresh { &self.fresh } else { &self.tried };
        turns.first().copied()
    }

    /// Takes a slot out of the table and its indexes, to change it.
    fn lift(&mut self, peer: &PeerId) -> Option<Slot> {
        let slot = self.slots.remove(peer)?;
        self.worst.remove(&(slot.rank(), *peer));
        let turn = (slot.next_try, *peer);
        self.tried.remove(&turn);
        self.fresh.remove(&turn);
        Some(slot)
    }

    fn put(&mut self, slot: Slot) {
        let peer = slot.entry.peer;
        self.worst.insert((slot.rank(), peer));
        if slot.idle {
            let reached = slot.entry.reached_unix_ms != 0;
            let turns = if reached { &mut self.tried } else { &mut self.fresh };
            turns.insert((slot.next_try, peer));
        }
        self.slots.insert(peer, slot);
        while self.slots.len() > BOOK_MAX {
            let Some((_, worst)) = self.worst.first().copied() else { return };
            self.lift(&worst);
            self.changes.push(Change::Forget(worst));
        }
    }

    /// Puts a slot back and saves it when it `changed`, or was last saved long ago.
    fn put_and_save(&mut self, now: Now, mut slot: Slot, changed: bool) {
        let stale = now.unix_ms.saturating_sub(slot.saved_unix_ms) > BOOK_SAVE_EVERY_MS;
        if changed || stale {
            slot.saved_unix_ms = now.unix_ms;
            self.changes.push(Change::Save(slot.entry.clone()));
        }
        self.put(slot);
    }
}

/// The pause after the try that followed `failures` failed ones, in ms: [`BACKOFF_FIRST_MS`] doubled
/// each time up to `most`, less up to a quarter, so that those who failed together do not come back
/// together.
#[must_use]
pub fn pause(failures: u32, most: u64, rng: &mut SmallRng) -> u64 {
    let doubled = BACKOFF_FIRST_MS.saturating_mul(1_u64.checked_shl(failures).unwrap_or(u64::MAX));
    let whole = doubled.min(most);
    whole.saturating_sub(rng.random_range(0..=whole / 4))
}

#[cfg(test)]
mod tests;

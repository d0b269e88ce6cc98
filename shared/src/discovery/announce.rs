//! When to tell on the discovery topic where we are, and what.
//! Invariant: at most one announcement each [`ANNOUNCE_GAP_MS`], and none that nobody would hear.
//! Not here: what arrives on that topic.

use std::cmp::Reverse;

use rand::RngExt as _;
use rand::rngs::SmallRng;

use crate::defence::address::with_peer;
use crate::defence::scope::Scope;
use crate::limits::{ADDRESSES_MAX, ANNOUNCE_EVERY_MS, ANNOUNCE_GAP_MS};
use crate::time::Mono;
use crate::wire::Announcement;
use crate::{Multiaddr, PeerId};

/// The announcer.
#[derive(Debug)]
pub(super) struct Announcer {
    public_key: libp2p_identity::PublicKey,
    local: PeerId,
    addrs: Vec<Multiaddr>,
    listeners: usize,
    next: Mono,
    last: Option<Mono>,
}

impl Announcer {
    pub(super) fn new(public_key: libp2p_identity::PublicKey) -> Self {
        let local = public_key.to_peer_id();
        Self { public_key, local, addrs: Vec::new(), listeners: 0, next: Mono::ZERO, last: None }
    }

    /// Our addresses, as they are now. `true` when they changed.
    pub(super) fn set_addresses(&mut self, now: Mono, mut addrs: Vec<Multiaddr>) -> bool {
        addrs.sort_unstable_by_key(|address| (Reverse(Scope::of(address)), address.to_vec()));
        addrs.dedup();
        let changed = self.addrs != addrs;
        if changed {
            self.addrs = addrs;
            self.soon(now);
        }
        changed
    }

    pub(super) fn set_listeners(&mut self, now: Mono, listeners: usize) {
        if listeners > self.listeners {
            self.soon(now);
        }
        self.listeners = listeners;
    }

    fn soon(&mut self, now: Mono) {
        self.next = self.last.map_or(now, |last| last.after(ANNOUNCE_GAP_MS).max(now));
    }

    pub(super) fn next_wake(&self) -> Option<Mono> {
        (self.listeners > 0 && !self.addrs.is_empty()).then_some(self.next)
    }

    /// The announcement that is due.
    pub(super) fn due(&mut self, now: Mono, rng: &mut SmallRng) -> Option<Vec<u8>> {
        if self.next_wake()? > now {
            return None;
        }
        let tenth = ANNOUNCE_EVERY_MS / 10;
        let every = ANNOUNCE_EVERY_MS - tenth + rng.random_range(0..=2 * tenth);
        self.next = now.after(every);
        self.last = Some(now);
        let addrs = self.addrs.iter().take(ADDRESSES_MAX);
        let addrs = addrs.map(|address| with_peer(address.clone(), self.local)).collect();
        Some(Announcement { public_key: self.public_key.clone(), addrs }.encode())
    }
}

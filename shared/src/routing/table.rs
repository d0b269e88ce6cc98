//! Who may be in our routing table.
//! Invariant: at most [`TABLE_PER_GROUP_MAX`] peers of one group, and [`TABLE_MAX`] in all.
//! Not here: buckets and distances (libp2p's Kademlia).

use crate::defence::address::without_peer;
use crate::defence::group::Group;
use crate::defence::scope::{Scope, acceptable};
use crate::limits::{
    ADDRESSES_MAX, ANNOUNCEMENT_ADDRESSES_MAX, TABLE_AWAY_MS, TABLE_MAX, TABLE_PER_GROUP_MAX,
};
use crate::ordered::{BTreeMap, BTreeSet};
use crate::time::Mono;
use crate::{Multiaddr, PeerId};

/// What a change means for Kademlia.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Admit(PeerId, Vec<Multiaddr>),
    Expel(PeerId),
}

#[derive(Debug)]
struct Entry {
    addrs: Vec<Multiaddr>,
    groups: BTreeSet<Group>,
    /// Since when it is not connected.
    away: Option<Mono>,
}

/// The table.
#[derive(Debug)]
pub(super) struct Table {
    local: PeerId,
    exempt_private: bool,
    entries: BTreeMap<PeerId, Entry>,
    groups: BTreeMap<Group, usize>,
}

impl Table {
    pub(super) fn new(local: PeerId, exempt_private: bool) -> Self {
        Self { local, exempt_private, entries: BTreeMap::new(), groups: BTreeMap::new() }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// A connected peer that serves the DHT told its addresses.
    pub(super) fn meet(&mut self, peer: PeerId, told: &[Multiaddr], over: Scope) -> Vec<Change> {
        let (addrs, groups) = self.sift(&peer, told, over);
        if let Some(entry) = self.entries.get_mut(&peer).filter(|entry| entry.addrs == addrs) {
            // While it was away a dial of Kademlia's own may have failed; then it has dropped the peer.
            let was_away = entry.away.take().is_some();
            return if was_away { vec![Change::Admit(peer, addrs)] } else { Vec::new() };
        }
        // Kademlia adds addresses and never drops one: only a fresh start gives it exactly these.
        let mut changes = self.expel(&peer);
        if addrs.is_empty() {
            return changes;
        }
        for group in &groups {
            while self.groups.get(group).is_some_and(|held| *held >= TABLE_PER_GROUP_MAX) {
                let Some(away) = self.longest_away(Some(group)) else { return changes };
                changes.append(&mut self.expel(&away));
            }
        }
        while self.entries.len() >= TABLE_MAX {
            let Some(away) = self.longest_away(None) else { return changes };
            changes.append(&mut self.expel(&away));
        }
        for group in &groups {
            *self.groups.entry(group.clone()).or_default() += 1;
        }
        self.entries.insert(peer, Entry { addrs: addrs.clone(), groups, away: None });
        changes.push(Change::Admit(peer, addrs));
        changes
    }

    /// The acceptable ones of its addresses, and the groups in which they count. A peer counts in
    /// every group it names: else an attacker would put a lone address in front.
    fn sift(
        &self,
        peer: &PeerId,
        told: &[Multiaddr],
        over: Scope,
    ) -> (Vec<Multiaddr>, BTreeSet<Group>) {
        let mut addrs = Vec::new();
        let mut groups = BTreeSet::new();
        for address in told.iter().take(ANNOUNCEMENT_ADDRESSES_MAX) {
            let Ok(scope) = acceptable(address, peer, &self.local, over) else { continue };
            let address = without_peer(address.clone());
            if addrs.len() >= ADDRESSES_MAX || addrs.contains(&address) {
                continue;
            }
            let exempt =
                scope == Scope::Loopback || (scope == Scope::Private && self.exempt_private);
            if !exempt {
                groups.extend(Group::of(&address));
            }
            addrs.push(address);
        }
        (addrs, groups)
    }

    pub(super) fn expel(&mut self, peer: &PeerId) -> Vec<Change> {
        let Some(entry) = self.entries.remove(peer) else { return Vec::new() };
        for group in &entry.groups {
            if let Some(held) = self.groups.get_mut(group) {
                *held = held.saturating_sub(1);
                if *held == 0 {
                    self.groups.remove(group);
                }
            }
        }
        vec![Change::Expel(*peer)]
    }

    pub(super) fn gone(&mut self, now: Mono, peer: &PeerId) {
        if let Some(entry) = self.entries.get_mut(peer) {
            entry.away = Some(now);
        }
    }

    /// Peers that stayed away too long leave.
    pub(super) fn expire(&mut self, now: Mono) -> Vec<Change> {
        let over = |entry: &Entry| entry.away.is_some_and(|at| at.after(TABLE_AWAY_MS) <= now);
        let late = self.entries.iter().filter(|(_, entry)| over(entry)).map(|(peer, _)| *peer);
        let late: Vec<PeerId> = late.collect();
        late.iter().flat_map(|peer| self.expel(peer)).collect()
    }

    pub(super) fn next_wake(&self) -> Option<Mono> {
        self.entries.values().filter_map(|entry| entry.away).min().map(|at| at.after(TABLE_AWAY_MS))
    }

    fn longest_away(&self, group: Option<&Group>) -> Option<PeerId> {
        self.entries
            .iter()
            .filter(|(_, entry)| group.is_none_or(|group| entry.groups.contains(group)))
            .filter_map(|(peer, entry)| entry.away.map(|at| (at, *peer)))
            .min()
            .map(|(_, peer)| peer)
    }
}

//! What this node holds, gave and took back, and what follows from wishes and news about it.
//! Invariant: nothing changes but by rows that are on disk; whatever is worked out is worked out as rows
//! first.
//! Not here: the disk and the network (`grants`), judging what others show (`peerloom_shared::auth`).

mod error;
mod guests;
mod removals;
mod room_keys;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use peerloom_shared::Multiaddr;
use peerloom_shared::grant::{
    Audience, Chain, GrantId, Key, NetworkId, Prefix, Role, SignedList, Signer,
};
use peerloom_shared::limits::{AUTH_CHAINS_MAX, GRANTS_HELD_MAX};
use peerloom_shared::room_key::{KeyId, SignedRoomKey};

pub use error::GrantsError;

use crate::store::{Change, Row, Shelf};

/// A grant or an invite that this node made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The chain that ends in it.
    pub chain: Chain,
    /// The bundle that it was made from.
    pub role: Role,
    /// When it was made, Unix time in ms.
    pub made_ms: u64,
    /// The invite by which its holder came.
    pub by: Option<GrantId>,
    /// Whether it was taken back.
    pub revoked: bool,
}

impl Given {
    /// Whether it waits for somebody to accept it.
    #[must_use]
    pub fn is_invite(&self) -> bool {
        matches!(self.chain.last().terms().audience, Audience::Invite(_))
    }
}

/// What an invite should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The bundle of rights.
    pub role: Role,
    /// What they are about.
    pub prefix: Prefix,
    /// How long it can be accepted, in ms.
    pub life_ms: u64,
    /// How many may accept it; 0 is without limit.
    pub max_uses: u16,
    /// Where to find somebody who knows it.
    pub addresses: Vec<Multiaddr>,
}

/// Random bytes, from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chance {
    /// The seed of an invite's key.
    pub seed: [u8; 32],
    /// Tells two grants of the same terms apart.
    pub nonce: [u8; 8],
}

/// What is to be taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// One grant or invite, by its id.
    Grant(GrantId),
    /// An invite, and what those were granted who came by it.
    WithGuests(GrantId),
    /// Everything that this peer was granted so far.
    Peer(PeerId),
}

/// See the module's text.
#[derive(Debug)]
pub struct Ledger {
    signer: Signer,
    peer: PeerId,
    held: BTreeMap<GrantId, Chain>,
    given: BTreeMap<GrantId, Given>,
    uses: BTreeMap<GrantId, BTreeSet<Key>>,
    lists: BTreeMap<(NetworkId, Key), SignedList>,
    keys: BTreeMap<(NetworkId, KeyId), SignedRoomKey>,
}

impl Ledger {
    /// An empty ledger of whoever has this key.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        let peer = libp2p::identity::PublicKey::from(signer.public()).to_peer_id();
        Self {
            signer,
            peer,
            held: BTreeMap::new(),
            given: BTreeMap::new(),
            uses: BTreeMap::new(),
            lists: BTreeMap::new(),
            keys: BTreeMap::new(),
        }
    }

    /// The key that signs.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(&self.signer)
    }

    /// Takes over rows as they are on disk; gives the number of those that make no sense.
    pub fn restore(&mut self, shelf: Shelf, rows: Vec<Row>) -> usize {
        let odd = |(key, value)| !self.take(&Change { shelf, key, value: Some(value) });
        rows.into_iter().map(odd).filter(|odd| *odd).count()
    }

    /// Takes over a change that is on disk by now; `false` for one that makes no sense.
    pub fn take(&mut self, change: &Change) -> bool {
        rows::take(self, change).is_some()
    }

    /// The chains to show in a network, those that last longest first.
    #[must_use]
    pub fn credentials(&self, now_ms: u64, network: &NetworkId) -> Vec<Chain> {
        let live = |chain: &&Chain| {
            chain.root().body().network == *network && chain.last().terms().expires_ms > now_ms
        };
        let mut chains: Vec<_> = self.held.values().filter(live).cloned().collect();
        chains.sort_by_key(|chain| std::cmp::Reverse(chain.last().terms().expires_ms));
        let mut shown: Vec<Chain> = Vec::new();
        for chain in chains {
            // What a longer one gives already takes no place.
            if !shown.iter().any(|other| gives_all(other, &chain)) {
                shown.push(chain);
            }
        }
        shown.truncate(AUTH_CHAINS_MAX);
        shown
    }

    /// All chains held.
    pub fn held(&self) -> impl Iterator<Item = (&GrantId, &Chain)> {
        self.held.iter()
    }

    /// All grants and invites made, with the number of their uses.
    pub fn given(&self) -> impl Iterator<Item = (&GrantId, &Given, usize)> {
        self.given.iter().map(|(id, given)| (id, given, self.uses_of(id)))
    }

    /// All uses counted.
    pub fn uses(&self) -> impl Iterator<Item = (GrantId, Key)> {
        self.uses.iter().flat_map(|(id, holders)| holders.iter().map(|holder| (*id, *holder)))
    }

    /// The lists of a network.
    pub fn lists(&self, network: &NetworkId) -> impl Iterator<Item = &SignedList> {
        self.lists.iter().filter(move |((of, _), _)| of == network).map(|(_, list)| list)
    }

    fn uses_of(&self, id: &GrantId) -> usize {
        self.uses.get(id).map_or(0, BTreeSet::len)
    }

    /// A chain that somebody issued to this node, verified already.
    #[must_use]
    pub fn received(&self, now_ms: u64, chain: &Chain) -> Vec<Change> {
        // What it replaces makes room.
        let over = self
            .held
            .iter()
            .filter(|(_, held)| gives_all(chain, held) || held.last().terms().expires_ms <= now_ms);
        let mut changes: Vec<_> = over.map(|(id, _)| rows::gone(Shelf::Held, id)).collect();
        if self.held.len().saturating_sub(changes.len()) < GRANTS_HELD_MAX {
            changes.push(rows::held(chain));
        }
        changes
    }

    /// A use that the network counted.
    #[must_use]
    pub fn counted(&self, id: GrantId, holder: Key) -> Vec<Change> {
        vec![rows::used(&id, &holder)]
    }

    /// Rows that are of no use any more: what has ended, with a life's length of memory for lists of the
    /// past, and the uses of it.
    #[must_use]
    pub fn ended(&self, now_ms: u64) -> Vec<Change> {
        let over = |chain: &Chain| chain.last().terms().expires_ms <= now_ms;
        let held = self.held.iter().filter(|(_, chain)| over(chain));
        let mut changes: Vec<_> = held.map(|(id, _)| rows::gone(Shelf::Held, id)).collect();
        for (id, _) in self.given.iter().filter(|(_, given)| over(&given.chain)) {
            changes.push(rows::gone(Shelf::Given, id));
            let holders = self.uses.get(id).into_iter().flatten();
            changes.extend(holders.map(|holder| Change { value: None, ..rows::used(id, holder) }));
        }
        changes
    }
}

/// Whether one chain gives everything that the other one gives, for as long.
fn gives_all(one: &Chain, other: &Chain) -> bool {
    let (a, b) = (one.last().terms(), other.last().terms());
    one.root().body().network == other.root().body().network
        && one.root().body().issuer == other.root().body().issuer
        && b.actions.is_within(a.actions)
        && b.prefix.is_within(&a.prefix)
        && b.expires_ms <= a.expires_ms
        && b.depth <= a.depth
}

/// Whether a chain goes through a link.
fn passes(chain: &Chain, id: &GrantId) -> bool {
    chain.links().any(|link| link.id() == *id)
}

#[cfg(test)]
mod tests;

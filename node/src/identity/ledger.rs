//! What this node holds, gave and took back, and what follows from wishes and news about it.
//! Invariant: nothing changes but by rows that are on disk; whatever is worked out is worked out as rows
//! first.
//! Not here: the disk and the network (`grants`), judging what others show (`peerloom_shared::auth`).

mod error;
mod rows;

use std::collections::{BTreeMap, BTreeSet};

use libp2p::PeerId;
use peerloom_shared::Multiaddr;
use peerloom_shared::grant::{
    ActionSet, Audience, Chain, Entry, GrantId, Invite, InviteTerms, Key, NetworkId, Prefix,
    Reason, RevocationList, Role, SignedList, Signer, Target, Terms,
};
use peerloom_shared::limits::{
    AUTH_CHAINS_MAX, GRANT_LIFE_MS_MAX, GRANTS_GIVEN_MAX, GRANTS_HELD_MAX, REVOCATION_RENEW_MS,
};
use peerloom_shared::policy::{Action, Trust};

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
}

impl Ledger {
    /// An empty ledger of whoever has this key.
    #[must_use]
    pub fn new(signer: Signer) -> Self {
        let peer = libp2p::identity::PublicKey::from(signer.public()).to_peer_id();
        let (held, given) = (BTreeMap::new(), BTreeMap::new());
        Self { signer, peer, held, given, uses: BTreeMap::new(), lists: BTreeMap::new() }
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

    /// Makes an invite: as one whom the network trusts, or under a chain that allows to invite.
    ///
    /// # Errors
    /// When this node may not invite, or not to that, or the invite does not fit a link.
    pub fn mint(
        &self,
        now_ms: u64,
        trust: &Trust,
        wish: Wish,
        chance: Chance,
    ) -> Result<(Invite, Vec<Change>), GrantsError> {
        if self.given.len() >= GRANTS_GIVEN_MAX {
            return Err(GrantsError::Full { max: GRANTS_GIVEN_MAX });
        }
        let Wish { role, prefix, life_ms, max_uses, addresses } = wish;
        let mut terms = InviteTerms {
            actions: role.actions(),
            prefix,
            not_before_ms: now_ms,
            expires_ms: now_ms.saturating_add(life_ms.min(GRANT_LIFE_MS_MAX)),
            depth: role.depth(),
            max_uses,
            nonce: chance.nonce,
            addresses,
        };
        let invite = if trust.roots.contains(&self.key()) {
            Invite::mint(trust.network, &self.signer, terms, chance.seed)?
        } else {
            let chain = self.chain_to_invite(now_ms, trust, &terms)?;
            let above = chain.last().terms();
            terms.expires_ms = terms.expires_ms.min(above.expires_ms);
            // One link for the invite, one for whoever accepts it.
            terms.depth = terms.depth.min(above.depth.saturating_sub(2));
            if above.max_uses > 0 {
                terms.max_uses = terms.max_uses.clamp(1, above.max_uses);
            }
            Invite::mint_under(chain, &self.signer, terms, chance.seed)?
        };
        let given = Given {
            chain: invite.chain().clone(),
            role,
            made_ms: now_ms,
            by: None,
            revoked: false,
        };
        Ok((invite, vec![rows::given(&given)]))
    }

    /// The chain under which this invite can be made.
    fn chain_to_invite(
        &self,
        now_ms: u64,
        trust: &Trust,
        terms: &InviteTerms,
    ) -> Result<&Chain, GrantsError> {
        let of_network = self.held.values().filter(|chain| {
            let body = chain.root().body();
            body.network == trust.network && trust.roots.contains(&body.issuer)
        });
        let may_invite = |chain: &&Chain| {
            let terms = chain.last().terms();
            terms.actions.contains(Action::InviteMint)
                && terms.depth >= 2
                && terms.expires_ms > now_ms
        };
        let mut able = of_network.filter(may_invite).peekable();
        if able.peek().is_none() {
            return Err(GrantsError::MayNotInvite);
        }
        let fits = |chain: &&Chain| {
            let above = chain.last().terms();
            terms.actions.is_within(above.actions) && terms.prefix.is_within(&above.prefix)
        };
        able.filter(fits)
            .max_by_key(|chain| chain.last().terms().expires_ms)
            .ok_or_else(|| GrantsError::MoreThanHeld { prefix: terms.prefix.clone() })
    }

    /// Accepts an invite: the chain to show from now on.
    ///
    /// # Errors
    /// What is wrong with the text, or that there is no room for more chains.
    pub fn accept(
        &self,
        now_ms: u64,
        text: &str,
        nonce: [u8; 8],
    ) -> Result<(Invite, Chain, Vec<Change>), GrantsError> {
        let invite = Invite::parse(text, now_ms)?;
        let through = invite.chain().last().id();
        // Accepted before: the same chain again, not another use.
        let again = self.held.values().find(|chain| passes(chain, &through)).cloned();
        let chain = match again {
            Some(chain) => chain,
            None => invite.accept(&self.peer, nonce)?,
        };
        if self.held.len() >= GRANTS_HELD_MAX {
            return Err(GrantsError::Full { max: GRANTS_HELD_MAX });
        }
        let changes = vec![rows::held(&chain)];
        Ok((invite, chain, changes))
    }

    /// A peer showed what this node granted it, itself or by an invite: the grant that it is to have from
    /// now on, if it is to have another one.
    #[must_use]
    pub fn arrived(
        &self,
        now_ms: u64,
        peer: &PeerId,
        chain: &Chain,
        nonce: [u8; 8],
    ) -> Option<(Chain, Vec<Change>)> {
        let audience = Audience::of_peer(peer)?;
        let id = chain.last().id();
        if let Some(given) = self.given.get(&id) {
            // Its own grant: a new one when half of its life is over.
            let terms = chain.last().terms();
            let half = terms.expires_ms.saturating_sub(terms.not_before_ms) / 2;
            let is_half_over = now_ms.saturating_add(half) >= terms.expires_ms;
            if given.revoked || !is_half_over {
                return None;
            }
            return self.give(now_ms, (audience, given.by), given.role, (chain, nonce));
        }
        let invite = chain.links().nth(chain.len().checked_sub(2)?)?.id();
        let given = self.given.get(&invite).filter(|given| !given.revoked)?;
        let known = self.given.values().find(|known| {
            let terms = known.chain.last().terms();
            known.by == Some(invite) && terms.audience == audience && terms.expires_ms > now_ms
        });
        match known {
            // It has come before, and may have lost what it was sent.
            Some(known) if known.revoked => None,
            Some(known) => Some((known.chain.clone(), Vec::new())),
            None if self.given.len() >= GRANTS_GIVEN_MAX => None,
            None => self.give(now_ms, (audience, Some(invite)), given.role, (chain, nonce)),
        }
    }

    /// A grant of this node itself, of what a chain through it gives, for the life of a role.
    fn give(
        &self,
        now_ms: u64,
        (audience, by): (Audience, Option<GrantId>),
        role: Role,
        (like, nonce): (&Chain, [u8; 8]),
    ) -> Option<(Chain, Vec<Change>)> {
        // What stands above the link that this node signed first.
        let own = like.links().position(|link| link.body().issuer == self.key())?;
        let network = like.root().body().network;
        let shown = like.last().terms();
        let mut terms = Terms {
            audience,
            actions: shown.actions,
            not_before_ms: now_ms,
            expires_ms: now_ms.saturating_add(role.life_ms()),
            depth: role.depth(),
            max_uses: 0,
            nonce,
            prefix: shown.prefix.clone(),
        };
        let chain = if own == 0 {
            Chain::mint(network, &self.signer, terms).ok()?
        } else {
            let above = like.links().nth(own.checked_sub(1)?)?;
            let id = above.id();
            let held = self.held.values().find(|chain| chain.last().id() == id)?;
            let limits = above.terms();
            terms.expires_ms = terms.expires_ms.min(limits.expires_ms);
            terms.depth = terms.depth.min(limits.depth.saturating_sub(1));
            terms.max_uses = limits.max_uses.min(1);
            held.delegate(&self.signer, terms).ok()?
        };
        let given = Given { chain: chain.clone(), role, made_ms: now_ms, by, revoked: false };
        Some((chain, vec![rows::given(&given)]))
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

    /// A list that is new.
    #[must_use]
    pub fn listed(&self, list: &SignedList) -> Vec<Change> {
        vec![rows::list(list)]
    }

    /// Takes something back: the list to put in force.
    ///
    /// # Errors
    /// When this node gave nothing of the kind.
    pub fn revoke(
        &self,
        now_ms: u64,
        network: NetworkId,
        removal: Removal,
    ) -> Result<(SignedList, Vec<Change>), GrantsError> {
        let by_id = |id: &GrantId| {
            let given = self.given.get(id).ok_or(GrantsError::NotGiven)?;
            if given.chain.root().body().network == network {
                Ok(given.clone())
            } else {
                Err(GrantsError::NotGiven)
            }
        };
        let mut gone: Vec<Given> = Vec::new();
        let mut entries = Vec::new();
        match removal {
            Removal::Grant(id) => gone.push(by_id(&id)?),
            Removal::WithGuests(id) => {
                gone.push(by_id(&id)?);
                gone.extend(self.given.values().filter(|given| given.by == Some(id)).cloned());
            }
            Removal::Peer(peer) => {
                let key = Key::of_peer(&peer).ok_or(GrantsError::NotGiven)?;
                // Also what others granted it under grants of this node. Links of this very millisecond
                // are hit too.
                let time_ms = now_ms.saturating_add(1);
                let reason = Reason::UNSAID;
                entries.push(Entry { target: Target::Peer(key), time_ms, reason });
                let its = |given: &&Given| given.chain.last().terms().audience.key() == key;
                gone.extend(self.given.values().filter(its).cloned());
            }
        }
        entries.extend(gone.iter().map(|given| Entry {
            target: Target::Grant(given.chain.last().id()),
            time_ms: given.chain.last().terms().expires_ms,
            reason: Reason::UNSAID,
        }));
        let (list, mut changes) = self.next_list(now_ms, network, &entries)?;
        changes
            .extend(gone.into_iter().map(|given| rows::given(&Given { revoked: true, ..given })));
        Ok((list, changes))
    }

    /// This node's list anew where it is one whose list counts and the newest is half a day old.
    ///
    /// # Errors
    /// When there is no next version.
    pub fn renewed(
        &self,
        now_ms: u64,
        trust: &Trust,
    ) -> Result<Option<(SignedList, Vec<Change>)>, GrantsError> {
        let gave = |given: &Given| given.chain.root().body().network == trust.network;
        let counts = trust.roots.contains(&self.key()) || self.given.values().any(gave);
        let newest = self.lists.get(&(trust.network, self.key()));
        let is_due = newest.is_none_or(|list| {
            now_ms.saturating_sub(list.list().issued_ms()) >= REVOCATION_RENEW_MS
        });
        if counts && is_due {
            self.next_list(now_ms, trust.network, &[]).map(Some)
        } else {
            Ok(None)
        }
    }

    fn next_list(
        &self,
        now_ms: u64,
        network: NetworkId,
        entries: &[Entry],
    ) -> Result<(SignedList, Vec<Change>), GrantsError> {
        let newest = self.lists.get(&(network, self.key())).map(|signed| signed.list().clone());
        let list = newest.unwrap_or_else(|| RevocationList::new(network, self.key()));
        let signed = list.next(now_ms, entries)?.sign(&self.signer)?;
        let changes = vec![rows::list(&signed)];
        Ok((signed, changes))
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

    /// What this node's own word counts for.
    #[must_use]
    pub fn rights_to_give(&self, now_ms: u64, trust: &Trust) -> ActionSet {
        if trust.roots.contains(&self.key()) {
            return Role::Member.actions();
        }
        let chains = self.credentials(now_ms, &trust.network);
        let terms = chains.iter().map(|chain| chain.last().terms());
        terms
            .filter(|terms| terms.actions.contains(Action::InviteMint) && terms.depth >= 2)
            .flat_map(|terms| terms.actions.iter())
            .collect()
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

//! What peers showed: verified, and verified again when what it rests on changes.
//! Invariant: signatures are checked once a chain; everything else again with every change.
//! Not here: when that is (`judging`).

use std::sync::Arc;

use libp2p_identity::PeerId;

use super::super::Refusal;
use super::super::receiving::wanted;
use super::{Judging, Output};
use crate::defence::group::Group;
use crate::grant::{
    Audience, Chain, Context, Fault, Freshness, GrantError, GrantId, Key, Limit, Rights,
};
use crate::limits::GRANT_HOLDERS_MAX;
use crate::policy::{Class, Held};
use crate::time::Now;
use crate::wire::{AuthRequest, AuthStatus};

/// What one peer has shown that counted.
#[derive(Debug)]
pub(super) struct Shown {
    class: Class,
    chains: Vec<Chain>,
    /// What of them was in force when they were looked at last.
    rights: Vec<Arc<Rights>>,
    is_root: bool,
    /// When the first of them ends, Unix time in ms with the tolerance.
    ends_ms: Option<u64>,
}

impl Shown {
    /// What was found; the rest follows from who shows it and when.
    const fn new(class: Class, chains: Vec<Chain>, rights: Vec<Arc<Rights>>) -> Self {
        Self { class, chains, rights, is_root: false, ends_ms: None }
    }

    /// Whether the holder may do the same by both.
    fn gives_as(&self, other: &Self) -> bool {
        self.class == other.class && self.is_root == other.is_root && self.rights == other.rights
    }
}

impl Judging {
    /// A peer showed grants: answers, and takes over what counts.
    pub(super) fn judge(
        &mut self,
        now: Now,
        ticket: u64,
        (peer, source): (PeerId, Group),
        request: AuthRequest,
    ) {
        let mut refusal = None;
        let mut chains = Vec::new();
        let mut rights = Vec::new();
        if request.network == self.trust.network {
            for bytes in &request.grants {
                match self.check(now, &peer, &source, bytes) {
                    Ok((chain, right)) => {
                        if self.issued_by_us(&chain) {
                            self.outputs.push_back(Output::Arrived {
                                peer,
                                chain: chain.clone(),
                                rights: Arc::clone(&right),
                            });
                        }
                        chains.push(chain);
                        rights.push(right);
                    }
                    Err(error) => refusal = refusal.or(Some(error)),
                }
            }
        } else if !request.grants.is_empty() {
            refusal = Some(Refusal::OtherNetwork);
        }
        // Too busy to look is no reason to forget what was proven.
        let keep = refusal == Some(Refusal::Busy) && chains.is_empty();
        if !keep {
            self.hold(now, peer, Shown::new(request.class, chains, rights));
        }
        // Behind the grants, because whose lists matter is known by them.
        self.offered(now, &source, &request.lists);
        let lists = if self.may_know(&peer, refusal) {
            self.newer_than(&request.known)
        } else {
            Vec::new()
        };
        let expires_ms = self.shown.get(&peer).and_then(|shown| shown.ends_ms);
        let status = refusal.map_or(AuthStatus::Ok, |refusal| refusal.status());
        let reason = refusal.map(|refusal| refusal.to_string());
        self.outputs.push_back(Output::Answer { ticket, peer, status, reason, expires_ms, lists });
    }

    /// Whether a peer may read who was shut out of the network: not strangers where they may not be, but
    /// whoever is in it, and whoever was.
    fn may_know(&self, peer: &PeerId, refusal: Option<Refusal>) -> bool {
        let was_in = matches!(
            refusal,
            Some(Refusal::Grant(GrantError { fault: Fault::Revoked { .. }, .. }) | Refusal::Stale)
        );
        let is_in =
            self.shown.get(peer).is_some_and(|shown| shown.is_root || !shown.chains.is_empty());
        !self.access.asks_first() || was_in || is_in
    }

    fn check(
        &mut self,
        now: Now,
        peer: &PeerId,
        source: &Group,
        bytes: &[u8],
    ) -> Result<(Chain, Arc<Rights>), Refusal> {
        let holder = Audience::of_peer(peer).ok_or(Refusal::OtherNetwork)?;
        let context = Context {
            network: &self.trust.network,
            now_ms: now.unix_ms,
            holder,
            roots: &self.trust.roots,
            owners: &[],
            revocations: &self.revocations,
        };
        let rights = self.checked.check(now.mono, source.clone(), bytes, &context)?;
        let chain = Chain::decode(bytes)?;
        self.admit(now, &chain, &rights)?;
        self.follow_issuers(&chain);
        Ok((chain, rights))
    }

    /// What verification does not know: how current the lists are, and how often a link was used.
    fn admit(&mut self, now: Now, chain: &Chain, rights: &Rights) -> Result<(), Refusal> {
        let stale = matches!(
            self.revocations.freshness(&rights.root(), now.unix_ms),
            Freshness::Stale { .. }
        );
        if stale && self.access.asks_first() {
            return Err(Refusal::Stale);
        }
        for limit in rights.limits() {
            if self.issuers.contains(&limit.issuer) {
                self.count(chain, limit)?;
            }
        }
        Ok(())
    }

    /// The use of a limited link of ours, by whom the next link names.
    fn count(&mut self, chain: &Chain, limit: &Limit) -> Result<(), Refusal> {
        let place = chain.links().position(|link| link.id() == limit.id).unwrap_or_default();
        let next = chain.links().nth(place.saturating_add(1));
        let holder = next.unwrap_or_else(|| chain.last()).terms().audience.key();
        let known = self.counted.get(&limit.id);
        if known.is_some_and(|holders| holders.contains(&holder)) {
            return Ok(());
        }
        let used = known.map_or(0, crate::ordered::BTreeSet::len);
        if used >= usize::from(limit.max_uses) || used >= GRANT_HOLDERS_MAX {
            return Err(Refusal::UsedUp { link: place, max: limit.max_uses });
        }
        self.note_use(limit.id, holder);
        self.outputs.push_back(Output::Count { id: limit.id, holder });
        Ok(())
    }

    pub(super) fn note_use(&mut self, id: GrantId, holder: Key) {
        match self.counted.get_mut(&id) {
            Some(holders) => {
                holders.insert(holder);
            }
            None => {
                self.counted.insert(id, [holder].into());
            }
        }
    }

    /// Lists of whoever issued a link count from now on. Where there is no room left for another
    /// issuer, its lists are not kept; its grants end by themselves.
    fn follow_issuers(&mut self, chain: &Chain) {
        for link in chain.links() {
            if self.revocations.follow(link.body().issuer).is_err() {
                return;
            }
        }
    }

    /// Whether the chain ends in a grant of ours, or came about by an invite that we issued: then the
    /// last link but one goes to an invite's key, from a key of ours.
    fn issued_by_us(&self, chain: &Chain) -> bool {
        if self.issuers.contains(&chain.last().body().issuer) {
            return true;
        }
        let place = chain.len().checked_sub(2);
        place.and_then(|place| chain.links().nth(place)).is_some_and(|link| {
            matches!(link.terms().audience, Audience::Invite(_))
                && self.issuers.contains(&link.body().issuer)
        })
    }

    /// Takes over what a peer's chains give now, and tells of it when that is something else than before.
    fn hold(&mut self, now: Now, peer: PeerId, mut shown: Shown) {
        shown.is_root = Key::of_peer(&peer).is_some_and(|key| self.trust.roots.contains(&key));
        let Shown { class, is_root, .. } = shown;
        let held = Held { version: 0, class, is_root, rights: shown.rights.as_slice().into() };
        shown.ends_ms = held.changes_ms(now.unix_ms);
        self.next_end_ms = self.next_end_ms.into_iter().chain(shown.ends_ms).min();
        let same = self.shown.get(&peer).is_some_and(|before| before.gives_as(&shown));
        self.shown.insert(peer, shown);
        if !same {
            self.outputs.push_back(Output::Hold { peer, held });
        }
    }

    /// Looks at everything again that was shown: trust, access, lists or the time have changed.
    pub(super) fn recheck(&mut self, now: Now) {
        let all: Vec<PeerId> = self.shown.iter().map(|(peer, _)| *peer).collect();
        for peer in all {
            self.recheck_one(now, peer);
        }
    }

    fn recheck_one(&mut self, now: Now, peer: PeerId) {
        let Some(before) = self.shown.get(&peer) else { return };
        let (class, chains) = (before.class, before.chains.clone());
        let Some(holder) = Audience::of_peer(&peer) else { return };
        let (mut kept, mut rights) = (Vec::new(), Vec::new());
        for chain in chains {
            let Ok(right) = chain.verify_again(&self.context(now, holder)) else { continue };
            match self.admit(now, &chain, &right) {
                Ok(()) => rights.push(Arc::new(right)),
                // It counts again as soon as a newer list is here.
                Err(Refusal::Stale) => {}
                Err(
                    Refusal::OtherNetwork
                    | Refusal::Grant(_)
                    | Refusal::Busy
                    | Refusal::UsedUp { .. },
                ) => continue,
            }
            kept.push(chain);
        }
        self.hold(now, peer, Shown::new(class, kept, rights));
    }

    /// What this peer verifies with.
    fn context(&self, now: Now, holder: Audience) -> Context<'_> {
        Context {
            network: &self.trust.network,
            now_ms: now.unix_ms,
            holder,
            roots: &self.trust.roots,
            owners: &[],
            revocations: &self.revocations,
        }
    }

    /// Takes ended grants from their holders, so that their connections are judged again.
    pub(super) fn expire(&mut self, now: Now) {
        if self.next_end_ms.is_none_or(|end| end > now.unix_ms) {
            return;
        }
        let ended = |shown: &Shown| shown.ends_ms.is_some_and(|end| end <= now.unix_ms);
        let over: Vec<PeerId> =
            self.shown.iter().filter(|(_, shown)| ended(shown)).map(|(peer, _)| *peer).collect();
        for peer in over {
            self.recheck_one(now, peer);
        }
        self.next_end_ms = self.shown.values().filter_map(|shown| shown.ends_ms).min();
    }

    /// Chains that were issued to us.
    pub(super) fn receive(&mut self, now: Now, chains: &[Vec<u8>]) {
        for bytes in chains {
            let who = (&self.local, now.unix_ms);
            let chain = wanted(who, &self.ours, Some(&self.revocations), bytes);
            self.outputs.extend(chain.map(Output::Received));
        }
    }
}

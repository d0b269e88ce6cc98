//! Taking back: this node's own list, and what others' lists mean to it.
//! Invariant: a list's version only grows; only what this node gave is in its list.
//! Not here: spreading lists, and what they hit elsewhere (`peerloom_shared::auth`).

use peerloom_shared::grant::{
    Entry, GrantId, Key, NetworkId, Reason, RevocationList, Revocations, SignedList, Target,
};
use peerloom_shared::limits::REVOCATION_RENEW_MS;
use peerloom_shared::policy::Trust;

use super::{Given, GrantsError, Ledger, Removal, rows};
use crate::store::{Change, Shelf};

impl Ledger {
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

    /// A list that is new: what it takes back of this node's own chains is of no use any more.
    #[must_use]
    pub fn listed(&self, now_ms: u64, list: &SignedList) -> Vec<Change> {
        let mut known = Revocations::new(*list.list().network());
        let mut changes = vec![rows::list(list)];
        let in_force =
            known.follow(list.list().issuer()).and_then(|()| known.apply(list.list(), now_ms));
        if in_force.is_ok() {
            let hit = self.held.iter().filter(|(_, chain)| known.is_revoked(chain).is_some());
            changes.extend(hit.map(|(id, _)| rows::gone(Shelf::Held, id)));
        }
        changes
    }
}

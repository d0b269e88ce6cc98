//! The lists that a peer knows, and whether they hit a chain.
//! Invariant: only lists of followed issuers are kept; a list hits nothing that its issuer is not above.
//! Not here: the format of a list (`list`).

use super::super::body::NetworkId;
use super::super::{Audience, Chain, Field, GrantId, Key};
use super::{Reason, RevocationError, RevocationList, SignedList, Target};
use crate::limits::{CLOCK_TOLERANCE_MS, REVOCATION_ISSUERS_MAX, REVOCATION_STALE_MS};
use crate::ordered::BTreeMap;

/// A link that was taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hit {
    /// Its place in the chain; 0 is the root.
    pub link: usize,
    /// Whose list says so.
    pub by: Key,
    /// Which entry.
    pub target: Target,
    /// Why, as the list says.
    pub reason: Reason,
}

impl Hit {
    /// The field of the link that the entry names.
    #[must_use]
    pub const fn field(&self) -> Field {
        match self.target {
            Target::Grant(_) => Field::Id,
            Target::Peer(_) => Field::Audience,
            Target::Issuer(_) => Field::Issuer,
        }
    }
}

/// How current the newest list of an issuer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Younger than a day.
    Fresh,
    /// Older: there may be removals that we do not know.
    Stale {
        /// Its age, in ms.
        ms: u64,
    },
    /// No list of this issuer is known.
    Missing,
}

/// What a peer knows of revocations.
#[derive(Clone, Debug)]
pub struct Revocations {
    network: NetworkId,
    lists: BTreeMap<Key, RevocationList>,
    epoch: u64,
}

impl Revocations {
    /// Nothing known, for one network.
    #[must_use]
    pub const fn new(network: NetworkId) -> Self {
        Self { network, lists: BTreeMap::new(), epoch: 0 }
    }

    /// Takes lists of this issuer from now on: a trusted root, an owner, or the issuer of a link that
    /// was verified. Strangers' lists take no room.
    ///
    /// # Errors
    /// [`RevocationError::TooManyIssuers`] at the limit. Chains through an issuer who cannot be followed
    /// should not be accepted.
    pub fn follow(&mut self, issuer: Key) -> Result<(), RevocationError> {
        if self.lists.contains_key(&issuer) {
            return Ok(());
        }
        if self.lists.len() >= REVOCATION_ISSUERS_MAX {
            return Err(RevocationError::TooManyIssuers { max: REVOCATION_ISSUERS_MAX });
        }
        self.lists.insert(issuer, RevocationList::new(self.network, issuer));
        Ok(())
    }

    /// Forgets an issuer whose grants do not matter any more.
    pub fn unfollow(&mut self, issuer: &Key) {
        if self.lists.remove(issuer).is_some() {
            self.epoch = self.epoch.wrapping_add(1);
        }
    }

    /// Looks at a list that came from somewhere. The result is what to write to disk and then to
    /// [`apply`](Self::apply); `None` when the list says nothing new.
    ///
    /// # Errors
    /// [`RevocationError`]: another network, an issuer that is not followed, from the future, an older
    /// version that says nothing new, a bad signature.
    pub fn offer(
        &self,
        signed: &SignedList,
        now_ms: u64,
    ) -> Result<Option<RevocationList>, RevocationError> {
        let list = signed.list();
        let known = self.admit(list)?;
        if list.issued_ms() > now_ms.saturating_add(CLOCK_TOLERANCE_MS) {
            let ms = list.issued_ms().saturating_sub(now_ms);
            return Err(RevocationError::FromTheFuture { ms });
        }
        let joined = known.join(list, now_ms);
        if list.version() <= known.version() && joined.has_same_entries(known) {
            if list.version() == known.version() {
                return Ok(None);
            }
            let (known, offered) = (known.version(), list.version());
            return Err(RevocationError::Rollback { known, offered });
        }
        signed.check_signature()?;
        Ok(Some(joined))
    }

    /// Puts a list in force that [`offer`](Self::offer) gave, or that was read back from our own disk. Its
    /// entries join those that are known.
    ///
    /// # Errors
    /// [`RevocationError`]: another network, or an issuer that is not followed.
    pub fn apply(&mut self, list: &RevocationList, now_ms: u64) -> Result<(), RevocationError> {
        let joined = self.admit(list)?.join(list, now_ms);
        self.lists.insert(list.issuer(), joined);
        self.epoch = self.epoch.wrapping_add(1);
        Ok(())
    }

    fn admit(&self, list: &RevocationList) -> Result<&RevocationList, RevocationError> {
        if *list.network() != self.network {
            return Err(RevocationError::OtherNetwork);
        }
        self.lists.get(&list.issuer()).ok_or(RevocationError::NotFollowed(list.issuer()))
    }

    /// What is known of an issuer, for example as the start of its next version.
    #[must_use]
    pub fn list(&self, issuer: &Key) -> Option<&RevocationList> {
        self.lists.get(issuer)
    }

    /// Counts the changes, so that answers worked out before can be told from new ones.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How current our knowledge of an issuer is.
    #[must_use]
    pub fn freshness(&self, issuer: &Key, now_ms: u64) -> Freshness {
        match self.lists.get(issuer) {
            Some(list) if list.version() > 0 => {
                let ms = now_ms.saturating_sub(list.issued_ms());
                if ms > REVOCATION_STALE_MS { Freshness::Stale { ms } } else { Freshness::Fresh }
            }
            Some(_) | None => Freshness::Missing,
        }
    }

    /// The first link of a chain that was taken back.
    #[must_use]
    pub fn is_revoked(&self, chain: &Chain) -> Option<Hit> {
        let ids: Vec<GrantId> = chain.links().map(super::super::Link::id).collect();
        self.find(chain, &ids)
    }

    /// The same, with the ids of all links at hand.
    ///
    /// An entry about a peer or an issuer is compared with the link of the list's own issuer, not with
    /// the link that it hits: the times of later links are chosen by those whom it may be directed
    /// against. What an issuer took back, only a newer link of the same issuer gives again.
    pub(crate) fn find(&self, chain: &Chain, ids: &[GrantId]) -> Option<Hit> {
        // The lists that count for the links so far, each with the beginning of its issuer's first link.
        let mut above: Vec<(&RevocationList, u64)> = Vec::new();
        for (link, (one, id)) in chain.links().zip(ids).enumerate() {
            let (issuer, audience) = (one.body().issuer, one.terms().audience);
            if let Some(list) = self.lists.get(&issuer)
                && above.iter().all(|(known, _)| known.issuer() != issuer)
            {
                above.push((list, one.terms().not_before_ms));
            }
            let hit = above.iter().find_map(|(list, begin)| {
                hits(list, *begin, *id, issuer, audience).map(|entry| Hit {
                    link,
                    by: list.issuer(),
                    target: entry.target,
                    reason: entry.reason,
                })
            });
            if hit.is_some() {
                return hit;
            }
        }
        None
    }
}

fn hits(
    list: &RevocationList,
    begin_ms: u64,
    id: GrantId,
    issuer: Key,
    audience: Audience,
) -> Option<super::Entry> {
    let dated = |target| list.get(target).filter(|entry| begin_ms < entry.time_ms);
    list.get(Target::Grant(id))
        .or_else(|| dated(Target::Peer(audience.key())))
        .or_else(|| dated(Target::Issuer(issuer)))
}

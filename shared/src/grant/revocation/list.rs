//! One issuer's list of what it takes back, and how two of its lists become one.
//! Invariant: at most 700 entries in rising order, one for each target, so a list has one encoding.
//! Not here: which lists are known (`known`).

use super::super::body::NetworkId;
use super::super::key::{KeyFault, message, sign};
use super::super::read::Reader;
use super::super::{GrantId, Key, Signer};
use super::RevocationError;
use crate::limits::{
    CLOCK_TOLERANCE_MS, GRANT_LIFE_MS_MAX, REVOCATION_ENTRIES_MAX, REVOCATION_LIST_BYTES_MAX,
};
use crate::ordered::BTreeMap;

/// What stands before the signed bytes of a list.
pub(crate) const DOMAIN: &[u8] = b"peerloom-revocations-v1:";
/// The version of the bytes.
const VERSION: u8 = 1;

/// What an entry is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Target {
    /// One link, and all chains through it.
    Grant(GrantId),
    /// Links that were granted to this key.
    Peer(Key),
    /// Links that this key granted.
    Issuer(Key),
}

impl Target {
    const fn kind(self) -> u8 {
        match self {
            Self::Grant(_) => 1,
            Self::Peer(_) => 2,
            Self::Issuer(_) => 3,
        }
    }

    const fn bytes(&self) -> &[u8; 32] {
        match self {
            Self::Grant(id) => id.as_bytes(),
            Self::Peer(key) | Self::Issuer(key) => key.as_bytes(),
        }
    }
}

/// Why, as its issuer says, for people to read. Values without a name here are kept as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason(pub u8);

impl Reason {
    /// Not told.
    pub const UNSAID: Self = Self(0);
    /// The peer left.
    pub const LEFT: Self = Self(1);
    /// The key is in wrong hands, or lost.
    pub const KEY_LOST: Self = Self(2);
    /// The rights were misused.
    pub const MISUSED: Self = Self(3);
    /// The list was full, and this entry stands for many.
    pub const FOLDED: Self = Self(4);
}

/// One removal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// What it is about.
    pub target: Target,
    /// Unix time in ms. Of a grant: when it ends, after which the entry is of no use. Of a peer or
    /// issuer: links below a link of the list's issuer that begins before this time are void;
    /// `u64::MAX` is for ever.
    pub time_ms: u64,
    /// Why.
    pub reason: Reason,
}

impl Entry {
    /// Whether nothing is left that it could hit, even on a peer whose clock differs from ours.
    const fn is_spent(&self, now_ms: u64) -> bool {
        let end = match self.target {
            Target::Grant(_) => self.time_ms,
            Target::Peer(_) | Target::Issuer(_) => self.time_ms.saturating_add(GRANT_LIFE_MS_MAX),
        };
        // One tolerance for the verifier's clock, one for ours.
        end.saturating_add(CLOCK_TOLERANCE_MS).saturating_add(CLOCK_TOLERANCE_MS) <= now_ms
            && self.time_ms != u64::MAX
    }
}

/// What one issuer took back, as of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevocationList {
    network: NetworkId,
    issuer: Key,
    version: u64,
    issued_ms: u64,
    entries: BTreeMap<Target, (u64, Reason)>,
}

impl RevocationList {
    /// An issuer's list before its first version.
    #[must_use]
    pub const fn new(network: NetworkId, issuer: Key) -> Self {
        Self { network, issuer, version: 0, issued_ms: 0, entries: BTreeMap::new() }
    }

    /// The next version, with more removals. Spent entries leave; a list that would be too long is
    /// folded: everything that the issuer granted before now is void then. An issuer renews its list
    /// this way once a day, with or without new removals, and dates no grant ahead.
    ///
    /// # Errors
    /// [`RevocationError::Exhausted`] after 2^64 versions.
    pub fn next(&self, now_ms: u64, removals: &[Entry]) -> Result<Self, RevocationError> {
        let version = self.version.checked_add(1).ok_or(RevocationError::Exhausted)?;
        let mut next = self.clone();
        next.version = version;
        next.issued_ms = self.issued_ms.max(now_ms);
        next.drop_spent(now_ms);
        for entry in removals {
            next.add(*entry);
        }
        next.drop_covered(next.fold_ms());
        next.fold_if_too_long();
        Ok(next)
    }

    /// Signs the list for others.
    ///
    /// # Errors
    /// [`RevocationError::NotTheIssuer`] when the signer is somebody else.
    pub fn sign(self, signer: &Signer) -> Result<SignedList, RevocationError> {
        if Key::of(signer) != self.issuer {
            return Err(RevocationError::NotTheIssuer);
        }
        let signature = sign(signer, DOMAIN, &self.encode());
        Ok(SignedList { list: self, signature })
    }

    /// This list and another one of the same issuer together. Of two removals made at the same time both
    /// stand, whichever version is the higher one.
    pub(crate) fn join(&self, other: &Self, now_ms: u64) -> Self {
        let fold = self.fold_ms().max(other.fold_ms());
        let mut joined = Self {
            version: self.version.max(other.version),
            issued_ms: self.issued_ms.max(other.issued_ms),
            entries: BTreeMap::new(),
            ..*self
        };
        for list in [self, other] {
            // A list that does not know of the newest fold holds grants that the fold covers. Without
            // this rule an old list, shown again, would fill a folded one.
            let folded_since = list.fold_ms() < fold;
            list.entries()
                .filter(|entry| !(folded_since && matches!(entry.target, Target::Grant(_))))
                .for_each(|entry| joined.add(entry));
        }
        joined.drop_spent(now_ms);
        joined.drop_covered(fold);
        joined.fold_if_too_long();
        joined
    }

    /// The bytes of the list without a signature: what is signed, and what may be kept on disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(REVOCATION_LIST_BYTES_MAX);
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.network);
        bytes.extend_from_slice(self.issuer.as_bytes());
        bytes.extend_from_slice(&self.version.to_be_bytes());
        bytes.extend_from_slice(&self.issued_ms.to_be_bytes());
        // A list has at most 700 entries.
        let count = u16::try_from(self.entries.len()).unwrap_or(u16::MAX);
        bytes.extend_from_slice(&count.to_be_bytes());
        for (target, (time_ms, reason)) in &self.entries {
            bytes.push(target.kind());
            bytes.extend_from_slice(target.bytes());
            bytes.extend_from_slice(&time_ms.to_be_bytes());
            bytes.push(reason.0);
        }
        bytes
    }

    /// Reads a list without signature, such as one kept on disk.
    ///
    /// # Errors
    /// [`RevocationError`] that names what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RevocationError> {
        let mut reader = start(bytes)?;
        let list = Self::read(&mut reader)?;
        end(&reader)?;
        Ok(list)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, RevocationError> {
        const CUT: RevocationError = RevocationError::CutOff;
        let version = reader.u8().ok_or(CUT)?;
        if version != VERSION {
            return Err(RevocationError::UnknownVersion(version));
        }
        let mut list =
            Self::new(reader.array().ok_or(CUT)?, Key::from_bytes(reader.array().ok_or(CUT)?));
        list.version = reader.u64().ok_or(CUT)?;
        list.issued_ms = reader.u64().ok_or(CUT)?;
        let count = usize::from(reader.u16().ok_or(CUT)?);
        if count > REVOCATION_ENTRIES_MAX {
            return Err(RevocationError::TooMany { count, max: REVOCATION_ENTRIES_MAX });
        }
        for entry in 0..count {
            let kind = reader.u8().ok_or(CUT)?;
            let subject = reader.array().ok_or(CUT)?;
            let target = match kind {
                1 => Target::Grant(GrantId::from_bytes(subject)),
                2 => Target::Peer(Key::from_bytes(subject)),
                3 => Target::Issuer(Key::from_bytes(subject)),
                _ => return Err(RevocationError::UnknownKind { entry, kind }),
            };
            let time_ms = reader.u64().ok_or(CUT)?;
            let reason = Reason(reader.u8().ok_or(CUT)?);
            if list.entries.last_key_value().is_some_and(|(last, _)| *last >= target) {
                return Err(RevocationError::OutOfOrder { entry });
            }
            list.entries.insert(target, (time_ms, reason));
        }
        Ok(list)
    }

    /// The network it counts in.
    #[must_use]
    pub const fn network(&self) -> &NetworkId {
        &self.network
    }

    /// Whose list it is. It counts for chains below a link of this key only.
    #[must_use]
    pub const fn issuer(&self) -> Key {
        self.issuer
    }

    /// Its version; 0 when nothing was ever signed.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// When it was made, Unix time in ms.
    #[must_use]
    pub const fn issued_ms(&self) -> u64 {
        self.issued_ms
    }

    /// All removals, in order.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.entries.iter().map(|(target, (time_ms, reason))| Entry {
            target: *target,
            time_ms: *time_ms,
            reason: *reason,
        })
    }

    /// How many removals there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether nothing is taken back.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn get(&self, target: Target) -> Option<Entry> {
        let (time_ms, reason) = *self.entries.get(&target)?;
        Some(Entry { target, time_ms, reason })
    }

    pub(super) fn has_same_entries(&self, other: &Self) -> bool {
        self.entries == other.entries
    }

    /// Of two entries for one target the later time stands.
    fn add(&mut self, entry: Entry) {
        let value = (entry.time_ms, entry.reason);
        let old = self.entries.entry(entry.target).or_insert(value);
        *old = value.max(*old);
    }

    fn drop_spent(&mut self, now_ms: u64) {
        self.entries.retain(|target, (time_ms, reason)| {
            !Entry { target: *target, time_ms: *time_ms, reason: *reason }.is_spent(now_ms)
        });
    }

    /// Everything that the issuer granted before this time is void; 0 when there is no such entry.
    fn fold_ms(&self) -> u64 {
        self.entries.get(&Target::Issuer(self.issuer)).map_or(0, |(time_ms, _)| *time_ms)
    }

    /// Drops the entries about peers and issuers that a fold says already.
    fn drop_covered(&mut self, fold_ms: u64) {
        let own = Target::Issuer(self.issuer);
        self.entries.retain(|target, (time_ms, _)| {
            *target == own || matches!(target, Target::Grant(_)) || *time_ms > fold_ms
        });
    }

    /// One entry instead of many: all that the issuer granted so far.
    fn fold_if_too_long(&mut self) {
        if self.entries.len() <= REVOCATION_ENTRIES_MAX {
            return;
        }
        let mut fold_ms = self.issued_ms.max(self.fold_ms());
        let own = Target::Issuer(self.issuer);
        self.entries.retain(|target, (time_ms, _)| {
            !matches!(target, Target::Grant(_)) && *target != own && *time_ms > fold_ms
        });
        if self.entries.len() >= REVOCATION_ENTRIES_MAX {
            self.entries.clear();
            fold_ms = u64::MAX;
        }
        self.entries.insert(own, (fold_ms, Reason::FOLDED));
    }
}

/// A list as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedList {
    list: RevocationList,
    signature: [u8; 64],
}

impl SignedList {
    /// Its bytes: the list, then the signature.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = self.list.encode();
        bytes.extend_from_slice(&self.signature);
        bytes
    }

    /// Reads a list. Nothing about it is believed yet.
    ///
    /// # Errors
    /// [`RevocationError`] that names what is wrong with the bytes.
    pub fn decode(bytes: &[u8]) -> Result<Self, RevocationError> {
        let mut reader = start(bytes)?;
        let list = RevocationList::read(&mut reader)?;
        let signature = reader.array().ok_or(RevocationError::CutOff)?;
        end(&reader)?;
        Ok(Self { list, signature })
    }

    /// What it says, whether or not it is true.
    #[must_use]
    pub const fn list(&self) -> &RevocationList {
        &self.list
    }

    pub(super) fn check_signature(&self) -> Result<(), RevocationError> {
        let message = message(DOMAIN, &self.list.encode());
        self.list.issuer.check(&message, &self.signature).map_err(|fault| match fault {
            KeyFault::Key => RevocationError::WeakKey,
            KeyFault::Signature => RevocationError::Forged,
        })
    }
}

const fn start(bytes: &[u8]) -> Result<Reader<'_>, RevocationError> {
    if bytes.len() > REVOCATION_LIST_BYTES_MAX {
        return Err(RevocationError::TooLarge {
            bytes: bytes.len(),
            max: REVOCATION_LIST_BYTES_MAX,
        });
    }
    Ok(Reader::new(bytes))
}

const fn end(reader: &Reader<'_>) -> Result<(), RevocationError> {
    if reader.is_empty() { Ok(()) } else { Err(RevocationError::Trailing(reader.rest().len())) }
}

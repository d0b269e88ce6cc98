//! Lists of revocations, and keys of members' rooms: taken from whoever brings them, handed to whoever lacks them.
//! Invariant: what is in force is on disk already; a signature is checked within its source's budget.
//! Not here: what a list hits (`grant::revocation`), the disk.

use super::{Judging, Output};
use crate::defence::group::Group;
use crate::grant::{Key, SignedList};
use crate::limits::{AUTH_LISTS_BYTES_MAX, AUTH_LISTS_MAX, ROOM_KEYS_ROOMS_MAX};
use crate::room_key::SignedRoomKey;
use crate::time::Now;

/// A list in force, as it travels.
#[derive(Debug)]
pub(super) struct InForce {
    version: u64,
    bytes: Vec<u8>,
}

impl Judging {
    /// Looks at lists that somebody brought. What is new is to be written to disk and then comes back as
    /// [`super::Input::Revoked`].
    pub(super) fn offered(&mut self, now: Now, source: &Group, lists: &[Vec<u8>]) {
        for bytes in lists.iter().take(AUTH_LISTS_MAX) {
            let Ok(list) = SignedList::decode(bytes) else { continue };
            let (issuer, version) = (list.list().issuer(), list.list().version());
            if self.lists.get(&issuer).is_some_and(|known| known.version == version) {
                continue;
            }
            if !self.checked.spend(now.mono, source.clone(), 1) {
                return;
            }
            if matches!(self.revocations.offer(&list, now.unix_ms), Ok(Some(_))) {
                self.outputs.push_back(Output::Listed(Box::new(list)));
            }
        }
    }

    /// Looks at keys of members' rooms that somebody brought: a root's word alone counts.
    pub(super) fn keys_offered(&mut self, now: Now, source: &Group, keys: Vec<SignedRoomKey>) {
        for key in keys.into_iter().take(ROOM_KEYS_ROOMS_MAX) {
            if !self.trust.roots.contains(&key.key().issuer) {
                continue;
            }
            if !self.checked.spend(now.mono, source.clone(), 1) {
                return;
            }
            if key.counts(&self.trust.network, &self.trust.roots) {
                self.outputs.push_back(Output::RoomKey(Box::new(key)));
            }
        }
    }

    /// A list that is on disk comes into force.
    pub(super) fn revoked(&mut self, now: Now, signed: &SignedList) {
        let list = signed.list();
        let (issuer, version) = (list.issuer(), list.version());
        let followed = self.revocations.follow(issuer).is_ok();
        if !followed || self.revocations.apply(list, now.unix_ms).is_err() {
            return;
        }
        if self.lists.get(&issuer).is_none_or(|known| known.version < version) {
            self.lists.insert(issuer, InForce { version, bytes: signed.encode() });
        }
        self.recheck(now);
    }

    /// The lists that somebody who knows these versions lacks, as many as one message holds.
    pub(super) fn newer_than(&self, known: &[(Key, u64)]) -> Vec<Vec<u8>> {
        let mut left = AUTH_LISTS_BYTES_MAX;
        let lacks = |issuer: &Key, version: u64| {
            known.iter().all(|(key, at)| key != issuer || *at < version)
        };
        let newer = self.lists.iter().filter(|(issuer, list)| lacks(issuer, list.version));
        newer
            .map(|(_, list)| &list.bytes)
            .filter(|bytes| match left.checked_sub(bytes.len()) {
                Some(rest) => {
                    left = rest;
                    true
                }
                None => false,
            })
            .take(AUTH_LISTS_MAX)
            .cloned()
            .collect()
    }
}

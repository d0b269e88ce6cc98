//! The newest decisions, allowed and denied, for trying other rules out on them.
//! Invariant: bounded; one for each subject, action and resource; nothing waits for the disk.
//! Not here: deciding them again.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, Hash, Hasher as _};
use std::io::{self, BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use data_encoding::HEXLOWER;
use peerloom_shared::grant::{Audience, Rights};
use peerloom_shared::limits::{
    AUDIT_GRANTS_MAX, AUDIT_RECENT_BYTES_MAX, AUDIT_RECENT_MAX, AUDIT_RECENT_MS,
    AUDIT_RECENT_MS_MIN, AUDIT_RESOURCE_BYTES_MAX,
};
use peerloom_shared::policy::{Action, Question, Resource, Subject};
use serde::{Deserialize, Serialize};

use super::log::open_private;
use super::text;

/// Name of the file.
pub(super) const FILE: &str = "recent.jsonl";
const SCHEMA: &str = "peerloom/audit-recent/1";
/// Entries that are looked at under the lock at once: some microseconds.
const CHUNK: usize = 256;

/// A grant that counted for a decision: what it allows after all its links.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AskedGrant {
    /// The ids of all links in hex, the root's first.
    pub ids: Vec<String>,
    /// The network it counts in, in hex.
    pub network: String,
    /// The key that it comes from, in hex.
    pub root: String,
    /// Whether a peer holds it, and not an invite that nobody has redeemed.
    pub redeemed: bool,
    /// What it allows, as the bits of a grant.
    pub actions: u64,
    /// On what.
    pub prefix: String,
    /// Since when, Unix time in ms.
    pub not_before_ms: u64,
    /// Until when, Unix time in ms.
    pub expires_ms: u64,
    /// How many links more it may have.
    pub depth: u8,
}

/// One decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Asked {
    /// When it was asked for last, Unix time in ms, as far as it was known when the file was written.
    pub at_ms: u64,
    /// The PeerId. With neither this nor `net` this node itself asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<String>,
    /// The first address of the network that the bytes came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net: Option<IpAddr>,
    /// Whether they came through a relay.
    #[serde(default)]
    pub relayed: bool,
    /// What was asked for.
    pub action: String,
    /// On what, as a path.
    pub resource: String,
    /// Whether something was too long to be kept whole, so that it cannot be asked again.
    #[serde(default)]
    pub cut: bool,
    /// What the peer said it is.
    pub class: String,
    /// Whether its key is a trusted root.
    #[serde(default)]
    pub is_root: bool,
    /// What it had shown.
    #[serde(default)]
    pub grants: Vec<AskedGrant>,
    /// What was decided.
    pub allowed: bool,
}

impl Asked {
    fn of(question: &Question<'_>, allowed: bool) -> Self {
        let (peer, net, relayed) = match question.subject {
            Subject::Local => (None, None, false),
            Subject::Peer { id, addr, relayed } => (Some(id.to_string()), *addr, *relayed),
            Subject::Address(ip) => (None, Some(*ip), false),
        };
        let (resource, cut) = text::resource(question.resource, AUDIT_RESOURCE_BYTES_MAX);
        let rights = &question.held.rights;
        Self {
            at_ms: question.now_ms,
            peer,
            net: net.map(|ip| text::net_of(ip).0),
            relayed,
            action: question.action.name().to_owned(),
            resource,
            cut: cut || rights.len() > AUDIT_GRANTS_MAX,
            class: question.held.class.name().to_owned(),
            is_root: question.held.is_root,
            grants: rights.iter().take(AUDIT_GRANTS_MAX).map(|rights| grant(rights)).collect(),
            allowed,
        }
    }

    /// Who asked. Of an address only the network is known, so its first address stands for it.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        Some(match (&self.peer, self.net) {
            (Some(id), addr) => Subject::Peer { id: id.parse().ok()?, addr, relayed: self.relayed },
            (None, Some(ip)) => Subject::Address(ip),
            (None, None) => Subject::Local,
        })
    }

    /// What was asked for.
    #[must_use]
    pub fn action(&self) -> Option<Action> {
        Action::ALL.into_iter().find(|action| action.name() == self.action)
    }

    /// On what; `None` where it was too long to be kept.
    #[must_use]
    pub fn resource(&self) -> Option<Resource> {
        if self.cut { None } else { text::resource_of(&self.resource) }
    }
}

fn grant(rights: &Rights) -> AskedGrant {
    AskedGrant {
        ids: rights.ids().iter().map(ToString::to_string).collect(),
        network: HEXLOWER.encode(rights.network()),
        root: HEXLOWER.encode(rights.root().as_bytes()),
        redeemed: matches!(rights.holder(), Audience::Peer(_)),
        actions: rights.actions().bits(),
        prefix: rights.prefix().as_str().to_owned(),
        not_before_ms: rights.not_before_ms(),
        expires_ms: rights.expires_ms(),
        depth: rights.depth(),
    }
}

/// The decisions. Whoever decides waits for nothing but another's look into memory.
#[derive(Debug)]
pub(super) struct Recent {
    hasher: RandomState,
    max: usize,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    places: HashMap<u64, usize>,
    slots: Vec<Slot>,
    hand: usize,
    changed: bool,
}

#[derive(Debug)]
struct Slot {
    key: u64,
    /// Asked for again since the hand came by.
    again: bool,
    at_ms: u64,
    version: u64,
    asked: Arc<Asked>,
}

impl Default for Recent {
    fn default() -> Self {
        Self::new(AUDIT_RECENT_MAX)
    }
}

impl Recent {
    pub(super) fn new(max: usize) -> Self {
        Self { hasher: RandomState::new(), max, inner: Mutex::default() }
    }

    /// Keeps a decision. One that is known costs a look-up.
    pub(super) fn note(&self, question: &Question<'_>, allowed: bool) {
        let key = self.key(question.subject, question.action, question.resource);
        let version = question.held.version;
        if !self.inner().is_known(key, version, allowed, question.now_ms) {
            let asked = Arc::new(Asked::of(question, allowed));
            self.keep(Slot { key, again: false, at_ms: question.now_ms, version, asked });
        }
    }

    fn keep(&self, slot: Slot) {
        if self.max > 0 {
            self.inner().keep(slot, self.max);
        }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn key(&self, subject: &Subject, action: Action, resource: &Resource) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        let cut = |ip: &IpAddr| text::net_of(*ip).0;
        match subject {
            Subject::Local => 0_u8.hash(&mut hasher),
            Subject::Peer { id, addr, relayed } => {
                (1_u8, id, addr.as_ref().map(cut), relayed).hash(&mut hasher);
            }
            Subject::Address(ip) => (2_u8, cut(ip)).hash(&mut hasher),
        }
        action.hash(&mut hasher);
        hash_resource(resource, &mut hasher);
        hasher.finish()
    }

    /// Takes over what an earlier life of this node has kept.
    pub(super) fn seed(&self, folder: &Path) {
        let asked = match read(folder) {
            Ok(asked) => asked,
            Err(error) => {
                tracing::debug!(%error, "the decisions of earlier are not used");
                return;
            }
        };
        for asked in asked {
            let (subject, action, resource) = (asked.subject(), asked.action(), asked.resource());
            if let (Some(subject), Some(action), Some(resource)) = (subject, action, resource) {
                let key = self.key(&subject, action, &resource);
                let at_ms = asked.at_ms;
                // What peers hold is numbered anew in every life: this is none of the new numbers.
                let version = u64::MAX;
                let slot = Slot { key, again: false, at_ms, version, asked: Arc::new(asked) };
                self.inner().seed(slot, self.max);
            }
        }
    }

    /// How long to rest between two writes: the longer, the more there is to write.
    pub(super) fn rest(&self) -> Duration {
        let full = u64::try_from(self.max.max(1)).unwrap_or(u64::MAX);
        let slots = u64::try_from(self.inner().slots.len()).unwrap_or(full);
        let share = AUDIT_RECENT_MS.saturating_mul(slots) / full;
        Duration::from_millis(share.max(AUDIT_RECENT_MS_MIN))
    }

    /// Writes them into the folder when something has changed.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        if !std::mem::take(&mut self.inner().changed) {
            return Ok(());
        }
        let written = write(folder, &self.all());
        if written.is_err() {
            self.inner().changed = true;
        }
        written
    }

    /// All of them, a part at a time, so that nobody waits long.
    fn all(&self) -> Vec<(u64, Arc<Asked>)> {
        let mut all = Vec::new();
        loop {
            let inner = self.inner();
            let part = inner.slots.iter().skip(all.len()).take(CHUNK);
            let before = all.len();
            all.extend(part.map(|slot| (slot.at_ms, Arc::clone(&slot.asked))));
            if all.len() == before {
                return all;
            }
        }
    }
}

impl Inner {
    fn is_known(&mut self, key: u64, version: u64, allowed: bool, at_ms: u64) -> bool {
        let place = self.places.get(&key).copied();
        let Some(slot) = place.and_then(|place| self.slots.get_mut(place)) else {
            return false;
        };
        (slot.again, slot.at_ms) = (true, at_ms);
        slot.version == version && slot.asked.allowed == allowed
    }

    /// In a new place, if there is one and nothing newer is known.
    fn seed(&mut self, slot: Slot, max: usize) {
        if self.slots.len() < max && !self.places.contains_key(&slot.key) {
            self.places.insert(slot.key, self.slots.len());
            self.slots.push(slot);
        }
    }

    /// In the place of the same key, in a new place, or in that of one which nobody asked for again.
    fn keep(&mut self, slot: Slot, max: usize) {
        self.changed = true;
        if let Some(old) = self.places.get(&slot.key).and_then(|place| self.slots.get_mut(*place)) {
            *old = slot;
            return;
        }
        if self.slots.len() < max {
            self.places.insert(slot.key, self.slots.len());
            self.slots.push(slot);
            return;
        }
        // Two rounds at most: the first one takes the second chance of everybody.
        for _ in 0..=self.slots.len() {
            let place = self.hand;
            self.hand = (self.hand + 1) % self.slots.len().max(1);
            let Some(old) = self.slots.get_mut(place) else { return };
            if !std::mem::take(&mut old.again) {
                self.places.remove(&old.key);
                self.places.insert(slot.key, place);
                *old = slot;
                return;
            }
        }
    }
}

fn hash_resource(resource: &Resource, hasher: &mut impl std::hash::Hasher) {
    std::mem::discriminant(resource).hash(hasher);
    match resource {
        Resource::Node | Resource::Admin => {}
        Resource::Peer(id) | Resource::Relay(id) | Resource::Mailbox(id) | Resource::Route(id) => {
            id.hash(hasher)
        }
        Resource::Protocol(name) | Resource::Topic(name) | Resource::Content(name) => {
            name.hash(hasher);
        }
        Resource::Key(key) => key.hash(hasher),
        Resource::Address(address) => address.as_ref().hash(hasher),
    }
}

fn write(folder: &Path, all: &[(u64, Arc<Asked>)]) -> io::Result<()> {
    let (path, draft) = (folder.join(FILE), folder.join("recent.jsonl.new"));
    let file = open_private(OpenOptions::new().write(true).truncate(true), &draft)?;
    let mut out = BufWriter::new(file);
    writeln!(out, "{{\"schema\":\"{SCHEMA}\"}}")?;
    for (at_ms, asked) in all {
        let asked = Asked { at_ms: *at_ms, ..Asked::clone(asked) };
        serde_json::to_writer(&mut out, &asked)?;
        out.write_all(b"\n")?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_data()?;
    fs::rename(draft, path)
}

/// Reads the newest decisions of a folder. Lines that a newer version wrote in another way are left
/// out; a missing file is empty.
///
/// # Errors
/// When the file cannot be read, is too large, or says that it is something else.
pub fn read(folder: &Path) -> io::Result<Vec<Asked>> {
    let file = match File::open(folder.join(FILE)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        file => file?,
    };
    if file.metadata()?.len() > AUDIT_RECENT_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is too large"));
    }
    let mut lines = BufReader::new(file.take(AUDIT_RECENT_BYTES_MAX)).lines();
    let head = lines.next().transpose()?.unwrap_or_default();
    let head: serde_json::Value = serde_json::from_str(&head)?;
    if head.get("schema").and_then(serde_json::Value::as_str) != Some(SCHEMA) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is something else"));
    }
    let mut all = Vec::new();
    for line in lines.take(AUDIT_RECENT_MAX) {
        all.extend(serde_json::from_str::<Asked>(&line?).ok());
    }
    Ok(all)
}

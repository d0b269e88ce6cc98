//! Decisions kept for a while: a table of fixed size, asked once for each message.
//! Invariant: a decision outlives neither its time nor its engine; the newest push out others.
//! Not here: how long a decision is true (`engine`).

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Mutex, PoisonError};

use peerloom_shared::limits::{DECISION_NAME_BYTES_MAX, DECISIONS_MAX};
use peerloom_shared::policy::{Action, Question, Resource, Ruling, Subject};

/// Decisions whose questions fall onto the same place.
const WAYS: usize = 4;
/// Parts of the table with a lock each.
const PARTS: usize = 64;
/// Sets of one part.
const SETS: usize = DECISIONS_MAX / WAYS / PARTS;

/// The table.
pub(super) struct Decisions {
    hasher: RandomState,
    parts: Vec<Mutex<Part>>,
}

#[derive(Default)]
struct Part {
    sets: Vec<Set>,
}

/// Newest first.
type Set = [Option<Box<Kept>>; WAYS];

struct Kept {
    subject: Subject,
    held_version: u64,
    action: Action,
    resource: Resource,
    ruling: Ruling,
    from_ms: u64,
    until_ms: u64,
}

impl std::fmt::Debug for Decisions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Decisions").finish_non_exhaustive()
    }
}

impl Default for Decisions {
    fn default() -> Self {
        let parts = (0..PARTS).map(|_| Mutex::new(Part::default())).collect();
        Self { hasher: RandomState::new(), parts }
    }
}

impl Decisions {
    /// The decision about this question, if it is kept and still true.
    #[must_use]
    pub(super) fn get(&self, question: &Question<'_>) -> Option<Ruling> {
        let (part, set) = self.place(question);
        let part = self.parts.get(part)?.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = part.sets.get(set)?.iter().flatten().find(|kept| kept.answers(question))?;
        Some(kept.ruling.clone())
    }

    /// Keeps a decision until this Unix time in ms.
    pub(super) fn put(&self, question: &Question<'_>, ruling: &Ruling, until_ms: u64) {
        if until_ms <= question.now_ms || name_len(question.resource) > DECISION_NAME_BYTES_MAX {
            return;
        }
        let kept = Kept {
            subject: question.subject.clone(),
            held_version: question.held.version,
            action: question.action,
            resource: question.resource.clone(),
            ruling: ruling.clone(),
            from_ms: question.now_ms,
            until_ms,
        };
        let (part, set) = self.place(question);
        let Some(part) = self.parts.get(part) else { return };
        let mut part = part.lock().unwrap_or_else(PoisonError::into_inner);
        if part.sets.is_empty() {
            part.sets.resize_with(SETS, Set::default);
        }
        let Some(set) = part.sets.get_mut(set) else { return };
        let old = set.iter().position(|old| {
            old.as_ref().is_none_or(|old| old.same(question) || old.until_ms <= question.now_ms)
        });
        if let Some(place) = set.get_mut(old.unwrap_or(WAYS - 1)) {
            *place = Some(Box::new(kept));
        }
        if let Some(shifted) = set.get_mut(..=old.unwrap_or(WAYS - 1)) {
            shifted.rotate_right(1);
        }
    }

    fn place(&self, question: &Question<'_>) -> (usize, usize) {
        let mut hasher = self.hasher.build_hasher();
        question.subject.hash(&mut hasher);
        question.held.version.hash(&mut hasher);
        question.action.hash(&mut hasher);
        question.resource.hash(&mut hasher);
        let hash = usize::try_from(hasher.finish() >> 1).unwrap_or_default();
        (hash % PARTS, hash / PARTS % SETS)
    }
}

impl Kept {
    fn same(&self, question: &Question<'_>) -> bool {
        self.action == question.action
            && self.held_version == question.held.version
            && self.subject == *question.subject
            && self.resource == *question.resource
    }

    fn answers(&self, question: &Question<'_>) -> bool {
        // A clock that was put back makes no decision last longer.
        (self.from_ms..self.until_ms).contains(&question.now_ms) && self.same(question)
    }
}

fn name_len(resource: &Resource) -> usize {
    match resource {
        Resource::Protocol(name) | Resource::Topic(name) | Resource::Content(name) => name.len(),
        Resource::Key(key) => key.len(),
        Resource::Address(address) => address.len(),
        Resource::Node
        | Resource::Peer(_)
        | Resource::Relay(_)
        | Resource::Mailbox(_)
        | Resource::Route(_)
        | Resource::Admin => 0,
    }
}

#[cfg(test)]
mod tests;

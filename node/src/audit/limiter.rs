//! Which denials get a line: one a second for each key, and the rest as a number.
//! Invariant: bounded, whatever peers make up; every denial is in a line or in a count.
//! Not here: writing.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use peerloom_shared::limits::{AUDIT_KEYS_MAX, AUDIT_QUIET_MS};
use peerloom_shared::policy::{Action, Denial, Subject};

use super::text;
use super::{Entry, Ref};

/// Who is counted together: before a handshake a whole network, because addresses cost nothing there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Who {
    Local,
    Peer(PeerId),
    Net(IpAddr),
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    who: Who,
    action: Action,
    rule: Cow<'static, str>,
}

impl Key {
    pub(super) fn of(subject: &Subject, denial: &Denial) -> Self {
        let who = match subject {
            Subject::Local => Who::Local,
            Subject::Peer { id, .. } => Who::Peer(*id),
            Subject::Address(ip) => Who::Net(text::net_of(*ip).0),
        };
        Self { who, action: denial.action, rule: denial.rule.clone() }
    }

    fn suppressed(&self, count: u64) -> Entry {
        let who = match self.who {
            Who::Local => "local".to_owned(),
            Who::Peer(id) => id.to_string(),
            Who::Net(ip) => text::net_text(ip),
        };
        Entry::Suppressed {
            who,
            action: Some(self.action.name().to_owned()),
            rule: Some(text::words(&self.rule)),
            count,
        }
    }
}

#[derive(Debug)]
struct Seen {
    since: Instant,
    reference: Ref,
    more: u64,
}

/// What to do about a denial.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Say {
    /// It gets a line, and before it the count of those that got none, if there were any.
    Line(Option<Entry>),
    /// It is counted with the line of this reference.
    Count(Ref),
    /// It is counted with others.
    Crowd,
}

/// What was written lately.
#[derive(Debug)]
pub(super) struct Limiter {
    keys: HashMap<Key, Seen>,
    others: u64,
}

impl Limiter {
    pub(super) fn new() -> Self {
        Self { keys: HashMap::new(), others: 0 }
    }

    /// Notes a denial. `reference` is that of its line, if it gets one.
    pub(super) fn note(&mut self, key: Key, now: Instant, reference: Ref) -> Say {
        if let Some(seen) = self.keys.get_mut(&key) {
            if !seen.is_over(now) {
                seen.more = seen.more.saturating_add(1);
                return Say::Count(seen.reference);
            }
            let more = std::mem::take(&mut seen.more);
            (seen.since, seen.reference) = (now, reference);
            return Say::Line((more > 0).then(|| key.suppressed(more)));
        }
        if self.keys.len() >= AUDIT_KEYS_MAX {
            self.others = self.others.saturating_add(1);
            return Say::Crowd;
        }
        self.keys.insert(key, Seen { since: now, reference, more: 0 });
        Say::Line(None)
    }

    /// The reference of the line that this denial is in or counted with.
    pub(super) fn reference(&self, key: &Key) -> Option<Ref> {
        self.keys.get(key).map(|seen| seen.reference)
    }

    /// Takes back a line that could not be written.
    pub(super) fn forget(&mut self, key: &Key) {
        self.keys.remove(key);
    }

    /// The counts of the keys whose second is over; of all of them `at_end`.
    pub(super) fn sweep(&mut self, now: Instant, at_end: bool) -> Vec<Entry> {
        let mut counts = Vec::new();
        self.keys.retain(|key, seen| {
            let over = at_end || seen.is_over(now);
            if over && seen.more > 0 {
                counts.push(key.suppressed(seen.more));
            }
            !over
        });
        let count = std::mem::take(&mut self.others);
        if count > 0 {
            let who = "others".to_owned();
            counts.push(Entry::Suppressed { who, action: None, rule: None, count });
        }
        counts
    }
}

impl Seen {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= Duration::from_millis(AUDIT_QUIET_MS)
    }
}

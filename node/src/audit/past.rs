//! A denial in the audit log, as a question that can be asked again.
//! Invariant: nothing is guessed: what the log holds in part only is no question.
//! Not here: asking (`crate::policy::explain`).

use std::io;
use std::path::Path;

use peerloom_shared::policy::{Action, Resource, Subject};

use super::chain::LineHead;
use super::{Entry, Tailing, Way, text};

/// The line of a denial.
#[derive(Clone, Debug)]
pub struct PastDenial {
    at_ms: u64,
    entry: Entry,
}

impl PastDenial {
    /// The denial with this reference.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn find(folder: &Path, reference: &str) -> io::Result<Option<Self>> {
        let Some(line) = Tailing::find(folder, reference)? else { return Ok(None) };
        Ok(Self::of(&line))
    }

    fn of(line: &[u8]) -> Option<Self> {
        let at_ms = LineHead::of(line)?.at_ms;
        let entry = serde_json::from_slice(line).ok()?;
        Some(Self { at_ms, entry })
    }

    /// When it was, Unix time in ms.
    #[must_use]
    pub const fn at_ms(&self) -> u64 {
        self.at_ms
    }

    /// What the peer said it is.
    #[must_use]
    pub fn class(&self) -> &str {
        match &self.entry {
            Entry::Denied { class: Some(class), .. } => class,
            Entry::Denied { .. }
            | Entry::Suppressed { .. }
            | Entry::Admin { .. }
            | Entry::Reloaded { .. }
            | Entry::ReloadFailed { .. }
            | Entry::Grant { .. }
            | Entry::Gap { .. }
            | Entry::Recovered { .. } => "",
        }
    }

    /// Who wanted to do what, on what. Of an address the log holds the network, whose first address
    /// stands for it. `None` where a name was too long to be kept.
    #[must_use]
    pub fn question(&self) -> Option<(Subject, Action, Resource)> {
        let Entry::Denied { who, net, way, action, resource, .. } = &self.entry else {
            return None;
        };
        let ip = |net: &str| net.split('/').next()?.parse().ok();
        let subject = match who.as_str() {
            "local" => Subject::Local,
            who => match who.parse() {
                Ok(id) => Subject::Peer {
                    id,
                    addr: net.as_deref().and_then(ip),
                    relayed: *way == Some(Way::Relayed),
                },
                Err(_) => Subject::Address(ip(who)?),
            },
        };
        let action = Action::ALL.into_iter().find(|known| known.name() == action)?;
        Some((subject, action, text::resource_of(resource)?))
    }
}

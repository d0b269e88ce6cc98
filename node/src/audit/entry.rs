//! What a line of the audit log says, and its published form.
//! Invariant: fields hold escaped and bounded text; no payload, no body, no whole IP address.
//! Not here: the chain that ties lines together (`chain`).

use std::fmt;

use peerloom_shared::grant::{ActionSet, GrantId, Key, Prefix};
use peerloom_shared::limits::AUDIT_GRANTS_MAX;
use peerloom_shared::policy::{Class, Denial, Held, Question, Subject};
use serde::{Deserialize, Serialize};

use super::text;

/// What a remote can be told about its denial, so that the operator finds the line. Nobody can guess
/// one, nor tell from it how many denials there were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ref([u8; 8]);

impl Ref {
    /// The reference of the denial with this number.
    pub(super) fn new(secret: &[u8; 32], number: u64) -> Self {
        let hash = blake3::keyed_hash(secret, &number.to_le_bytes());
        let text = data_encoding::BASE32.encode(hash.as_bytes());
        let mut name = [b'A'; 8];
        for (to, from) in name.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        Self(name)
    }
}

impl fmt::Display for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// Which way a peer's bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Over a connection of its own.
    Direct,
    /// Through a relay; the network in the line is the relay's.
    Relayed,
}

/// What became of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GrantChange {
    /// This node made it.
    Minted,
    /// This node took it back.
    Revoked,
}

/// A grant that was made or taken back.
#[derive(Clone, Copy, Debug)]
pub struct GrantNote<'a> {
    /// What became of it.
    pub change: GrantChange,
    /// Its id.
    pub id: GrantId,
    /// Who made it.
    pub issuer: Key,
    /// For whom: the key of a peer, or of an invite.
    pub audience: Key,
    /// What it allows.
    pub actions: ActionSet,
    /// On what.
    pub prefix: &'a Prefix,
    /// Until when, Unix time in ms.
    pub expires_ms: u64,
}

/// Why lines are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// More was to be written than the disk took.
    Queue,
    /// The disk was full or broken.
    Disk,
}

impl Why {
    /// Its stable name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queue => "queue",
            Self::Disk => "disk",
        }
    }
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", rename_all_fields = "camelCase")]
pub enum Entry {
    /// The policy said no.
    Denied {
        /// What a remote can be told.
        #[serde(rename = "ref")]
        reference: String,
        /// `local`, a PeerId, or the network of a peer that has not proven itself.
        who: String,
        /// The network its bytes come from.
        #[serde(skip_serializing_if = "Option::is_none")]
        net: Option<String>,
        /// Which way they come.
        #[serde(skip_serializing_if = "Option::is_none")]
        way: Option<Way>,
        /// What it says it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        class: Option<String>,
        /// What it wanted to do.
        action: String,
        /// On what.
        resource: String,
        /// The rule that decided.
        rule: String,
        /// The rule set.
        epoch: u64,
        /// The grants it held, in hex.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        grants: Vec<String>,
    },
    /// Denials that have no line of their own.
    Suppressed {
        /// As in the line that they follow; `others` for those of which nothing was kept.
        who: String,
        /// What they wanted to do.
        #[serde(skip_serializing_if = "Option::is_none")]
        action: Option<String>,
        /// The rule that decided.
        #[serde(skip_serializing_if = "Option::is_none")]
        rule: Option<String>,
        /// How many.
        count: u64,
    },
    /// Something was asked of the control interface that changes the node.
    Admin {
        /// The method.
        verb: String,
        /// The path.
        target: String,
    },
    /// New rules are in force.
    Reloaded {
        /// The rule set.
        epoch: u64,
    },
    /// Rules could not be read; the old ones stay.
    ReloadFailed {
        /// The stable code.
        code: String,
        /// What is wrong.
        text: String,
    },
    /// A grant was made or taken back.
    Grant {
        /// What became of it.
        change: GrantChange,
        /// Its id, in hex.
        id: String,
        /// Who made it, in hex.
        issuer: String,
        /// For whom, in hex.
        audience: String,
        /// What it allows.
        actions: Vec<String>,
        /// On what.
        prefix: String,
        /// Until when.
        expires_ms: u64,
    },
    /// Lines that could not be written.
    Gap {
        /// How many.
        lines: u64,
        /// Why.
        why: Why,
    },
    /// What a start found after a crash, or after somebody was at the files.
    Recovered {
        /// Bytes of half a line at the end.
        torn: u64,
        /// The file that they were put into.
        #[serde(skip_serializing_if = "Option::is_none")]
        aside: Option<String>,
        /// Lines that had been written and are gone.
        lost: u64,
        /// Whether the last line is not the one that was written.
        altered: bool,
        /// Whether the note of the last line was missing.
        headless: bool,
    },
}

impl Entry {
    /// The line of a denial.
    pub(super) fn denied(question: &Question<'_>, denial: &Denial, reference: Ref) -> Self {
        let held = question.held;
        Self::Denied {
            reference: reference.to_string(),
            who: who(question.subject),
            net: net(question.subject),
            way: way(question.subject),
            class: (held.class != Class::Unknown).then(|| held.class.name().to_owned()),
            action: question.action.name().to_owned(),
            resource: text::resource_shown(question.resource),
            rule: text::words(&denial.rule),
            epoch: denial.epoch,
            grants: grants(held),
        }
    }

    /// The line of a grant.
    pub(super) fn grant(note: &GrantNote<'_>) -> Self {
        let hex = |key: Key| data_encoding::HEXLOWER.encode(key.as_bytes());
        Self::Grant {
            change: note.change,
            id: note.id.to_string(),
            issuer: hex(note.issuer),
            audience: hex(note.audience),
            actions: note.actions.iter().map(|action| action.name().to_owned()).collect(),
            prefix: text::words(note.prefix.as_str()),
            expires_ms: note.expires_ms,
        }
    }
}

fn who(subject: &Subject) -> String {
    match subject {
        Subject::Local => "local".to_owned(),
        Subject::Peer { id, .. } => id.to_string(),
        Subject::Address(ip) => text::net_text(*ip),
    }
}

fn net(subject: &Subject) -> Option<String> {
    match subject {
        Subject::Peer { addr, .. } => addr.map(text::net_text),
        Subject::Local | Subject::Address(_) => None,
    }
}

fn way(subject: &Subject) -> Option<Way> {
    match subject {
        Subject::Peer { relayed: true, .. } => Some(Way::Relayed),
        Subject::Peer { addr: Some(_), .. } | Subject::Address(_) => Some(Way::Direct),
        // The author of a message that others brought, and this node itself.
        Subject::Peer { .. } | Subject::Local => None,
    }
}

/// The grants that the peer itself was given: the last link of each chain.
fn grants(held: &Held) -> Vec<String> {
    let own = held.rights.iter().filter_map(|rights| rights.ids().last());
    own.take(AUDIT_GRANTS_MAX).map(ToString::to_string).collect()
}

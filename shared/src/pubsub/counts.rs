//! What became of all arrivals, counted by reason.
//! Invariant: the reasons are a closed list, so the counts are as long as that list at most.
//! Not here: the judging.

use super::Acceptance;
use crate::ordered::BTreeMap;

/// Why an arrival was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// No author or no sequence number: nobody signed it.
    Unsigned,
    /// A payload of ours that does not decode or breaks a field rule.
    Malformed,
    /// Our own message, come back.
    Own,
    /// A topic of no room that we are in.
    NotJoined,
    /// The neighbour that brought it brings too much.
    ForwarderRate,
    /// Its author writes too much.
    AuthorRate,
    /// It was here before.
    Replay,
    /// Its time is too far from our clock.
    Clock,
    /// A post of a later version, or of a kind we do not know.
    Unsupported,
    /// A payload of universal-connectivity that is too large or not UTF-8.
    Foreign,
}

impl Reason {
    /// All reasons, in the order of their declaration.
    pub const ALL: [Self; 10] = [
        Self::Unsigned,
        Self::Malformed,
        Self::Own,
        Self::NotJoined,
        Self::ForwarderRate,
        Self::AuthorRate,
        Self::Replay,
        Self::Clock,
        Self::Unsupported,
        Self::Foreign,
    ];

    /// The stable name, for metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Malformed => "malformed",
            Self::Own => "own",
            Self::NotJoined => "not_joined",
            Self::ForwarderRate => "forwarder_rate",
            Self::AuthorRate => "author_rate",
            Self::Replay => "replay",
            Self::Clock => "clock",
            Self::Unsupported => "unsupported",
            Self::Foreign => "foreign",
        }
    }

    /// What gossip does with such an arrival. Only what can never be valid is rejected: a neighbour
    /// is not to blame for what it could not know.
    #[must_use]
    pub const fn acceptance(self) -> Acceptance {
        match self {
            Self::Unsigned | Self::Malformed => Acceptance::Reject,
            Self::Own
            | Self::NotJoined
            | Self::ForwarderRate
            | Self::AuthorRate
            | Self::Replay
            | Self::Clock
            | Self::Unsupported
            | Self::Foreign => Acceptance::Ignore,
        }
    }
}

/// How many arrivals were accepted, rejected and ignored since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accepted.
    pub accepted: u64,
    /// Rejected, by reason.
    pub rejected: BTreeMap<Reason, u64>,
    /// Ignored, by reason.
    pub ignored: BTreeMap<Reason, u64>,
}

impl Counts {
    /// Counts one arrival that was not accepted.
    pub(super) fn drop(&mut self, reason: Reason) {
        let counts = match reason.acceptance() {
            Acceptance::Reject => &mut self.rejected,
            Acceptance::Accept | Acceptance::Ignore => &mut self.ignored,
        };
        let count = counts.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// Counts one arrival that was accepted.
    pub(super) const fn accept(&mut self) {
        self.accepted = self.accepted.saturating_add(1);
    }
}

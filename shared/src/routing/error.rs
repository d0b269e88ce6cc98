//! Why the DHT gave no answer, and what to do about it.
//! Invariant: codes never change their meaning.
//! Not here: errors of remote input; those are dropped, not returned.

use crate::limits::{PROVIDED_KEYS_MAX, QUERIES_MAX, RECORD_BYTES_MAX, RECORD_KEY_BYTES_MAX};
use crate::pubsub::Kind;

/// Why a request to the DHT failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RoutingError {
    /// As many queries as can be are under way.
    #[error("{QUERIES_MAX} DHT queries are under way already")]
    Busy,
    /// The query took too long.
    #[error("the DHT did not answer in time")]
    TimedOut,
    /// No peer of the DHT is known.
    #[error("no DHT peer is known yet")]
    Alone,
    /// Nobody who was asked knows the peer or the key.
    #[error("no peer of the DHT that was asked knows it")]
    NotFound,
    /// The key is empty or too long.
    #[error("a DHT key must have 1 to {RECORD_KEY_BYTES_MAX} bytes, not {bytes}")]
    BadKey {
        /// Its length.
        bytes: usize,
    },
    /// The value is too long.
    #[error("a DHT value of {bytes} bytes is too long; at most {RECORD_BYTES_MAX} are allowed")]
    ValueTooLong {
        /// Its length.
        bytes: usize,
    },
    /// We provide as many keys as we can.
    #[error("already a provider of {PROVIDED_KEYS_MAX} keys, which is the most")]
    TooManyProvided,
    /// The query failed.
    #[error("the DHT query failed: {reason}")]
    Failed {
        /// Why, in plain words.
        reason: String,
    },
    /// The peer is stopping.
    #[error("this peer is stopping")]
    Stopped,
}

impl RoutingError {
    /// The stable code.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Busy => "DHT-001",
            Self::TimedOut => "DHT-002",
            Self::Alone => "DHT-003",
            Self::NotFound => "DHT-004",
            Self::BadKey { .. } => "DHT-005",
            Self::ValueTooLong { .. } => "DHT-006",
            Self::TooManyProvided => "DHT-007",
            Self::Failed { .. } => "DHT-008",
            Self::Stopped => "DHT-009",
        }
    }

    /// What to do about it, in one sentence.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::Busy => "Ask again in a moment, and fewer things at once.",
            Self::TimedOut => "Ask again; if it stays so, look at the health of this peer.",
            Self::Alone => "Connect to a node first, for example with a bootstrap address.",
            Self::NotFound => {
                "Check the id or key; a peer that is offline or a browser may not be found."
            }
            Self::BadKey { .. } => "Use a hash as the key.",
            Self::ValueTooLong { .. } => "Store the hash of the value instead.",
            Self::TooManyProvided => "Provide one key that stands for many.",
            Self::Failed { .. } => "Look at the reason, then ask again.",
            Self::Stopped => "Start the peer again.",
        }
    }

    /// What the caller should do.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Busy | Self::TimedOut | Self::Alone | Self::Failed { .. } => Kind::Retry,
            Self::NotFound | Self::BadKey { .. } | Self::ValueTooLong { .. } => Kind::Reject,
            Self::TooManyProvided | Self::Stopped => Kind::Fatal,
        }
    }
}

//! Why a session fails.
//! Invariant: every cause has one constant word for metrics.
//! Not here: the rules that are broken (`signal`).

use std::fmt;

use super::MessageKind;
use crate::backend::Failure;
use crate::sdp::SdpError;

/// Which message may come next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Expected {
    /// None: nothing has been said that could be answered.
    Nothing,
    /// The offer.
    Offer,
    /// The answer.
    Answer,
    /// Candidates.
    Candidates,
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Offer => "an offer",
            Self::Answer => "an answer",
            Self::Candidates => "candidates",
        })
    }
}

/// Why a session failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignalError {
    /// The other side sent a message that may not come now.
    #[error("expected {expected}, got {got:?}")]
    OutOfOrder {
        /// What may come.
        expected: Expected,
        /// What came.
        got: MessageKind,
    },
    /// A message, or the data in it, of more than `limit` bytes.
    #[error("a message is larger than {limit} bytes")]
    TooLarge {
        /// Bytes allowed.
        limit: usize,
    },
    /// More candidates than [`crate::limits::SignalLimits::candidates`].
    #[error("too many candidates")]
    TooMany,
    /// More bytes in all than [`crate::limits::SignalLimits::total_bytes`].
    #[error("too many bytes of signalling")]
    TooMuch,
    /// No message, or one of no known type.
    #[error("a signalling message is malformed")]
    Malformed,
    /// The data of a message is no UTF-8.
    #[error("a signalling message is not text")]
    NotText,
    /// The offer or the answer cannot be used.
    #[error("bad description: {0}")]
    Sdp(#[from] SdpError),
    /// No connection within [`crate::limits::SignalLimits::total`].
    #[error("signalling took too long")]
    Timeout,
    /// The stream ended before offer and answer were exchanged.
    #[error("the signalling stream ended too early")]
    Ended,
    /// The peer connection failed.
    #[error(transparent)]
    Peer(Failure),
    /// The platform said something that it was not asked for.
    #[error("the platform spoke out of turn: {0}")]
    Platform(&'static str),
}

impl SignalError {
    /// A short constant word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::OutOfOrder { .. } => "out_of_order",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany => "too_many_candidates",
            Self::TooMuch => "too_many_bytes",
            Self::Malformed => "malformed",
            Self::NotText => "not_text",
            Self::Sdp(_) => "bad_sdp",
            Self::Timeout => "timeout",
            Self::Ended => "ended",
            Self::Peer(_) => "peer_connection",
            Self::Platform(_) => "platform",
        }
    }
}

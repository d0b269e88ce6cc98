//! How many signalling sessions run at a time.
//! Invariant: never more than the limits allow, and a number is given to one session only.
//! Not here: what happens in a session.

use crate::limits::SignalLimits;

/// The number of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(u64);

/// Why there is no room for another session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// This peer has as many as one may have.
    #[error("too many signalling sessions with this peer")]
    Peer,
    /// There are as many as there may be.
    #[error("too many signalling sessions")]
    All,
}

impl Full {
    /// A short constant word for metrics.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Peer => "peer_full",
            Self::All => "all_full",
        }
    }
}

/// The sessions that run, of both roles.
#[derive(Debug)]
pub struct Sessions {
    limits: SignalLimits,
    next: u64,
    open: Vec<(SessionId, Box<[u8]>)>,
}

impl Sessions {
    /// No session yet.
    #[must_use]
    pub fn new(limits: SignalLimits) -> Self {
        Self { limits, next: 0, open: Vec::new() }
    }

    /// Makes room for a session with the peer of this key (the bytes of its id).
    ///
    /// # Errors
    /// When the peer, or all peers together, have as many as they may.
    pub fn admit(&mut self, peer: &[u8]) -> Result<SessionId, Full> {
        if self.open.len() >= self.limits.sessions {
            return Err(Full::All);
        }
        let with_peer = self.open.iter().filter(|(_, key)| key.as_ref() == peer).count();
        if with_peer >= self.limits.sessions_per_peer {
            return Err(Full::Peer);
        }
        let id = SessionId(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.push((id, peer.into()));
        Ok(id)
    }

    /// Ends a session; `false` if there was none of this number.
    pub fn release(&mut self, id: SessionId) -> bool {
        let before = self.open.len();
        self.open.retain(|(open, _)| *open != id);
        self.open.len() < before
    }

    /// How many run.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether none runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

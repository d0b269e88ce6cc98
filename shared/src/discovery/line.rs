//! One line: an address to keep connected, or all such addresses of one peer.
//! Invariant: only [`Line::fail`] lets a line wait, and it always sets the time of the next try.
//! Not here: which of several lines a connection belongs to (`links`).

use rand::rngs::SmallRng;

use super::peers::{Connection, Peers};
use crate::defence::address::without_peer;
use crate::defence::book::pause;
use crate::limits::{ADDRESS_BYTES_MAX, BACKOFF_LINK_MAX_MS, LINKS_MAX};
use crate::time::Mono;
use crate::view::{Link, LinkState, Transport};
use crate::{Multiaddr, PeerId};

/// Why an address cannot be kept connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Longer than any real address.
    #[error("the address is longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// No host, port 0, or a circuit that does not name its relay and its peer.
    #[error("the address lacks a host, a port, or the peers of a circuit")]
    Incomplete,
    /// It names ourselves.
    #[error("the address names this peer itself")]
    Ourselves,
    /// As many as can be are kept already.
    #[error("{LINKS_MAX} addresses are kept already, which is the most")]
    TooMany,
}

/// What a line is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// To be dialled at this time.
    Due(Mono),
    /// Being dialled.
    Dialing(u64),
    /// The dial succeeded; its connection has not been told yet, and must be by then.
    Arriving(PeerId, Mono),
    /// Connected by this connection since then.
    Up(u64, Mono),
    /// It leads to ourselves: never dialled.
    Ours,
}

/// One address, or in a native peer all addresses of one peer: dialled together, up together.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) id: u64,
    /// The peer the addresses name, or else the one that was found there.
    pub(super) peer: Option<PeerId>,
    pub(super) named: bool,
    /// As they were given.
    pub(super) given: Vec<Multiaddr>,
    pub(super) circuit: bool,
    pub(super) state: State,
    pub(super) failures: u32,
    pub(super) detail: Option<String>,
    /// When the next try would be, were it not put off until it is known whether the peer's other
    /// connections still live.
    pub(super) held: Option<Mono>,
}

impl Line {
    /// The addresses to dial, without the peer at their end.
    pub(super) fn bare(&self) -> Vec<Multiaddr> {
        self.given.iter().cloned().map(without_peer).collect()
    }

    /// The peer that must be there.
    pub(super) fn wanted(&self) -> Option<PeerId> {
        self.peer.filter(|_| self.named)
    }

    fn is_over(&self, connection: &Connection) -> bool {
        connection.outbound
            && self.given.iter().any(|given| without_peer(given.clone()) == connection.address)
    }

    /// Whether this connection is what the line is for.
    pub(super) fn is_served_by(&self, connection: &Connection, each: bool) -> bool {
        if self.wanted().is_some_and(|wanted| wanted != connection.peer) {
            return false;
        }
        // A relayed connection is a limited one: it does not stand in for a direct address.
        let any = !each && self.peer == Some(connection.peer) && self.circuit >= connection.relayed;
        any || self.is_over(connection)
    }

    pub(super) fn fail(&mut self, now: Mono, why: String, rng: &mut SmallRng) {
        self.state = State::Due(now.after(pause(self.failures, BACKOFF_LINK_MAX_MS, rng)));
        self.failures = self.failures.saturating_add(1);
        self.detail = Some(why);
    }

    /// Puts the next try off, if it would come sooner than this.
    pub(super) fn hold(&mut self, until: Mono) {
        if let State::Due(at) = &mut self.state {
            self.held = Some(*at);
            *at = until.max(*at);
        }
    }

    /// The next try need not wait any longer.
    pub(super) fn release(&mut self, now: Mono) {
        if let (Some(meant), State::Due(at)) = (self.held.take(), &mut self.state) {
            *at = now.max(meant);
        }
    }

    pub(super) fn rise(&mut self, now: Mono, connection: u64, peer: PeerId) {
        self.held = None;
        self.state = State::Up(connection, now);
        self.peer = Some(peer);
        self.detail = None;
    }

    pub(super) fn connection(&self) -> Option<u64> {
        if let State::Up(number, _) = self.state { Some(number) } else { None }
    }

    fn detail_of(&self, given: &Multiaddr, peers: &Peers) -> Option<String> {
        match self.state {
            State::Ours => Some("the address leads to this peer itself".to_owned()),
            State::Up(number, _) => {
                let address = &peers.get(number)?.address;
                let other = self.given.len() > 1 && *address != without_peer(given.clone());
                other.then(|| format!("connected over {address}"))
            }
            State::Due(_) | State::Dialing(_) | State::Arriving(..) => self.detail.clone(),
        }
    }

    /// The address as people see it.
    pub(super) fn show(&self, now: Mono, given: &Multiaddr, peers: &Peers) -> Link {
        let (state, retry_in_ms) = match self.state {
            State::Up(..) => (LinkState::Connected, None),
            State::Dialing(_) | State::Arriving(..) => (LinkState::Dialing, None),
            State::Due(at) => (LinkState::Waiting, Some(at.since(now))),
            State::Ours => (LinkState::Waiting, None),
        };
        Link {
            address: given.to_string(),
            transport: Transport::of(given),
            peer: self.peer.map(|peer| peer.to_string()),
            state,
            detail: self.detail_of(given, peers),
            retry_in_ms,
        }
    }
}

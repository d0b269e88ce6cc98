//! Who may connect at all: the policy's choke point for connections.
//! Invariant: judged before the handshake by address, after it by PeerId, and again when rules change or
//! more is proven; a stranger where strangers may not be has a few seconds to show what it was granted.
//! Not here: single protocols (`gated`), numbers of connections (libp2p's connection limits).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures_timer::Delay;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use super::address;
use super::clock::instant;
use super::judge::Judge;
use super::state::{Connection, NetState};
use crate::bounded::BoundedMap;
use crate::limits::{PROBATION_MAX, PROBATION_MS, QUARANTINE_MAX};
use crate::ordered::BTreeSet;
use crate::policy::{Action, Denial, Resource, Subject};

/// Why the gate refused a connection.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// The policy said no.
    #[error("{0}")]
    Policy(Denial),
    /// Its last work ended in a panic of ours.
    #[error("the peer is in quarantine after its last message broke one of our parts")]
    Quarantine,
    /// Too many strangers are showing what they were granted.
    #[error("too many strangers are here at the moment")]
    Crowded,
}

impl Refused {
    /// Whether nothing that the peer may still show can change it.
    const fn is_final(&self) -> bool {
        match self {
            Self::Policy(denial) => denial.forbidden,
            Self::Quarantine | Self::Crowded => true,
        }
    }
}

/// The gate. See the module's text.
#[derive(Debug)]
pub struct Gate {
    judge: Judge,
    quarantine: BoundedMap<PeerId, Instant>,
    /// Strangers who have until then to prove more.
    probation: Vec<Waiting>,
    timer: Option<Delay>,
    refused: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Waiting {
    peer: PeerId,
    remote: Multiaddr,
    until: Instant,
}

impl Gate {
    /// A gate that asks `judge`.
    #[must_use]
    pub fn new(judge: Judge) -> Self {
        Self {
            judge,
            quarantine: BoundedMap::new(QUARANTINE_MAX),
            probation: Vec::new(),
            timer: None,
            refused: Arc::default(),
        }
    }

    /// Counter of refused connections.
    #[must_use]
    pub fn refused(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.refused)
    }

    /// Keeps a peer out for `millis` ms.
    pub fn quarantine(&mut self, peer: PeerId, millis: u64) {
        self.quarantine.insert(peer, instant() + Duration::from_millis(millis));
    }

    /// The peers whose open connections the policy no longer allows.
    #[must_use]
    pub fn unwanted(&self, state: &NetState) -> Vec<PeerId> {
        let open = state.connections.values();
        let mut peers: Vec<_> =
            open.filter(|one| self.is_unwanted(one)).map(|one| one.peer).collect();
        peers.dedup();
        peers
    }

    /// Whether the policy no longer allows an open connection.
    #[must_use]
    pub fn is_unwanted(&self, open: &Connection) -> bool {
        let action = if open.outbound { Action::ConnectOut } else { Action::ConnectIn };
        let waits = !open.outbound && self.waits(&open.peer);
        // Whoever waits has its time, unless a rule forbids it by now.
        self.admit(open.peer, &open.address, action)
            .is_err_and(|refused| !waits || refused.is_final())
    }

    fn admit(&self, peer: PeerId, address: &Multiaddr, action: Action) -> Result<(), Refused> {
        if self.quarantine.get(&peer).is_some_and(|until| instant() < *until) {
            return Err(Refused::Quarantine);
        }
        let judged = if action == Action::ConnectOut {
            let whole = address::with_peer(address.clone(), peer);
            self.judge.authorize(&Subject::Local, action, &Resource::Address(whole))
        } else {
            let who = Subject::connected(peer, address);
            self.judge.authorize(&who, action, &Resource::Node)
        };
        judged.map(drop).map_err(Refused::Policy)
    }

    /// Lets a peer in that connects: at once, or for as long as it takes to show what it was granted.
    fn let_in(&mut self, peer: PeerId, remote: Multiaddr) -> Result<(), Refused> {
        let Err(refused) = self.admit(peer, &remote, Action::ConnectIn) else { return Ok(()) };
        if refused.is_final() || !self.judge.policy().access().asks_first() {
            return Err(refused);
        }
        if self.waits(&peer) {
            return Ok(());
        }
        if self.probation.len() >= PROBATION_MAX {
            return Err(Refused::Crowded);
        }
        let until = instant() + Duration::from_millis(PROBATION_MS);
        self.probation.push(Waiting { peer, remote, until });
        if self.timer.is_none() {
            self.timer = Some(Delay::new(Duration::from_millis(PROBATION_MS)));
        }
        Ok(())
    }

    /// A peer may have proven by now that it may stay.
    pub fn settle(&mut self, peer: &PeerId) {
        let Some(at) = self.probation.iter().position(|waiting| waiting.peer == *peer) else {
            return;
        };
        let admitted = self.probation.get(at).is_some_and(|waiting| {
            self.admit(waiting.peer, &waiting.remote, Action::ConnectIn).is_ok()
        });
        if admitted {
            self.probation.swap_remove(at);
        }
    }

    /// Those who have some seconds left to prove it.
    #[must_use]
    pub fn strangers(&self) -> BTreeSet<PeerId> {
        self.probation.iter().map(|waiting| waiting.peer).collect()
    }

    fn waits(&self, peer: &PeerId) -> bool {
        self.probation.iter().any(|waiting| waiting.peer == *peer)
    }

    /// The next stranger whose time is over and who has not proven enough.
    fn overdue(&mut self) -> Option<PeerId> {
        let now = instant();
        while let Some(at) = self.probation.iter().position(|waiting| waiting.until <= now) {
            let Waiting { peer, remote, .. } = self.probation.swap_remove(at);
            if self.admit(peer, &remote, Action::ConnectIn).is_err() {
                self.refused.fetch_add(1, Ordering::Relaxed);
                return Some(peer);
            }
        }
        None
    }

    fn denied(&self, refused: Refused) -> ConnectionDenied {
        self.refused.fetch_add(1, Ordering::Relaxed);
        ConnectionDenied::new(refused)
    }
}

impl NetworkBehaviour for Gate {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_pending_inbound_connection(
        &mut self,
        _: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        let Some(ip) = address::ip(remote).filter(|_| !address::is_relayed(local)) else {
            return Ok(());
        };
        self.judge
            .authorize(&Subject::Address(ip), Action::ConnectIn, &Resource::Node)
            .map(drop)
            .map_err(|denial| self.denied(Refused::Policy(denial)))
    }

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.let_in(peer, address::inbound(local, remote))
            .map_err(|refused| self.denied(refused))?;
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.admit(peer, remote, Action::ConnectOut).map_err(|refused| self.denied(refused))?;
        Ok(dummy::ConnectionHandler)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::ConnectionClosed(closed) = event
            && closed.remaining_established == 0
        {
            self.probation.retain(|waiting| waiting.peer != closed.peer_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while let Some(timer) = &mut self.timer
            && timer.poll_unpin(cx).is_ready()
        {
            if let Some(peer_id) = self.overdue() {
                // There may be more: the timer has fired and is asked again.
                let connection = CloseConnection::All;
                return Poll::Ready(ToSwarm::CloseConnection { peer_id, connection });
            }
            let now = instant();
            let next = self.probation.iter().map(|waiting| waiting.until).min();
            self.timer = next.map(|at| Delay::new(at.saturating_duration_since(now)));
        }
        Poll::Pending
    }
}

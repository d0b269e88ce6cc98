//! Who may connect at all: the policy's choke point for connections.
//! Invariant: judged before the handshake by address, after it by PeerId, and again when rules change.
//! Not here: single protocols (`gated`), numbers of connections (libp2p's connection limits).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};
use web_time::Instant;

use super::clock::instant;
use super::judge::Judge;
use super::{address, state::NetState};
use crate::bounded::BoundedMap;
use crate::limits::QUARANTINE_MAX;
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
}

/// The gate. See the module's text.
#[derive(Debug)]
pub struct Gate {
    judge: Judge,
    quarantine: BoundedMap<PeerId, Instant>,
    refused: Arc<AtomicU64>,
}

impl Gate {
    /// A gate that asks `judge`.
    #[must_use]
    pub fn new(judge: Judge) -> Self {
        Self { judge, quarantine: BoundedMap::new(QUARANTINE_MAX), refused: Arc::default() }
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
        let mut peers: Vec<_> = state
            .connections
            .values()
            .filter(|c| {
                let action = if c.outbound { Action::ConnectOut } else { Action::ConnectIn };
                self.admit(c.peer, &c.address, action).is_err()
            })
            .map(|c| c.peer)
            .collect();
        peers.dedup();
        peers
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
        self.admit(peer, &address::inbound(local, remote), Action::ConnectIn)
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

    fn on_swarm_event(&mut self, _: FromSwarm) {}

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

//! A behaviour whose protocols not every connection may use.
//! Invariant: a gated connection does not exist for the inner behaviour, in no event and no count.
//! Not here: whether a connection may exist at all (`gate`).

use std::collections::{BTreeMap, BTreeSet};
use std::task::{Context, Poll};

use either::Either;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm, dummy,
};
use libp2p::{Multiaddr, PeerId};

use super::address;
use super::judge::Judge;
use crate::policy::{Action, Resource, Subject};

/// Wraps `B` so that it sees only direct connections of peers that may open `protocol`.
///
/// Relayed connections are limited in time and bytes, and go and js peers refuse gossip and lookups
/// on them; so do we. If the inner behaviour knew of such a connection it would take a later direct
/// one for a second path and greet the peer on neither.
#[derive(Debug)]
pub struct Gated<B> {
    inner: B,
    judge: Judge,
    protocol: &'static str,
    open: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
    gated: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
}

impl<B> Gated<B> {
    /// Gates `inner` under the name `protocol`.
    pub fn new(inner: B, judge: Judge, protocol: &'static str) -> Self {
        Self { inner, judge, protocol, open: BTreeMap::new(), gated: BTreeMap::new() }
    }

    /// The behaviour inside.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// The behaviour inside, to command it.
    pub fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    fn may_open(&mut self, peer: PeerId, connection: ConnectionId, remote: &Multiaddr) -> bool {
        let allowed = !address::is_relayed(remote) && {
            let resource = Resource::Protocol(self.protocol.to_owned());
            let who = Subject::connected(peer, remote);
            self.judge.authorize(&who, Action::ProtocolOpen, &resource).is_ok()
        };
        let side = if allowed { &mut self.open } else { &mut self.gated };
        side.entry(peer).or_default().insert(connection);
        allowed
    }

    fn gated_of(&self, peer: &PeerId) -> usize {
        self.gated.get(peer).map_or(0, BTreeSet::len)
    }

    fn is_gated(&self, peer: &PeerId, connection: ConnectionId) -> bool {
        self.gated.get(peer).is_some_and(|set| set.contains(&connection))
    }

    fn forget(&mut self, peer: &PeerId, connection: ConnectionId) {
        for side in [&mut self.open, &mut self.gated] {
            if let Some(set) = side.get_mut(peer) {
                set.remove(&connection);
                if set.is_empty() {
                    side.remove(peer);
                }
            }
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = Either<THandler<B>, dummy::ConnectionHandler>;
    type ToSwarm = B::ToSwarm;

    fn handle_pending_inbound_connection(
        &mut self,
        connection: ConnectionId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<(), ConnectionDenied> {
        self.inner.handle_pending_inbound_connection(connection, local, remote)
    }

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.may_open(peer, connection, &address::inbound(local, remote)) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner
            .handle_established_inbound_connection(connection, peer, local, remote)
            .map(Either::Left)
    }

    fn handle_pending_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: Option<PeerId>,
        addresses: &[Multiaddr],
        role: Endpoint,
    ) -> Result<Vec<Multiaddr>, ConnectionDenied> {
        self.inner.handle_pending_outbound_connection(connection, peer, addresses, role)
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        role: Endpoint,
        port: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        if !self.may_open(peer, connection, remote) {
            return Ok(Either::Right(dummy::ConnectionHandler));
        }
        self.inner
            .handle_established_outbound_connection(connection, peer, remote, role, port)
            .map(Either::Left)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other events concern no connection"
        )]
        match event {
            FromSwarm::ConnectionEstablished(e) => {
                if !self.is_gated(&e.peer_id, e.connection_id) {
                    let other = e.other_established.saturating_sub(self.gated_of(&e.peer_id));
                    self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(
                        ConnectionEstablished { other_established: other, ..e },
                    ));
                }
            }
            FromSwarm::ConnectionClosed(e) => {
                let gated = self.is_gated(&e.peer_id, e.connection_id);
                self.forget(&e.peer_id, e.connection_id);
                if !gated {
                    let left = e.remaining_established.saturating_sub(self.gated_of(&e.peer_id));
                    self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                        remaining_established: left,
                        ..e
                    }));
                }
            }
            FromSwarm::AddressChange(e) if self.is_gated(&e.peer_id, e.connection_id) => {}
            FromSwarm::DialFailure(e) => {
                if let Some(peer) = e.peer_id {
                    self.forget(&peer, e.connection_id);
                }
                self.inner.on_swarm_event(FromSwarm::DialFailure(e));
            }
            FromSwarm::ListenFailure(e) => {
                if let Some(peer) = e.peer_id {
                    self.forget(&peer, e.connection_id);
                }
                self.inner.on_swarm_event(FromSwarm::ListenFailure(e));
            }
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {
            Either::Left(event) => self.inner.on_connection_handler_event(peer, connection, event),
            Either::Right(never) => match never {},
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        loop {
            let Poll::Ready(event) = self.inner.poll(cx) else { return Poll::Pending };
            let ToSwarm::NotifyHandler { peer_id, handler, event } = event else {
                return Poll::Ready(event.map_in(Either::Left));
            };
            // "Any" must not pick a gated connection, whose handler would not understand.
            let connection = match handler {
                NotifyHandler::One(id) => Some(id),
                NotifyHandler::Any => self.open.get(&peer_id).and_then(|set| set.first().copied()),
            };
            if let Some(id) = connection.filter(|id| !self.is_gated(&peer_id, *id)) {
                return Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(id),
                    event: Either::Left(event),
                });
            }
        }
    }
}

//! A behaviour whose protocols not every connection may use.
//! Invariant: a gated connection does not exist for the inner behaviour, in no event and no count.
//! Not here: whether a connection may exist at all (`gate`).

mod handler;

use std::collections::VecDeque;
use std::task::{Context, Poll};

use libp2p::core::transport::PortUse;
use libp2p::core::{ConnectedPoint, Endpoint};
#[cfg(not(target_arch = "wasm32"))]
use libp2p::gossipsub::TopicHash;
use libp2p::swarm::behaviour::{ConnectionClosed, ConnectionEstablished};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

use self::handler::{Handler, Order};
use super::address;
#[cfg(not(target_arch = "wasm32"))]
use super::followers::Followers;
use super::judge::Judge;
use super::table::Table;
use crate::policy::{Action, Resource, Subject};

/// Wraps `B` so that it sees only connections of peers that may open `protocol`, and of those only
/// direct ones where nothing else is said.
///
/// Relayed connections are limited in time and bytes, and go and js peers refuse gossip and lookups
/// on them; so do we. If the inner behaviour knew of such a connection it would take a later direct
/// one for a second path and greet the peer on neither.
///
/// A connection whose peer proves later that it may is opened in place; one whose peer may no longer
/// is closed.
#[derive(Debug)]
pub struct Gated<B: NetworkBehaviour> {
    inner: B,
    waits_for: &'static [&'static str],
    known: Known,
    #[cfg(not(target_arch = "wasm32"))]
    followers: Option<Followers>,
    queue: VecDeque<ToSwarm<B::ToSwarm, Order<THandler<B>>>>,
}

/// How a connection came about, so that a handler can be made for it later.
#[derive(Clone, Debug)]
enum Made {
    Inbound { local: Multiaddr, remote: Multiaddr },
    Outbound { remote: Multiaddr, role: Endpoint, port: PortUse },
}

#[derive(Debug)]
struct Connection {
    peer: PeerId,
    made: Made,
    /// The peer as the policy knows it.
    who: Subject,
    relayed: bool,
    open: bool,
    /// Known once it is established.
    endpoint: Option<ConnectedPoint>,
}

impl Connection {
    fn new(peer: PeerId, made: Made) -> Self {
        let remote = made.remote();
        let (who, relayed) = (Subject::connected(peer, &remote), address::is_relayed(&remote));
        Self { peer, made, who, relayed, open: false, endpoint: None }
    }
}

impl Made {
    fn remote(&self) -> Multiaddr {
        match self {
            Self::Inbound { local, remote } => address::inbound(local, remote),
            Self::Outbound { remote, .. } => remote.clone(),
        }
    }
}

/// What is known of all connections, and what the judge says of them: the part that is the same for every
/// protocol, so that there is one copy of it.
#[derive(Debug)]
struct Known {
    judge: Judge,
    protocol: &'static str,
    relayed: bool,
    table: Table<Connection>,
}

impl Known {
    fn established_of(&self, peer: &PeerId) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        let all = self.table.iter();
        all.filter(|(_, one)| one.peer == *peer && one.endpoint.is_some())
    }

    fn is_open(&self, id: ConnectionId) -> bool {
        self.table.get(id).is_some_and(|connection| connection.open)
    }

    /// How many connections of the peer the inner behaviour knows.
    fn count(&self, peer: &PeerId) -> usize {
        self.established_of(peer).filter(|(_, one)| one.open).count()
    }

    fn allows(&self, connection: &Connection) -> bool {
        (self.relayed || !connection.relayed) && {
            let resource = Resource::Protocol(self.protocol.to_owned());
            self.judge.authorize(&connection.who, Action::ProtocolOpen, &resource).is_ok()
        }
    }

    /// Where an event for a handler of the peer goes. "Any" must not pick a gated connection.
    fn target(&self, peer: &PeerId, handler: NotifyHandler) -> Option<ConnectionId> {
        match handler {
            // The relay's behaviour names another peer than the connection's.
            NotifyHandler::One(id) => self.is_open(id).then_some(id),
            NotifyHandler::Any => {
                let mut all = self.established_of(peer);
                all.find(|(_, one)| one.open).map(|(id, _)| id)
            }
        }
    }
}

impl<B: NetworkBehaviour> Gated<B> {
    /// Gates `inner` under the name `protocol`.
    pub fn new(inner: B, judge: Judge, protocol: &'static str) -> Self {
        let known = Known { judge, protocol, relayed: false, table: Table::default() };
        #[cfg(not(target_arch = "wasm32"))]
        return Self { inner, waits_for: &[], known, followers: None, queue: VecDeque::new() };
        #[cfg(target_arch = "wasm32")]
        Self { inner, waits_for: &[], known, queue: VecDeque::new() }
    }

    /// The same, asking for streams only where the other side says that it speaks something that
    /// begins with one of the names.
    #[must_use]
    pub fn waiting_for(self, names: &'static [&'static str]) -> Self {
        Self { waits_for: names, ..self }
    }

    /// The same, for a protocol that has its place on relayed connections too.
    #[must_use]
    pub fn also_relayed(self) -> Self {
        Self { known: Known { relayed: true, ..self.known }, ..self }
    }

    /// The same, which says whose words the inner behaviour is about to read.
    #[cfg(not(target_arch = "wasm32"))]
    #[must_use]
    pub(super) fn telling(self, followers: Followers) -> Self {
        Self { followers: Some(followers), ..self }
    }

    /// Whether gossip and the policy no longer agree on what a peer follows.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn is_misplaced<'a>(
        &self,
        peer: &PeerId,
        follows: impl IntoIterator<Item = &'a TopicHash>,
    ) -> bool {
        let (Some(followers), Some((_, connection))) =
            (&self.followers, self.known.established_of(peer).find(|(_, one)| one.open))
        else {
            return false;
        };
        followers.is_misplaced(&connection.who, follows)
    }

    /// The behaviour inside.
    pub fn inner(&self) -> &B {
        &self.inner
    }

    /// The behaviour inside, to command it.
    pub fn inner_mut(&mut self) -> &mut B {
        &mut self.inner
    }

    /// Decides again about the connections of a peer: opens what it may speak on now, closes what it
    /// may not any more.
    pub fn rejudge(&mut self, peer: &PeerId) {
        let all: Vec<ConnectionId> = self.known.established_of(peer).map(|(id, _)| id).collect();
        for id in all {
            let Some(connection) = self.known.table.get(id) else { continue };
            let (open, allowed) = (connection.open, self.known.allows(connection));
            if allowed && !open {
                self.open(*peer, id);
            } else if open && !allowed {
                let connection = CloseConnection::One(id);
                self.queue.push_back(ToSwarm::CloseConnection { peer_id: *peer, connection });
            }
        }
    }

    /// A handler of the inner behaviour for a connection.
    fn make(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        made: &Made,
    ) -> Result<THandler<B>, ConnectionDenied> {
        match made {
            Made::Inbound { local, remote } => {
                self.inner.handle_established_inbound_connection(id, peer, local, remote)
            }
            Made::Outbound { remote, role, port } => {
                self.inner.handle_established_outbound_connection(id, peer, remote, *role, *port)
            }
        }
    }

    fn establish(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        made: Made,
    ) -> Result<Handler<THandler<B>>, ConnectionDenied> {
        let mut connection = Connection::new(peer, made);
        connection.open = self.known.allows(&connection);
        let made = connection.open.then(|| connection.made.clone());
        self.known.table.insert(id, connection);
        let inner = made.map(|made| self.make(peer, id, &made)).transpose()?;
        Ok(Handler::new(inner, self.waits_for))
    }

    /// Opens an established connection in place.
    fn open(&mut self, peer: PeerId, id: ConnectionId) {
        let Some(connection) = self.known.table.get(id) else { return };
        let (made, endpoint) = (connection.made.clone(), connection.endpoint.clone());
        let Some(endpoint) = endpoint else { return };
        let handler = match self.make(peer, id, &made) {
            Ok(handler) => handler,
            Err(error) => return tracing::debug!(%peer, %error, "stays closed"),
        };
        let other_established = self.known.count(&peer);
        if let Some(connection) = self.known.table.get_mut(id) {
            connection.open = true;
        }
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(id),
            event: Order::Open(Box::new(handler)),
        });
        self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: peer,
            connection_id: id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established,
        }));
    }

    fn established(&mut self, event: ConnectionEstablished<'_>) {
        let (peer, id) = (event.peer_id, event.connection_id);
        let other_established = self.known.count(&peer);
        let Some(connection) = self.known.table.get_mut(id) else { return };
        connection.endpoint = Some(event.endpoint.clone());
        if connection.open {
            self.inner.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
                other_established,
                ..event
            }));
        }
    }

    fn closed(&mut self, event: ConnectionClosed<'_>) {
        let closed = self.known.table.remove(event.connection_id);
        if closed.is_some_and(|connection| connection.open) {
            let remaining_established = self.known.count(&event.peer_id);
            #[cfg(not(target_arch = "wasm32"))]
            if let (0, Some(followers)) = (remaining_established, &self.followers) {
                followers.forget(&event.peer_id);
            }
            self.inner.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
                remaining_established,
                ..event
            }));
        }
    }
}

impl<B: NetworkBehaviour> NetworkBehaviour for Gated<B> {
    type ConnectionHandler = Handler<THandler<B>>;
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
        let made = Made::Inbound { local: local.clone(), remote: remote.clone() };
        self.establish(peer, connection, made)
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
        let made = Made::Outbound { remote: remote.clone(), role, port };
        self.establish(peer, connection, made)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "all other events concern no connection"
        )]
        match event {
            FromSwarm::ConnectionEstablished(e) => self.established(e),
            FromSwarm::ConnectionClosed(e) => self.closed(e),
            FromSwarm::AddressChange(e) if !self.known.is_open(e.connection_id) => {}
            FromSwarm::DialFailure(e) => {
                self.known.table.remove(e.connection_id);
                self.inner.on_swarm_event(FromSwarm::DialFailure(e));
            }
            FromSwarm::ListenFailure(e) => {
                self.known.table.remove(e.connection_id);
                self.inner.on_swarm_event(FromSwarm::ListenFailure(e));
            }
            other => self.inner.on_swarm_event(other),
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        id: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        if !self.known.is_open(id) {
            return;
        }
        #[cfg(not(target_arch = "wasm32"))]
        if let (Some(followers), Some(connection)) = (&self.followers, self.known.table.get(id)) {
            followers.listen_to(Some(connection.who.clone()));
        }
        self.inner.on_connection_handler_event(peer, id, event);
        #[cfg(not(target_arch = "wasm32"))]
        if let Some(followers) = &self.followers {
            followers.listen_to(None);
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        if let Some(event) = self.queue.pop_front() {
            return Poll::Ready(event);
        }
        loop {
            let Poll::Ready(event) = self.inner.poll(cx) else { return Poll::Pending };
            let ToSwarm::NotifyHandler { peer_id, handler, event } = event else {
                return Poll::Ready(event.map_in(Order::Pass));
            };
            if let Some(id) = self.known.target(&peer_id, handler) {
                return Poll::Ready(ToSwarm::NotifyHandler {
                    peer_id,
                    handler: NotifyHandler::One(id),
                    event: Order::Pass(event),
                });
            }
        }
    }
}

#[cfg(test)]
mod tests;

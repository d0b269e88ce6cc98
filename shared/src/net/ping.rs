//! The ping protocol of libp2p, both roles: is the peer alive, and how far away.
//! Invariant: answers any number of pings on one stream, on every transport, and at most
//! [`INBOUND_MAX`] streams of one connection.
//! Not here: what a dead connection means for discovery.
//!
//! libp2p's own crate answers only the first ping of a reused stream on QUIC and WebRTC until some
//! other event wakes the connection; go and py peers reuse the stream and would think us dead.

mod handler;

use std::collections::VecDeque;
use std::task::{Context, Poll};
use std::time::Duration;

use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler,
    StreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

pub use self::handler::Handler;
use super::behaviour::Profile;
use crate::limits::{
    PING_BROWSER_EVERY_MS, PING_BROWSER_FAILURES_MAX, PING_BROWSER_TIMEOUT_MS, PING_EVERY_MS,
    PING_FAILURES_MAX, PING_TIMEOUT_MS,
};
use crate::ordered::{BTreeMap, BTreeSet};

/// The protocol's id (libp2p ping specification).
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");
/// Bytes of one ping (libp2p ping specification).
const SIZE: usize = 32;
/// Streams a peer may ping us on: one in use and one that is being replaced.
const INBOUND_MAX: usize = 2;

/// How often to ping, and when to give a connection up.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// Pause between two pings of one connection.
    pub every: Duration,
    /// How long an answer may take.
    pub timeout: Duration,
    /// Failures in a row that close the connection.
    pub failures_max: u32,
}

impl Pace {
    /// The pace of a profile.
    #[must_use]
    pub fn of(profile: Profile) -> Self {
        let millis = Duration::from_millis;
        if profile.is_node() {
            Self {
                every: millis(PING_EVERY_MS),
                timeout: millis(PING_TIMEOUT_MS),
                failures_max: PING_FAILURES_MAX,
            }
        } else {
            Self {
                every: millis(PING_BROWSER_EVERY_MS),
                timeout: millis(PING_BROWSER_TIMEOUT_MS),
                failures_max: PING_BROWSER_FAILURES_MAX,
            }
        }
    }
}

/// How a ping ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The peer answered after this time.
    Pong(Duration),
    /// No answer, or a wrong one.
    Failed(String),
    /// No answer in the short time that a doubted connection is given.
    Dead,
    /// The peer does not speak ping.
    Unsupported,
}

/// A ping of ours ended.
#[derive(Clone, Debug)]
pub struct Event {
    /// Whom we pinged.
    pub peer: PeerId,
    /// Over which connection.
    pub connection: ConnectionId,
    /// How it ended.
    pub outcome: Outcome,
}

/// The behaviour. See the module's text.
#[derive(Debug)]
pub struct Behaviour {
    queue: VecDeque<ToSwarm<Event, Wish>>,
    failures: BTreeMap<ConnectionId, u32>,
    connections: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
    pace: Pace,
    seed: u64,
}

/// Asks a handler to ping at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// To measure.
    Measure,
    /// To find out whether the connection lives at all.
    Doubt,
}

impl Behaviour {
    /// A behaviour whose ping bytes derive from `seed`.
    #[must_use]
    pub fn new(pace: Pace, seed: u64) -> Self {
        let (queue, failures, connections) = Default::default();
        Self { queue, failures, connections, pace, seed }
    }

    /// Pings a connected peer at once. The outcome comes as an [`Event`].
    pub fn ping(&mut self, peer: PeerId) {
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::Any,
            event: Wish::Measure,
        });
    }

    fn handler(&mut self) -> Handler {
        self.seed = self.seed.wrapping_add(1);
        Handler::new(self.pace, SmallRng::seed_from_u64(self.seed))
    }

    /// Asks whether the connections of a peer still live. What ended one may have ended the others in
    /// silence; and a peer that connects anew may have restarted.
    fn doubt(&mut self, peer: PeerId) {
        for connection in self.connections.get(&peer).into_iter().flatten() {
            self.queue.push_back(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::One(*connection),
                event: Wish::Doubt,
            });
        }
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler())
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::ConnectionEstablished(opened) = event {
            self.doubt(opened.peer_id);
            self.connections.entry(opened.peer_id).or_default().insert(opened.connection_id);
        }
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.failures.remove(&closed.connection_id);
            if let Some(others) = self.connections.get_mut(&closed.peer_id) {
                others.remove(&closed.connection_id);
                if others.is_empty() {
                    self.connections.remove(&closed.peer_id);
                }
            }
            self.doubt(closed.peer_id);
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        outcome: THandlerOutEvent<Self>,
    ) {
        if outcome == Outcome::Dead {
            // A dead connection beside a living one: the peer has restarted, and what each side
            // believes the other knows is out of step. Only a fresh start of all mends that.
            self.queue.push_back(ToSwarm::CloseConnection {
                peer_id: peer,
                connection: CloseConnection::All,
            });
        } else if matches!(outcome, Outcome::Failed(_)) {
            let failures = self.failures.entry(connection).or_default();
            *failures = failures.saturating_add(1);
            if *failures >= self.pace.failures_max {
                self.queue.push_back(ToSwarm::CloseConnection {
                    peer_id: peer,
                    connection: CloseConnection::One(connection),
                });
            }
        } else {
            self.failures.remove(&connection);
        }
        self.queue.push_back(ToSwarm::GenerateEvent(Event { peer, connection, outcome }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

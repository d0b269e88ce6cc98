//! The ping protocol of libp2p, both roles: is the peer alive, and how far away.
//! Invariant: answers any number of pings on one stream, on every transport, and at most
//! [`INBOUND_MAX`] streams of one connection.
//! Not here: what a dead connection means for discovery.
//!
//! libp2p's own crate answers only the first ping of a reused stream on QUIC and WebRTC until some
//! other event wakes the connection; go and py peers reuse the stream and would think us dead.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_timer::Delay;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    CloseConnection, ConnectionDenied, ConnectionHandler, ConnectionHandlerEvent, ConnectionId,
    FromSwarm, NetworkBehaviour, NotifyHandler, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol, THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use super::behaviour::Profile;
use super::clock::instant;
use crate::limits::{
    PING_BROWSER_EVERY_MS, PING_BROWSER_FAILURES_MAX, PING_BROWSER_TIMEOUT_MS, PING_EVERY_MS,
    PING_FAILURES_MAX, PING_TIMEOUT_MS,
};

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
    queue: VecDeque<ToSwarm<Event, Now>>,
    failures: BTreeMap<ConnectionId, u32>,
    connections: BTreeMap<PeerId, BTreeSet<ConnectionId>>,
    pace: Pace,
    seed: u64,
}

/// Asks a handler to ping at once.
#[derive(Clone, Copy, Debug)]
pub struct Now;

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
            event: Now,
        });
    }

    fn handler(&mut self) -> Handler {
        self.seed = self.seed.wrapping_add(1);
        Handler::new(self.pace, SmallRng::seed_from_u64(self.seed))
    }

    /// What ended one connection may have ended the others of that peer in silence.
    fn doubt(&mut self, peer: PeerId) {
        for connection in self.connections.get(&peer).into_iter().flatten() {
            self.queue.push_back(ToSwarm::NotifyHandler {
                peer_id: peer,
                handler: NotifyHandler::One(*connection),
                event: Now,
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
        if matches!(outcome, Outcome::Failed(_)) {
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

/// A ping under way: its time and the stream, to be used again.
type Pinging = BoxFuture<'static, io::Result<(Duration, Stream)>>;

enum Outbound {
    /// Until the next ping, with the stream of the last one.
    Waiting(Option<Stream>),
    Opening,
    /// `fresh`: on a stream opened for this ping.
    Pinging {
        ping: Pinging,
        fresh: bool,
    },
    Unsupported,
}

/// One connection's part: a timer, at most one ping of ours, and the answers we owe.
pub struct Handler {
    rng: SmallRng,
    pace: Pace,
    timer: Delay,
    outbound: Outbound,
    answers: FuturesUnordered<BoxFuture<'static, ()>>,
    outcome: VecDeque<Outcome>,
    wanted: bool,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ping::Handler")
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}

impl Handler {
    fn new(pace: Pace, rng: SmallRng) -> Self {
        // The first ping goes out at once, so that a new peer has a round-trip time to show.
        Self {
            rng,
            pace,
            timer: Delay::new(Duration::ZERO),
            outbound: Outbound::Waiting(None),
            answers: FuturesUnordered::new(),
            outcome: VecDeque::new(),
            wanted: false,
        }
    }

    fn finished(&mut self, outcome: Outcome, stream: Option<Stream>) {
        self.outbound = if outcome == Outcome::Unsupported {
            Outbound::Unsupported
        } else {
            Outbound::Waiting(stream)
        };
        // After a failure the next ping goes out at once: it decides whether the connection lives.
        let failed = matches!(outcome, Outcome::Failed(_));
        self.timer.reset(if failed { Duration::ZERO } else { self.pace.every });
        self.outcome.push_back(outcome);
    }

    fn start(&mut self, stream: Stream, fresh: bool) {
        let mut bytes = [0_u8; SIZE];
        self.rng.fill_bytes(&mut bytes);
        let ping = within(self.pace.timeout, ping(stream, bytes)).boxed();
        self.outbound = Outbound::Pinging { ping, fresh };
    }

    fn open(&mut self) -> ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Outcome> {
        self.outbound = Outbound::Opening;
        ConnectionHandlerEvent::OutboundSubstreamRequest {
            protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
                .with_timeout(self.pace.timeout),
        }
    }
}

async fn within<T>(timeout: Duration, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let deadline = Delay::new(timeout);
    futures::pin_mut!(work);
    match futures::future::select(work, deadline).await {
        futures::future::Either::Left((result, _)) => result,
        futures::future::Either::Right(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
        }
    }
}

async fn ping(mut stream: Stream, bytes: [u8; SIZE]) -> io::Result<(Duration, Stream)> {
    // A lazily negotiated stream sends the protocol name with our first bytes: that round trip is
    // part of the measure only there, and the page shows a time, not a benchmark.
    let start = instant();
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let mut answer = [0_u8; SIZE];
    stream.read_exact(&mut answer).await?;
    let took = start.elapsed();
    if answer == bytes {
        Ok((took, stream))
    } else {
        Err(io::Error::new(io::ErrorKind::InvalidData, "the answer differs from the question"))
    }
}

async fn answer(mut stream: Stream) {
    let mut bytes = [0_u8; SIZE];
    while stream.read_exact(&mut bytes).await.is_ok() {
        if stream.write_all(&bytes).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
    // The peer finished or reset the stream; a failing close changes nothing.
    drop(stream.close().await);
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Now;
    type ToBehaviour = Outcome;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, Now: Now) {
        match self.outbound {
            Outbound::Waiting(_) => {
                self.wanted = true;
                self.timer.reset(Duration::ZERO);
            }
            Outbound::Unsupported => self.outcome.push_back(Outcome::Unsupported),
            // A ping is under way; its outcome answers this request too.
            Outbound::Opening | Outbound::Pinging { .. } => {}
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "ping listens to nothing else")]
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) if self.answers.len() < INBOUND_MAX => self.answers.push(answer(stream).boxed()),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => self.start(stream, true),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                let outcome = match error {
                    StreamUpgradeError::NegotiationFailed => Outcome::Unsupported,
                    StreamUpgradeError::Timeout => Outcome::Failed("no answer in time".to_owned()),
                    StreamUpgradeError::Io(e) => Outcome::Failed(e.to_string()),
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.finished(outcome, None);
            }
            _ => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        while let Poll::Ready(Some(())) = self.answers.poll_next_unpin(cx) {}
        if let Outbound::Pinging { ping, fresh } = &mut self.outbound
            && let Poll::Ready(result) = ping.poll_unpin(cx)
        {
            match result {
                Ok((took, stream)) => self.finished(Outcome::Pong(took), Some(stream)),
                // The peer may have closed a stream that rested: only a fresh one tells.
                Err(_) if !*fresh => return Poll::Ready(self.open()),
                Err(e) => self.finished(Outcome::Failed(e.to_string()), None),
            }
        }
        if let Some(outcome) = self.outcome.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        if let Outbound::Waiting(stream) = &mut self.outbound
            && (self.timer.poll_unpin(cx).is_ready() || std::mem::take(&mut self.wanted))
        {
            let Some(stream) = stream.take() else { return Poll::Ready(self.open()) };
            self.start(stream, false);
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }
}

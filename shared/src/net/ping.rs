//! The ping protocol of libp2p, both roles: is the peer alive, and how far away.
//! Invariant: answers any number of pings on one stream, on every transport, and at most
//! [`INBOUND_MAX`] streams of one connection.
//! Not here: what a dead connection means for discovery.
//!
//! libp2p's own crate answers only the first ping of a reused stream on QUIC and WebRTC until some
//! other event wakes the connection; go and py peers reuse the stream and would think us dead.

use std::collections::{BTreeMap, VecDeque};
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

use super::clock::instant;
use crate::limits::{PING_EVERY_MS, PING_FAILURES_MAX, PING_TIMEOUT_MS};

/// The protocol's id (libp2p ping specification).
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");
/// Bytes of one ping (libp2p ping specification).
const SIZE: usize = 32;
/// Streams a peer may ping us on: one in use and one that is being replaced.
const INBOUND_MAX: usize = 2;

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
#[derive(Debug, Default)]
pub struct Behaviour {
    queue: VecDeque<ToSwarm<Event, Now>>,
    failures: BTreeMap<ConnectionId, u32>,
    seed: u64,
}

/// Asks a handler to ping at once.
#[derive(Clone, Copy, Debug)]
pub struct Now;

impl Behaviour {
    /// A behaviour whose ping bytes derive from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, ..Self::default() }
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
        Handler::new(SmallRng::seed_from_u64(self.seed))
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
        if let FromSwarm::ConnectionClosed(closed) = event {
            self.failures.remove(&closed.connection_id);
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
            if *failures >= PING_FAILURES_MAX {
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

enum Outbound {
    Waiting,
    Opening,
    Pinging(BoxFuture<'static, io::Result<Duration>>),
    Unsupported,
}

/// One connection's part: a timer, at most one ping of ours, and the answers we owe.
pub struct Handler {
    rng: SmallRng,
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
    fn new(rng: SmallRng) -> Self {
        // The first ping goes out at once, so that a new peer has a round-trip time to show.
        Self {
            rng,
            timer: Delay::new(Duration::ZERO),
            outbound: Outbound::Waiting,
            answers: FuturesUnordered::new(),
            outcome: VecDeque::new(),
            wanted: false,
        }
    }

    fn finished(&mut self, outcome: Outcome) {
        self.outbound =
            if outcome == Outcome::Unsupported { Outbound::Unsupported } else { Outbound::Waiting };
        self.timer.reset(Duration::from_millis(PING_EVERY_MS));
        self.outcome.push_back(outcome);
    }

    fn start(&mut self, stream: Stream) {
        let mut bytes = [0_u8; SIZE];
        self.rng.fill_bytes(&mut bytes);
        self.outbound = Outbound::Pinging(within(ping(stream, bytes)).boxed());
    }
}

async fn within(work: impl Future<Output = io::Result<Duration>>) -> io::Result<Duration> {
    let deadline = Delay::new(Duration::from_millis(PING_TIMEOUT_MS));
    futures::pin_mut!(work);
    match futures::future::select(work, deadline).await {
        futures::future::Either::Left((result, _)) => result,
        futures::future::Either::Right(_) => {
            Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"))
        }
    }
}

async fn ping(mut stream: Stream, bytes: [u8; SIZE]) -> io::Result<Duration> {
    // A lazily negotiated stream sends the protocol name with our first bytes: that round trip is
    // part of the measure only there, and the page shows a time, not a benchmark.
    let start = instant();
    stream.write_all(&bytes).await?;
    stream.flush().await?;
    let mut answer = [0_u8; SIZE];
    stream.read_exact(&mut answer).await?;
    let took = start.elapsed();
    // The answer is complete; how the stream ends no longer matters.
    drop(stream.close().await);
    if answer == bytes {
        Ok(took)
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
            Outbound::Waiting => {
                self.wanted = true;
                self.timer.reset(Duration::ZERO);
            }
            Outbound::Unsupported => self.outcome.push_back(Outcome::Unsupported),
            // A ping is under way; its outcome answers this request too.
            Outbound::Opening | Outbound::Pinging(_) => {}
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
            }) => self.start(stream),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.finished(match error {
                    StreamUpgradeError::NegotiationFailed => Outcome::Unsupported,
                    StreamUpgradeError::Timeout => Outcome::Failed("no answer in time".to_owned()),
                    StreamUpgradeError::Io(e) => Outcome::Failed(e.to_string()),
                    StreamUpgradeError::Apply(never) => match never {},
                });
            }
            _ => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        while let Poll::Ready(Some(())) = self.answers.poll_next_unpin(cx) {}
        if let Outbound::Pinging(future) = &mut self.outbound
            && let Poll::Ready(result) = future.poll_unpin(cx)
        {
            self.finished(match result {
                Ok(took) => Outcome::Pong(took),
                Err(e) => Outcome::Failed(e.to_string()),
            });
        }
        if let Some(outcome) = self.outcome.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(outcome));
        }
        if matches!(self.outbound, Outbound::Waiting)
            && (self.timer.poll_unpin(cx).is_ready() || std::mem::take(&mut self.wanted))
        {
            self.outbound = Outbound::Opening;
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
                    .with_timeout(Duration::from_millis(PING_TIMEOUT_MS)),
            });
        }
        Poll::Pending
    }
}

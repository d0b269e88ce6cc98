//! One connection's part of ping: a timer, at most one ping of ours, and the answers we owe.
//! Invariant: a ping fails only on a stream opened for it; a rested one may have been closed by the peer.
//! Not here: what a failure means for the connection (`ping`).

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_timer::Delay;
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};
use rand::Rng as _;
use rand::rngs::SmallRng;

use super::{INBOUND_MAX, Outcome, PROTOCOL, Pace, SIZE, Wish};
use crate::limits::PING_DOUBT_MS;
use crate::net::clock::instant;

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

/// See the module's text.
pub struct Handler {
    rng: SmallRng,
    pace: Pace,
    timer: Delay,
    outbound: Outbound,
    answers: FuturesUnordered<BoxFuture<'static, ()>>,
    outcome: VecDeque<Outcome>,
    wanted: bool,
    doubted: bool,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ping::Handler")
            .field("answers", &self.answers.len())
            .finish_non_exhaustive()
    }
}

impl Handler {
    pub(super) fn new(pace: Pace, rng: SmallRng) -> Self {
        // The first ping goes out at once, so that a new peer has a round-trip time to show.
        Self {
            rng,
            pace,
            timer: Delay::new(Duration::ZERO),
            outbound: Outbound::Waiting(None),
            answers: FuturesUnordered::new(),
            outcome: VecDeque::new(),
            wanted: false,
            doubted: false,
        }
    }

    fn finished(&mut self, outcome: Outcome, stream: Option<Stream>) {
        let doubted = std::mem::take(&mut self.doubted);
        let failed = matches!(outcome, Outcome::Failed(_));
        let outcome = if doubted && failed { Outcome::Dead } else { outcome };
        self.outbound = if outcome == Outcome::Unsupported {
            Outbound::Unsupported
        } else {
            Outbound::Waiting(stream)
        };
        // After a failure the next ping goes out at once: it decides whether the connection lives.
        self.timer.reset(if failed { Duration::ZERO } else { self.pace.every });
        self.outcome.push_back(outcome);
    }

    fn start(&mut self, stream: Stream, fresh: bool) {
        let mut bytes = [0_u8; SIZE];
        self.rng.fill_bytes(&mut bytes);
        let ping = within(self.timeout(), ping(stream, bytes)).boxed();
        self.outbound = Outbound::Pinging { ping, fresh };
    }

    fn timeout(&self) -> Duration {
        if self.doubted { Duration::from_millis(PING_DOUBT_MS) } else { self.pace.timeout }
    }

    fn open(&mut self) -> ConnectionHandlerEvent<ReadyUpgrade<StreamProtocol>, (), Outcome> {
        self.outbound = Outbound::Opening;
        ConnectionHandlerEvent::OutboundSubstreamRequest {
            protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
                .with_timeout(self.timeout()),
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
    type FromBehaviour = Wish;
    type ToBehaviour = Outcome;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, wish: Wish) {
        self.doubted |= wish == Wish::Doubt;
        match &mut self.outbound {
            Outbound::Waiting(stream) => {
                if wish == Wish::Doubt {
                    // The peer that knew this stream may be gone.
                    *stream = None;
                }
                self.wanted = true;
                self.timer.reset(Duration::ZERO);
            }
            Outbound::Unsupported => {
                self.doubted = false;
                self.outcome.push_back(Outcome::Unsupported);
            }
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

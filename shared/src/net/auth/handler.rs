//! One connection's part of `/peerloom/auth/1`: one question of ours at a time, and the answers we owe.
//! Invariant: lengths are checked before anything is allocated; no exchange outlasts its time.
//! Not here: what is asked and answered (`net::auth`).

use std::collections::VecDeque;
use std::io;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
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

use super::PROTOCOL;
use crate::auth::Failure;
use crate::limits::{
    AUTH_ANSWER_BYTES_MAX, AUTH_EXCHANGE_MS, AUTH_REQUEST_BYTES_MAX, AUTH_STREAMS_MAX,
};
use crate::wire::{AuthAnswer, AuthRequest, WireError};

/// What the behaviour wants of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask with these bytes.
    Ask(Vec<u8>),
    /// Answer the question with this number.
    Answer(u64, Vec<u8>),
}

/// What a connection tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The peer asks; the number counts this connection's questions.
    Asked(u64, Result<AuthRequest, WireError>),
    /// Our question ended.
    Answered(Result<AuthAnswer, Failure>),
}

/// What one stream brought.
enum Done {
    Asked(Box<Stream>, Result<AuthRequest, WireError>),
    Answered(Result<AuthAnswer, Failure>),
    Nothing,
}

/// See the module's text.
pub struct Handler {
    /// A few at most: what is simple is small, and this is loaded by every page.
    work: Vec<BoxFuture<'static, Done>>,
    /// Streams whose questions are being answered.
    asked: Vec<(u64, Stream)>,
    inbound: usize,
    number: u64,
    ask: Option<Vec<u8>>,
    asking: Option<Vec<u8>>,
    said: VecDeque<Said>,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("auth::Handler").field("inbound", &self.inbound).finish_non_exhaustive()
    }
}

impl Handler {
    pub(super) fn new() -> Self {
        Self {
            work: Vec::new(),
            asked: Vec::new(),
            inbound: 0,
            number: 0,
            ask: None,
            asking: None,
            said: VecDeque::new(),
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Asked(stream, request) => {
                self.number = self.number.saturating_add(1);
                self.asked.push((self.number, *stream));
                self.said.push_back(Said::Asked(self.number, request));
            }
            Done::Answered(answer) => self.said.push_back(Said::Answered(answer)),
            Done::Nothing => self.inbound = self.inbound.saturating_sub(1),
        }
    }
}

/// Ends work that takes too long; `late` is what it gives then.
async fn within<T>(work: impl Future<Output = T>, late: T) -> T {
    let deadline = Delay::new(Duration::from_millis(AUTH_EXCHANGE_MS));
    futures::pin_mut!(work);
    match futures::future::select(work, deadline).await {
        futures::future::Either::Left((result, _)) => result,
        futures::future::Either::Right(_) => late,
    }
}

/// Reads one message behind its length (unsigned varint).
async fn read(stream: &mut Stream, max: usize) -> io::Result<Vec<u8>> {
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, "the length is over the limit");
    let mut length = 0_usize;
    // Three groups of seven bits hold every length that is allowed here.
    for place in 0..3_u32 {
        let mut byte = [0_u8; 1];
        stream.read_exact(&mut byte).await?;
        let [byte] = byte;
        length |= usize::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            if length > max {
                return Err(too_long());
            }
            let mut bytes = vec![0; length];
            stream.read_exact(&mut bytes).await?;
            return Ok(bytes);
        }
    }
    Err(too_long())
}

async fn write(stream: &mut Stream, bytes: &[u8]) -> io::Result<()> {
    let mut message = Vec::with_capacity(bytes.len().saturating_add(3));
    prost::encoding::encode_varint(u64::try_from(bytes.len()).unwrap_or(u64::MAX), &mut message);
    message.extend_from_slice(bytes);
    stream.write_all(&message).await?;
    stream.flush().await
}

async fn question(mut stream: Stream) -> Done {
    match read(&mut stream, AUTH_REQUEST_BYTES_MAX).await {
        Ok(bytes) => Done::Asked(Box::new(stream), AuthRequest::decode(&bytes)),
        Err(_) => Done::Nothing,
    }
}

async fn reply(mut stream: Stream, bytes: Vec<u8>) -> Done {
    if write(&mut stream, &bytes).await.is_ok() {
        // The peer may have its answer and be gone.
        drop(stream.close().await);
    }
    Done::Nothing
}

async fn ask(mut stream: Stream, bytes: Vec<u8>) -> Done {
    let exchange = async {
        write(&mut stream, &bytes).await?;
        read(&mut stream, AUTH_ANSWER_BYTES_MAX).await
    };
    let answer = exchange.await.map_err(|_| Failure::Broken);
    // The answer is there; how the stream ends changes nothing.
    drop(stream.close().await);
    Done::Answered(answer.and_then(|bytes| AuthAnswer::decode(&bytes).map_err(|_| Failure::Broken)))
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Order;
    type ToBehaviour = Said;
    type InboundProtocol = ReadyUpgrade<StreamProtocol>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order {
            Order::Ask(bytes) => self.ask = Some(bytes),
            Order::Answer(number, bytes) => {
                if let Some(at) = self.asked.iter().position(|(known, _)| *known == number) {
                    let (_, stream) = self.asked.swap_remove(at);
                    self.work.push(within(reply(stream, bytes), Done::Nothing).boxed());
                }
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<Self::InboundProtocol, Self::OutboundProtocol>,
    ) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "it listens to nothing else")]
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: stream,
                ..
            }) if self.inbound < AUTH_STREAMS_MAX => {
                self.inbound = self.inbound.saturating_add(1);
                self.work.push(within(question(stream), Done::Nothing).boxed());
            }
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: stream,
                ..
            }) => {
                let bytes = self.asking.take().unwrap_or_default();
                let late = Done::Answered(Err(Failure::Broken));
                self.work.push(within(ask(stream, bytes), late).boxed());
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { error, .. }) => {
                self.asking = None;
                let failure = match error {
                    StreamUpgradeError::NegotiationFailed => Failure::Unsupported,
                    StreamUpgradeError::Timeout | StreamUpgradeError::Io(_) => Failure::Broken,
                    StreamUpgradeError::Apply(never) => match never {},
                };
                self.said.push_back(Said::Answered(Err(failure)));
            }
            _ => {}
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, (), Self::ToBehaviour>> {
        let mut done = Vec::new();
        self.work.retain_mut(|work| match work.poll_unpin(cx) {
            Poll::Ready(one) => {
                done.push(one);
                false
            }
            Poll::Pending => true,
        });
        done.into_iter().for_each(|done| self.done(done));
        if let Some(said) = self.said.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(said));
        }
        if self.asking.is_none()
            && let Some(bytes) = self.ask.take()
        {
            self.asking = Some(bytes);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                protocol: SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), ())
                    .with_timeout(Duration::from_millis(AUTH_EXCHANGE_MS)),
            });
        }
        Poll::Pending
    }
}

//! One connection's part of `/peerloom/auth/1`: one question of ours at a time, and the answers we owe.
//! Invariant: lengths are checked before anything is allocated; no exchange outlasts its time.
//! Not here: what is asked and answered (`net::auth`).

#[cfg(not(target_arch = "wasm32"))]
mod answers;
#[cfg(target_arch = "wasm32")]
#[path = "handler/no_answers.rs"]
mod answers;

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

use self::answers::Answers;
use super::PROTOCOL;
use crate::auth::Failure;
use crate::limits::{AUTH_ANSWER_BYTES_MAX, AUTH_EXCHANGE_MS};
use crate::wire::AuthAnswer;
#[cfg(not(target_arch = "wasm32"))]
use crate::wire::{AuthRequest, WireError};

/// What the behaviour wants of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Ask with these bytes.
    Ask(Vec<u8>),
    /// Answer the question with this number.
    #[cfg(not(target_arch = "wasm32"))]
    Answer(u64, Vec<u8>),
}

/// What a connection tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// The peer asks; the number counts this connection's questions.
    #[cfg(not(target_arch = "wasm32"))]
    Asked(u64, Result<AuthRequest, WireError>),
    /// Our question ended.
    Answered(Result<AuthAnswer, Failure>),
}

/// What one stream brought.
enum Done {
    /// An answer to us.
    Answered(Result<AuthAnswer, Failure>),
    /// A question to us, or the end of answering one.
    #[cfg_attr(target_arch = "wasm32", expect(dead_code, reason = "nobody asks a page"))]
    Theirs(answers::Done),
}

/// What is under way on one stream.
type Work = BoxFuture<'static, Done>;

/// See the module's text.
pub struct Handler {
    /// A few at most: what is simple is small, and this is loaded by every page.
    work: Vec<Work>,
    answers: Answers,
    ask: Option<Vec<u8>>,
    asking: Option<Vec<u8>>,
    said: VecDeque<Said>,
}

impl std::fmt::Debug for Handler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("auth::Handler").field("work", &self.work.len()).finish_non_exhaustive()
    }
}

impl Handler {
    pub(super) fn new() -> Self {
        Self {
            work: Vec::new(),
            answers: Answers::default(),
            ask: None,
            asking: None,
            said: VecDeque::new(),
        }
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Answered(answer) => self.said.push_back(Said::Answered(answer)),
            Done::Theirs(done) => self.said.extend(self.answers.done(done)),
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
    type InboundProtocol = answers::Protocol;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = ();

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(answers::protocol(), ())
    }

    fn on_behaviour_event(&mut self, order: Order) {
        match order {
            Order::Ask(bytes) => self.ask = Some(bytes),
            #[cfg(not(target_arch = "wasm32"))]
            Order::Answer(number, bytes) => self.work.extend(self.answers.answer(number, bytes)),
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
            }) => self.work.extend(self.answers.take(stream)),
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

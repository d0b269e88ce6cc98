//! Signalling streams of one connection.
//! Invariant: only a relayed connection has any; streams that nobody waits for are reset.
//! Not here: sessions.

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

use either::Either;
use libp2p_core::upgrade::{DeniedUpgrade, ReadyUpgrade};
use libp2p_swarm::handler::{
    ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound, FullyNegotiatedOutbound,
};
use libp2p_swarm::{
    ConnectionHandler, ConnectionHandlerEvent, Stream, StreamProtocol, StreamUpgradeError,
    SubstreamProtocol,
};

use super::{NoStream, Reply, refuse};
use crate::signal::Reach;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/webrtc-signaling/0.0.1");

/// What the behaviour asks of a connection.
pub enum ToHandler {
    /// A stream of ours.
    Open(Reply),
}

impl fmt::Debug for ToHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Open")
    }
}

/// What a connection tells the behaviour.
#[derive(Debug)]
pub enum ToBehaviour {
    /// The other side opened a stream, through a relay of this reach.
    Stream(Stream, Reach),
}

/// See the module's text.
pub struct Handler {
    /// How far away its relay is; `None` without one.
    relay: Option<Reach>,
    /// Whether the other side may open streams.
    listens: bool,
    wanted: VecDeque<Reply>,
    came: VecDeque<Stream>,
    waiting_max: usize,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("relay", &self.relay).finish_non_exhaustive()
    }
}

impl Handler {
    pub(super) fn new(relay: Option<Reach>, listens: bool, waiting_max: usize) -> Self {
        Self { relay, listens, wanted: VecDeque::new(), came: VecDeque::new(), waiting_max }
    }

    fn reach(&self) -> Reach {
        self.relay.unwrap_or(Reach::World)
    }
}

impl ConnectionHandler for Handler {
    type FromBehaviour = ToHandler;
    type ToBehaviour = ToBehaviour;
    type InboundProtocol = Either<ReadyUpgrade<StreamProtocol>, DeniedUpgrade>;
    type OutboundProtocol = ReadyUpgrade<StreamProtocol>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        let protocol = if self.listens {
            Either::Left(ReadyUpgrade::new(PROTOCOL))
        } else {
            Either::Right(DeniedUpgrade)
        };
        SubstreamProtocol::new(protocol, ())
    }

    fn on_behaviour_event(&mut self, ToHandler::Open(reply): ToHandler) {
        self.wanted.push_back(reply);
    }

    fn poll(
        &mut self,
        _: &mut Context<'_>,
    ) -> Poll<ConnectionHandlerEvent<Self::OutboundProtocol, Reply, ToBehaviour>> {
        if let Some(stream) = self.came.pop_front() {
            let event = ToBehaviour::Stream(stream, self.reach());
            return Poll::Ready(ConnectionHandlerEvent::NotifyBehaviour(event));
        }
        if let Some(reply) = self.wanted.pop_front() {
            let protocol = SubstreamProtocol::new(ReadyUpgrade::new(PROTOCOL), reply);
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        Poll::Pending
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Reply>,
    ) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other events are of no interest")]
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol: futures::future::Either::Left(stream),
                ..
            }) if self.came.len() < self.waiting_max => self.came.push_back(stream),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol,
                info,
            }) => {
                // Dropping the stream, when nobody waits any more, resets it.
                info.send(Ok((protocol, self.reach()))).map_or_else(drop, drop);
            }
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let why = match error {
                    StreamUpgradeError::NegotiationFailed => NoStream::Unsupported,
                    StreamUpgradeError::Timeout
                    | StreamUpgradeError::Apply(_)
                    | StreamUpgradeError::Io(_) => NoStream::Broken,
                };
                refuse(info, why);
            }
            _ => {}
        }
    }
}

//! The handler of a gated connection: nothing at all, until the behaviour hands it the real one.
//! Invariant: a stream is asked for only when the other side says that it speaks the protocol.
//! Not here: when to open (`gated`).

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::task::{Context, Poll};
use std::time::Duration;

use either::Either;
use futures::FutureExt as _;
use futures_timer::Delay;
use libp2p::StreamProtocol;
use libp2p::swarm::handler::{ConnectionEvent, ProtocolSupport};
use libp2p::swarm::{
    ConnectionHandler, ConnectionHandlerEvent, SubstreamProtocol, SupportedProtocols, dummy,
};

use crate::limits::GATED_SILENCE_MS;

/// The handler inside, or one that speaks nothing.
type Inside<H> = Either<H, dummy::ConnectionHandler>;
type Request<H> = SubstreamProtocol<
    <Inside<H> as ConnectionHandler>::OutboundProtocol,
    <Inside<H> as ConnectionHandler>::OutboundOpenInfo,
>;

/// Streams that wait until the other side says that it speaks one of these protocols. A closed node
/// says so once it has let us in; asked before, it refuses, and gossip gives a peer up that refused.
struct Patience<H: ConnectionHandler> {
    names: &'static [&'static str],
    waiting: VecDeque<Request<H>>,
    /// For whoever says nothing at all.
    timer: Option<Delay>,
    over: bool,
}

/// See the module's text.
pub struct Handler<H: ConnectionHandler> {
    inside: Inside<H>,
    patience: Patience<H>,
    /// What the other side speaks. A handler that comes later has to be told again.
    remote: SupportedProtocols,
    told_again: VecDeque<ProtocolSupport>,
}

/// What the behaviour wants of the handler of one connection.
pub enum Order<H: ConnectionHandler> {
    /// From now on this is the handler inside.
    Open(Box<H>),
    /// For the handler inside.
    Pass(H::FromBehaviour),
}

impl<H: ConnectionHandler> fmt::Debug for Order<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(_) => f.write_str("Open"),
            Self::Pass(event) => f.debug_tuple("Pass").field(event).finish(),
        }
    }
}

impl<H: ConnectionHandler> fmt::Debug for Handler<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handler").field("open", &self.inside.is_left()).finish_non_exhaustive()
    }
}

impl<H: ConnectionHandler> Patience<H> {
    /// Whether streams may be asked for.
    fn is_over(&mut self, remote: &SupportedProtocols, cx: &mut Context<'_>) -> bool {
        if self.over || self.names.is_empty() {
            return true;
        }
        let speaks = |name: &&str| remote.iter().any(|known| known.as_ref().starts_with(name));
        let silent = remote.iter().next().is_none();
        self.over = self.names.iter().any(speaks)
            || (silent
                && self
                    .timer
                    .get_or_insert_with(|| Delay::new(Duration::from_millis(GATED_SILENCE_MS)))
                    .poll_unpin(cx)
                    .is_ready());
        self.over
    }
}

impl<H: ConnectionHandler> Handler<H> {
    /// Around a handler, or around none. Its streams wait until the other side says that it speaks
    /// something that begins with one of the names; without names they do not wait.
    pub(super) fn new(inner: Option<H>, names: &'static [&'static str]) -> Self {
        Self {
            inside: inner.map_or(Either::Right(dummy::ConnectionHandler), Either::Left),
            patience: Patience { names, waiting: VecDeque::new(), timer: None, over: false },
            remote: SupportedProtocols::default(),
            told_again: VecDeque::new(),
        }
    }

    fn open(&mut self, inner: H) {
        self.inside = Either::Left(inner);
        let known: HashSet<StreamProtocol> = self.remote.iter().cloned().collect();
        if !known.is_empty() {
            // The connection tells only of changes.
            self.told_again.push_back(ProtocolSupport::Removed(known.clone()));
            self.told_again.push_back(ProtocolSupport::Added(known));
        }
    }
}

impl<H: ConnectionHandler> ConnectionHandler for Handler<H> {
    type FromBehaviour = Order<H>;
    type ToBehaviour = H::ToBehaviour;
    type InboundProtocol = <Inside<H> as ConnectionHandler>::InboundProtocol;
    type OutboundProtocol = <Inside<H> as ConnectionHandler>::OutboundProtocol;
    type InboundOpenInfo = <Inside<H> as ConnectionHandler>::InboundOpenInfo;
    type OutboundOpenInfo = <Inside<H> as ConnectionHandler>::OutboundOpenInfo;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol, Self::InboundOpenInfo> {
        self.inside.listen_protocol()
    }

    fn connection_keep_alive(&self) -> bool {
        self.inside.connection_keep_alive()
    }

    fn on_behaviour_event(&mut self, order: Order<H>) {
        match order {
            Order::Open(inner) => self.open(*inner),
            Order::Pass(event) => {
                if self.inside.is_left() {
                    self.inside.on_behaviour_event(Either::Left(event));
                }
            }
        }
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<
            Self::InboundProtocol,
            Self::OutboundProtocol,
            Self::InboundOpenInfo,
            Self::OutboundOpenInfo,
        >,
    ) {
        if let ConnectionEvent::RemoteProtocolsChange(change) = &event {
            self.remote.on_protocols_change(change.clone());
        }
        self.inside.on_connection_event(event);
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<
        ConnectionHandlerEvent<Self::OutboundProtocol, Self::OutboundOpenInfo, Self::ToBehaviour>,
    > {
        if let Some(support) = self.told_again.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::ReportRemoteProtocols(support));
        }
        let may_ask = self.patience.is_over(&self.remote, cx);
        if may_ask && let Some(protocol) = self.patience.waiting.pop_front() {
            return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
        }
        loop {
            let Poll::Ready(event) = self.inside.poll(cx) else { return Poll::Pending };
            if let ConnectionHandlerEvent::OutboundSubstreamRequest { protocol } = event {
                if may_ask {
                    return Poll::Ready(ConnectionHandlerEvent::OutboundSubstreamRequest {
                        protocol,
                    });
                }
                self.patience.waiting.push_back(protocol);
                continue;
            }
            return Poll::Ready(event.map_custom(from_inside));
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::ToBehaviour>> {
        self.inside.poll_close(cx).map(|event| event.map(from_inside))
    }
}

fn from_inside<T>(event: Either<T, std::convert::Infallible>) -> T {
    match event {
        Either::Left(event) => event,
        Either::Right(never) => match never {},
    }
}

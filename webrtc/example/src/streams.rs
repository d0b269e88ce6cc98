//! Streams of named protocols as a libp2p behaviour: opened on a connection of one's choice.
//! Invariant: a relayed connection carries none; it is for introductions, and its relay limits it.
//! Not here: what runs over the streams (`calls`), which connection is chosen (`node`).

use std::collections::VecDeque;
use std::io;
use std::slice;
use std::task::{Context, Poll};

use futures::channel::oneshot;
use libp2p::core::transport::PortUse;
use libp2p::core::upgrade::{InboundUpgrade, OutboundUpgrade};
use libp2p::core::{Endpoint, UpgradeInfo};
use libp2p::multiaddr::Protocol;
use libp2p::swarm::handler::{ConnectionEvent, DialUpgradeError, FullyNegotiatedInbound};
use libp2p::swarm::handler::{ConnectionHandler, ConnectionHandlerEvent, FullyNegotiatedOutbound};
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream,
    StreamProtocol, StreamUpgradeError, SubstreamProtocol, THandler, THandlerInEvent,
    THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

/// Where an opened stream goes.
pub type Reply = oneshot::Sender<io::Result<Stream>>;

/// The other side opened a stream.
#[derive(Debug)]
pub struct Incoming {
    /// Who.
    pub peer: PeerId,
    /// For which protocol.
    pub protocol: StreamProtocol,
    /// The stream.
    pub stream: Stream,
}

/// Opens a stream on one connection.
#[derive(Debug)]
pub struct Open {
    protocol: StreamProtocol,
    reply: Reply,
}

/// See the module's text.
#[derive(Debug)]
pub struct Behaviour {
    served: &'static [StreamProtocol],
    actions: VecDeque<ToSwarm<Incoming, Open>>,
}

impl Behaviour {
    /// Takes streams of these protocols.
    #[must_use]
    pub fn new(served: &'static [StreamProtocol]) -> Self {
        Self { served, actions: VecDeque::new() }
    }

    /// Opens a stream on a connection; the answer comes on the channel.
    pub fn open(
        &mut self,
        (peer_id, connection): (PeerId, ConnectionId),
        protocol: StreamProtocol,
    ) -> oneshot::Receiver<io::Result<Stream>> {
        let (reply, stream) = oneshot::channel();
        let handler = NotifyHandler::One(connection);
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id,
            handler,
            event: Open { protocol, reply },
        });
        stream
    }

    fn handler(&self, address: &Multiaddr) -> Handler {
        let served = if is_relayed(address) { &[][..] } else { self.served };
        Handler { served, events: VecDeque::new() }
    }
}

/// Whether a connection at this address runs through a relay. A `/webrtc` address names one, but the
/// connection does not use it.
#[must_use]
pub fn is_relayed(address: &Multiaddr) -> bool {
    let has = |wanted: &Protocol<'_>| address.iter().any(|part| part == *wanted);
    has(&Protocol::P2pCircuit) && !has(&Protocol::WebRTC)
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Incoming;

    fn handle_established_inbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        local: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(local))
    }

    fn handle_established_outbound_connection(
        &mut self,
        _: ConnectionId,
        _: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(address))
    }

    fn on_swarm_event(&mut self, _: FromSwarm<'_>) {}

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        (protocol, stream): THandlerOutEvent<Self>,
    ) {
        self.actions.push_back(ToSwarm::GenerateEvent(Incoming { peer, protocol, stream }));
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Incoming, THandlerInEvent<Self>>> {
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

type Named = (StreamProtocol, Stream);
type Event = ConnectionHandlerEvent<Upgrade<Option<StreamProtocol>>, Reply, Named>;

/// The streams of one connection.
#[derive(Debug)]
pub struct Handler {
    served: &'static [StreamProtocol],
    events: VecDeque<Event>,
}

impl ConnectionHandler for Handler {
    type FromBehaviour = Open;
    type ToBehaviour = Named;
    type InboundProtocol = Upgrade<&'static [StreamProtocol]>;
    type OutboundProtocol = Upgrade<Option<StreamProtocol>>;
    type InboundOpenInfo = ();
    type OutboundOpenInfo = Reply;

    fn listen_protocol(&self) -> SubstreamProtocol<Self::InboundProtocol> {
        SubstreamProtocol::new(Upgrade(self.served), ())
    }

    fn connection_keep_alive(&self) -> bool {
        true
    }

    fn on_behaviour_event(&mut self, Open { protocol, reply }: Open) {
        let protocol = SubstreamProtocol::new(Upgrade(Some(protocol)), reply);
        self.events.push_back(ConnectionHandlerEvent::OutboundSubstreamRequest { protocol });
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<Event> {
        self.events.pop_front().map_or(Poll::Pending, Poll::Ready)
    }

    fn on_connection_event(
        &mut self,
        event: ConnectionEvent<'_, Self::InboundProtocol, Self::OutboundProtocol, (), Reply>,
    ) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other events are of no interest")]
        match event {
            ConnectionEvent::FullyNegotiatedInbound(FullyNegotiatedInbound {
                protocol, ..
            }) => self.events.push_back(ConnectionHandlerEvent::NotifyBehaviour(protocol)),
            ConnectionEvent::FullyNegotiatedOutbound(FullyNegotiatedOutbound {
                protocol: (_, stream),
                info,
            }) => answer(info, Ok(stream)),
            ConnectionEvent::DialUpgradeError(DialUpgradeError { info, error }) => {
                let why = match error {
                    StreamUpgradeError::Timeout => io::ErrorKind::TimedOut.into(),
                    StreamUpgradeError::NegotiationFailed => {
                        io::Error::new(io::ErrorKind::Unsupported, "the peer does not serve that")
                    }
                    StreamUpgradeError::Apply(never) => match never {},
                    StreamUpgradeError::Io(error) => error,
                };
                answer(info, Err(why));
            }
            _ => {}
        }
    }
}

fn answer(reply: Reply, what: io::Result<Stream>) {
    // A stream that nobody waits for any more is reset by dropping it.
    reply.send(what).map_or_else(drop, drop);
}

/// Agrees on one of its protocols and leaves the stream as it is.
#[derive(Clone, Debug)]
pub struct Upgrade<T>(T);

impl UpgradeInfo for Upgrade<&'static [StreamProtocol]> {
    type Info = StreamProtocol;
    type InfoIter = std::iter::Cloned<slice::Iter<'static, StreamProtocol>>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.iter().cloned()
    }
}

impl UpgradeInfo for Upgrade<Option<StreamProtocol>> {
    type Info = StreamProtocol;
    type InfoIter = std::option::IntoIter<StreamProtocol>;

    fn protocol_info(&self) -> Self::InfoIter {
        self.0.clone().into_iter()
    }
}

impl InboundUpgrade<Stream> for Upgrade<&'static [StreamProtocol]> {
    type Output = Named;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Named, Self::Error>>;

    fn upgrade_inbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        std::future::ready(Ok((protocol, stream)))
    }
}

impl OutboundUpgrade<Stream> for Upgrade<Option<StreamProtocol>> {
    type Output = Named;
    type Error = std::convert::Infallible;
    type Future = std::future::Ready<Result<Named, Self::Error>>;

    fn upgrade_outbound(self, stream: Stream, protocol: StreamProtocol) -> Self::Future {
        std::future::ready(Ok((protocol, stream)))
    }
}

//! `/webrtc` as libp2p sees it: signalling streams on relayed connections.
//! Invariant: sessions are bounded, with each peer and in all; a session that fails costs the relayed
//! connection nothing.
//! Not here: what is said on the streams (`negotiate`), listening and dialling (`transport`).

mod handler;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use libp2p_core::Endpoint;
use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_core::transport::PortUse;
use libp2p_identity::PeerId;
use libp2p_swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p_swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, Stream, THandler,
    THandlerInEvent, THandlerOutEvent, ToSwarm,
};

pub use self::handler::{Handler, ToBehaviour, ToHandler};
use crate::address::{Signalled, reach, relay_of};
use crate::limits::SignalLimits;
use crate::signal::Reach;

/// Somebody wants a signalling stream to a peer.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) target: Signalled,
    pub(crate) reply: Reply,
}

/// Where the stream goes, with how far away the relay is.
pub(crate) type Reply = oneshot::Sender<Result<(Stream, Reach), NoStream>>;

/// Why there is no signalling stream.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoStream {
    /// The relayed connection could not be made.
    #[error("the peer cannot be reached through the relay: {0}")]
    NoCircuit(String),
    /// The other side does not speak `/webrtc`.
    #[error("the peer does not take part in /webrtc")]
    Unsupported,
    /// The relayed connection broke.
    #[error("the relayed connection broke")]
    Broken,
    /// Whoever composed this peer wants no introduction to that one ([`Behaviour::admitting`]).
    #[error("an introduction to this peer is not allowed")]
    Denied,
}

/// What the behaviour tells its transport.
#[derive(Debug)]
pub(crate) enum News {
    /// A peer asks for a connection, through a relay of this reach.
    Caller(PeerId, Stream, Reach),
    /// A peer asked that may not.
    Denied,
    /// We can be reached through this relayed address, or no longer.
    Listen(Multiaddr, bool),
}

/// Says whether we may be introduced to a peer.
struct Admission(Box<dyn Fn(&PeerId) -> bool + Send>);

impl fmt::Debug for Admission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Admission")
    }
}

/// See the module's text. Made together with its transport by [`crate::transport::signalled::new`].
#[derive(Debug)]
pub struct Behaviour {
    wishes: mpsc::Receiver<Wish>,
    news: mpsc::Sender<News>,
    /// News that the transport has no room for yet. Addresses are few; callers are never kept.
    waiting: VecDeque<News>,
    /// Relayed connections; a list, for they are few, and every map costs a page to load.
    relayed: Vec<(PeerId, ConnectionId)>,
    /// All others, any of which may be to a relay.
    direct: Vec<(PeerId, ConnectionId, Reach)>,
    /// Relayed connections that are being dialled for somebody.
    dialling: Vec<(ConnectionId, PeerId, Reply)>,
    actions: VecDeque<Action>,
    limits: SignalLimits,
    admission: Admission,
}

type Action = ToSwarm<(), ToHandler>;

impl Behaviour {
    pub(crate) fn new(
        wishes: mpsc::Receiver<Wish>,
        news: mpsc::Sender<News>,
        limits: SignalLimits,
    ) -> Self {
        Self {
            wishes,
            news,
            waiting: VecDeque::new(),
            relayed: Vec::new(),
            direct: Vec::new(),
            dialling: Vec::new(),
            actions: VecDeque::new(),
            limits,
            admission: Admission(Box::new(|_| true)),
        }
    }

    /// Introduces only peers that `admit` admits, whichever side asks. It is asked anew for each
    /// session. With others no stream is opened, and none is negotiated on relayed connections that
    /// open meanwhile.
    #[must_use]
    pub fn admitting(mut self, admit: impl Fn(&PeerId) -> bool + Send + 'static) -> Self {
        self.admission = Admission(Box::new(admit));
        self
    }

    /// Whether we may be introduced to a peer now.
    #[must_use]
    pub fn admits(&self, peer: &PeerId) -> bool {
        (self.admission.0)(peer)
    }

    fn open(&mut self, peer: PeerId, connection: ConnectionId, reply: Reply) {
        self.actions.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: ToHandler::Open(reply),
        });
    }

    fn wish(&mut self, Wish { target, reply }: Wish) {
        if !self.admits(&target.peer) {
            return refuse(reply, NoStream::Denied);
        }
        if let Some(&(peer, connection)) =
            self.relayed.iter().find(|(peer, _)| *peer == target.peer)
        {
            return self.open(peer, connection, reply);
        }
        if self.dialling.len() >= self.limits.sessions {
            return refuse(reply, NoStream::NoCircuit("too many at a time".to_owned()));
        }
        let opts = DialOpts::peer_id(target.peer)
            .addresses(vec![target.circuit])
            // The peer is being dialled already: by the one who wishes.
            .condition(PeerCondition::Always)
            .build();
        self.dialling.push((opts.connection_id(), target.peer, reply));
        self.actions.push_back(ToSwarm::Dial { opts });
    }

    fn is_known(&self, peer: &PeerId, connection: ConnectionId) -> bool {
        self.relayed.contains(&(*peer, connection))
    }

    /// The wish that a connection was dialled for.
    fn dialled(&mut self, connection: ConnectionId) -> Option<(PeerId, Reply)> {
        let at = self.dialling.iter().position(|(dialled, ..)| *dialled == connection)?;
        let (_, peer, reply) = self.dialling.swap_remove(at);
        Some((peer, reply))
    }

    fn tell(&mut self, news: News) {
        if let Err(error) = self.news.try_send(news)
            && error.is_full()
        {
            self.waiting.push_back(error.into_inner());
        }
    }

    fn address(&mut self, address: &Multiaddr, here: bool) {
        if let Some(signalled) = Signalled::of_circuit(address) {
            self.tell(News::Listen(signalled, here));
        }
    }

    /// The address is that of the relayed connection, or of the other end of a direct one.
    fn handler(&mut self, peer: PeerId, connection: ConnectionId, address: &Multiaddr) -> Handler {
        let relay = is_relayed(address).then(|| self.reach_of_relay(address));
        if relay.is_some() {
            self.relayed.push((peer, connection));
        } else {
            self.direct.push((peer, connection, reach(address)));
        }
        let listens = relay.is_some() && self.admits(&peer);
        Handler::new(relay, listens, self.limits.sessions_per_peer)
    }

    /// How far away the relay of a relayed address is, by the connections that we have with it: the
    /// address itself may be anybody's word.
    fn reach_of_relay(&self, circuit: &Multiaddr) -> Reach {
        let relay = relay_of(circuit);
        let known = self.direct.iter().filter(|(peer, ..)| Some(*peer) == relay);
        known.map(|(.., reach)| *reach).max().unwrap_or(Reach::World)
    }

    fn forget(&mut self, peer: &PeerId, connection: ConnectionId) {
        self.relayed.retain(|known| *known != (*peer, connection));
        self.direct.retain(|(known, id, _)| (known, *id) != (peer, connection));
    }
}

fn refuse(reply: Reply, why: NoStream) {
    // Whoever wished may have given up.
    reply.send(Err(why)).unwrap_or_default();
}

/// Whether a connection at this address runs through a relay. A `/webrtc` address names one, but the
/// connection does not use it.
fn is_relayed(address: &Multiaddr) -> bool {
    let circuit = address.iter().any(|part| matches!(part, Protocol::P2pCircuit));
    circuit && !address.iter().any(|part| matches!(part, Protocol::WebRTC))
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = ();

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        // What comes over a relay has no address but ours at that relay.
        let address = if is_relayed(local) { local } else { remote };
        Ok(self.handler(peer, connection, address))
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        address: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        Ok(self.handler(peer, connection, address))
    }

    fn on_swarm_event(&mut self, event: FromSwarm<'_>) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other events are of no interest")]
        match event {
            FromSwarm::ConnectionEstablished(e) => {
                if let Some((peer, reply)) = self.dialled(e.connection_id) {
                    if self.is_known(&peer, e.connection_id) {
                        self.open(peer, e.connection_id, reply);
                    } else {
                        refuse(reply, NoStream::NoCircuit("another way was taken".to_owned()));
                    }
                }
            }
            FromSwarm::ConnectionClosed(e) => self.forget(&e.peer_id, e.connection_id),
            FromSwarm::DialFailure(e) => {
                if let Some((peer, reply)) = self.dialled(e.connection_id) {
                    self.forget(&peer, e.connection_id);
                    refuse(reply, NoStream::NoCircuit(e.error.to_string()));
                } else if let Some(peer) = e.peer_id {
                    self.forget(&peer, e.connection_id);
                }
            }
            FromSwarm::ListenFailure(e) => {
                if let Some(peer) = e.peer_id {
                    self.forget(&peer, e.connection_id);
                }
            }
            FromSwarm::NewListenAddr(e) => self.address(e.addr, true),
            FromSwarm::ExpiredListenAddr(e) => self.address(e.addr, false),
            _ => {}
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        let ToBehaviour::Stream(stream, relay) = event;
        // The rules may have changed since the connection opened.
        let news =
            if self.admits(&peer) { News::Caller(peer, stream, relay) } else { News::Denied };
        // A transport that has no room for it resets the stream by dropping it.
        self.news.try_send(news).unwrap_or_default();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<ToSwarm<(), THandlerInEvent<Self>>> {
        while let Poll::Ready(Some(wish)) = self.wishes.poll_next_unpin(cx) {
            self.wish(wish);
        }
        while !self.waiting.is_empty() && self.news.poll_ready(cx).is_ready() {
            if let Some(news) = self.waiting.pop_front() {
                self.tell(news);
            }
        }
        self.actions.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

//! How everybody but the Driver uses the network.
//! Invariant: the only place that builds commands, so the only place where outbound work is
//! authorized; a denied call never reaches the Driver.
//! Not here: slots and deadlines of actors; retries.

use std::sync::Arc;
use std::time::Duration;

use libp2p::{Multiaddr, PeerId};
use tokio::sync::{mpsc, oneshot, watch};

use super::command::{
    AuthCommand, GateCommand, NetCommand, PubsubCommand, Reply, RoutingCommand, TransportCommand,
};
use super::judge::Judge;
use super::state::NetState;
use super::work::Offer;
use super::{address, ping, routing};
use crate::policy::{Action, Denial, Permit, Resource, Subject};
use crate::pubsub::Acceptance;
use crate::routing::{Ask, Found};

/// Why a call to the network failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetError {
    /// The policy said no.
    #[error("{0}")]
    Denied(Denial),
    /// A permit did not fit its command: a fault of ours.
    #[error("internal: {0}")]
    Permit(String),
    /// The Driver has ended.
    #[error("the network has stopped")]
    Gone,
    /// Too much is under way.
    #[error("too much is under way; try again in a moment")]
    Busy,
    /// The peer is not connected.
    #[error("the peer is not connected")]
    NotConnected,
    /// Nobody connected listens to the topic.
    #[error("nobody who is connected listens to this topic yet")]
    NobodyListens,
    /// The lookup ended without a find.
    #[error("not found")]
    NotFound,
    /// A connection could not be opened.
    #[error("{0}")]
    Dial(String),
    /// Another peer than the wanted one answers at the address.
    #[error("another peer answers there: {0}")]
    WrongPeer(PeerId),
    /// No transport of ours knows the form of the address.
    #[error("this peer has no transport for {0}")]
    Unsupported(Multiaddr),
    /// An address could not be listened on.
    #[error("{0}")]
    Listen(String),
    /// A ping failed.
    #[error("{0}")]
    Ping(String),
    /// Gossip refused.
    #[error("{0}")]
    Gossip(String),
    /// A lookup failed.
    #[error("{0}")]
    Routing(String),
}

/// A handle on the network. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NetHandle {
    commands: mpsc::Sender<NetCommand>,
    state: watch::Receiver<Arc<NetState>>,
    judge: Judge,
}

/// What listening on an address asks of the policy: a slot at a relay is a connection of ours.
pub(super) fn listening(at: &Multiaddr) -> (Action, Resource) {
    match address::relay(at) {
        Some(relay) => (Action::ConnectOut, Resource::Relay(relay)),
        None => (Action::ConnectIn, Resource::Node),
    }
}

/// What a dial is about: the peer where it is known, else the address.
pub(super) fn dialling(peer: Option<PeerId>, addresses: &[Multiaddr]) -> Resource {
    match (peer, addresses.first()) {
        (Some(peer), _) => Resource::Peer(peer),
        (None, Some(address)) => Resource::Address(address.clone()),
        (None, None) => Resource::Node,
    }
}

/// What stands behind [`NetHandle::fake`].
#[derive(Debug)]
pub struct FakeDriver {
    /// The commands as they come.
    pub commands: mpsc::Receiver<NetCommand>,
    /// The state to show.
    pub state: watch::Sender<Arc<NetState>>,
}

impl NetHandle {
    pub(super) fn new(
        commands: mpsc::Sender<NetCommand>,
        state: watch::Receiver<Arc<NetState>>,
        judge: Judge,
    ) -> Self {
        Self { commands, state, judge }
    }

    /// A handle whose commands a test receives instead of a Driver.
    #[must_use]
    pub fn fake(local: PeerId, judge: Judge) -> (Self, FakeDriver) {
        let (to_driver, commands) = mpsc::channel(crate::limits::COMMANDS_MAX);
        let (state, watched) = watch::channel(Arc::new(NetState::new(local)));
        (Self::new(to_driver, watched, judge), FakeDriver { commands, state })
    }

    /// The latest state.
    #[must_use]
    pub fn state(&self) -> Arc<NetState> {
        Arc::clone(&self.state.borrow())
    }

    /// Follows the state.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<NetState>> {
        self.state.clone()
    }

    /// The judge behind this handle.
    #[must_use]
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    fn permit(&self, action: Action, on: &Resource) -> Result<Permit, NetError> {
        self.judge.authorize(&Subject::Local, action, on).map_err(NetError::Denied)
    }

    async fn send(&self, command: NetCommand) -> Result<(), NetError> {
        self.commands.send(command).await.map_err(|_| NetError::Gone)
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> NetCommand) -> Result<T, NetError> {
        let (reply, answer) = oneshot::channel();
        self.send(command(reply)).await?;
        answer.await.map_err(|_| NetError::Gone)?
    }

    /// Listens on an address and gives the first address bound. A `/p2p-circuit` address reserves a
    /// slot at that relay.
    ///
    /// # Errors
    /// When the policy denies it or the transport cannot.
    pub async fn listen(&self, address: Multiaddr) -> Result<Multiaddr, NetError> {
        let (action, on) = listening(&address);
        let permit = self.permit(action, &on)?;
        self.ask(|reply| NetCommand::Transport(TransportCommand::Listen { permit, address, reply }))
            .await
    }

    /// Gives a slot at a relay back.
    ///
    /// # Errors
    /// When the Driver has ended.
    pub async fn release(&self, relay: PeerId) -> Result<(), NetError> {
        let permit = self.permit(Action::ConnectOut, &Resource::Relay(relay))?;
        self.send(NetCommand::Transport(TransportCommand::Release { permit, relay })).await
    }

    /// Opens a connection and gives the peer reached. Without `peer` the end of the address names
    /// it, or whoever answers is taken.
    ///
    /// # Errors
    /// When the policy denies it or no address answers.
    pub async fn dial(
        &self,
        peer: Option<PeerId>,
        mut addresses: Vec<Multiaddr>,
        even_if_connected: bool,
    ) -> Result<PeerId, NetError> {
        let peer = peer.or_else(|| addresses.first().and_then(address::peer));
        let mut denied = None;
        // A network that is denied is not even knocked at, whoever is there. Names are judged when
        // they have led somewhere.
        addresses.retain(|at| {
            let whole =
                peer.map_or_else(|| at.clone(), |peer| address::with_peer(at.clone(), peer));
            let judged = self.permit(Action::ConnectOut, &Resource::Address(whole));
            address::ip(at).is_none() || judged.map_err(|error| denied = Some(error)).is_ok()
        });
        if let (true, Some(error)) = (addresses.is_empty(), denied) {
            return Err(error);
        }
        let permit = self.permit(Action::ConnectOut, &dialling(peer, &addresses))?;
        self.ask(|reply| {
            NetCommand::Transport(TransportCommand::Dial {
                permit,
                peer,
                addresses,
                even_if_connected,
                reply,
            })
        })
        .await
    }

    /// Closes all connections of a peer.
    ///
    /// # Errors
    /// When it is not connected.
    pub async fn hang_up(&self, peer: PeerId) -> Result<(), NetError> {
        if !self.state.borrow().is_connected(&peer) {
            return Err(NetError::NotConnected);
        }
        let permit = self.permit(Action::ConnectOut, &Resource::Peer(peer))?;
        self.ask(|reply| NetCommand::Transport(TransportCommand::HangUp { permit, peer, reply }))
            .await
    }

    /// Measures the round trip to a connected peer.
    ///
    /// # Errors
    /// When it is not connected or does not answer.
    pub async fn ping(&self, peer: PeerId) -> Result<Duration, NetError> {
        let on = Resource::Protocol(ping::PROTOCOL.to_string());
        let permit = self.permit(Action::ProtocolOpen, &on)?;
        self.ask(|reply| NetCommand::Transport(TransportCommand::Ping { permit, peer, reply }))
            .await
    }

    /// Joins a gossip topic.
    ///
    /// # Errors
    /// When the policy or gossip refuses.
    pub async fn subscribe(&self, topic: String) -> Result<(), NetError> {
        let permit = self.permit(Action::TopicSubscribe, &Resource::Topic(topic.clone()))?;
        self.ask(|reply| NetCommand::Pubsub(PubsubCommand::Subscribe { permit, topic, reply }))
            .await
    }

    /// Leaves a gossip topic.
    ///
    /// # Errors
    /// When the Driver has ended.
    pub async fn unsubscribe(&self, topic: String) -> Result<(), NetError> {
        let permit = self.permit(Action::TopicSubscribe, &Resource::Topic(topic.clone()))?;
        self.send(NetCommand::Pubsub(PubsubCommand::Unsubscribe { permit, topic })).await
    }

    /// Publishes a message and gives the sequence number under which it was signed.
    ///
    /// # Errors
    /// When the policy refuses or nobody listens.
    pub async fn publish(&self, topic: String, data: Vec<u8>) -> Result<u64, NetError> {
        let permit = self.permit(Action::TopicPublish, &Resource::Topic(topic.clone()))?;
        self.ask(|reply| NetCommand::Pubsub(PubsubCommand::Publish { permit, topic, data, reply }))
            .await
    }

    /// Says what becomes of a gossip message.
    ///
    /// # Errors
    /// When the Driver has ended.
    pub async fn judge_message(
        &self,
        id: Vec<u8>,
        forwarder: PeerId,
        acceptance: Acceptance,
    ) -> Result<(), NetError> {
        let permit = self.permit(Action::TopicRelay, &Resource::Node)?;
        self.send(NetCommand::Pubsub(PubsubCommand::Judge { permit, id, forwarder, acceptance }))
            .await
    }

    /// Puts a peer into the routing table.
    ///
    /// # Errors
    /// When the policy refuses.
    pub async fn admit(&self, peer: PeerId, addresses: Vec<Multiaddr>) -> Result<(), NetError> {
        let permit = self.permit(Action::DhtQuery, &Resource::Peer(peer))?;
        self.send(NetCommand::Routing(RoutingCommand::Admit { permit, peer, addresses })).await
    }

    /// Takes a peer out of the routing table.
    ///
    /// # Errors
    /// When the policy refuses.
    pub async fn expel(&self, peer: PeerId) -> Result<(), NetError> {
        let permit = self.permit(Action::DhtQuery, &Resource::Peer(peer))?;
        self.send(NetCommand::Routing(RoutingCommand::Expel { permit, peer })).await
    }

    /// Asks the distributed hash table, under a number by which it can be cancelled.
    ///
    /// # Errors
    /// When the policy refuses, nothing is found, or the lookup fails.
    pub async fn query(&self, number: u64, ask: Ask) -> Result<Found, NetError> {
        let permit = self.permit(routing::action(&ask), &routing::resource(&ask))?;
        self.ask(|reply| NetCommand::Routing(RoutingCommand::Query { permit, number, ask, reply }))
            .await
    }

    /// Ends a query. Its caller hears that nothing was found.
    ///
    /// # Errors
    /// When the Driver has ended.
    pub async fn cancel_query(&self, number: u64) -> Result<(), NetError> {
        let permit = self.permit(Action::DhtQuery, &Resource::Node)?;
        self.send(NetCommand::Routing(RoutingCommand::Cancel { permit, number })).await
    }

    /// Keeps what the peer `from` offered, if the policy lets that peer put or provide it.
    ///
    /// # Errors
    /// When the policy refuses.
    pub async fn store(&self, from: PeerId, offer: Offer) -> Result<(), NetError> {
        let (action, key) = match &offer {
            Offer::Record(record) => (Action::DhtPut, record.key.to_vec()),
            Offer::Provider(record) => (Action::DhtProvide, record.key.to_vec()),
        };
        let who = Subject::Peer { id: from, addr: None, relayed: false };
        let permit =
            self.judge.authorize(&who, action, &Resource::Key(key)).map_err(NetError::Denied)?;
        self.send(NetCommand::Routing(RoutingCommand::Store { permit, offer })).await
    }

    /// Tells what grants we hold, what was taken back, and the like.
    ///
    /// # Errors
    /// When the policy denies it or the Driver has ended.
    pub async fn tell_auth(&self, told: super::auth::Told) -> Result<(), NetError> {
        let permit = self.permit(Action::AdminWrite, &Resource::Admin)?;
        let told = Box::new(told);
        self.send(NetCommand::Auth(AuthCommand::Tell { permit, told })).await
    }

    /// Keeps a peer out for `for_ms` ms and closes its connections.
    ///
    /// # Errors
    /// When the Driver has ended.
    pub async fn quarantine(&self, peer: PeerId, for_ms: u64) -> Result<(), NetError> {
        let permit = self.permit(Action::AdminWrite, &Resource::Admin)?;
        self.send(NetCommand::Gate(GateCommand::Quarantine { permit, peer, for_ms })).await
    }
}

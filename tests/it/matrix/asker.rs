//! A peer of stock libp2p behaviours that asks for everything, with our auth protocol beside them.
//! Invariant: it refrains from nothing by itself; whether a thing happens is up to whom it asks.
//! Not here: which grants it shows (`kinds`), what it asks for (`wire`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity};
use libp2p::identity::Keypair;
use libp2p::kad::store::MemoryStore;
use libp2p::kad::{self, QueryId, QueryResult};
use libp2p::swarm::{ConnectionId, NetworkBehaviour, SwarmEvent, dial_opts::DialOpts};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport as _, identify, relay};
use libp2p_stream::OpenStreamError;
use peerloom_node::root::spawn;
use peerloom_shared::auth::Allowance;
use peerloom_shared::grant::Chain;
use peerloom_shared::net::auth::{self, Told};
use peerloom_shared::net::{Judge, KAD_PROTOCOL};
use peerloom_shared::policy::{Class, PolicySet, Trust};
use peerloom_tests::PATIENCE;
use tokio::sync::{mpsc, oneshot, watch};

use crate::inside::eventually;
use crate::raw;

/// Orders that wait for the swarm.
const ORDERS_MAX: usize = 64;
/// How long its own lookups may take.
const QUERY: Duration = Duration::from_secs(3);

#[derive(NetworkBehaviour)]
pub(crate) struct Bare {
    identify: identify::Behaviour,
    auth: auth::Behaviour,
    pub(crate) gossip: gossipsub::Behaviour,
    pub(crate) kad: kad::Behaviour<MemoryStore>,
    relay: relay::client::Behaviour,
    streams: libp2p_stream::Behaviour,
}

type Order = Box<dyn FnOnce(&mut Swarm<Bare>) + Send>;

/// How something ended that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Failed,
}

/// What has happened to it.
#[derive(Default)]
pub(crate) struct Seen {
    /// Open connections: to whom, and whether a relay carries it.
    pub(crate) open: BTreeMap<ConnectionId, (PeerId, bool)>,
    /// All that ever were open.
    established: BTreeSet<ConnectionId>,
    /// Connections that did not come about.
    pub(crate) failed: BTreeSet<ConnectionId>,
    /// What the others allow it.
    pub(crate) allowed: BTreeMap<PeerId, Allowance>,
    /// Who follows which topic.
    pub(crate) follows: BTreeSet<(PeerId, String)>,
    /// The gossip that has arrived.
    pub(crate) heard: Vec<Vec<u8>>,
    /// How its request for a relay's slot ended.
    pub(crate) slot: Option<End>,
    queries: std::collections::HashMap<QueryId, End>,
    listens: Option<Multiaddr>,
}

/// The peer. Ends when it is dropped.
pub(crate) struct Asker {
    pub(crate) id: PeerId,
    orders: mpsc::Sender<Order>,
    streams: libp2p_stream::Control,
    seen: Arc<Mutex<Seen>>,
}

/// What a peer is made of.
#[derive(Clone)]
pub(crate) struct Make {
    /// Its key on connections.
    pub(crate) key: Keypair,
    /// The key that its gossip is signed with: its own, or that of somebody whose word it carries.
    pub(crate) author: Keypair,
    /// What it says it is.
    pub(crate) class: Class,
    /// The network it says it is in.
    pub(crate) trust: Trust,
    /// What it shows.
    pub(crate) chains: Vec<Chain>,
}

fn swarm(make: &Make) -> Swarm<Bare> {
    let Make { key, author, class, trust, chains } = make;
    let id = key.public().to_peer_id();
    let (through, client) = relay::client::new(id);
    let transport = raw::secured(through, key)
        .or_transport(raw::transport(key))
        .map(|output, _| output.into_inner())
        .boxed();
    let (_, open) = watch::channel(Arc::new(PolicySet::open().trusting(trust.clone())));
    let mut auth = auth::Behaviour::new(id, *class, Judge::new(open));
    auth.tell(Told::Credentials(chains.clone()));
    let gossip = gossipsub::Behaviour::new(
        MessageAuthenticity::Signed(author.clone()),
        gossipsub::Config::default(),
    );
    let mut lookups = kad::Config::new(StreamProtocol::new(KAD_PROTOCOL));
    lookups.set_query_timeout(QUERY).set_periodic_bootstrap_interval(None);
    let behaviour = Bare {
        identify: identify::Behaviour::new(identify::Config::new(
            "asker/1".to_owned(),
            key.public(),
        )),
        auth,
        gossip: gossip.expect("gossip"),
        kad: kad::Behaviour::with_config(id, MemoryStore::new(id), lookups),
        relay: client,
        streams: libp2p_stream::Behaviour::new(),
    };
    let config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_secs(60));
    Swarm::new(transport, behaviour, id, config)
}

impl Asker {
    /// Must run inside a runtime.
    pub(crate) fn start(make: &Make) -> Self {
        let swarm = swarm(make);
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let seen = Arc::<Mutex<Seen>>::default();
        let (id, streams) = (*swarm.local_peer_id(), swarm.behaviour().streams.new_control());
        drop(spawn(run(swarm, inbox, Arc::clone(&seen))));
        Self { id, orders, streams, seen }
    }

    /// Lets the swarm do something and gives what came out.
    pub(crate) async fn tell<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Swarm<Bare>) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = oneshot::channel();
        let order: Order = Box::new(move |swarm| drop(reply.send(order(swarm))));
        assert!(self.orders.send(order).await.is_ok(), "the swarm runs");
        answer.await.expect("the swarm runs")
    }

    pub(crate) fn seen<T>(&self, look: impl FnOnce(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.seen(|seen| seen.open.values().any(|(other, _)| *other == peer))
    }

    /// Dials; whether a connection came about, which may have ended since.
    pub(crate) async fn dial(&self, at: &Multiaddr) -> Option<ConnectionId> {
        let options = DialOpts::unknown_peer_id().address(at.clone()).build();
        let id = options.connection_id();
        let known = self.tell(move |swarm| swarm.dial(options).is_ok()).await;
        let opened = || {
            self.seen(|seen| {
                let failed = seen.failed.contains(&id).then_some(None);
                failed.or_else(|| seen.established.contains(&id).then_some(Some(id)))
            })
        };
        if known { eventually("the dial ends", opened).await } else { None }
    }

    /// Connects, and waits for what the other side says about its grants, or until it has shown it out.
    pub(crate) async fn connect(&self, at: &Multiaddr, to: PeerId) -> Option<Allowance> {
        let id = self.dial(at).await?;
        let answered = || {
            self.seen(|seen| {
                let answer = seen.allowed.get(&to).cloned();
                let gone = !seen.open.contains_key(&id);
                answer.map(Some).or_else(|| gone.then_some(None))
            })
        };
        eventually("an answer about the grants", answered).await
    }

    /// Whether the other side takes a stream of this protocol.
    pub(crate) async fn opens(&self, peer: PeerId, protocol: &'static str) -> bool {
        let mut streams = self.streams.clone();
        let opening = streams.open_stream(peer, StreamProtocol::new(protocol));
        match tokio::time::timeout(PATIENCE, opening).await.expect("an answer in time") {
            Ok(_) => true,
            Err(OpenStreamError::UnsupportedProtocol(_)) => false,
            Err(error) => {
                assert!(!self.is_connected(peer), "{protocol}: {error}");
                false
            }
        }
    }

    /// Starts a lookup and waits for its end.
    pub(crate) async fn query(
        &self,
        start: impl FnOnce(&mut kad::Behaviour<MemoryStore>) -> QueryId + Send + 'static,
    ) -> End {
        let id = self.tell(|swarm| start(&mut swarm.behaviour_mut().kad)).await;
        let ended = || self.seen(|seen| seen.queries.get(&id).copied());
        eventually("the end of a lookup", ended).await
    }

    /// Publishes, if it knows of anybody who listens.
    pub(crate) async fn publish(&self, topic: &str, data: Vec<u8>) -> bool {
        let topic = IdentTopic::new(topic);
        self.tell(move |swarm| swarm.behaviour_mut().gossip.publish(topic, data).is_ok()).await
    }

    /// Follows a topic.
    pub(crate) async fn subscribe(&self, topic: &str) {
        let topic = IdentTopic::new(topic);
        self.tell(move |swarm| swarm.behaviour_mut().gossip.subscribe(&topic).expect("a topic"))
            .await;
    }

    /// Waits until it knows that the other one follows a topic.
    pub(crate) async fn meets(&self, peer: PeerId, topic: &str) {
        let follows = (peer, topic.to_owned());
        let met = || self.seen(|seen| seen.follows.contains(&follows).then_some(()));
        eventually("the other one follows the topic", met).await;
    }

    /// Listens on loopback, or at a relay; the first address, where there is one.
    pub(crate) async fn listen(&self, at: Multiaddr) -> bool {
        self.tell(move |swarm| swarm.listen_on(at).is_ok()).await
    }

    /// Where it can be dialled.
    pub(crate) async fn address(&self) -> Multiaddr {
        self.listen("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).await;
        eventually("an address", || self.seen(|seen| seen.listens.clone())).await
    }
}

async fn run(mut swarm: Swarm<Bare>, mut orders: mpsc::Receiver<Order>, seen: Arc<Mutex<Seen>>) {
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => order(&mut swarm),
                None => return,
            },
            event = swarm.select_next_some() => {
                note(&mut swarm, event, &mut seen.lock().unwrap_or_else(PoisonError::into_inner));
            }
        }
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "tests look at nothing else")]
fn note(swarm: &mut Swarm<Bare>, event: SwarmEvent<BareEvent>, seen: &mut Seen) {
    match event {
        SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
            seen.open.insert(connection_id, (peer_id, endpoint.is_relayed()));
            seen.established.insert(connection_id);
            swarm.behaviour_mut().auth.speaks(peer_id);
        }
        SwarmEvent::ConnectionClosed { peer_id, connection_id, .. } => {
            seen.open.remove(&connection_id);
            if !seen.open.values().any(|(other, _)| *other == peer_id) {
                seen.allowed.remove(&peer_id);
                seen.follows.retain(|(other, _)| *other != peer_id);
            }
        }
        SwarmEvent::OutgoingConnectionError { connection_id, .. } => {
            seen.failed.insert(connection_id);
        }
        SwarmEvent::NewListenAddr { address, .. } => {
            seen.listens.get_or_insert(address);
        }
        SwarmEvent::ListenerClosed { .. } => {
            seen.slot.get_or_insert(End::Failed);
        }
        SwarmEvent::Behaviour(event) => note_behaviour(swarm, event, seen),
        _ => {}
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "tests look at nothing else")]
fn note_behaviour(swarm: &Swarm<Bare>, event: BareEvent, seen: &mut Seen) {
    match event {
        BareEvent::Auth(auth::Event::Allowed(peer)) => {
            let allowance = swarm.behaviour().auth.allowance(&peer).cloned();
            seen.allowed.extend(allowance.map(|allowance| (peer, allowance)));
        }
        BareEvent::Gossip(gossipsub::Event::Subscribed { peer_id, topic }) => {
            seen.follows.insert((peer_id, topic.into_string()));
        }
        BareEvent::Gossip(gossipsub::Event::Message { message, .. }) => {
            seen.heard.push(message.data);
        }
        BareEvent::Kad(kad::Event::OutboundQueryProgressed { id, result, step, .. }) => {
            let found = match &result {
                QueryResult::GetRecord(found) => {
                    matches!(found, Ok(kad::GetRecordOk::FoundRecord(_)))
                }
                QueryResult::PutRecord(done) => done.is_ok(),
                QueryResult::StartProviding(done) => done.is_ok(),
                _ => false,
            };
            if found {
                seen.queries.insert(id, End::Done);
            } else if step.last {
                seen.queries.entry(id).or_insert(End::Failed);
            }
        }
        BareEvent::Relay(relay::client::Event::ReservationReqAccepted { .. }) => {
            seen.slot = Some(End::Done);
        }
        _ => {}
    }
}

//! The peer itself: one loop that owns the swarm, obeys commands and serves streams.
//! Invariant: every command gets one answer, in time; all calls and servings are futures of this loop.
//! Not here: the transports (`transport`), what runs over streams (`calls`).

mod answer;
mod describe;

use std::fmt;
use std::rc::Rc;

use futures::channel::{mpsc, oneshot};
use futures::future::{LocalBoxFuture, join_all};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use libp2p::core::transport::ListenerId;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, NetworkBehaviour, Stream, StreamProtocol, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, identify, ping, relay, swarm};
use peerloom_webrtc::direct::Version;
use serde_json::{Value, json};

use self::answer::{called, in_time, reply};
use crate::calls::{self, CallError};
use crate::command::Command;
use crate::limits::{ANSWER_SPAN, ANSWER_STEP, IDLE, TASKS_MAX};
use crate::streams::{self, Incoming};
use crate::transport::{self, SetupError};

/// Where the answer to a command goes: a JSON object, or what went wrong.
pub type Answer = oneshot::Sender<Result<Value, String>>;

/// Takes each event that answers no command, as a JSON object with a field `event`.
pub type Report = Rc<dyn Fn(Value)>;

/// A command, and where its answer goes.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub command: Command,
    /// Who wants to know.
    pub answer: Answer,
}

/// The protocols of the peer; `streams` are its own.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    webrtc: peerloom_webrtc::behaviour::Behaviour,
    circuits: relay::client::Behaviour,
    relay: Toggle<relay::Behaviour>,
    identify: identify::Behaviour,
    ping: ping::Behaviour,
    streams: streams::Behaviour,
}

impl fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Behaviour").finish_non_exhaustive()
    }
}

/// What a peer is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Where it listens; at `/webrtc` too, when one of them is a relay's.
    pub listen: Vec<Multiaddr>,
    /// It also introduces others to each other.
    pub is_relay: bool,
    /// Dials WebRTC-direct with this version only. In a page the browser decides.
    pub only: Option<Version>,
}

/// A connection as we look it up.
struct Known {
    peer: PeerId,
    id: ConnectionId,
    relayed: bool,
    shown: Value,
}

/// See the module's text.
pub struct Node {
    swarm: Swarm<Behaviour>,
    is_relay: bool,
    report: Report,
    tasks: FuturesUnordered<LocalBoxFuture<'static, ()>>,
    connections: Vec<Known>,
    dials: Vec<(ConnectionId, Answer)>,
    identified: Vec<(PeerId, Value)>,
    curious: Vec<(PeerId, Answer)>,
    /// Listeners that have not told an address; the peer is ready when there are none.
    silent: Vec<ListenerId>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("id", &self.id()).finish_non_exhaustive()
    }
}

impl Node {
    /// A peer with a new identity.
    ///
    /// # Errors
    /// See [`SetupError`].
    pub fn new(setup: Setup, report: Report) -> Result<Self, SetupError> {
        let Setup { listen, is_relay, only } = setup;
        let keypair = Keypair::generate_ed25519();
        let id = keypair.public().to_peer_id();
        let (relayed, circuits) = relay::client::new(id);
        let (transport, webrtc) = transport::build(&keypair, relayed, only)?;
        let about = identify::Config::new("peerloom-test/1".to_owned(), keypair.public())
            .with_agent_version("peerloom-webrtc-example".to_owned());
        let behaviour = Behaviour {
            webrtc,
            circuits,
            relay: is_relay.then(|| relay::Behaviour::new(id, relay::Config::default())).into(),
            identify: identify::Behaviour::new(about),
            ping: ping::Behaviour::default(),
            streams: streams::Behaviour::new(calls::SERVED),
        };
        #[cfg(not(target_arch = "wasm32"))]
        let config = swarm::Config::with_tokio_executor();
        #[cfg(target_arch = "wasm32")]
        let config = swarm::Config::with_wasm_executor();
        let config = config.with_idle_connection_timeout(IDLE);
        let mut node = Self {
            swarm: Swarm::new(transport, behaviour, id, config),
            is_relay,
            report,
            tasks: FuturesUnordered::new(),
            connections: Vec::new(),
            dials: Vec::new(),
            identified: Vec::new(),
            curious: Vec::new(),
            silent: Vec::new(),
        };
        for address in &listen {
            node.listen(address.clone())?;
        }
        if listen.iter().any(|address| address.iter().any(|part| part == Protocol::P2pCircuit)) {
            node.listen(Multiaddr::empty().with(Protocol::WebRTC))?;
        }
        Ok(node)
    }

    /// Who it is.
    #[must_use]
    pub fn id(&self) -> PeerId {
        *self.swarm.local_peer_id()
    }

    fn listen(&mut self, address: Multiaddr) -> Result<(), SetupError> {
        let id = self
            .swarm
            .listen_on(address.clone())
            .map_err(|error| SetupError::Listen(format!("{address}: {error}")))?;
        self.silent.push(id);
        Ok(())
    }

    /// Runs until nobody can give commands any more.
    pub async fn run(mut self, mut orders: mpsc::Receiver<Order>) {
        if self.silent.is_empty() {
            self.ready();
        }
        loop {
            futures::select! {
                event = self.swarm.select_next_some() => self.observe(event),
                order = orders.next() => match order {
                    Some(Order { command, answer }) => self.obey(command, answer),
                    None => return,
                },
                () = self.tasks.select_next_some() => {}
            }
        }
    }

    fn obey(&mut self, command: Command, answer: Answer) {
        match command {
            Command::Dial(address) => self.dial(address, answer),
            Command::Connections => {
                let all: Vec<&Value> = self.connections.iter().map(|known| &known.shown).collect();
                reply(answer, Ok(json!({ "connections": all })));
            }
            Command::Addresses => reply(answer, Ok(json!({ "addrs": self.addresses() }))),
            Command::Identify(peer) => {
                match self.identified.iter().find(|(known, _)| *known == peer) {
                    Some((_, said)) => reply(answer, Ok(said.clone())),
                    None => self.curious.push((peer, answer)),
                }
            }
            Command::Close(peer) => {
                let done = self.swarm.disconnect_peer_id(peer);
                let gone = || "there is no connection to that peer".to_owned();
                reply(answer, done.map(|()| json!({})).map_err(|()| gone()));
            }
            Command::Ping(peer, count) => {
                self.call(peer, calls::PING, answer, move |stream| calls::pings(stream, count));
            }
            Command::Echo(peer, size) => {
                self.call(peer, calls::ECHO, answer, move |stream| calls::echo(stream, size));
            }
            Command::Sink(peer, size) => {
                self.call(peer, calls::SINK, answer, move |stream| calls::sink(stream, size));
            }
            Command::Requests(peer, count, size) => self.requests(peer, count, size, answer),
        }
    }

    fn dial(&mut self, address: Multiaddr, answer: Answer) {
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            return reply(answer, Err("the address does not end with a peer id".to_owned()));
        };
        let opts = DialOpts::peer_id(peer)
            .addresses(vec![address])
            .condition(PeerCondition::Always)
            .build();
        let id = opts.connection_id();
        match self.swarm.dial(opts) {
            Ok(()) => self.dials.push((id, answer)),
            Err(error) => reply(answer, Err(error.to_string())),
        }
    }

    /// Opens a stream on the newest connection with a peer that is not relayed.
    fn open(
        &mut self,
        peer: PeerId,
        protocol: StreamProtocol,
    ) -> Result<oneshot::Receiver<std::io::Result<Stream>>, String> {
        let direct = |known: &&Known| known.peer == peer && !known.relayed;
        let known = self.connections.iter().rev().find(direct);
        let id = known.ok_or("there is no direct connection to that peer")?.id;
        if self.tasks.len() >= TASKS_MAX {
            return Err("too many calls at once".to_owned());
        }
        Ok(self.swarm.behaviour_mut().streams.open((peer, id), protocol))
    }

    fn call<F>(
        &mut self,
        peer: PeerId,
        protocol: StreamProtocol,
        answer: Answer,
        run: impl FnOnce(Stream) -> F + 'static,
    ) where
        F: Future<Output = Result<Value, CallError>> + 'static,
    {
        match self.open(peer, protocol) {
            Ok(stream) => self.tasks.push(Box::pin(async move {
                reply(answer, in_time(called(stream, run)).await);
            })),
            Err(why) => reply(answer, Err(why)),
        }
    }

    /// So many requests at once, each on a stream of its own.
    fn requests(&mut self, peer: PeerId, count: u64, size: Option<u32>, answer: Answer) {
        let mut all = Vec::new();
        for at in 0..count {
            let many = at.wrapping_mul(ANSWER_STEP) % ANSWER_SPAN;
            let wanted = size.unwrap_or_else(|| u32::try_from(many).unwrap_or_default());
            match self.open(peer, calls::RR) {
                Ok(stream) => {
                    all.push(called(stream, move |stream| calls::request(stream, wanted)));
                }
                Err(why) => return reply(answer, Err(why)),
            }
        }
        self.tasks.push(Box::pin(async move {
            let done = in_time(join_all(all).map(Ok::<_, String>)).await;
            let sums = done.and_then(|all| all.into_iter().collect::<Result<Vec<u64>, String>>());
            let bytes = sums.map(|sums| sums.into_iter().fold(0, u64::saturating_add));
            reply(answer, bytes.map(|bytes| json!({ "count": count, "bytes": bytes })));
        }));
    }

    fn serve(&mut self, Incoming { peer, protocol, stream }: Incoming) {
        if self.tasks.len() >= TASKS_MAX {
            return;
        }
        let report = Rc::clone(&self.report);
        self.tasks.push(Box::pin(async move {
            let done = calls::serve(stream, &protocol).map(|done| done.map_err(|e| e.to_string()));
            report(match in_time(done).await {
                Ok(bytes) => json!({
                    "event": "served", "protocol": protocol.to_string(),
                    "peer": peer.to_string(), "bytes": bytes,
                }),
                Err(error) => json!({
                    "event": "error", "command": format!("serve {protocol} {peer}"), "error": error,
                }),
            });
        }));
    }

    fn observe(&mut self, event: SwarmEvent<BehaviourEvent>) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all other events are of no interest")]
        match event {
            SwarmEvent::Behaviour(BehaviourEvent::Streams(incoming)) => self.serve(incoming),
            SwarmEvent::Behaviour(BehaviourEvent::Identify(identify::Event::Received {
                peer_id,
                connection_id,
                info,
            })) => self.identified(peer_id, connection_id, &info),
            SwarmEvent::NewListenAddr { listener_id, address } => {
                if self.is_relay {
                    self.swarm.add_external_address(address);
                }
                if self.silent.contains(&listener_id) {
                    self.silent.retain(|silent| *silent != listener_id);
                    if self.silent.is_empty() {
                        self.ready();
                    }
                }
            }
            SwarmEvent::ListenerClosed { reason, addresses, .. } => {
                let error = reason.err().map(|error| error.to_string());
                let (event, all) = ("listener-closed", describe::texts(&addresses));
                (self.report)(json!({ "event": event, "addrs": all, "error": error }));
            }
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                let (relayed, shown) = describe::connection(peer_id, &endpoint);
                (self.report)(describe::event("peer-connected", &shown));
                self.answer_dial(connection_id, Ok(shown.clone()));
                self.connections.push(Known { peer: peer_id, id: connection_id, relayed, shown });
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                self.answer_dial(connection_id, Err(error.to_string()));
            }
            SwarmEvent::ConnectionClosed {
                peer_id, connection_id, num_established, cause, ..
            } => {
                let cause = cause.map(|cause| cause.to_string());
                self.closed((peer_id, connection_id), cause, num_established == 0);
            }
            _ => {}
        }
    }

    fn closed(&mut self, (peer, id): (PeerId, ConnectionId), cause: Option<String>, last: bool) {
        if let Some(at) = self.connections.iter().position(|known| known.id == id) {
            let known = self.connections.remove(at);
            let mut event = describe::event("peer-disconnected", &known.shown);
            if let Some(fields) = event.as_object_mut() {
                fields.insert("cause".to_owned(), cause.into());
            }
            (self.report)(event);
        }
        if last {
            self.identified.retain(|(known, _)| *known != peer);
            self.curious.retain(|(known, _)| *known != peer);
        }
    }

    /// A relayed connection has fewer protocols: what is said there is not what counts.
    fn identified(&mut self, peer: PeerId, connection: ConnectionId, info: &identify::Info) {
        if self.connections.iter().any(|known| known.id == connection && known.relayed) {
            return;
        }
        let said = describe::identity(peer, info);
        self.identified.retain(|(known, _)| *known != peer);
        self.identified.push((peer, said.clone()));
        for (_, answer) in self.curious.extract_if(.., |(known, _)| *known == peer) {
            reply(answer, Ok(said.clone()));
        }
    }

    fn answer_dial(&mut self, connection: ConnectionId, what: Result<Value, String>) {
        if let Some(at) = self.dials.iter().position(|(dialled, _)| *dialled == connection) {
            let (_, answer) = self.dials.swap_remove(at);
            reply(answer, what);
        }
    }

    fn ready(&self) {
        let (id, addrs) = (self.id().to_string(), self.addresses());
        (self.report)(json!({ "event": "ready", "id": id, "addrs": addrs }));
    }

    fn addresses(&self) -> Vec<String> {
        self.swarm.listeners().map(|address| describe::dialled(address, self.id())).collect()
    }
}

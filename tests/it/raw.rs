//! A libp2p peer that is not ours: bare gossip with any authorship, and bare streams of any protocol.
//! Invariant: it keeps to no rule of ours unless a test says so.
//! Not here: what the nodes make of it (`forged`, `ping`).

use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::future::Either;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity, ValidationMode};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport as _, identify, noise, quic, tcp, yamux,
};
use peerloom_tests::{PATIENCE, wait_until};
use peerloom_webrtc::backend::native::Certificate;
use peerloom_webrtc::transport::native::DirectTransport;
use tokio::runtime::Runtime;
use tokio::sync::mpsc;

/// Orders that wait for the swarm.
const ORDERS_MAX: usize = 1_024;
/// Much more than a node takes.
const FRAME_MAX: usize = 8 * 1024 * 1024;

#[derive(NetworkBehaviour)]
struct Bare {
    identify: identify::Behaviour,
    gossip: gossipsub::Behaviour,
    streams: libp2p_stream::Behaviour,
}

type Order = Box<dyn FnOnce(&mut Swarm<Bare>) + Send>;

/// What the peer heard, as far as tests look at it.
#[derive(Debug)]
enum Heard {
    Follows(PeerId, String),
    Message(Vec<u8>),
}

/// The peer.
pub(crate) struct Raw {
    pub(crate) id: PeerId,
    pub(crate) runtime: Runtime,
    orders: mpsc::Sender<Order>,
    streams: libp2p_stream::Control,
    heard: Receiver<Heard>,
}

impl Raw {
    /// A peer that authors its gossip as `author` says.
    pub(crate) fn start(author: impl FnOnce(&Keypair) -> MessageAuthenticity) -> Self {
        let runtime = crate::inside::runtime();
        let keypair = Keypair::generate_ed25519();
        let swarm = runtime.block_on(async { swarm(&keypair, author(&keypair)) });
        let (orders, inbox) = mpsc::channel(ORDERS_MAX);
        let (tell, heard) = sync_channel(100_000);
        let streams = swarm.behaviour().streams.new_control();
        runtime.spawn(run(swarm, inbox, tell));
        Self { id: keypair.public().to_peer_id(), runtime, orders, streams, heard }
    }

    /// One that signs with its own key.
    pub(crate) fn honest() -> Self {
        Self::start(|keypair| MessageAuthenticity::Signed(keypair.clone()))
    }

    /// Lets the swarm do something and gives what came out.
    fn tell<T: Send + 'static>(
        &self,
        order: impl FnOnce(&mut Swarm<Bare>) -> T + Send + 'static,
    ) -> T {
        let (reply, answer) = sync_channel(1);
        let order: Order = Box::new(move |swarm| reply.send(order(swarm)).unwrap_or_default());
        self.orders.blocking_send(order).expect("the swarm runs");
        answer.recv_timeout(PATIENCE).expect("the swarm runs")
    }

    /// Connects to a node. WebRTC can dial only where it listens, so it does.
    pub(crate) fn connect(&self, address: &str) -> PeerId {
        let address: Multiaddr = address.parse().expect("an address");
        let Some(Protocol::P2p(peer)) = address.iter().last() else {
            panic!("whose is {address}?")
        };
        if address.iter().any(|part| part == Protocol::WebRTCDirect) {
            let own: Multiaddr = "/ip4/127.0.0.1/udp/0/webrtc-direct".parse().expect("an address");
            self.tell(move |swarm| swarm.listen_on(own).expect("listens"));
            wait_until(PATIENCE, "a listener", || {
                self.tell(|swarm| (swarm.listeners().count() > 0).then_some(()))
            });
        }
        self.tell(move |swarm| swarm.dial(address).expect("dials"));
        wait_until(PATIENCE, "a connection", || self.is_connected(peer).then_some(()));
        peer
    }

    pub(crate) fn is_connected(&self, peer: PeerId) -> bool {
        self.tell(move |swarm| swarm.is_connected(&peer))
    }

    /// Follows a topic, and waits until this node does too.
    pub(crate) fn meet(&self, node: PeerId, topic: &str) {
        let (wanted, ident) = (topic.to_owned(), IdentTopic::new(topic));
        self.tell(move |swarm| swarm.behaviour_mut().gossip.subscribe(&ident).expect("a topic"));
        self.hear(&format!("{node} follows {topic}"), |heard| {
            matches!(heard, Heard::Follows(peer, topic) if *peer == node && *topic == wanted)
        });
    }

    fn hear(&self, what: &str, mut wanted: impl FnMut(&Heard) -> bool) {
        let end = Instant::now() + PATIENCE;
        while let Ok(heard) = self.heard.recv_timeout(end.saturating_duration_since(Instant::now()))
        {
            if wanted(&heard) {
                return;
            }
        }
        panic!("not within {PATIENCE:?}: {what}");
    }

    /// Waits for a message that ends in this text.
    pub(crate) fn message(&self, text: &str) {
        self.hear(
            &format!("message `{text}`"),
            |heard| matches!(heard, Heard::Message(data) if data.ends_with(text.as_bytes())),
        );
    }

    /// Publishes; whether gossip itself took it.
    pub(crate) fn publish(&self, topic: &str, data: Vec<u8>) -> Result<(), String> {
        let topic = IdentTopic::new(topic);
        self.tell(move |swarm| {
            let published = swarm.behaviour_mut().gossip.publish(topic, data);
            published.map(drop).map_err(|error| error.to_string())
        })
    }

    /// Opens a stream of any protocol.
    pub(crate) fn open(
        &self,
        peer: PeerId,
        protocol: &'static str,
    ) -> Result<libp2p::Stream, String> {
        let mut streams = self.streams.clone();
        let opened = streams.open_stream(peer, StreamProtocol::new(protocol));
        let within = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, opened).await });
        within.map_err(|error| error.to_string())?.map_err(|error| error.to_string())
    }
}

async fn run(
    mut swarm: Swarm<Bare>,
    mut orders: mpsc::Receiver<Order>,
    tell: std::sync::mpsc::SyncSender<Heard>,
) {
    loop {
        let event = tokio::select! {
            order = orders.recv() => match order {
                Some(order) => {
                    order(&mut swarm);
                    continue;
                }
                None => return,
            },
            event = swarm.select_next_some() => event,
        };
        let SwarmEvent::Behaviour(BareEvent::Gossip(event)) = event else { continue };
        let heard = if let gossipsub::Event::Subscribed { peer_id, topic } = event {
            Heard::Follows(peer_id, topic.into_string())
        } else if let gossipsub::Event::Message { message, .. } = event {
            Heard::Message(message.data)
        } else {
            continue;
        };
        // Full: the test looks at something else.
        tell.try_send(heard).unwrap_or_default();
    }
}

fn swarm(keypair: &Keypair, author: MessageAuthenticity) -> Swarm<Bare> {
    let signs = matches!(author, MessageAuthenticity::Signed(_));
    let config = gossipsub::ConfigBuilder::default()
        .validation_mode(if signs { ValidationMode::Strict } else { ValidationMode::None })
        .max_transmit_size(FRAME_MAX)
        .build()
        .expect("a configuration");
    let behaviour = Bare {
        identify: identify::Behaviour::new(identify::Config::new(
            "raw/1".to_owned(),
            keypair.public(),
        )),
        gossip: gossipsub::Behaviour::new(author, config).expect("gossip"),
        streams: libp2p_stream::Behaviour::new(),
    };
    let swarm_config = libp2p::swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_secs(60));
    Swarm::new(transport(keypair), behaviour, keypair.public().to_peer_id(), swarm_config)
}

pub(crate) type Peers = Boxed<(PeerId, StreamMuxerBox)>;

pub(crate) fn secured<T>(transport: T, keypair: &Keypair) -> Peers
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: futures::AsyncRead + futures::AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    transport
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).expect("a key"))
        .multiplex(yamux::Config::default())
        .boxed()
}

/// Every transport of a node, without relays.
pub(crate) fn transport(keypair: &Keypair) -> Peers {
    let plain = || tcp::tokio::Transport::new(tcp::Config::default());
    let certificate = Certificate::generate().expect("made");
    let webrtc = DirectTransport::new(keypair.clone(), certificate)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let quic = quic::tokio::Transport::new(quic::Config::new(keypair))
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let websocket = secured(libp2p_websocket::Config::new(plain()), keypair);
    let inner = |output: Either<_, _>| match output {
        Either::Left(output) | Either::Right(output) => output,
    };
    let streams =
        websocket.or_transport(secured(plain(), keypair)).map(move |output, _| inner(output));
    let datagrams = webrtc.or_transport(quic).map(move |output, _| inner(output));
    datagrams.or_transport(streams).map(move |output, _| inner(output)).boxed()
}

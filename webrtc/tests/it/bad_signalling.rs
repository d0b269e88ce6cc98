//! What a peer behind the same relay may say on a signalling stream: nothing of it costs more than the
//! session it is said in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::upgrade::Version;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{
    Multiaddr, PeerId, StreamProtocol, Swarm, Transport as _, identify, noise, ping, relay, tcp,
    yamux,
};
use libp2p_identity::Keypair;
use peerloom_webrtc::backend::native::{Certificate, NativePlatform};
use peerloom_webrtc::backend::{Local, Negotiation as _, Order, Platform as _, Role};
use peerloom_webrtc::limits::{ConnectionLimits, SignalLimits};
use peerloom_webrtc::transport::signalled::{Outcomes, SignalledConfig};
use tokio::task::JoinSet;

use crate::signalled::{
    DEADLINE, identified, idle, is_direct, peer_with, pinging, reserve, start_relay_with,
};

const SIGNALLING: StreamProtocol = StreamProtocol::new("/webrtc-signaling/0.0.1");
const CANDIDATE: &str =
    r#"{"candidate":"candidate:1 1 udp 1 127.0.0.1 9 typ host","sdpMid":"0","sdpMLineIndex":0}"#;
/// Short, so that the sessions that only time ends do not take 20 s each.
const TOTAL: Duration = Duration::from_secs(2);

#[derive(NetworkBehaviour)]
struct Hostile {
    streams: libp2p_stream::Behaviour,
    relay: relay::client::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

/// What a hostile peer has seen of its relayed connection.
#[derive(Default)]
struct Seen {
    pings: AtomicUsize,
    closed: AtomicUsize,
}

/// A hostile peer, the peer that it is connected to through a relay, and what that one counts.
struct Scene {
    relay: Multiaddr,
    victim: PeerId,
    address: Multiaddr,
    outcomes: Outcomes,
    control: libp2p_stream::Control,
    seen: Arc<Seen>,
    _relay: tokio::task::JoinHandle<()>,
    _tasks: JoinSet<()>,
}

fn hostile() -> Swarm<Hostile> {
    let keypair = Keypair::generate_ed25519();
    let id = keypair.public().to_peer_id();
    let (circuits, relay) = relay::client::new(id);
    let transport = circuits
        .or_transport(tcp::tokio::Transport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keypair).expect("keys"))
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let streams = libp2p_stream::Behaviour::new();
    let identify = identified(&keypair);
    let behaviour = Hostile { streams, relay, ping: pinging(), identify };
    Swarm::new(transport, behaviour, id, idle())
}

fn limits() -> SignalLimits {
    SignalLimits { total: TOTAL, ..SignalLimits::DEFAULT }
}

/// So large that the victim's limits are met first, and not those of the circuit.
fn patient_relay() -> relay::Config {
    relay::Config { max_circuit_bytes: 1 << 30, ..relay::Config::default() }
}

impl Scene {
    async fn start() -> Self {
        let (task, relay) = start_relay_with(patient_relay()).await;
        let config = SignalledConfig { signal: limits(), ..SignalledConfig::default() };
        let (mut victim, outcomes) = peer_with(config);
        let address = reserve(&mut victim, &relay).await;
        let id = *victim.local_peer_id();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            loop {
                victim.select_next_some().await;
            }
        });
        let mut hostile = hostile();
        let control = hostile.behaviour().streams.new_control();
        let circuit = relay.clone().with(Protocol::P2pCircuit).with(Protocol::P2p(id));
        hostile.dial(circuit).expect("dialled");
        let wait = async {
            loop {
                if let SwarmEvent::ConnectionEstablished { peer_id, .. } =
                    hostile.select_next_some().await
                    && peer_id == id
                {
                    return;
                }
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("a relayed connection");
        let seen = Arc::new(Seen::default());
        let noted = Arc::clone(&seen);
        tasks.spawn(async move {
            loop {
                match hostile.select_next_some().await {
                    SwarmEvent::Behaviour(HostileEvent::Ping(ping))
                        if ping.peer == id && ping.result.is_ok() =>
                    {
                        noted.pings.fetch_add(1, Ordering::SeqCst);
                    }
                    SwarmEvent::ConnectionClosed { peer_id, .. } if peer_id == id => {
                        noted.closed.fetch_add(1, Ordering::SeqCst);
                    }
                    _ => {}
                }
            }
        });
        Self { relay, victim: id, address, outcomes, control, seen, _relay: task, _tasks: tasks }
    }

    async fn stream(&mut self) -> libp2p::Stream {
        let opened = self.control.open_stream(self.victim, SIGNALLING);
        tokio::time::timeout(DEADLINE, opened).await.expect("in time").expect("a stream")
    }

    fn count(&self, outcome: &str) -> u64 {
        let counts = self.outcomes.counts();
        counts.iter().find(|(name, _)| *name == outcome).map_or(0, |(_, count)| *count)
    }

    fn all(&self) -> u64 {
        self.outcomes.counts().iter().map(|(_, count)| count).sum()
    }

    /// Waits until this outcome was counted so often.
    async fn counted(&self, outcome: &str, wanted: u64) {
        let wait = async {
            while self.count(outcome) < wanted {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let done = tokio::time::timeout(DEADLINE, wait).await;
        assert!(done.is_ok(), "no `{outcome}`: {:?}", self.outcomes.counts());
    }

    /// Two more pings over the relayed connection, which is the same as ever.
    async fn still_pings(&self) {
        let before = self.seen.pings.load(Ordering::SeqCst);
        let wait = async {
            while self.seen.pings.load(Ordering::SeqCst) < before + 2 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(DEADLINE, wait).await.expect("pings");
        assert_eq!(self.seen.closed.load(Ordering::SeqCst), 0, "the relayed connection was closed");
    }

    /// A peer that keeps to the rules gets its direct connection.
    async fn serves_others(&self) {
        let before = self.count("connected");
        let (mut honest, _) = peer_with(SignalledConfig::default());
        reserve(&mut honest, &self.relay).await;
        honest.dial(self.address.clone()).expect("dialled");
        let wait = async { while !is_direct(&honest.select_next_some().await, self.victim) {} };
        tokio::time::timeout(DEADLINE, wait).await.expect("a direct connection");
        self.counted("connected", before + 1).await;
    }
}

/// A length as a varint, and then so many bytes.
fn delimited(body: &[u8]) -> Vec<u8> {
    let mut all = Vec::new();
    let mut left = body.len();
    while left >= 0x80 {
        all.push((left & 0x7f) as u8 | 0x80);
        left >>= 7;
    }
    all.push(left as u8);
    all.extend_from_slice(body);
    all
}

/// A signalling message: field 1 the type, field 2 the data.
fn message(kind: u8, data: impl AsRef<[u8]>) -> Vec<u8> {
    delimited(&[&[8, kind, 18][..], &delimited(data.as_ref())].concat())
}

/// An offer as our own peers make it.
async fn offer() -> String {
    let certificate = Certificate::generate().expect("a certificate");
    let platform = NativePlatform { certificate, limits: ConnectionLimits::DEFAULT };
    let mut negotiation = platform.start(Role::Initiator).expect("started");
    negotiation.order(Order::CreateOffer);
    let local = std::future::poll_fn(|cx| negotiation.poll_local(cx));
    match tokio::time::timeout(DEADLINE, local).await.expect("in time") {
        Local::Description(sdp) => sdp,
        other => panic!("{other:?}"),
    }
}

/// How the other side of a stream is left after what was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Our half ends.
    End,
    /// Our half ends once the answer comes. Before, that would be another failure.
    EndAnswered,
    /// Nothing more comes.
    Silence,
}

struct Case {
    name: &'static str,
    said: Vec<u8>,
    then: Then,
    outcome: &'static str,
}

fn case(name: &'static str, said: Vec<u8>, then: Then, outcome: &'static str) -> Case {
    Case { name, said, then, outcome }
}

fn cases(offer: &str) -> Vec<Case> {
    use Then::{End, EndAnswered, Silence};
    let good = message(0, offer);
    let and = |more: Vec<u8>| [good.clone(), more].concat();
    let many = |times: usize, text: &str| message(2, text).repeat(times);
    let end = r#"{"candidate":"","sdpMid":"0","sdpMLineIndex":0}"#;
    vec![
        case("an offer that is no SDP", message(0, "v=1\nwhat?"), Silence, "bad_sdp"),
        case("an empty offer", message(0, ""), Silence, "bad_sdp"),
        case("an answer before the offer", message(1, offer), Silence, "out_of_order"),
        case("a candidate before the offer", message(2, CANDIDATE), Silence, "out_of_order"),
        case("a second offer", and(good.clone()), Silence, "out_of_order"),
        case("no UTF-8", message(0, [0xff, 0xfe]), Silence, "not_text"),
        case("a prefix for too much", vec![0xff, 0xff, 0xff, 0xff, 0x0f], Silence, "too_large"),
        case("a prefix without end", vec![0x80; 32], Silence, "malformed"),
        case("type 3", message(3, "x"), Silence, "malformed"),
        case("type 99", message(99, "x"), Silence, "malformed"),
        case("no type", delimited(&[18, 1, 120]), Silence, "malformed"),
        case("no protobuf", delimited(&[0xff; 40]), Silence, "malformed"),
        case("a large candidate", and(message(2, "x".repeat(1025))), Silence, "too_large"),
        case("a large offer", message(0, "x".repeat(16_385)), Silence, "too_large"),
        case("5000 candidates", and(many(5000, CANDIDATE)), Silence, "too_many_candidates"),
        case("5000 that are none", and(many(5000, "x")), Silence, "too_many_candidates"),
        case("5000 ends of candidates", and(many(5000, end)), Silence, "too_many_bytes"),
        case("nothing", vec![], End, "ended"),
        case("half a message", message(0, offer)[..50].to_vec(), End, "ended"),
        case("silence", vec![], Silence, "timeout"),
        case("candidates and silence", and(many(9, CANDIDATE)), Silence, "timeout"),
        case("candidates and the end", and(many(9, CANDIDATE)), EndAnswered, "timeout"),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_bad_session_fails_by_its_name_and_costs_nothing_else() {
    let mut scene = Scene::start().await;
    for Case { name, said, then, outcome } in cases(&offer().await) {
        let (before, all) = (scene.count(outcome), scene.all());
        let mut stream = scene.stream().await;
        // The victim may reset the stream before all of it is written.
        let written = stream.write_all(&said).await.is_ok() && stream.flush().await.is_ok();
        if then == Then::EndAnswered {
            stream.read_exact(&mut [0]).await.expect("an answer");
        }
        if then != Then::Silence && written {
            stream.close().await.expect("closed");
        }
        scene.counted(outcome, before + 1).await;
        assert_eq!(scene.all(), all + 1, "{name}: {:?}", scene.outcomes.counts());
        // Its stream is over: everything that it still sends, and then the end or a reset.
        let mut rest = Vec::new();
        let over = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await;
        assert!(over.is_ok(), "{name}: the stream lives on");
        scene.still_pings().await;
    }
    scene.serves_others().await;
    scene.still_pings().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_holds_all_its_sessions_holds_up_nobody_else() {
    let mut scene = Scene::start().await;
    let most = limits().sessions_per_peer;
    for round in 1..=2 {
        let mut held = Vec::new();
        for _ in 0..most {
            let mut stream = scene.stream().await;
            // The first bytes show that it is there; libp2p agrees on the protocol with them.
            stream.write_all(&[0x80]).await.expect("written");
            stream.flush().await.expect("sent");
            held.push(stream);
        }
        let mut refused = scene.stream().await;
        // Whether it was reset already does not matter here: it is below.
        refused.write_all(&message(0, "x")).await.unwrap_or_default();
        refused.flush().await.unwrap_or_default();
        scene.counted("peer_full", round).await;
        let mut rest = Vec::new();
        let over = tokio::time::timeout(DEADLINE, refused.read_to_end(&mut rest)).await;
        assert!(over.is_ok(), "the refused stream lives on");
        scene.serves_others().await;
        // Time frees the places, all of them: the second round finds as many.
        scene.counted("timeout", round * most as u64).await;
        drop(held);
    }
    assert_eq!(scene.count("peer_full"), 2);
    scene.still_pings().await;
}

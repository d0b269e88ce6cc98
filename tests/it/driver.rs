//! The Driver by itself, with swarms that speak through memory.
//! Invariant: every command is answered once, and no reader can hold the loop up.
//! Not here: sockets, actors, processes.

use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Swarm, Transport as _, noise, relay, swarm, yamux};
use peerloom_node::root::spawn;
use peerloom_shared::limits::{DRIVER_DRAIN_MS, LANE_WORK_MAX};
use peerloom_shared::net::behaviour::Halves;
use peerloom_shared::net::behaviour::Profile;
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::work::PubsubWork;
use peerloom_shared::net::{
    Behaviour, Driver, Exit, Judge, NetError, NetHandle, Settings, Works, agent,
};
use peerloom_shared::policy::{Action, PolicySet, Rules};
use peerloom_shared::pubsub::Acceptance;
use peerloom_shared::view::Transport;
use peerloom_shared::{Multiaddr, PeerId};
use peerloom_tests::PATIENCE;
use peerloom_webrtc::backend::native::{Certificate, NativePlatform};
use peerloom_webrtc::limits::ConnectionLimits;
use peerloom_webrtc::transport::signalled::{self, SignalledConfig};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::inside::{eventually, runtime};

const TOPIC: &str = "peerloom/open/lobby";

struct Peer {
    id: PeerId,
    net: NetHandle,
    works: Works,
    policy: watch::Sender<Arc<PolicySet>>,
    stop: oneshot::Sender<()>,
    end: JoinHandle<Exit>,
}

fn secured<T>(transport: T, keypair: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    transport
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).expect("keys"))
        .multiplex(yamux::Config::default())
        .boxed()
}

fn memory_swarm(keypair: &Keypair, judge: &Judge) -> Swarm<Behaviour> {
    let local = keypair.public().to_peer_id();
    let (relay_transport, relay_client) = relay::client::new(local);
    let settings = Settings {
        keypair: keypair.clone(),
        profile: Profile::Edge,
        agent: agent("native"),
        mdns: false,
        seed: 7,
    };
    let transport = secured(relay_transport, keypair)
        .or_transport(secured(MemoryTransport::default(), keypair))
        .map(|output, _| output.into_inner())
        .boxed();
    // Nobody is introduced over the memory transport.
    let certificate = Certificate::generate().expect("made");
    let platform = NativePlatform { certificate, limits: ConnectionLimits::DEFAULT };
    let (_, webrtc) = signalled::new(platform, SignalledConfig::default());
    let halves = Halves { relay_client, webrtc };
    let behaviour = Behaviour::new(&settings, halves, judge).expect("a behaviour");
    Swarm::new(transport, behaviour, local, swarm::Config::with_tokio_executor())
}

impl Peer {
    /// Must run inside a runtime.
    fn start() -> Self {
        let keypair = Keypair::generate_ed25519();
        let (policy, rules) = watch::channel(Arc::new(PolicySet::open()));
        let judge = Judge::new(rules);
        let swarm = memory_swarm(&keypair, &judge);
        let Parts { driver, handle, works, .. } = Driver::parts(swarm, judge, true, None);
        let (stop, stopped) = oneshot::channel::<()>();
        // A stop that is dropped unused never comes.
        let end = spawn(driver.run(async move {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { id: keypair.public().to_peer_id(), net: handle, works, policy, stop, end }
    }

    async fn listen(&self) -> Multiaddr {
        let at = self.net.listen("/memory/0".parse().expect("an address")).await;
        at.expect("listens").with(Protocol::P2p(self.id))
    }

    fn follows(&self, peer: PeerId) -> bool {
        self.net.state().topics.get(TOPIC).is_some_and(|peers| peers.contains(&peer))
    }
}

/// Two connected peers that follow the same topic and know it of each other.
async fn pair() -> (Peer, Peer) {
    let (left, right) = (Peer::start(), Peer::start());
    for peer in [&left, &right] {
        peer.net.subscribe(TOPIC.to_owned()).await.expect("follows");
    }
    let at = left.listen().await;
    assert_eq!(right.net.dial(None, vec![at], false).await, Ok(left.id));
    eventually("both know whom they speak to", || {
        (left.follows(right.id) && right.follows(left.id)).then_some(())
    })
    .await;
    (left, right)
}

#[test]
fn a_message_arrives_once_and_waits_for_its_verdict() {
    runtime().block_on(async {
        let (left, mut right) = pair().await;
        let seqno = left.net.publish(TOPIC.to_owned(), b"hello".to_vec()).await.expect("sent");
        let arrival = tokio::time::timeout(PATIENCE, right.works.pubsub.receiver.recv());
        let PubsubWork::GossipArrived(arrival) = arrival.await.expect("in time").expect("open");
        assert_eq!((arrival.author, arrival.seqno), (Some(left.id), Some(seqno)));
        assert_eq!((arrival.data.as_slice(), arrival.topic.as_str()), (&b"hello"[..], TOPIC));
        let verdict = right.net.judge_message(arrival.id, arrival.forwarder, Acceptance::Accept);
        verdict.await.expect("taken");
        assert!(right.works.pubsub.receiver.try_recv().is_err(), "nothing comes twice");
        let state = right.net.state();
        let [connection] = &state.peers()[0].connections[..] else { panic!("one connection") };
        assert_eq!(connection.transport, Transport::Memory);
    });
}

#[test]
fn a_reader_that_sleeps_holds_nobody_up() {
    runtime().block_on(async {
        let (left, right) = pair().await;
        // Nobody takes from the lane of `right`: what does not fit is answered and counted.
        for n in 0..LANE_WORK_MAX + 50 {
            let mut sent = left.net.publish(TOPIC.to_owned(), n.to_be_bytes().to_vec()).await;
            while sent == Err(NetError::Busy) {
                tokio::task::yield_now().await;
                sent = left.net.publish(TOPIC.to_owned(), n.to_be_bytes().to_vec()).await;
            }
            sent.expect("sent");
        }
        let shed = || right.works.pubsub.shed.load(std::sync::atomic::Ordering::Relaxed);
        eventually("the lane is full and says so", || (shed() >= 50).then_some(())).await;
        assert_eq!(right.works.pubsub.receiver.len(), LANE_WORK_MAX);
        right.net.ping(left.id).await.expect("the Driver still answers");
    });
}

#[test]
fn calls_that_cannot_succeed_say_why() {
    runtime().block_on(async {
        let peer = Peer::start();
        let nobody = "/memory/4711".parse().expect("an address");
        assert!(matches!(peer.net.dial(None, vec![nobody], false).await, Err(NetError::Dial(_))));
        let foreign: Multiaddr = "/ip4/127.0.0.1/tcp/1".parse().expect("an address");
        assert_eq!(
            peer.net.dial(None, vec![foreign.clone()], false).await,
            Err(NetError::Unsupported(foreign))
        );
        assert_eq!(peer.net.ping(PeerId::random()).await, Err(NetError::NotConnected));
        assert_eq!(peer.net.hang_up(PeerId::random()).await, Err(NetError::NotConnected));
        peer.net.subscribe(TOPIC.to_owned()).await.expect("follows");
        let alone = peer.net.publish(TOPIC.to_owned(), b"hello".to_vec()).await;
        assert_eq!(alone, Err(NetError::NobodyListens));
    });
}

#[test]
fn a_caller_that_has_left_harms_nobody() {
    runtime().block_on(async {
        let (left, right) = pair().await;
        for _ in 0..100 {
            let ping = right.net.ping(left.id);
            // Polled once, so that the command is on its way, and mostly dropped before the answer.
            drop(tokio::time::timeout(Duration::ZERO, ping).await);
        }
        right.net.ping(left.id).await.expect("the Driver still answers");
    });
}

#[test]
fn new_rules_close_what_they_forbid() {
    runtime().block_on(async {
        let (left, right) = pair().await;
        let rules = Rules { deny_peers: [right.id].into(), ..Rules::default() };
        left.policy.send_replace(Arc::new(PolicySet::from_rules(rules, 2)));
        let gone = || right.net.state().connections.is_empty().then_some(());
        eventually("the connection is closed", gone).await;
        assert!(matches!(
            left.net.dial(Some(right.id), vec![], false).await,
            Err(NetError::Denied(_))
        ));
    });
}

#[test]
fn nobody_is_introduced_to_whom_the_rules_deny() {
    runtime().block_on(async {
        let [denied, other] = [0, 1].map(|_| PeerId::random());
        let (policy, rules) = watch::channel(Arc::new(PolicySet::open()));
        let judge = Judge::new(rules);
        let swarm = memory_swarm(&Keypair::generate_ed25519(), &judge);
        let admits = |peer| swarm.behaviour().webrtc.admits(&peer);
        let denials = || {
            let each = judge.decisions().each();
            each.filter(|(action, ..)| *action == Action::ProtocolOpen)
                .map(|(.., no)| no)
                .sum::<u64>()
        };
        assert!(admits(denied) && admits(other));
        assert_eq!(denials(), 0);
        let rules = Rules { deny_peers: [denied].into(), ..Rules::default() };
        policy.send_replace(Arc::new(PolicySet::from_rules(rules, 2)));
        assert!(!admits(denied) && admits(other));
        assert_eq!(denials(), 1);
    });
}

#[test]
fn a_stop_says_goodbye_and_the_last_handle_ends_the_loop() {
    runtime().block_on(async {
        let (left, right) = pair().await;
        left.stop.send(()).expect("runs");
        let budget = Duration::from_millis(DRIVER_DRAIN_MS) + PATIENCE;
        let end = tokio::time::timeout(budget, left.end).await.expect("in time");
        assert_eq!(end.expect("no panic"), Exit::Stopped);
        let gone = || right.net.state().connections.is_empty().then_some(());
        eventually("the other side knows", gone).await;
        let Peer { net, end, .. } = right;
        drop(net);
        let end = tokio::time::timeout(PATIENCE, end).await.expect("in time");
        assert_eq!(end.expect("no panic"), Exit::Orphaned);
    });
}

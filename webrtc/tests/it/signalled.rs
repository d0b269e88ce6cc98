//! `/webrtc` between two native peers that know each other from a relay only.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::StreamExt as _;
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::upgrade::Version;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{Config, NetworkBehaviour, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm, Transport as _, identify, noise, ping, relay, tcp, yamux};
use libp2p_identity::Keypair;
use peerloom_webrtc::backend::native::{Certificate, NativePlatform};
use peerloom_webrtc::behaviour;
use peerloom_webrtc::limits::ConnectionLimits;
use peerloom_webrtc::transport::signalled::{self, Outcomes, SignalledConfig};

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

#[derive(NetworkBehaviour)]
pub(crate) struct Peer {
    webrtc: behaviour::Behaviour,
    relay: relay::client::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

#[derive(NetworkBehaviour)]
pub(crate) struct Relay {
    relay: relay::Behaviour,
    ping: ping::Behaviour,
    identify: identify::Behaviour,
}

pub(crate) fn identified(keypair: &Keypair) -> identify::Behaviour {
    identify::Behaviour::new(identify::Config::new("/test/1".to_owned(), keypair.public()))
}

pub(crate) fn pinging() -> ping::Behaviour {
    ping::Behaviour::new(ping::Config::new().with_interval(Duration::from_millis(100)))
}

pub(crate) fn idle() -> Config {
    Config::with_tokio_executor().with_idle_connection_timeout(DEADLINE)
}

fn peer() -> (Swarm<Peer>, Outcomes) {
    peer_with(SignalledConfig::default())
}

pub(crate) fn peer_with(config: SignalledConfig) -> (Swarm<Peer>, Outcomes) {
    peer_that_admits(config, |_| true)
}

/// A peer that is introduced only to whom `admit` admits.
fn peer_that_admits(
    config: SignalledConfig,
    admit: impl Fn(&PeerId) -> bool + Send + 'static,
) -> (Swarm<Peer>, Outcomes) {
    let keypair = Keypair::generate_ed25519();
    let id = keypair.public().to_peer_id();
    let certificate = Certificate::generate().expect("a certificate");
    let platform = NativePlatform { certificate, limits: ConnectionLimits::DEFAULT };
    let (webrtc, behaviour) = signalled::new(platform, config);
    let outcomes = webrtc.outcomes();
    let (circuits, relay) = relay::client::new(id);
    let secure = |keypair: &Keypair| noise::Config::new(keypair).expect("keys");
    let streams = circuits
        .or_transport(tcp::tokio::Transport::default())
        .upgrade(Version::V1Lazy)
        .authenticate(secure(&keypair))
        .multiplex(yamux::Config::default());
    let transport = webrtc
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .or_transport(streams)
        .map(|either, _| match either {
            futures::future::Either::Left((peer, muxer)) => (peer, muxer),
            futures::future::Either::Right((peer, muxer)) => (peer, StreamMuxerBox::new(muxer)),
        })
        .boxed();
    let identify = identified(&keypair);
    let webrtc = behaviour.admitting(admit);
    let behaviour = Peer { webrtc, relay, ping: pinging(), identify };
    let mut swarm = Swarm::new(transport, behaviour, id, idle());
    swarm.listen_on(Multiaddr::empty().with(Protocol::WebRTC)).expect("listening");
    (swarm, outcomes)
}

/// A relay, driven by a task, at the address.
async fn start_relay() -> (tokio::task::JoinHandle<()>, Multiaddr) {
    start_relay_with(relay::Config::default()).await
}

pub(crate) async fn start_relay_with(
    config: relay::Config,
) -> (tokio::task::JoinHandle<()>, Multiaddr) {
    let keypair = Keypair::generate_ed25519();
    let id = keypair.public().to_peer_id();
    let transport = tcp::tokio::Transport::default()
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(&keypair).expect("keys"))
        .multiplex(yamux::Config::default())
        .map(|(peer, muxer), _| (peer, StreamMuxerBox::new(muxer)))
        .boxed();
    let behaviour = Relay {
        relay: relay::Behaviour::new(id, config),
        ping: pinging(),
        identify: identified(&keypair),
    };
    let mut swarm = Swarm::new(transport, behaviour, id, idle());
    swarm.listen_on("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).expect("listening");
    let address = loop {
        if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await {
            break address;
        }
    };
    swarm.add_external_address(address.clone());
    #[expect(clippy::disallowed_methods, reason = "the handle ends it")]
    let task = tokio::spawn(async move {
        loop {
            swarm.select_next_some().await;
        }
    });
    (task, address.with(Protocol::P2p(id)))
}

/// Reserves on the relay; gives the `/webrtc` address that comes of it.
pub(crate) async fn reserve(swarm: &mut Swarm<Peer>, relay: &Multiaddr) -> Multiaddr {
    swarm.listen_on(relay.clone().with(Protocol::P2pCircuit)).expect("listening");
    let own = *swarm.local_peer_id();
    let wait = async {
        loop {
            if let SwarmEvent::NewListenAddr { address, .. } = swarm.select_next_some().await
                && is_webrtc(&address)
            {
                let ends = address.iter().last() == Some(Protocol::P2p(own));
                return if ends { address } else { address.with(Protocol::P2p(own)) };
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("an address")
}

fn is_webrtc(address: &Multiaddr) -> bool {
    address.iter().any(|part| part == Protocol::WebRTC)
}

/// Whether this event says that a direct connection is there.
pub(crate) fn is_direct<E>(event: &SwarmEvent<E>, with: PeerId) -> bool {
    matches!(event, SwarmEvent::ConnectionEstablished { peer_id, endpoint, .. }
        if *peer_id == with && is_webrtc(endpoint.get_remote_address()))
}

async fn both_direct(a: &mut Swarm<Peer>, b: &mut Swarm<Peer>) {
    let (id_a, id_b) = (*a.local_peer_id(), *b.local_peer_id());
    let (mut at_a, mut at_b) = (false, false);
    let wait = async {
        while !(at_a && at_b) {
            tokio::select! {
                event = a.select_next_some() => at_a |= is_direct(&event, id_b),
                event = b.select_next_some() => at_b |= is_direct(&event, id_a),
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("a direct connection at both sides");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_connection_outlives_the_relay() {
    let (task, relay) = start_relay().await;
    let (mut a, outcomes) = peer();
    let (mut b, _) = peer();
    reserve(&mut a, &relay).await;
    let address = reserve(&mut b, &relay).await;
    a.dial(address).expect("dialled");
    both_direct(&mut a, &mut b).await;
    assert_eq!(outcomes.counts(), [("connected", 1)]);
    task.abort();
    let (id_b, mut relay_lost, mut pings) = (*b.local_peer_id(), false, 0);
    let wait = async {
        while pings < 10 {
            tokio::select! {
                event = a.select_next_some() => match event {
                    SwarmEvent::ConnectionClosed { endpoint, .. } => {
                        relay_lost |= !is_webrtc(endpoint.get_remote_address());
                    }
                    SwarmEvent::Behaviour(PeerEvent::Ping(ping))
                        if relay_lost && ping.peer == id_b =>
                    {
                        pings += u32::from(ping.result.is_ok());
                    }
                    _ => {}
                },
                _ = b.select_next_some() => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("pings after the relay's death");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_may_dial_at_once() {
    let (_task, relay) = start_relay().await;
    let (mut a, _) = peer();
    let (mut b, _) = peer();
    let to_a = reserve(&mut a, &relay).await;
    let to_b = reserve(&mut b, &relay).await;
    a.dial(to_b).expect("dialled");
    b.dial(to_a).expect("dialled");
    both_direct(&mut a, &mut b).await;
}

/// Why a dial of `a` to a `/webrtc` address failed, while `b` goes on.
async fn failure(a: &mut Swarm<Peer>, b: &mut Swarm<Peer>) -> String {
    let wait = async {
        loop {
            tokio::select! {
                event = a.select_next_some() => {
                    if let SwarmEvent::OutgoingConnectionError { error, .. } = event
                        && error.to_string().contains("/webrtc")
                    {
                        return error.to_string();
                    }
                }
                _ = b.select_next_some() => {}
            }
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.expect("an error")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_introduced_to_a_peer_that_is_not_admitted() {
    let (_task, relay) = start_relay().await;
    let (mut a, at_a) = peer_that_admits(SignalledConfig::default(), |_| false);
    let (mut b, at_b) = peer();
    let to_a = reserve(&mut a, &relay).await;
    let to_b = reserve(&mut b, &relay).await;
    a.dial(to_b).expect("dialled");
    let error = failure(&mut a, &mut b).await;
    assert!(error.contains("an introduction to this peer is not allowed"), "{error}");
    assert_eq!(at_a.counts(), [("denied", 1)]);
    assert_eq!(at_b.counts(), [], "it has not been asked");
    // To the other side it looks as if the protocol did not exist.
    b.dial(to_a).expect("dialled");
    let error = failure(&mut b, &mut a).await;
    assert!(error.contains("does not take part in /webrtc"), "{error}");
    assert_eq!(at_b.counts(), [("no_stream", 1)]);
    assert_eq!(at_a.counts(), [("denied", 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayed_connection_that_is_open_already_does_not_help_who_is_denied() {
    let (_task, relay) = start_relay().await;
    let admits = Arc::new(AtomicBool::new(true));
    let asked = Arc::clone(&admits);
    let (mut a, at_a) =
        peer_that_admits(SignalledConfig::default(), move |_| asked.load(Ordering::Relaxed));
    let (mut b, at_b) = peer();
    let to_a = reserve(&mut a, &relay).await;
    reserve(&mut b, &relay).await;
    b.dial(to_a.clone()).expect("dialled");
    both_direct(&mut a, &mut b).await;
    admits.store(false, Ordering::Relaxed);
    let again = DialOpts::peer_id(*a.local_peer_id()).condition(PeerCondition::Always);
    b.dial(again.addresses(vec![to_a]).build()).expect("dialled");
    failure(&mut b, &mut a).await;
    assert_eq!(at_b.counts(), [("connected", 1), ("ended", 1)]);
    assert_eq!(at_a.counts(), [("connected", 1), ("denied", 1)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_at_the_relay_is_an_error_that_says_so() {
    let (_task, relay) = start_relay().await;
    let (mut a, outcomes) = peer();
    reserve(&mut a, &relay).await;
    let nobody = Keypair::generate_ed25519().public().to_peer_id();
    let address =
        relay.with(Protocol::P2pCircuit).with(Protocol::WebRTC).with(Protocol::P2p(nobody));
    a.dial(address).expect("dialled");
    let wait = async {
        loop {
            if let SwarmEvent::OutgoingConnectionError { error, .. } = a.select_next_some().await
                && error.to_string().contains("/webrtc")
            {
                return error.to_string();
            }
        }
    };
    let error = tokio::time::timeout(DEADLINE, wait).await.expect("an error");
    assert!(error.contains("through the relay"), "{error}");
    assert_eq!(outcomes.counts(), [("no_stream", 1)]);
}

//! Drivers that a relay introduces to each other, with a node's own transports on loopback.
//! Invariant: between two peers one direct path is left, whoever asked for it.
//! Not here: signalling itself (the crate `peerloom-webrtc`), when to ask (unit tests).

use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use peerloom_node::root::spawn;
use peerloom_node::swarm::{self, Counts};
use peerloom_shared::net::behaviour::Profile;
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::{Driver, Exit, Judge, NetHandle, Settings, Works, agent};
use peerloom_shared::policy::PolicySet;
use peerloom_shared::view::Transport;
use peerloom_shared::{Multiaddr, PeerId};
use peerloom_webrtc::backend::native::Certificate;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::inside::{eventually, runtime};

struct Peer {
    id: PeerId,
    net: NetHandle,
    counts: Counts,
    _works: Works,
    _policy: watch::Sender<Arc<PolicySet>>,
    _end: JoinHandle<Exit>,
}

impl Peer {
    fn start() -> Self {
        let keypair = Keypair::generate_ed25519();
        let id = keypair.public().to_peer_id();
        let (policy, rules) = watch::channel(Arc::new(PolicySet::open()));
        let judge = Judge::new(rules);
        let settings = Settings {
            keypair,
            profile: Profile::Edge,
            agent: agent("native"),
            mdns: false,
            seed: 7,
        };
        let certificate = Certificate::generate().expect("made");
        let (swarm, counts) = swarm::build(&settings, certificate, &judge).expect("a swarm");
        let Parts { driver, handle, works, .. } = Driver::parts(swarm, judge, true, None);
        let end = spawn(driver.run(std::future::pending()));
        Self { id, net: handle, counts, _works: works, _policy: policy, _end: end }
    }

    async fn listen(&self, at: Multiaddr) -> Multiaddr {
        let found = self.net.listen(at).await.expect("listens");
        if found.iter().last() == Some(Protocol::P2p(self.id)) {
            return found;
        }
        found.with(Protocol::P2p(self.id))
    }

    /// Our address for those whom the relay introduces.
    async fn reserve(&self, relay: &Multiaddr) -> Multiaddr {
        let relayed = self.listen(relay.clone().with(Protocol::P2pCircuit)).await;
        let mut parts: Vec<Protocol<'_>> = relayed.iter().collect();
        parts.insert(parts.len() - 1, Protocol::WebRTC);
        parts.into_iter().collect()
    }

    /// Whether each of the direct connections with a peer is our own.
    fn direct(&self, peer: &Self) -> Vec<bool> {
        let is_webrtc = |at: &Multiaddr| at.iter().any(|part| part == Protocol::WebRTC);
        let state = self.net.state();
        let all = state.connections.values();
        all.filter(|c| c.peer == peer.id && is_webrtc(&c.address)).map(|c| c.outbound).collect()
    }

    async fn dial(&self, peer: &Self, at: &Multiaddr) {
        let dialled = self.net.dial(Some(peer.id), vec![at.clone()], true).await;
        assert_eq!(dialled, Ok(peer.id), "{:#?}", self.net.state().connections);
    }
}

#[test]
fn of_two_direct_paths_one_is_left() {
    runtime().block_on(async {
        let [relay, one, other] = [0, 1, 2].map(|_| Peer::start());
        let relay = relay.listen("/ip4/127.0.0.1/tcp/0".parse().expect("an address")).await;
        let to_one = one.reserve(&relay).await;
        let to_other = other.reserve(&relay).await;
        // Each is dialled by the other, and both dials succeed: two direct connections came about.
        tokio::join!(one.dial(&other, &to_other), other.dial(&one, &to_one));
        for peer in [&one, &other] {
            let connected = || peer.counts.upgrades.counts() == [("connected", 2)];
            eventually("both sessions end well", || connected().then_some(())).await;
        }
        let (larger, smaller) = if one.id > other.id { (one, other) } else { (other, one) };
        eventually("the one of the smaller id is left, at both ends", || {
            let left = (larger.direct(&smaller), smaller.direct(&larger));
            (left == (vec![false], vec![true])).then_some(())
        })
        .await;
        larger.net.ping(smaller.id).await.expect("it works");
        smaller.net.ping(larger.id).await.expect("it works");
        for (kind, [received, sent]) in larger.counts.traffic.each() {
            let used = matches!(kind, Transport::Tcp | Transport::Circuit | Transport::Webrtc);
            assert_eq!((received > 0, sent > 0), (used, used), "{kind:?}");
        }
    });
}

//! Peers that meet through a relay, with their Drivers inside the test.
//! Invariant: over a circuit there is ping, and no gossip and no lookups; those begin with a direct path.
//! Not here: who may have a slot (unit tests), nodes as processes.

use std::sync::Arc;

use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use peerloom_node::root::spawn;
use peerloom_shared::net::behaviour::Profile;
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::work::PubsubWork;
use peerloom_shared::net::{Driver, Judge, NetError, NetHandle, Settings, Works, agent};
use peerloom_shared::policy::{PolicySet, Rules};
use peerloom_shared::routing::{Ask, Found};
use peerloom_shared::view::Path;
use peerloom_shared::{Multiaddr, PeerId};
use peerloom_webrtc::backend::native::Certificate;
use tokio::sync::{oneshot, watch};

use crate::inside::{eventually, runtime};

const TOPIC: &str = "peerloom/open/lobby";

/// A Driver with native transports, and its ways in and out.
struct Peer {
    id: PeerId,
    net: NetHandle,
    works: Works,
    stop: Option<oneshot::Sender<()>>,
    policy: watch::Sender<Arc<PolicySet>>,
}

impl Peer {
    /// Must run inside a runtime.
    fn start() -> Self {
        let keypair = Keypair::generate_ed25519();
        let (policy, rules) = watch::channel(Arc::new(PolicySet::from_rules(Rules::default(), 1)));
        let judge = Judge::new(rules);
        let settings = Settings {
            keypair: keypair.clone(),
            profile: Profile::Edge,
            agent: agent("native"),
            mdns: false,
            seed: 7,
        };
        let certificate = Certificate::generate().expect("made");
        let (swarm, _) =
            peerloom_node::swarm::build(&settings, certificate, &judge).expect("a swarm");
        let Parts { driver, handle, works, .. } = Driver::parts(swarm, judge, true, None);
        let (stop, stopped) = oneshot::channel::<()>();
        drop(spawn(driver.run(async move { drop(stopped.await) })));
        Self { id: keypair.public().to_peer_id(), net: handle, works, stop: Some(stop), policy }
    }

    async fn listen(&self) -> Multiaddr {
        let any = "/ip4/127.0.0.1/tcp/0".parse().expect("an address");
        self.net.listen(any).await.expect("listens").with(Protocol::P2p(self.id))
    }

    /// Connected to `peer`, over these paths.
    fn paths(&self, peer: PeerId) -> Vec<Path> {
        let peers = self.net.state().peers();
        let known = peers.into_iter().find(|known| known.id == peer.to_string());
        known.into_iter().flat_map(|known| known.connections).map(|c| c.path).collect()
    }

    fn follows(&self, peer: PeerId) -> bool {
        self.net.state().topics.get(TOPIC).is_some_and(|peers| peers.contains(&peer))
    }

    async fn hears(&mut self, text: &str) -> PeerId {
        let arrival =
            tokio::time::timeout(peerloom_tests::PATIENCE, self.works.pubsub.receiver.recv());
        let PubsubWork::GossipArrived(arrival) =
            arrival.await.expect("a message in time").expect("the Driver runs");
        assert_eq!((arrival.data.as_slice(), arrival.topic.as_str()), (text.as_bytes(), TOPIC));
        arrival.author.expect("signed")
    }
}

/// Two peers that share only a relay, with a circuit between them.
async fn over_a_relay() -> (Peer, Peer, Peer) {
    let [relay, left, right] = [Peer::start(), Peer::start(), Peer::start()];
    let at = relay.listen().await;
    for peer in [&left, &right] {
        peer.net.dial(None, vec![at.clone()], false).await.expect("the relay answers");
        peer.net.subscribe(TOPIC.to_owned()).await.expect("follows");
    }
    let slot = at.clone().with(Protocol::P2pCircuit);
    right.net.listen(slot.clone()).await.expect("a slot");
    eventually("the slot is known", || {
        right.net.state().reservations.contains(&relay.id).then_some(())
    })
    .await;
    let circuit = slot.with(Protocol::P2p(right.id));
    let reached = left.net.dial(Some(right.id), vec![circuit], false).await.expect("a circuit");
    assert_eq!(reached, right.id);
    eventually("both sides know of it", || {
        let known = !left.paths(right.id).is_empty() && !right.paths(left.id).is_empty();
        known.then_some(())
    })
    .await;
    (relay, left, right)
}

#[test]
fn gossip_and_lookups_wait_for_a_direct_path() {
    runtime().block_on(async {
        let (mut relay, left, mut right) = over_a_relay().await;
        assert_eq!(left.paths(right.id), [Path::Relayed]);
        assert_eq!(right.paths(left.id), [Path::Relayed]);
        eventually("the relay counts the circuit", || {
            (relay.net.state().circuits == 1).then_some(())
        })
        .await;

        // Both have introduced themselves over the circuit, and pings are answered.
        eventually("identified", || {
            let both = left.net.state().identities.contains_key(&right.id)
                && right.net.state().identities.contains_key(&left.id);
            both.then_some(())
        })
        .await;
        for _ in 0..3 {
            left.net.ping(right.id).await.expect("an answer");
            right.net.ping(left.id).await.expect("an answer");
        }
        // By now gossip would have greeted, had it been told of the connection.
        assert!(!left.follows(right.id) && !right.follows(left.id));
        let published = left.net.publish(TOPIC.to_owned(), b"over the circuit".to_vec()).await;
        assert_eq!(published, Err(NetError::NobodyListens));

        // The right one holds a record that nobody else has, and cannot be asked for it.
        let put = Ask::Put { key: b"k".to_vec(), value: b"v".to_vec() };
        drop(right.net.query(1, put).await);
        let circuit = left.net.state().connections.values().find(|c| c.peer == right.id).cloned();
        let address = circuit.expect("the circuit").address;
        left.net.admit(right.id, vec![address]).await.expect("admitted");
        let got = left.net.query(2, Ask::Get(b"k".to_vec())).await;
        assert!(got.is_err(), "a lookup went over the circuit: {got:?}");

        // A direct connection beside the circuit: everything begins.
        let direct = right.listen().await;
        left.net.dial(Some(right.id), vec![direct], true).await.expect("connects");
        eventually("they greet each other", || {
            (left.follows(right.id) && right.follows(left.id)).then_some(())
        })
        .await;
        assert!(left.paths(right.id).contains(&Path::Direct));
        left.net.publish(TOPIC.to_owned(), b"directly".to_vec()).await.expect("published");
        assert_eq!(right.hears("directly").await, left.id);
        let got = left.net.query(3, Ask::Get(b"k".to_vec())).await.expect("found");
        assert!(matches!(got, Found::Value { ref value, .. } if value == b"v"), "{got:?}");

        // The relay dies: what is direct goes on.
        drop(relay.stop.take());
        eventually("the circuit is gone", || {
            (left.paths(right.id) == [Path::Direct] && right.paths(left.id) == [Path::Direct])
                .then_some(())
        })
        .await;
        left.net.publish(TOPIC.to_owned(), b"without the relay".to_vec()).await.expect("published");
        assert_eq!(right.hears("without the relay").await, left.id);
    });
}

#[test]
fn a_relay_serves_only_whom_its_rules_allow() {
    runtime().block_on(async {
        let (relay, left, right) = over_a_relay().await;
        let rules = Rules { deny_peers: [left.id].into(), ..Rules::default() };
        relay.policy.send_replace(Arc::new(PolicySet::from_rules(rules, 2)));
        eventually("the denied one is out, and its circuit", || {
            (left.net.state().connections.is_empty() && right.paths(left.id).is_empty())
                .then_some(())
        })
        .await;
        assert!(!right.paths(relay.id).is_empty(), "the other one keeps its slot");
        assert!(right.net.state().reservations.contains(&relay.id));
    });
}

#[test]
fn a_peer_may_refuse_who_comes_over_a_relay() {
    runtime().block_on(async {
        let (_relay, left, right) = over_a_relay().await;
        let rules = Rules { deny_peers: [left.id].into(), ..Rules::default() };
        right.policy.send_replace(Arc::new(PolicySet::from_rules(rules, 2)));
        eventually("the circuit is closed", || {
            (left.paths(right.id).is_empty() && right.paths(left.id).is_empty()).then_some(())
        })
        .await;
    });
}

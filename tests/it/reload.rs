//! New rules at a node with 500 connected peers.
//! Invariant: two seconds after the change no connection is left that the rules forbid, and every other
//! one is as it was.
//! Not here: a node with a few peers (`policy`), what the rules mean (unit tests of the engine).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use libp2p::core::transport::MemoryTransport;
use libp2p::gossipsub::{self, IdentTopic, MessageAuthenticity};
use libp2p::identity::Keypair;
use libp2p::swarm::{NetworkBehaviour, SwarmEvent};
use libp2p::{PeerId, Swarm, identify, swarm};
use peerloom_node::policy::CedarEngine;
use peerloom_node::policy::folder::{self, Wanted};
use peerloom_node::root::spawn;
use peerloom_shared::grant::{Audience, Context, Key, Revocations};
use peerloom_shared::limits::PENDING_IN_MAX;
use peerloom_shared::net::Profile;
use peerloom_shared::policy::{Access, Action, Held, PolicySet};
use peerloom_tests::PATIENCE;

use crate::inside::{eventually, runtime, unix_ms};
use crate::matrix::kinds::{Network, TOPIC};
use crate::memory::{Peer, secured};

const PEERS: usize = 500;
/// How many are barred by the deny list, and how many may no longer follow the topic.
const BARRED: usize = 60;
const MUTED: usize = 60;
/// The longest from the change to the last decision.
const RELOAD: Duration = Duration::from_secs(2);

#[derive(NetworkBehaviour)]
struct Light {
    identify: identify::Behaviour,
    gossip: gossipsub::Behaviour,
}

/// Whose connection has ended, as they see it themselves.
type Ended = Arc<Mutex<BTreeSet<PeerId>>>;

fn light(keypair: &Keypair) -> Swarm<Light> {
    let author = MessageAuthenticity::Signed(keypair.clone());
    let mut gossip =
        gossipsub::Behaviour::new(author, gossipsub::Config::default()).expect("gossip");
    gossip.subscribe(&IdentTopic::new(TOPIC)).expect("a topic");
    let identify = identify::Config::new("light/1".to_owned(), keypair.public());
    let behaviour = Light { identify: identify::Behaviour::new(identify), gossip };
    let config =
        swarm::Config::with_tokio_executor().with_idle_connection_timeout(Duration::from_secs(120));
    let transport = secured(MemoryTransport::default(), keypair);
    Swarm::new(transport, behaviour, keypair.public().to_peer_id(), config)
}

async fn live(mut swarm: Swarm<Light>, ended: Ended) {
    let id = *swarm.local_peer_id();
    loop {
        if let SwarmEvent::ConnectionClosed { .. } = swarm.select_next_some().await {
            ended.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        }
    }
}

/// What the policy folder says, as a node loads it.
fn load(folder: &Path, network: &Network, epoch: u64) -> PolicySet {
    let own = Key::of_peer(&network.founder());
    let wanted = Wanted { access: Some(Access::Closed), own };
    let loaded = folder::load(folder, &wanted, unix_ms()).expect("a good folder");
    let trust = loaded.compiled.trust.clone();
    let engine = Arc::new(CedarEngine::new(loaded.compiled));
    PolicySet::from_rules(loaded.lists, epoch).trusting(trust).with_engine(engine)
}

/// What a member holds that has shown its grant before.
fn held(network: &Network, peer: PeerId) -> Held {
    let context = Context {
        network: &network.trust.network,
        now_ms: unix_ms(),
        holder: Audience::of_peer(&peer).expect("a key"),
        roots: &network.trust.roots,
        owners: &[],
        revocations: &Revocations::new(network.trust.network),
    };
    let rights = network.member(peer).verify(&context).expect("it counts");
    Held { rights: [Arc::new(rights)].into(), ..Held::default() }
}

/// Members connect to the node, a few at a time, and follow the topic.
async fn gather(node: &Peer, network: &Network, ended: &Ended) -> Vec<PeerId> {
    let at = node.listen().await;
    let mut peers = Vec::new();
    while peers.len() < PEERS {
        let few = usize::try_from(PENDING_IN_MAX / 2).expect("few").min(PEERS - peers.len());
        for _ in 0..few {
            let keypair = Keypair::generate_ed25519();
            let id = keypair.public().to_peer_id();
            node.net.judge().holdings().put(id, held(network, id));
            let mut swarm = light(&keypair);
            swarm.dial(at.clone()).expect("dials");
            drop(spawn(live(swarm, Arc::clone(ended))));
            peers.push(id);
        }
        let here = || (node.net.state().connections.len() == peers.len()).then_some(());
        eventually("they are connected", here).await;
    }
    let follow = || {
        let state = node.net.state();
        (state.topics.get(TOPIC).map_or(0, BTreeSet::len) == PEERS).then_some(())
    };
    eventually("they follow the topic", follow).await;
    peers
}

fn write(folder: &Path, name: &str, text: &str) {
    std::fs::write(folder.join(name), text).expect("a file");
}

fn list(peers: &[PeerId]) -> String {
    peers.iter().map(|peer| format!("\"{peer}\"")).collect::<Vec<_>>().join(", ")
}

/// Bars some, and forbids others the topic.
fn forbid(folder: &Path, barred: &[PeerId], muted: &[PeerId]) {
    write(folder, "rules.toml", &format!("[deny]\npeers = [{}]\n", list(barred)));
    write(folder, "entities.toml", &format!("[groups.muted]\nmembers = [{}]\n", list(muted)));
    let policy = "@id(\"own.muted\") @reason(\"they do not hear us\")
        forbid (principal in Group::\"muted\", action == Action::\"topic.subscribe\", resource);";
    write(folder, "own.cedar", policy);
    let test = |groups: &str, expect: &str| {
        format!(
            "[[test]]\nwho = \"root\"\ndo = \"topic.subscribe\"\non = \"topic/{TOPIC}\"\n\
             groups = [{groups}]\nexpect = \"{expect}\"\n"
        )
    };
    write(folder, "tests.toml", &[test("", "allow"), test("\"muted\"", "deny")].concat());
}

fn decisions(node: &Peer) -> u64 {
    node.net.judge().decisions().each().map(|(_, yes, no)| yes + no).sum()
}

/// The open connections, by number.
fn connections(node: &Peer) -> BTreeMap<u64, PeerId> {
    node.net.state().connections.iter().map(|(number, one)| (*number, one.peer)).collect()
}

#[test]
fn new_rules_reach_500_peers_within_two_seconds_and_drop_nobody_else() {
    runtime().block_on(async {
        let network = Network::found();
        let folder = tempfile::tempdir().expect("a folder");
        let rules = load(folder.path(), &network, 1);
        let node = Peer::of(Profile::Relay, &Keypair::generate_ed25519(), rules);
        let ended = Ended::default();
        let began = Instant::now();
        let peers = gather(&node, &network, &ended).await;
        println!("{PEERS} peers connected after {:?}", began.elapsed());
        let before = connections(&node);
        assert_eq!(before.len(), PEERS);
        let gone: BTreeSet<PeerId> = peers.iter().take(BARRED + MUTED).copied().collect();
        let kept: BTreeMap<u64, PeerId> =
            before.into_iter().filter(|(_, peer)| !gone.contains(peer)).collect();

        let (barred, muted) = peers.split_at(BARRED);
        forbid(folder.path(), barred, &muted[..MUTED]);
        let (began, asked) = (Instant::now(), decisions(&node));
        node.policy.send_replace(Arc::new(load(folder.path(), &network, 2)));
        let mut seen = node.net.watch();
        let settled = seen.wait_for(|state| state.connections.len() <= kept.len());
        tokio::time::timeout(PATIENCE, settled).await.expect("in time").expect("it lives");
        let took = began.elapsed();
        let asked = decisions(&node) - asked;
        println!("{asked} decisions; the last of {} was gone after {took:?}", gone.len());
        assert!(took <= RELOAD, "{took:?}");
        assert!(asked > u64::try_from(2 * PEERS).expect("few"), "everybody is judged: {asked}");
        assert_eq!(connections(&node), kept, "whoever may stay is on the connection it had");

        // Rules that concern nobody drop nobody; and whoever was late to be dropped would be by now.
        write(folder.path(), "rules.toml", &format!("[deny]\npeers = [{}]\n", list(barred)));
        write(folder.path(), "other.cedar", "@id(\"own.other\") @reason(\"r\")
            forbid (principal is Peer, action == Action::\"admin.read\", resource);");
        let tests = std::fs::read_to_string(folder.path().join("tests.toml")).expect("a file");
        let admin = |who: &str, expect: &str| {
            format!("[[test]]\nwho = \"{who}\"\ndo = \"admin.read\"\non = \"admin\"\nexpect = \"{expect}\"\n")
        };
        let tests = [tests, admin("local", "allow"), admin("member", "deny")].concat();
        write(folder.path(), "tests.toml", &tests);
        let (began, asked) = (Instant::now(), decisions(&node));
        node.policy.send_replace(Arc::new(load(folder.path(), &network, 3)));
        let wanted = asked + u64::try_from(kept.len()).expect("few");
        eventually("they are judged again", || (decisions(&node) > wanted).then_some(())).await;
        // A round trip through the loop that judged.
        node.net.tell_auth(peerloom_shared::net::auth::Told::Credentials(Vec::new())).await.expect("told");
        node.net.subscribe("peerloom/open/attic".to_owned()).await.expect("follows");
        println!("judged again after {:?}", began.elapsed());
        assert!(began.elapsed() <= RELOAD);
        assert_eq!(connections(&node), kept);
        let ended = || {
            let ended = ended.lock().unwrap_or_else(PoisonError::into_inner);
            (*ended == gone).then_some(())
        };
        eventually("the dropped ones know, and nobody else", ended).await;
        let topics = node.net.state().topics.get(TOPIC).cloned().unwrap_or_default();
        assert_eq!(topics, kept.values().copied().collect(), "whoever stays follows the topic");
        let policy = Action::TopicSubscribe;
        let denied = node.net.judge().decisions().each().find(|(action, ..)| *action == policy);
        assert!(denied.is_some());
    });
}

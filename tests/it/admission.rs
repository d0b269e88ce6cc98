//! Closed networks: strangers get a word and no more, members come in by what they were granted.
//! Invariant: nothing here depends on the language in which rules are written.
//! Not here: grants themselves, and single decisions (unit tests of `shared`).

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use libp2p::core::transport::MemoryTransport;
use libp2p::identity::Keypair;
use libp2p::swarm::SwarmEvent;
use libp2p::{Swarm, identify, swarm};
use peerloom_shared::PeerId;
use peerloom_shared::auth::judging::Input;
use peerloom_shared::grant::{
    Audience, Chain, Entry, Key, Prefix, Reason, RevocationList, Role, Signer, Target, Terms,
    path_of,
};
use peerloom_shared::limits::PROBATION_MS;
use peerloom_shared::net::NetError;
use peerloom_shared::net::auth::Told;
use peerloom_shared::net::work::PubsubWork;
use peerloom_shared::policy::{
    Access, Action, Engine, Objection, PolicySet, Question, Ruling, Subject, Trust,
};
use peerloom_shared::pubsub::Acceptance;
use peerloom_shared::wire::AuthStatus;
use peerloom_tests::PATIENCE;

use crate::inside::{eventually, runtime};
use crate::memory::{Peer, secured};

const TOPIC: &str = "peerloom/open/lobby";

/// Whoever holds a fitting grant may; nobody else may anything.
#[derive(Debug)]
struct ByGrant;

impl Engine for ByGrant {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        let path = path_of(question.resource).unwrap_or_default();
        let granted = matches!(question.subject, Subject::Local)
            || question.held.is_root
            || question
                .held
                .valid_at(question.now_ms)
                .any(|rights| rights.allows(question.action, &path));
        if granted {
            Ruling::Allow(Arc::new(["granted".into()]))
        } else {
            Ruling::Deny(Objection::default())
        }
    }

    fn access(&self) -> Access {
        Access::Closed
    }
}

fn now_ms() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the year 584 million")
}

/// A network and the key that founded it.
struct Network {
    root: Signer,
    trust: Trust,
}

impl Network {
    fn found() -> Self {
        let root = Signer::generate();
        let trust = Trust::founded_by(Key::of(&root));
        Self { root, trust }
    }

    fn closed(&self) -> PolicySet {
        PolicySet::open().trusting(self.trust.clone()).with_engine(Arc::new(ByGrant))
    }

    fn terms(&self, to: PeerId) -> Terms {
        Terms {
            audience: Audience::of_peer(&to).expect("an Ed25519 key"),
            actions: Role::Member.actions(),
            not_before_ms: now_ms() - 1_000,
            expires_ms: now_ms() + 3_600_000,
            depth: 0,
            max_uses: 0,
            nonce: [1; 8],
            prefix: Prefix::new("").expect("a prefix"),
        }
    }

    fn grant(&self, to: PeerId) -> Chain {
        Chain::mint(self.trust.network, &self.root, self.terms(to)).expect("a grant")
    }

    /// A peer of the network that holds this grant, if any, and follows the topic.
    async fn peer(&self, grant: impl FnOnce(PeerId) -> Option<Chain>) -> Peer {
        let keypair = Keypair::generate_ed25519();
        let peer = Peer::with(&keypair, self.closed());
        let chains = grant(peer.id).into_iter().collect();
        peer.net.tell_auth(Told::Credentials(chains)).await.expect("told");
        peer.net.subscribe(TOPIC.to_owned()).await.expect("follows");
        peer
    }

    async fn member(&self) -> Peer {
        self.peer(|id| Some(self.grant(id))).await
    }
}

/// Whether the two know of each other that they follow the topic: gossip flows.
fn talk(left: &Peer, right: &Peer) -> bool {
    left.follows(TOPIC, right.id) && right.follows(TOPIC, left.id)
}

async fn connect(from: &Peer, to: &Peer) {
    let at = to.listen().await;
    assert_eq!(from.net.dial(None, vec![at], false).await, Ok(to.id));
}

/// What `there` said about what `here` showed it.
async fn told(here: &Peer, there: &Peer) -> (AuthStatus, Option<String>) {
    let state = || here.net.state().identities.get(&there.id)?.allowance.clone();
    let allowance = eventually("the answer about our grants", state).await;
    (allowance.status, allowance.reason.clone())
}

#[test]
fn members_come_in_on_the_connection_they_have() {
    runtime().block_on(async {
        let network = Network::found();
        let (left, mut right) = (network.member().await, network.member().await);
        connect(&right, &left).await;
        eventually("gossip flows", || talk(&left, &right).then_some(())).await;
        let state = right.net.state();
        assert_eq!(state.connections.len(), 1);
        assert_eq!(state.connections.keys().max(), Some(&1), "no second connection was needed");
        let allowed = state.identities[&left.id].allowance.as_ref().expect("told").allowed;
        assert!(allowed.contains(Action::TopicPublish) && !allowed.contains(Action::AdminRead));

        let seqno = left.net.publish(TOPIC.to_owned(), b"hello".to_vec()).await.expect("sent");
        let arrival = tokio::time::timeout(PATIENCE, right.works.pubsub.receiver.recv());
        let PubsubWork::GossipArrived(arrival) = arrival.await.expect("in time").expect("open");
        assert_eq!((arrival.author, arrival.seqno), (Some(left.id), Some(seqno)));
        let verdict = right.net.judge_message(arrival.id, arrival.forwarder, Acceptance::Accept);
        verdict.await.expect("taken");
        // Longer than a stranger may stay.
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(PROBATION_MS + 1_000) {
            right.net.ping(left.id).await.expect("still connected");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert!(talk(&left, &right));
    });
}

#[test]
fn a_stranger_gets_a_word_and_is_shown_out() {
    runtime().block_on(async {
        let network = Network::found();
        let member = network.member().await;
        // It would talk to anybody itself.
        let stranger = Peer::start();
        stranger.net.subscribe(TOPIC.to_owned()).await.expect("follows");
        let start = Instant::now();
        connect(&stranger, &member).await;
        let (status, reason) = told(&stranger, &member).await;
        assert_eq!((status, reason), (AuthStatus::Ok, None), "it showed nothing wrong");
        let identity = stranger.net.state().identities[&member.id].clone();
        let allowance = identity.allowance.as_ref().expect("told");
        assert_eq!((allowance.access, allowance.allowed.bits()), (Access::Closed, 0));
        assert!(!identity.kad && !identity.relay, "{identity:?}");
        stranger.net.ping(member.id).await.expect("ping is for everybody");

        let gone = || stranger.net.state().connections.is_empty().then_some(());
        eventually("it is shown out", gone).await;
        let took = start.elapsed();
        assert!(took >= Duration::from_millis(PROBATION_MS), "after {took:?}");
        assert!(member.net.state().topics.values().all(|peers| !peers.contains(&stranger.id)));
        assert!(stranger.net.state().topics.values().all(|peers| !peers.contains(&member.id)));
        let alone = stranger.net.publish(TOPIC.to_owned(), b"hello".to_vec()).await;
        assert_eq!(alone, Err(NetError::NobodyListens));
    });
}

/// Every protocol that a bare libp2p peer is told of by identify, in the first words and in all that
/// follow until it is shown out.
async fn protocols_offered(member: &Peer) -> BTreeSet<String> {
    let keypair = Keypair::generate_ed25519();
    let transport = secured(MemoryTransport::default(), &keypair);
    let identify = identify::Config::new("/test".to_owned(), keypair.public());
    let mut swarm = Swarm::new(
        transport,
        identify::Behaviour::new(identify),
        keypair.public().to_peer_id(),
        swarm::Config::with_tokio_executor().with_idle_connection_timeout(PATIENCE),
    );
    swarm.dial(member.listen().await).expect("dials");
    let mut offered = BTreeSet::new();
    let watching = async {
        loop {
            let event = swarm.select_next_some().await;
            if let SwarmEvent::Behaviour(identify::Event::Received { info, .. }) = &event {
                offered.extend(info.protocols.iter().map(ToString::to_string));
            }
            if matches!(event, SwarmEvent::ConnectionClosed { .. }) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, watching).await.expect("shown out in time");
    offered
}

#[test]
fn a_foreign_peer_sees_identify_ping_and_auth_only() {
    runtime().block_on(async {
        let network = Network::found();
        let member = network.member().await;
        let allowed =
            ["/ipfs/id/1.0.0", "/ipfs/id/push/1.0.0", "/ipfs/ping/1.0.0", "/peerloom/auth/1"];
        let offered = protocols_offered(&member).await;
        assert_eq!(offered, allowed.into_iter().map(str::to_owned).collect());
    });
}

#[test]
fn a_stranger_that_is_granted_something_in_time_stays() {
    runtime().block_on(async {
        let network = Network::found();
        let member = network.member().await;
        let guest = network.peer(|_| None).await;
        connect(&guest, &member).await;
        assert_eq!(told(&guest, &member).await.0, AuthStatus::Ok);
        assert!(!talk(&member, &guest));
        let chains = vec![network.grant(guest.id)];
        guest.net.tell_auth(Told::Credentials(chains)).await.expect("told");
        eventually("gossip flows", || talk(&member, &guest).then_some(())).await;
    });
}

/// The field at fault, the answer, and the grant of a guest.
type Case<'a> = (&'static str, AuthStatus, &'a dyn Fn(PeerId) -> Chain);

#[test]
fn what_does_not_count_lets_nobody_in() {
    runtime().block_on(async {
        let network = Network::found();
        let other = Network::found();
        let member = network.member().await;
        let minted = |terms| Chain::mint(network.trust.network, &network.root, terms);
        let ended = |id| {
            let (not_before_ms, expires_ms) = (now_ms() - 9_000_000, now_ms() - 600_000);
            minted(Terms { not_before_ms, expires_ms, ..network.terms(id) }).expect("a grant")
        };
        let cases: [Case<'_>; 4] = [
            ("audience", AuthStatus::Denied, &|_| {
                network.grant(PeerId::from(Keypair::generate_ed25519().public()))
            }),
            ("network", AuthStatus::Denied, &|id| other.grant(id)),
            ("issuer", AuthStatus::Denied, &|id| {
                Chain::mint(network.trust.network, &other.root, network.terms(id)).expect("a grant")
            }),
            ("expiry", AuthStatus::Expired, &ended),
        ];
        for (field, expected, grant) in cases {
            let guest = network.peer(|id| Some(grant(id))).await;
            connect(&guest, &member).await;
            let (status, reason) = told(&guest, &member).await;
            let reason = reason.unwrap_or_default();
            assert_eq!(status, expected, "{field}: {reason}");
            assert!(reason.contains(field), "{reason:?} names {field}");
            assert!(!talk(&member, &guest), "{field}");
            guest.net.hang_up(member.id).await.expect("hangs up");
        }
    });
}

#[test]
fn whoever_is_revoked_is_gone_at_once() {
    runtime().block_on(async {
        let network = Network::found();
        let (left, right) = (network.member().await, network.member().await);
        let grant = network.grant(right.id);
        connect(&right, &left).await;
        eventually("gossip flows", || talk(&left, &right).then_some(())).await;

        let entry = Entry {
            target: Target::Grant(grant.last().id()),
            time_ms: grant.last().terms().expires_ms,
            reason: Reason::MISUSED,
        };
        let other = Entry {
            target: Target::Peer(Key::of_peer(&right.id).expect("a key")),
            time_ms: u64::MAX,
            ..entry
        };
        let list = RevocationList::new(network.trust.network, Key::of(&network.root));
        let list = list.next(now_ms(), &[entry, other]).expect("a list");
        let list = list.sign(&network.root).expect("the root's");
        let start = Instant::now();
        left.net
            .tell_auth(Told::Judging(Box::new(Input::Revoked(Box::new(list)))))
            .await
            .expect("told");
        let gone = || right.net.state().connections.is_empty().then_some(());
        eventually("the connection is closed", gone).await;
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
        // And it does not come in again.
        connect(&right, &left).await;
        let (status, reason) = told(&right, &left).await;
        assert_eq!(status, AuthStatus::Denied);
        assert!(reason.is_some_and(|reason| reason.contains("audience") || reason.contains("id")));
        assert!(!left.follows(TOPIC, right.id));
    });
}

#[test]
fn rules_that_open_up_let_in_who_is_there() {
    runtime().block_on(async {
        let network = Network::found();
        let member = network.member().await;
        let guest = network.peer(|_| None).await;
        connect(&guest, &member).await;
        assert_eq!(told(&guest, &member).await.0, AuthStatus::Ok);
        for peer in [&member, &guest] {
            peer.policy.send_replace(Arc::new(PolicySet::from_rules(Default::default(), 2)));
        }
        eventually("gossip flows", || talk(&member, &guest).then_some(())).await;
    });
}

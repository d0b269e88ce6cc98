//! The Driver by itself, with swarms that speak through memory.
//! Invariant: every command is answered once, and no reader can hold the loop up.
//! Not here: sockets, actors, processes.

use std::sync::Arc;
use std::time::Duration;

use libp2p::identity::Keypair;
use peerloom_shared::limits::{DRIVER_DRAIN_MS, LANE_WORK_MAX};
use peerloom_shared::net::work::PubsubWork;
use peerloom_shared::net::{Exit, Judge, NetError};
use peerloom_shared::policy::{Action, PolicySet, Rules};
use peerloom_shared::pubsub::Acceptance;
use peerloom_shared::view::Transport;
use peerloom_shared::{Multiaddr, PeerId};
use peerloom_tests::PATIENCE;
use tokio::sync::watch;

use crate::inside::{eventually, runtime};
use crate::memory::{Peer, memory_swarm};

const TOPIC: &str = "peerloom/open/lobby";

/// Two connected peers that follow the same topic and know it of each other.
async fn pair() -> (Peer, Peer) {
    let (left, right) = (Peer::start(), Peer::start());
    for peer in [&left, &right] {
        peer.net.subscribe(TOPIC.to_owned()).await.expect("follows");
    }
    let at = left.listen().await;
    assert_eq!(right.net.dial(None, vec![at], false).await, Ok(left.id));
    eventually("both know whom they speak to", || {
        (left.follows(TOPIC, right.id) && right.follows(TOPIC, left.id)).then_some(())
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
        let admits = |peer| swarm.behaviour().webrtc.inner().admits(&peer);
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

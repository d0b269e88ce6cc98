use std::sync::Arc;

use tokio::sync::watch;

use super::*;
use crate::policy::{Access, Engine, Objection, PolicySet, Question, Ruling};

/// Only this topic may be followed.
#[derive(Debug)]
struct Only(&'static str);

impl Engine for Only {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        if *question.resource == Resource::Topic(self.0.to_owned()) {
            Ruling::Allow(Arc::new([]))
        } else {
            Ruling::Deny(Objection::default())
        }
    }

    fn access(&self) -> Access {
        Access::Closed
    }
}

fn only(topic: &'static str) -> Arc<PolicySet> {
    Arc::new(PolicySet::open().with_engine(Arc::new(Only(topic))))
}

fn topic(name: &str) -> TopicHash {
    TopicHash::from_raw(name)
}

#[test]
fn a_peer_follows_what_it_may_and_we_follow_what_we_like() {
    let (_rules, policy) = watch::channel(only("a"));
    let mut followers = Followers::new(Judge::new(policy), false);
    assert!(followers.can_subscribe(&topic("b")), "our own subscriptions are judged elsewhere");
    assert!(!followers.can_subscribe(&topic(&"x".repeat(TOPIC_BYTES_MAX + 1))));
    followers.clone().listen_to(Some(Subject::author(PeerId::random())));
    assert!(followers.can_subscribe(&topic("a")));
    assert!(!followers.can_subscribe(&topic("b")));
    assert!(!followers.can_subscribe(&topic("a/b")));
    followers.listen_to(None);
    assert!(followers.can_subscribe(&topic("b")));
}

#[test]
fn whoever_gains_or_loses_a_topic_is_misplaced() {
    let (rules, policy) = watch::channel(only("a"));
    let mut followers = Followers::new(Judge::new(policy), false);
    let peer = PeerId::random();
    let who = Subject::author(peer);
    followers.listen_to(Some(who.clone()));
    assert!(followers.can_subscribe(&topic("a")) && !followers.can_subscribe(&topic("b")));
    followers.listen_to(None);
    assert!(!followers.is_misplaced(&who, [&topic("a")]));
    assert!(!followers.is_misplaced(&Subject::author(PeerId::random()), []));

    rules.send_replace(only("c"));
    assert!(followers.is_misplaced(&who, [&topic("a")]), "it lost what it follows");
    assert!(!followers.is_misplaced(&who, []), "what it was refused it may not follow still");
    rules.send_replace(only("b"));
    assert!(followers.is_misplaced(&who, []), "it gained what it was refused");
    followers.forget(&peer);
    assert!(!followers.is_misplaced(&who, []), "it begins anew");
}

#[test]
fn what_was_refused_is_bounded() {
    let (rules, policy) = watch::channel(only("a"));
    let mut followers = Followers::new(Judge::new(policy), false);
    let peer = PeerId::random();
    followers.listen_to(Some(Subject::author(peer)));
    for number in 0..3 * GOSSIP_SUBSCRIPTIONS_MAX {
        assert!(!followers.can_subscribe(&topic(&format!("t{number}"))));
    }
    let topics =
        |followers: &Followers| followers.inner().refused.get(&peer).map_or(0, BTreeSet::len);
    assert_eq!(topics(&followers), GOSSIP_SUBSCRIPTIONS_MAX);
    for _ in 0..2 * HELD_PEERS_MAX {
        followers.listen_to(Some(Subject::author(PeerId::random())));
        assert!(!followers.can_subscribe(&topic("b")));
    }
    assert_eq!(followers.inner().refused.len(), HELD_PEERS_MAX);
    drop(rules);
}

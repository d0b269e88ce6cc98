//! Topics that we follow for others only, so that peers who share no other neighbour hear each other.
//! Invariant: a bounded number of topics, each followed only while a neighbour follows it.
//! Not here: rooms that we are in ourselves.

use libp2p_identity::PeerId;

use crate::limits::{CARRIED_FOLLOWERS_MAX, CARRIED_PER_PEER_MAX, CARRIED_TOPICS_MAX};
use crate::ordered::{BTreeMap, BTreeSet};

/// What to do about a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Begin,
    End,
    Nothing,
}

/// Who follows which topic, as far as we carry it.
#[derive(Debug, Default)]
pub(super) struct Carried(BTreeMap<String, BTreeSet<PeerId>>);

impl Carried {
    /// Whether somebody needs this topic carried.
    pub(super) fn contains(&self, topic: &str) -> bool {
        self.0.contains_key(topic)
    }

    /// A neighbour began or ceased to follow a room's topic.
    pub(super) fn note(&mut self, peer: PeerId, topic: &str, follows: bool) -> Change {
        if !follows {
            let Some(followers) = self.0.get_mut(topic) else { return Change::Nothing };
            followers.remove(&peer);
            if !followers.is_empty() {
                return Change::Nothing;
            }
            self.0.remove(topic);
            return Change::End;
        }
        if let Some(followers) = self.0.get_mut(topic) {
            if followers.len() < CARRIED_FOLLOWERS_MAX {
                followers.insert(peer);
            }
            return Change::Nothing;
        }
        let of_peer = self.0.values().filter(|followers| followers.contains(&peer)).count();
        if self.0.len() >= CARRIED_TOPICS_MAX || of_peer >= CARRIED_PER_PEER_MAX {
            return Change::Nothing;
        }
        self.0.insert(topic.to_owned(), BTreeSet::from([peer]));
        Change::Begin
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_is_carried_while_somebody_follows_it() {
        let (a, b) = (PeerId::random(), PeerId::random());
        let mut carried = Carried::default();
        assert_eq!(carried.note(a, "t", true), Change::Begin);
        assert_eq!(carried.note(b, "t", true), Change::Nothing);
        assert_eq!(carried.note(a, "t", false), Change::Nothing);
        assert!(carried.contains("t"));
        assert_eq!(carried.note(b, "t", false), Change::End);
        assert_eq!(carried.note(b, "t", false), Change::Nothing);
        assert!(!carried.contains("t"));
    }

    #[test]
    fn one_topic_too_many_is_not_carried() {
        let mut carried = Carried::default();
        let first = PeerId::random();
        for n in 0..CARRIED_TOPICS_MAX {
            let peer = if n == 0 { first } else { PeerId::random() };
            assert_eq!(carried.note(peer, &n.to_string(), true), Change::Begin);
        }
        let late = PeerId::random();
        assert_eq!(carried.note(late, "more", true), Change::Nothing);
        assert_eq!(carried.note(first, "0", false), Change::End);
        assert_eq!(carried.note(late, "more", true), Change::Begin);
    }

    #[test]
    fn one_peer_cannot_take_all_places() {
        let (greedy, other) = (PeerId::random(), PeerId::random());
        let mut carried = Carried::default();
        for n in 0..CARRIED_PER_PEER_MAX {
            assert_eq!(carried.note(greedy, &n.to_string(), true), Change::Begin);
        }
        assert_eq!(carried.note(greedy, "more", true), Change::Nothing);
        assert_eq!(carried.note(other, "more", true), Change::Begin);
    }
}

//! Who may follow which topic: the policy is asked before gossip takes a subscription.
//! Invariant: gossip sends nothing of a topic to whoever was refused it; a refusal is taken back with its
//! reason.
//! Not here: authors and carriers of messages (`pubsub`), who may speak gossip at all (`gated`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use libp2p::PeerId;
use libp2p::gossipsub::{TopicHash, TopicSubscriptionFilter};

use super::judge::Judge;
use crate::bounded::BoundedMap;
use crate::limits::{GOSSIP_SUBSCRIPTIONS_MAX, HELD_PEERS_MAX, TOPIC_BYTES_MAX};
use crate::policy::{Action, Resource, Subject};
use crate::wire::is_members_topic;

/// The filter of subscriptions. gossipsub tells it names only, so [`Gated`](super::gated::Gated) tells
/// it before whose words come next. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Followers {
    judge: Judge,
    /// Whether it is for members' rooms, and for nothing else.
    members: bool,
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    speaker: Option<Subject>,
    /// Subscriptions that were refused. The peer does not hear of it, and subscribes once a connection.
    refused: BoundedMap<PeerId, BTreeSet<String>>,
}

impl Followers {
    pub(super) fn new(judge: Judge, members: bool) -> Self {
        let refused = BoundedMap::new(HELD_PEERS_MAX);
        Self { judge, members, inner: Arc::new(Mutex::new(Inner { speaker: None, refused })) }
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whose subscriptions are read from now on; `None` for our own.
    pub(super) fn listen_to(&self, speaker: Option<Subject>) {
        self.inner().speaker = speaker;
    }

    /// A peer is gone, and begins anew when it comes back.
    pub(super) fn forget(&self, peer: &PeerId) {
        self.inner().refused.remove(peer);
    }

    /// Whether a connected peer follows what it may not any more, or was refused what it may follow now.
    /// gossipsub can change neither on a connection that stands.
    pub(super) fn is_misplaced<'a>(
        &self,
        who: &Subject,
        follows: impl IntoIterator<Item = &'a TopicHash>,
    ) -> bool {
        let may = |topic: &str| {
            let topic = Resource::Topic(topic.to_owned());
            self.judge.would_allow(who, Action::TopicSubscribe, &topic)
        };
        let refused = who.peer().and_then(|peer| self.inner().refused.get(&peer).cloned());
        follows.into_iter().any(|topic| !may(topic.as_str()))
            || refused.into_iter().flatten().any(|topic| may(&topic))
    }
}

impl TopicSubscriptionFilter for Followers {
    fn can_subscribe(&mut self, topic: &TopicHash) -> bool {
        if topic.as_str().len() > TOPIC_BYTES_MAX
            || is_members_topic(topic.as_str()) != self.members
        {
            return false;
        }
        let Some(who) = self.inner().speaker.clone() else { return true };
        let on = Resource::Topic(topic.as_str().to_owned());
        let allowed = self.judge.authorize(&who, Action::TopicSubscribe, &on).is_ok();
        if let (false, Some(peer)) = (allowed, who.peer()) {
            let refused = &mut self.inner().refused;
            if !refused.contains_key(&peer) {
                refused.insert(peer, BTreeSet::new());
            }
            if let Some(topics) = refused.get_mut(&peer)
                && topics.len() < GOSSIP_SUBSCRIPTIONS_MAX
            {
                topics.insert(topic.as_str().to_owned());
            }
        }
        allowed
    }
}

#[cfg(test)]
mod tests;

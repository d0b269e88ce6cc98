//! Gossip: commands and events.
//! Invariant: every message that arrives gets exactly one verdict, at once when its lane is full.
//! Not here: what is accepted (`pubsub` machine), the composition of gossipsub (`behaviour`).

use libp2p::gossipsub::{self, IdentTopic, MessageAcceptance, MessageId, PublishError};

use super::command::{PubsubCommand, Reply};
use super::driver::{Driver, redeem};
use super::gossip::{Gossip, topic_score};
use super::handle::NetError;
use super::transport::answer;
use super::work::{DiscoveryWork, PubsubWork};
use crate::limits::TOPICS_WATCHED_MAX;
use crate::policy::{Action, Permit, Resource, Subject};
use crate::pubsub::{Acceptance, Arrival};
use crate::wire::{UC_DISCOVERY_TOPIC, is_members_topic, room_of_topic};

impl Driver {
    pub(super) fn apply_pubsub(&mut self, command: PubsubCommand) {
        match command {
            PubsubCommand::Subscribe { permit, topic, reply } => {
                let done = self.subscribe(permit, topic);
                answer(reply, done);
            }
            PubsubCommand::Unsubscribe { permit, topic } => {
                let on = Resource::Topic(topic);
                if redeem(permit, Action::TopicSubscribe, &on).is_ok()
                    && let Resource::Topic(topic) = on
                {
                    self.gossip(&topic).unsubscribe(&IdentTopic::new(topic.as_str()));
                    self.forget_empty(&topic);
                }
            }
            PubsubCommand::Publish { permit, topic, data, reply } => {
                self.publish_message(permit, topic, data, reply);
            }
            PubsubCommand::Judge { permit, id, forwarder, acceptance } => {
                if redeem(permit, Action::TopicRelay, &Resource::Node).is_ok() {
                    self.judge_message(&MessageId::from(id), &forwarder, acceptance);
                }
            }
        }
    }

    /// The instance that carries a topic.
    fn gossip(&mut self, topic: &str) -> &mut Gossip {
        let behaviour = self.swarm.behaviour_mut();
        if is_members_topic(topic) {
            behaviour.members.inner_mut()
        } else {
            behaviour.gossip.inner_mut()
        }
    }

    fn subscribe(&mut self, permit: Permit, topic: String) -> Result<(), NetError> {
        redeem(permit, Action::TopicSubscribe, &Resource::Topic(topic.clone()))?;
        let ident = IdentTopic::new(topic.as_str());
        let gossip = self.gossip(&topic);
        gossip.subscribe(&ident).map_err(|e| NetError::Gossip(e.to_string()))?;
        let hash = ident.hash();
        gossip
            .set_topic_params(ident, topic_score())
            .map_err(|reason| NetError::Gossip(reason.to_owned()))?;
        let listeners = gossip
            .all_peers()
            .filter(|(_, topics)| topics.contains(&&hash))
            .map(|(peer, _)| *peer)
            .collect();
        self.state.topics.insert(topic, listeners);
        Ok(())
    }

    fn publish_message(&mut self, permit: Permit, topic: String, data: Vec<u8>, reply: Reply<u64>) {
        let on = Resource::Topic(topic.clone());
        let published = redeem(permit, Action::TopicPublish, &on).and_then(|()| {
            let ident = IdentTopic::new(topic.as_str());
            self.gossip(&topic).publish(ident, data).map_err(describe)
        });
        answer(reply, published.map(|id| sequence_number(&id)));
    }

    pub(super) fn judge_message(
        &mut self,
        id: &MessageId,
        forwarder: &libp2p::PeerId,
        acceptance: Acceptance,
    ) {
        let acceptance = match acceptance {
            Acceptance::Accept => MessageAcceptance::Accept,
            Acceptance::Reject => MessageAcceptance::Reject,
            Acceptance::Ignore => MessageAcceptance::Ignore,
        };
        // `false` says that the message has left the cache, or is the other instance's. Where it has left
        // both, nobody waits for the verdict.
        let behaviour = self.swarm.behaviour_mut();
        let gossip = behaviour.gossip.inner_mut();
        if !gossip.report_message_validation_result(id, forwarder, acceptance) {
            let members = behaviour.members.inner_mut();
            members.report_message_validation_result(id, forwarder, acceptance);
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "slow and foreign peers are counted by metrics"
    )]
    pub(super) fn lift_pubsub(&mut self, event: gossipsub::Event) {
        match event {
            gossipsub::Event::Message { propagation_source, message_id, message } => {
                self.arrived(Arrival {
                    id: message_id.0,
                    forwarder: propagation_source,
                    author: message.source,
                    seqno: message.sequence_number,
                    topic: message.topic.into_string(),
                    data: message.data,
                });
            }
            gossipsub::Event::Subscribed { peer_id, topic } => {
                // Topics of ours, and rooms that somebody may want carried: what else others listen
                // to must not fill our memory.
                let topics = &mut self.state.topics;
                let known = topics.contains_key(topic.as_str());
                let wanted =
                    topics.len() < TOPICS_WATCHED_MAX && room_of_topic(topic.as_str()).is_some();
                if known || wanted {
                    topics.entry(topic.into_string()).or_default().insert(peer_id);
                }
            }
            gossipsub::Event::Unsubscribed { peer_id, topic } => {
                if let Some(peers) = self.state.topics.get_mut(topic.as_str()) {
                    peers.remove(&peer_id);
                }
                self.forget_empty(topic.as_str());
            }
            _ => {}
        }
    }

    /// Whether the policy lets the author speak and the neighbour bring it.
    fn may_arrive(&self, arrival: &Arrival) -> bool {
        let on = Resource::Topic(arrival.topic.clone());
        let forwarder = match self.state.direct_address(&arrival.forwarder) {
            Some(address) => Subject::connected(arrival.forwarder, address),
            None => Subject::author(arrival.forwarder),
        };
        let relayed = self.judge.authorize(&forwarder, Action::TopicRelay, &on).is_ok();
        relayed
            && arrival.author.is_none_or(|author| {
                let author = Subject::author(author);
                self.judge.authorize(&author, Action::TopicPublish, &on).is_ok()
            })
    }

    /// Closes the connections of those, or of the one, who follow what they may not any more, or were
    /// refused what they may follow now: whoever comes back subscribes anew.
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) fn replace(&mut self, only: Option<libp2p::PeerId>) {
        let behaviour = self.swarm.behaviour();
        let mut misplaced = std::collections::BTreeSet::new();
        for gossip in [&behaviour.gossip, &behaviour.members] {
            let all = gossip.inner().all_peers();
            let asked = all.filter(|(peer, _)| only.is_none_or(|only| only == **peer));
            let of_it =
                asked.filter(|(peer, follows)| gossip.is_misplaced(peer, follows.iter().copied()));
            misplaced.extend(of_it.map(|(peer, _)| *peer));
        }
        for peer in misplaced {
            self.hang_up(peer);
        }
    }

    /// Takes a peer that has gone off every topic.
    pub(super) fn unfollow_all(&mut self, peer: &libp2p::PeerId) {
        let topics: Vec<_> = self.state.topics.keys().cloned().collect();
        for topic in topics {
            if self.state.topics.get_mut(&topic).is_some_and(|peers| peers.remove(peer)) {
                self.forget_empty(&topic);
            }
        }
    }

    /// Forgets a topic that neither we nor any neighbour listens to.
    fn forget_empty(&mut self, topic: &str) {
        let ours = self.gossip(topic).topics().any(|hash| hash.as_str() == topic);
        if !ours && self.state.topics.get(topic).is_some_and(crate::ordered::BTreeSet::is_empty) {
            self.state.topics.remove(topic);
        }
    }

    fn arrived(&mut self, arrival: Arrival) {
        if !self.may_arrive(&arrival) {
            // Ignore, not Reject: our rules are ours, and the neighbour cannot know them.
            let id = MessageId::from(arrival.id);
            return self.judge_message(&id, &arrival.forwarder, Acceptance::Ignore);
        }
        let refused = if arrival.topic == UC_DISCOVERY_TOPIC {
            let work = DiscoveryWork::AnnouncementArrived(arrival);
            self.lanes.discovery.offer(work).err().and_then(|work| match work {
                DiscoveryWork::AnnouncementArrived(arrival) => Some(arrival),
                DiscoveryWork::PeerHeard { .. } => None,
            })
        } else {
            let work = PubsubWork::GossipArrived(arrival);
            self.lanes.pubsub.offer(work).err().map(|PubsubWork::GossipArrived(arrival)| arrival)
        };
        if let Some(arrival) = refused {
            // Ignore, not Reject: a full lane is our fault.
            let id = MessageId::from(arrival.id);
            self.judge_message(&id, &arrival.forwarder, Acceptance::Ignore);
        }
    }
}

/// Our message ids end in the sequence number; see `behaviour::message_id`.
fn sequence_number(id: &MessageId) -> u64 {
    id.0.last_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

fn describe(error: PublishError) -> NetError {
    match error {
        PublishError::NoPeersSubscribedToTopic => NetError::NobodyListens,
        PublishError::AllQueuesFull(_) => NetError::Busy,
        PublishError::Duplicate
        | PublishError::SigningError(_)
        | PublishError::MessageTooLarge
        | PublishError::TransformFailed(_) => NetError::Gossip(error.to_string()),
    }
}

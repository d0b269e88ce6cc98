//! What the machine makes of arrivals and of neighbours: judgements, messages, members.
//! Invariant: only what was accepted changes what people see.
//! Not here: the judging itself; our own requests.

use libp2p_identity::PeerId;

use super::accept::{Accepted, Content};
use super::carry;
use super::members::Change;
use super::{Acceptance, Arrival, Output, Pubsub, message_id};
use crate::time::{Mono, Now};
use crate::view::{Message, PeerEvent};
use crate::wire::{RoomName, room_of_topic};

/// The ticket of subscriptions that nobody waits for. Shells number theirs from 1.
const CARRY_TICKET: u64 = 0;

impl Pubsub {
    pub(super) fn arrived(&mut self, now: Now, arrival: Arrival) {
        let carried = self.carried.contains(&arrival.topic);
        let name =
            room_of_topic(&arrival.topic).filter(|name| carried || self.rooms.contains_key(name));
        let mut verdict = self.judge.judge(now, name.as_ref(), &arrival);
        if let (Ok(accepted), Some(name)) = (&mut verdict, &name)
            && self.rooms.contains_key(name)
            && let Err(reason) = self.unseal(name, accepted)
        {
            verdict = Err(reason);
        }
        let acceptance = match &verdict {
            Ok(_) => {
                self.counts.accept();
                Acceptance::Accept
            }
            Err(reason) => {
                self.counts.drop(*reason);
                reason.acceptance()
            }
        };
        let Arrival { id, forwarder, .. } = arrival;
        self.outputs.push_back(Output::Judge { id, forwarder, acceptance });
        if let (Ok(accepted), Some(name)) = (verdict, name)
            && self.rooms.contains_key(&name)
        {
            self.take_in(now, &name, accepted);
        }
    }

    pub(super) fn take_in(&mut self, now: Now, name: &RoomName, accepted: Accepted) {
        if matches!(accepted.content, Content::Sealed { .. }) {
            return self.wait_for_key(now, name, accepted);
        }
        let Accepted { author, seqno, content, newest } = accepted;
        // Older than what we know of its author: a presence post overtaken by a leave brings nobody back.
        if newest {
            match &content {
                Content::Text { .. } => self.hear(now, name, author, None),
                Content::Presence { name: shown } => {
                    self.hear(now, name, author, Some(shown.clone()));
                }
                Content::Leave => self.lose(name, &author),
                Content::Sealed { .. } => {}
            }
        }
        if let Content::Text { text, sent_ms } = content
            && !text.trim().is_empty()
        {
            self.event(PeerEvent::Message {
                message: Message {
                    room: name.to_string(),
                    id: message_id(&author, seqno),
                    author: author.to_string(),
                    text,
                    sent_ms,
                    received_ms: now.unix_ms,
                    own: false,
                },
            });
        }
    }

    fn hear(&mut self, now: Now, name: &RoomName, peer: PeerId, shown: Option<Option<String>>) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        let shown = match room.members.hear(now, peer, shown, room.gone_ms) {
            Change::Came { name: shown } => {
                room.hasten(now.mono, &mut self.rng);
                shown
            }
            Change::Renamed { name: shown } => shown,
            Change::Nothing => return,
        };
        self.member(name, &peer, shown, true);
    }

    fn lose(&mut self, name: &RoomName, peer: &PeerId) {
        let Some(room) = self.rooms.get_mut(name) else { return };
        if let Some(shown) = room.members.remove(peer) {
            self.member(name, peer, shown, false);
        }
    }

    pub(super) fn neighbour(&mut self, now: Now, peer: &PeerId, topic: &str, follows: bool) {
        let Some(name) = room_of_topic(topic) else { return };
        if self.carry {
            self.carry_for(*peer, topic, &name, follows);
        }
        if !follows {
            self.lose(&name, peer);
        } else if let Some(room) = self.rooms.get_mut(&name) {
            room.hasten(now.mono, &mut self.rng);
        }
    }

    /// Carries the topic of a room while neighbours follow it.
    fn carry_for(&mut self, peer: PeerId, topic: &str, name: &RoomName, follows: bool) {
        let ours = self.rooms.contains_key(name);
        match self.carried.note(peer, topic, follows) {
            carry::Change::Begin if !ours => {
                let topic = topic.to_owned();
                self.outputs.push_back(Output::Subscribe { ticket: CARRY_TICKET, topic });
            }
            carry::Change::End if !ours => {
                self.outputs.push_back(Output::Unsubscribe { topic: topic.to_owned() });
            }
            carry::Change::Begin | carry::Change::End | carry::Change::Nothing => {}
        }
    }

    pub(super) fn expire_members(&mut self, now: Mono) {
        let mut gone = Vec::new();
        for (name, room) in &mut self.rooms {
            for (peer, shown) in room.members.expire(now) {
                gone.push((name.clone(), peer, shown));
            }
        }
        for (name, peer, shown) in gone {
            self.member(&name, &peer, shown, false);
        }
    }

    fn member(&mut self, room: &RoomName, peer: &PeerId, name: Option<String>, present: bool) {
        self.event(PeerEvent::Member {
            room: room.to_string(),
            id: peer.to_string(),
            name,
            present,
        });
    }
}

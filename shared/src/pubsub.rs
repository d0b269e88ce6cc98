//! Rooms over gossip: joining, saying, judging what arrives, and who is there.
//! Invariant: every arrival gets one judgement, every ticket one answer, and no peer can make us
//! remember more than the limits say.
//! Not here: meshes, signatures and wire ids (gossipsub's), policy (asked before the input).

mod accept;
mod arrivals;
mod carry;
mod counts;
mod error;
mod io;
mod members;
mod pending;
mod rooms;
mod sealed;
mod seen;

use std::collections::VecDeque;

use libp2p_identity::PeerId;
use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use self::accept::Judge;
use self::carry::Carried;
use self::pending::{Pending, Waiting};
use self::rooms::{Pen, Presence, Room, State};
use self::sealed::Sealed;
use crate::defence::rate::Buckets;
use crate::limits::{ASK_MS, CHAT_TEXT_BYTES_MAX, ROOMS_MAX, SAY_BURST, SAY_RATE_PER_S};
use crate::machine::Machine;
use crate::ordered::BTreeMap;
use crate::time::{Mono, Now};
use crate::view::{Message, PeerEvent, RoomInfo};
use crate::wire::text::{clean_name, clean_text};
use crate::wire::{PostKind, RoomName};

pub use counts::{Counts, Reason};
pub use error::{Kind, PubsubError};
pub use io::{Acceptance, Answer, Arrival, Input, Output, PublishFailure, PublishedId};

/// What the shell sets at the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// The display name for presence posts; `None` for none. [`Input::SetName`] changes it.
    pub name: Option<String>,
    /// Whether to carry the rooms of neighbours without being in them: a node that browsers lean on
    /// must, or those who share only this node do not hear each other.
    pub carry: bool,
}

/// The machine behind all rooms of one peer.
#[derive(Debug)]
pub struct Pubsub {
    local: PeerId,
    rng: SmallRng,
    name: Option<String>,
    rooms: BTreeMap<RoomName, Room>,
    /// Higher than every counter we used: what a room joined again starts from.
    counter_floor: u64,
    pending: Pending,
    carry: bool,
    carried: Carried,
    judge: Judge,
    sealed: Sealed,
    /// What we may say without others taking us for a flood.
    own: Buckets<()>,
    counts: Counts,
    /// Drained by the shell after every call, so it is as long as one call's doings at most.
    outputs: VecDeque<Output>,
}

impl Pubsub {
    /// A machine for the peer `local`, in no room. The same seed and inputs give the same outputs; the
    /// seed should not be known to others.
    #[must_use]
    pub fn new(local: PeerId, seed: u64, config: Config) -> Self {
        let mut rng = SmallRng::seed_from_u64(seed);
        let judge = Judge::new(local, rng.random());
        Self {
            local,
            rng,
            name: presentable(config.name),
            rooms: BTreeMap::new(),
            counter_floor: 0,
            pending: Pending::default(),
            carry: config.carry,
            carried: Carried::default(),
            judge,
            sealed: Sealed::default(),
            own: Buckets::new(1, SAY_RATE_PER_S, SAY_BURST),
            counts: Counts::default(),
            outputs: VecDeque::new(),
        }
    }

    /// The rooms that we are in, by name, with their members.
    #[must_use]
    pub fn rooms(&self) -> Vec<RoomInfo> {
        let joined = self.rooms.iter().filter(|(_, room)| room.state == State::Joined);
        joined
            .map(|(name, room)| RoomInfo {
                name: name.to_string(),
                topic: room.topic.clone(),
                members: room.members.view(),
            })
            .collect()
    }

    /// What became of all arrivals.
    #[must_use]
    pub const fn counts(&self) -> &Counts {
        &self.counts
    }

    fn join(&mut self, now: Now, ticket: u64, name: RoomName) {
        let state = self.rooms.get(&name).map(|room| room.state);
        if state == Some(State::Joined) {
            return self.answer(ticket, Ok(Answer::Joined));
        }
        if state.is_none() && self.rooms.len() >= ROOMS_MAX {
            return self.answer(ticket, Err(PubsubError::TooManyRooms));
        }
        let waiting = Waiting::Join { room: name.clone() };
        if !self.pending.insert(ticket, now.mono.after(ASK_MS), waiting) {
            return self.answer(ticket, Err(PubsubError::Busy));
        }
        // Who asks while the subscription is under way is answered together with the first.
        if state.is_none() {
            self.counter_floor = self.counter_floor.max(now.unix_ms);
            let room = Room::joining(&name, ticket, self.counter_floor);
            self.outputs.push_back(Output::Subscribe { ticket, topic: room.topic.clone() });
            self.rooms.insert(name, room);
        }
    }

    fn subscribed(&mut self, now: Now, ticket: u64, result: Result<(), String>) {
        let joining = State::Joining { ticket };
        let found = self.rooms.iter_mut().find(|(_, room)| room.state == joining);
        // Otherwise the room was left, or given up, meanwhile.
        let Some((name, room)) = found else { return };
        let name = name.clone();
        match result {
            Ok(()) => {
                room.state = State::Joined;
                let topic = room.topic.clone();
                if !name.is_uc() {
                    room.presence = Some(Presence::starting(now.mono));
                }
                for ticket in self.pending.take_joins(&name) {
                    self.answer(ticket, Ok(Answer::Joined));
                }
                if name.is_members() && self.sealed.keys.newest_of(&topic).is_none() {
                    self.want_keys(now.mono);
                }
                self.say_presence(now);
            }
            Err(reason) => {
                self.forget_room(&name);
                self.fail_joins(&name, &PubsubError::JoinFailed { room: name.clone(), reason });
            }
        }
    }

    fn leave(&mut self, now: Now, ticket: u64, name: &RoomName) {
        let Some(room) = self.rooms.get_mut(name) else {
            return self.answer(ticket, Err(PubsubError::NotJoined { room: name.clone() }));
        };
        if room.state == State::Joined && !name.is_uc() {
            let pen = Pen { author: &self.local, keys: &self.sealed.keys, now };
            if let Some(data) = room.post(&pen, PostKind::Leave, "") {
                let topic = room.topic.clone();
                self.outputs.push_back(Output::Publish { ticket: None, topic, data });
            }
        }
        self.give_up_room(name);
        self.fail_joins(name, &PubsubError::LeftMeanwhile { room: name.clone() });
        self.answer(ticket, Ok(Answer::Left));
    }

    /// Takes a room off our list, and its topic off gossip's.
    fn give_up_room(&mut self, name: &RoomName) {
        if let Some(topic) = self.forget_room(name).filter(|topic| !self.carried.contains(topic)) {
            self.outputs.push_back(Output::Unsubscribe { topic });
        }
    }

    /// Takes a room off our list. Its topic.
    fn forget_room(&mut self, name: &RoomName) -> Option<String> {
        let room = self.rooms.remove(name)?;
        self.counter_floor = self.counter_floor.max(room.counter());
        Some(room.topic)
    }

    fn fail_joins(&mut self, name: &RoomName, error: &PubsubError) {
        for ticket in self.pending.take_joins(name) {
            self.answer(ticket, Err(error.clone()));
        }
    }

    fn say(&mut self, now: Now, ticket: u64, name: RoomName, text: &str) {
        // As everybody else will see it, so that our own copy is the same.
        let text = clean_text(text);
        let Some(room) = self.rooms.get_mut(&name).filter(|room| room.state == State::Joined)
        else {
            return self.answer(ticket, Err(PubsubError::NotJoined { room: name }));
        };
        if text.trim().is_empty() {
            return self.answer(ticket, Err(PubsubError::EmptyText));
        }
        if text.len() > CHAT_TEXT_BYTES_MAX {
            return self.answer(ticket, Err(PubsubError::TextTooLong { bytes: text.len() }));
        }
        let sent_ms = (!name.is_uc()).then_some(now.unix_ms);
        if room.sealed && self.sealed.keys.newest_of(&room.topic).is_none() {
            self.want_keys(now.mono);
            return self.answer(ticket, Err(PubsubError::NoKey { room: name }));
        }
        if !self.own.take(now.mono, (), 1) {
            return self.answer(ticket, Err(PubsubError::Busy));
        }
        let pen = Pen { author: &self.local, keys: &self.sealed.keys, now };
        let data = if name.is_uc() {
            Some(text.clone().into_bytes())
        } else {
            room.post(&pen, PostKind::Text, &text)
        };
        let Some(data) = data else {
            return self.answer(ticket, Err(PubsubError::TextTooLong { bytes: text.len() }));
        };
        let waiting = Waiting::Say { room: name.clone(), text, sent_ms };
        if !self.pending.insert(ticket, now.mono.after(ASK_MS), waiting) {
            return self.answer(ticket, Err(PubsubError::Busy));
        }
        let topic = room.topic.clone();
        self.outputs.push_back(Output::Publish { ticket: Some(ticket), topic, data });
    }

    fn published(&mut self, now: Now, ticket: u64, result: Result<PublishedId, PublishFailure>) {
        let Some((room, text, sent_ms)) = self.pending.take_say(ticket) else { return };
        let result = match result {
            Ok(PublishedId { seqno }) => {
                let message = Message {
                    room: room.to_string(),
                    id: message_id(&self.local, seqno),
                    author: self.local.to_string(),
                    text,
                    sent_ms,
                    received_ms: now.unix_ms,
                    own: true,
                };
                self.event(PeerEvent::Message { message: message.clone() });
                Ok(Answer::Said(message))
            }
            Err(PublishFailure::NobodyThere) => Err(PubsubError::NobodyThere { room }),
            Err(PublishFailure::Busy) => Err(PubsubError::Busy),
            Err(PublishFailure::Other(reason)) => Err(PubsubError::SendFailed { room, reason }),
        };
        self.answer(ticket, result);
    }

    fn set_name(&mut self, now: Now, name: Option<String>) {
        let name = presentable(name);
        if name == self.name {
            return;
        }
        self.name = name;
        for room in self.rooms.values_mut() {
            room.hasten(now.mono, &mut self.rng);
        }
    }

    /// Posts that we are here, in every room where that is due.
    fn say_presence(&mut self, now: Now) {
        let shown = self.name.clone().unwrap_or_default();
        for room in self.rooms.values_mut() {
            let due = room.presence.as_mut().filter(|presence| presence.next() <= now.mono);
            let Some(presence) = due else { continue };
            presence.sent(now.mono, &mut self.rng);
            let pen = Pen { author: &self.local, keys: &self.sealed.keys, now };
            let Some(data) = room.post(&pen, PostKind::Presence, &shown) else { continue };
            let topic = room.topic.clone();
            self.outputs.push_back(Output::Publish { ticket: None, topic, data });
        }
    }

    fn expire_pending(&mut self, now: Now) {
        for (ticket, waiting) in self.pending.take_late(now.mono) {
            self.answer(ticket, Err(PubsubError::TimedOut));
            if let Waiting::Join { room } = waiting
                && self.rooms.get(&room).map(|room| room.state) == Some(State::Joining { ticket })
            {
                self.give_up_room(&room);
                self.fail_joins(&room, &PubsubError::TimedOut);
            }
        }
    }

    fn event(&mut self, event: PeerEvent) {
        self.outputs.push_back(Output::Event(event));
    }

    fn answer(&mut self, ticket: u64, result: Result<Answer, PubsubError>) {
        self.outputs.push_back(Output::Answer { ticket, result });
    }
}

impl Machine for Pubsub {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Join { ticket, room } => self.join(now, ticket, room),
            Input::Leave { ticket, room } => self.leave(now, ticket, &room),
            Input::SetName(name) => self.set_name(now, name),
            Input::Say { ticket, room, text } => self.say(now, ticket, room, &text),
            Input::Published { ticket, result } => self.published(now, ticket, result),
            Input::Subscribed { ticket, result } => self.subscribed(now, ticket, result),
            Input::Arrived(arrival) => self.arrived(now, arrival),
            Input::Keys(keys) => self.set_keys(now, keys),
            Input::Neighbour { peer, topic, follows } => {
                self.neighbour(now, &peer, &topic, follows);
            }
        }
    }

    fn tick(&mut self, now: Now) {
        self.expire_pending(now);
        self.expire_members(now.mono);
        self.say_presence(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        let rooms = self.rooms.values();
        let presence = rooms.clone().filter_map(|room| room.presence.as_ref().map(Presence::next));
        let gone = rooms.filter_map(|room| room.members.next_gone());
        presence.chain(gone).chain(self.pending.next_late()).min()
    }
}

/// The id of a message in views: author and sequence number, which together are unique and cannot be
/// claimed by anybody else.
fn message_id(author: &PeerId, seqno: u64) -> String {
    format!("{author}-{seqno:016x}")
}

fn presentable(name: Option<String>) -> Option<String> {
    name.map(|name| clean_name(&name)).filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests;

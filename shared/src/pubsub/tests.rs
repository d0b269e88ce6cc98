mod arriving;
mod carrying;
mod flood;
mod presence;
mod requests;
mod sealed;

use libp2p_identity::{Keypair, PeerId};

use super::*;
use crate::limits::*;
use crate::wire::Post;

/// The Unix time at which all tests begin.
const START: u64 = 1_800_000_000_000;

fn peer(seed: u8) -> PeerId {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap().public().to_peer_id()
}

fn room(name: &str) -> RoomName {
    name.parse().unwrap()
}

fn post_bytes(counter: u64, created_ms: u64, kind: PostKind, body: &str) -> Vec<u8> {
    Post { counter, created_ms, kind, body: body.into(), reply_to: Vec::new() }.encode()
}

/// A machine, its clock, and a shell that answers as it is told.
struct Bench {
    machine: Pubsub,
    now: Now,
    ticket: u64,
    seqno: u64,
}

impl Bench {
    fn new() -> Self {
        let config = Config { name: Some("Local".into()), ..Config::default() };
        Self {
            machine: Pubsub::new(peer(0), 4711, config),
            now: Now::new(Mono::ZERO, START),
            ticket: 0,
            seqno: 0,
        }
    }

    /// In a room already, its first presence post said.
    fn in_room(name: &str) -> Self {
        let mut bench = Self::new();
        bench.join(name);
        bench
    }

    fn pass(&mut self, millis: u64) {
        self.now = Now::new(self.now.mono.after(millis), self.now.unix_ms + millis);
    }

    fn drain(&mut self) -> Vec<Output> {
        std::iter::from_fn(|| self.machine.poll_output()).collect()
    }

    fn feed(&mut self, input: Input) -> Vec<Output> {
        self.machine.handle(self.now, input);
        self.drain()
    }

    fn tick(&mut self) -> Vec<Output> {
        self.machine.tick(self.now);
        self.drain()
    }

    /// Lets time pass and ticks whenever the machine asks for it. Outputs with their times.
    fn run(&mut self, millis: u64) -> Vec<(u64, Output)> {
        let end = self.now.mono.after(millis);
        let mut outputs = Vec::new();
        while let Some(wake) = self.machine.next_wake().filter(|wake| *wake <= end) {
            self.pass(wake.since(self.now.mono));
            let at = self.now.mono.as_millis();
            outputs.extend(self.tick().into_iter().map(|output| (at, output)));
            assert!(self.machine.next_wake() != Some(wake), "a tick must do what is due");
        }
        self.pass(end.since(self.now.mono));
        outputs
    }

    fn ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    fn join(&mut self, name: &str) -> Vec<Output> {
        let ticket = self.ticket();
        let mut outputs = self.feed(Input::Join { ticket, room: room(name) });
        outputs.extend(self.feed(Input::Subscribed { ticket, result: Ok(()) }));
        assert!(outputs.contains(&Output::Answer { ticket, result: Ok(Answer::Joined) }));
        outputs
    }

    fn arrival(&mut self, author: PeerId, topic: &str, data: Vec<u8>) -> Arrival {
        self.seqno += 1;
        Arrival {
            id: self.seqno.to_be_bytes().to_vec(),
            forwarder: peer(99),
            author: Some(author),
            seqno: Some(self.seqno),
            topic: topic.into(),
            data,
        }
    }

    /// Feeds an arrival, checks that it is judged once, and gives judgement and other outputs.
    fn judged(&mut self, arrival: Arrival) -> (Acceptance, Vec<Output>) {
        let (id, forwarder) = (arrival.id.clone(), arrival.forwarder);
        let mut outputs = self.feed(Input::Arrived(arrival));
        let Output::Judge { id: judged, forwarder: by, acceptance } = outputs.remove(0) else {
            panic!("the judgement comes first");
        };
        assert_eq!((judged, by), (id, forwarder));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Judge { .. })));
        (acceptance, outputs)
    }

    /// A post of somebody in the room `lobby`.
    fn hears(&mut self, author: PeerId, counter: u64, kind: PostKind, body: &str) -> Vec<Output> {
        let data = post_bytes(counter, self.now.unix_ms, kind, body);
        let arrival = self.arrival(author, "peerloom/open/lobby", data);
        let (acceptance, outputs) = self.judged(arrival);
        assert_eq!(acceptance, Acceptance::Accept);
        outputs
    }

    fn members(&self) -> Vec<(String, Option<String>)> {
        let rooms = self.machine.rooms();
        rooms.into_iter().flat_map(|room| room.members).map(|m| (m.id, m.name)).collect()
    }
}

fn member(name: &str, peer: PeerId, shown: Option<&str>, present: bool) -> Output {
    Output::Event(PeerEvent::Member {
        room: name.into(),
        id: peer.to_string(),
        name: shown.map(str::to_owned),
        present,
    })
}

/// The post inside a publish output.
fn published(output: &Output) -> Option<(Option<u64>, String, Post)> {
    let Output::Publish { ticket, topic, data } = output else { return None };
    Some((*ticket, topic.clone(), Post::decode(data).unwrap()))
}

fn messages(outputs: &[Output]) -> Vec<Message> {
    let message = |output: &Output| {
        if let Output::Event(PeerEvent::Message { message }) = output {
            Some(message.clone())
        } else {
            None
        }
    };
    outputs.iter().filter_map(message).collect()
}

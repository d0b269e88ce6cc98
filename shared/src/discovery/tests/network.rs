//! Whole networks of discovery machines in simulated time: nodes come and go, then everything heals.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{BROWSER, EPOCH, NATIVE, addr, id, keys};
use crate::defence::address::{Parts, with_peer};
use crate::defence::book::{BookEntry, Source};
use crate::defence::scope::Scope;
use crate::discovery::{Config, Discovery, Input, Output};
use crate::limits::DIALS_MAX;
use crate::machine::Machine as _;
use crate::time::{Mono, Now};
use crate::view::{Health, LinkState};
use crate::{Multiaddr, PeerId};

struct Node {
    machine: Discovery,
    config: Config,
    links: Vec<Multiaddr>,
    address: Multiaddr,
    up: bool,
    /// Counts restarts: what was meant for an earlier life is lost.
    life: u64,
    disk: BTreeMap<PeerId, BookEntry>,
    dials: BTreeSet<u64>,
    owed: usize,
}

struct Network {
    ms: u64,
    rng: SmallRng,
    nodes: Vec<Node>,
    /// (time, order) to (node, life, what happens there).
    future: BTreeMap<(u64, u64), (usize, u64, Event)>,
    /// Open connections: dialler, listener, remote address as dialled, relay.
    open: BTreeMap<u64, (usize, usize, Multiaddr, Option<usize>)>,
    next: u64,
}

enum Event {
    Tell(Input),
    Dial { ticket: u64, peer: Option<PeerId>, addrs: Vec<Multiaddr> },
}

impl Network {
    fn new(seed: u64) -> Self {
        let rng = SmallRng::seed_from_u64(seed);
        Self { ms: 0, rng, nodes: vec![], future: BTreeMap::new(), open: BTreeMap::new(), next: 0 }
    }

    fn add(&mut self, config: Config, links: Vec<Multiaddr>) {
        let n = self.nodes.len();
        let address = addr(&format!("/ip4/8.8.{n}.8/tcp/1/ws"));
        let machine = Discovery::new(keys(n as u8).public(), 0, config);
        let (disk, dials) = (BTreeMap::new(), BTreeSet::new());
        let node =
            Node { machine, config, links, address, up: false, life: 0, disk, dials, owed: 0 };
        self.nodes.push(node);
        self.start(n);
    }

    fn start(&mut self, n: usize) {
        let seed = self.rng.random_range(0..u64::MAX);
        let node = &mut self.nodes[n];
        node.machine = Discovery::new(keys(n as u8).public(), seed, node.config);
        node.up = true;
        node.life += 1;
        node.dials.clear();
        let entries = node.disk.values().cloned().collect();
        let links = node.links.clone();
        // A browser is reached through relays only, and keeps no book.
        if !node.config.relay_only {
            let address = node.address.clone();
            self.tell(n, Input::OurAddresses(vec![address]));
            self.tell(n, Input::Loaded(entries));
        }
        for link in links {
            self.tell(n, Input::Keep(link));
        }
    }

    fn stop(&mut self, n: usize) {
        self.nodes[n].up = false;
        let touched = |(a, b, _, relay): &(usize, usize, Multiaddr, Option<usize>)| {
            *a == n || *b == n || *relay == Some(n)
        };
        let broken: Vec<u64> =
            self.open.iter().filter(|(_, c)| touched(c)).map(|(number, _)| *number).collect();
        for number in broken {
            self.close(number);
        }
    }

    fn close(&mut self, number: u64) {
        let Some((a, b, ..)) = self.open.remove(&number) else { return };
        for (at, other) in [(a, b), (b, a)] {
            let peer = id(other as u8);
            self.later(at, 5, Event::Tell(Input::Disconnected { peer, connection: number }));
        }
    }

    fn later(&mut self, n: usize, after: u64, event: Event) {
        self.next += 1;
        let life = self.nodes[n].life;
        self.future.insert((self.ms + after, self.next), (n, life, event));
    }

    fn now(&self) -> Now {
        Now::new(Mono::from_millis(self.ms), EPOCH + self.ms)
    }

    fn tell(&mut self, n: usize, input: Input) {
        let now = self.now();
        if matches!(input, Input::AnnouncementArrived { .. }) {
            self.nodes[n].owed += 1;
        }
        if let Input::Dialed { ticket, .. } = &input {
            assert!(self.nodes[n].dials.remove(ticket), "a ticket was answered twice");
        }
        self.nodes[n].machine.handle(now, input);
        self.drain(n);
    }

    fn drain(&mut self, n: usize) {
        while let Some(output) = self.nodes[n].machine.poll_output() {
            match output {
                Output::Dial { ticket, peer, addrs, .. } => {
                    assert_ne!(peer, Some(id(n as u8)), "never ourselves");
                    assert!(self.nodes[n].dials.insert(ticket), "a ticket was used twice");
                    assert!(self.nodes[n].dials.len() <= DIALS_MAX);
                    let took = self.rng.random_range(5..400);
                    self.later(n, took, Event::Dial { ticket, peer, addrs });
                }
                Output::Announce(data) => self.announce(n, &data),
                Output::Judge { .. } => self.nodes[n].owed -= 1,
                Output::Save(entry) => drop(self.nodes[n].disk.insert(entry.peer, entry)),
                Output::Forget(peer) => drop(self.nodes[n].disk.remove(&peer)),
                Output::LinksChanged => {}
            }
        }
    }

    fn neighbours(&self, n: usize) -> BTreeSet<usize> {
        let direct = self.open.values().filter(|(.., relay)| relay.is_none());
        let mine = direct.filter(|(a, b, ..)| *a == n || *b == n);
        mine.map(|(a, b, ..)| if *a == n { *b } else { *a }).collect()
    }

    /// Gossip: everybody reached over direct connections hears it from a neighbour.
    fn announce(&mut self, n: usize, data: &[u8]) {
        let mut reached = BTreeSet::from([n]);
        let mut edge = vec![n];
        while let Some(from) = edge.pop() {
            for to in self.neighbours(from) {
                if reached.insert(to) {
                    edge.push(to);
                    let input = Input::AnnouncementArrived {
                        id: vec![n as u8],
                        forwarder: id(from as u8),
                        over: Scope::Global,
                        author: Some(id(n as u8)),
                        data: data.to_vec(),
                    };
                    self.later(to, 20, Event::Tell(input));
                }
            }
        }
    }

    fn connect(&mut self, n: usize, peer: Option<PeerId>, addrs: &[Multiaddr]) -> Option<usize> {
        for address in addrs {
            let circuit = Parts::of(address).circuit;
            let host = self.nodes.iter().position(|node| address.starts_with(&node.address))?;
            let (target, relay) = if circuit {
                let target = (0..self.nodes.len()).find(|t| Some(id(*t as u8)) == peer)?;
                // Both ends must be connected to the relay.
                let near = self.neighbours(host);
                if !near.contains(&n) || !near.contains(&target) {
                    continue;
                }
                // Who was introduced needs the relay no more.
                let introduced = address.iter().any(|part| part == multiaddr::Protocol::WebRTC);
                (target, (!introduced).then_some(host))
            } else {
                (host, None)
            };
            assert_ne!(target, n, "our own address was dialled");
            if self.nodes[target].up && self.nodes[host].up {
                self.open_connection(n, target, address.clone(), relay);
                return Some(target);
            }
        }
        None
    }

    fn open_connection(&mut self, n: usize, to: usize, at: Multiaddr, relay: Option<usize>) {
        self.next += 1;
        let number = self.next;
        self.open.insert(number, (n, to, at.clone(), relay));
        for (end, other, outbound) in [(n, to, true), (to, n, false)] {
            let (peer, relayed) = (id(other as u8), relay.is_some());
            let address = if outbound { at.clone() } else { addr("/ip4/7.7.7.7/tcp/50000") };
            let told = Input::Connected { peer, connection: number, address, relayed, outbound };
            self.later(end, 1, Event::Tell(told));
            let addrs = if self.nodes[other].config.relay_only {
                vec![]
            } else {
                vec![self.nodes[other].address.clone()]
            };
            let (source, over) = (Source::Identify, Scope::Global);
            self.later(end, 30, Event::Tell(Input::Heard { peer, addrs, source, over }));
        }
        for end in [n, to] {
            let listeners = self.neighbours(end).len();
            self.later(end, 40, Event::Tell(Input::DiscoveryPeers(listeners)));
            // A browser gets a reservation from each node it reaches.
            if self.nodes[end].config.relay_only {
                let nodes = self.neighbours(end).into_iter();
                let nodes = nodes.filter(|near| !self.nodes[*near].config.relay_only);
                let circuits = nodes.map(|relay| {
                    let at = with_peer(self.nodes[relay].address.clone(), id(relay as u8));
                    at.with(multiaddr::Protocol::P2pCircuit)
                });
                let circuits = circuits.collect();
                self.later(end, 50, Event::Tell(Input::OurAddresses(circuits)));
            }
        }
    }

    fn event(&mut self, n: usize, event: Event) {
        match event {
            Event::Tell(Input::Connected { connection, .. })
                if !self.open.contains_key(&connection) => {}
            Event::Tell(input) => self.tell(n, input),
            Event::Dial { ticket, peer, addrs } => {
                let result = match self.connect(n, peer, &addrs) {
                    Some(to) => Ok(id(to as u8)),
                    None => Err("nobody there".to_owned()),
                };
                self.tell(n, Input::Dialed { ticket, result });
            }
        }
    }

    fn run(&mut self, ms: u64) {
        let end = self.ms + ms;
        loop {
            let wakes = self.nodes.iter().enumerate().filter(|(_, node)| node.up);
            let wake = wakes
                .filter_map(|(n, node)| Some((node.machine.next_wake()?.as_millis(), n)))
                .min();
            let event = self.future.keys().next().map(|(at, _)| *at);
            match (wake, event) {
                (Some((at, n)), event) if at <= end && event.is_none_or(|e| at < e) => {
                    self.ms = self.ms.max(at);
                    let now = self.now();
                    self.nodes[n].machine.tick(now);
                    self.drain(n);
                    let next = self.nodes[n].machine.next_wake();
                    assert!(next.is_none_or(|next| next > now.mono), "a wake that changes nothing");
                }
                (_, Some(at)) if at <= end => {
                    self.ms = self.ms.max(at);
                    let Some((_, (n, life, event))) = self.future.pop_first() else { break };
                    if self.nodes[n].up && self.nodes[n].life == life {
                        self.event(n, event);
                    }
                }
                _ => break,
            }
        }
        self.ms = end;
    }

    fn assert_whole(&self) {
        for (n, node) in self.nodes.iter().enumerate() {
            assert_eq!(node.owed, 0, "every announcement was judged");
            for link in node.machine.links(self.now()) {
                assert_eq!(link.state, LinkState::Connected, "node {n}: {link:?}");
            }
            let (health, reason) = node.machine.health();
            assert_eq!(health, Health::Connected, "node {n}: {reason}");
        }
    }
}

fn link(n: usize) -> Multiaddr {
    with_peer(addr(&format!("/ip4/8.8.{n}.8/tcp/1/ws")), id(n as u8))
}

#[test]
fn a_mesh_whose_nodes_come_and_go_heals() {
    for seed in 0..12 {
        let mut network = Network::new(seed);
        let config = Config { outbound_wanted: 3, ..NATIVE };
        for n in 0..14_usize {
            // Nodes 0 and 1 are everybody's bootstrap nodes, and each other's.
            let links = [0, 1].into_iter().filter(|b| *b != n).map(link).collect();
            network.add(config, links);
        }
        network.run(20_000);
        network.assert_whole();
        for _ in 0..40 {
            let n = network.rng.random_range(0..14);
            if network.nodes[n].up {
                network.stop(n)
            } else {
                network.start(n)
            }
            let pause = network.rng.random_range(100..8_000);
            network.run(pause);
        }
        for n in 0..14 {
            if !network.nodes[n].up {
                network.start(n);
            }
        }
        network.run(15_000);
        network.assert_whole();
        // Nobody depends on the bootstrap nodes alone.
        network.run(120_000);
        for n in 2..14 {
            let others = network.neighbours(n).into_iter().filter(|other| *other > 1).count();
            assert!(others >= 2, "seed {seed}: node {n} knows {others} others");
        }
    }
}

#[test]
fn every_pair_of_browsers_meets_over_the_relay_and_again_after_its_restart() {
    for seed in 0..8 {
        let mut network = Network::new(seed);
        network.add(NATIVE, vec![]);
        for _ in 0..5 {
            network.add(BROWSER, vec![link(0)]);
        }
        network.run(30_000);
        let pairs = |network: &Network, relayed: bool| {
            let wanted = |(a, b, _, relay): &&(usize, usize, Multiaddr, Option<usize>)| {
                *a > 0 && *b > 0 && relay.is_some() == relayed
            };
            let open = network.open.values().filter(wanted);
            open.map(|(a, b, ..)| (*a.min(b), *a.max(b))).collect::<BTreeSet<_>>()
        };
        assert_eq!(pairs(&network, true).len(), 10, "seed {seed}");
        assert_eq!(pairs(&network, false).len(), 10, "seed {seed}: direct paths");
        // No more than both ends dialling at the same time.
        let circuits =
            |network: &Network| network.open.values().filter(|(.., relay)| relay.is_some()).count();
        let before = circuits(&network);
        assert!(before <= 20);
        network.run(300_000);
        assert_eq!(circuits(&network), before, "no endless double dialling");
        network.stop(0);
        network.run(10_000);
        assert_eq!(pairs(&network, true).len(), 0, "seed {seed} without the relay");
        assert_eq!(pairs(&network, false).len(), 10, "seed {seed} without the relay");
        network.start(0);
        network.run(15_000);
        for n in 1..6 {
            let links = network.nodes[n].machine.links(network.now());
            assert_eq!(links[0].state, LinkState::Connected, "within 15 s");
        }
        network.run(60_000);
        assert_eq!(pairs(&network, false).len(), 10, "seed {seed} after the restart");
    }
}

//! Whom to connect to: links that are kept for ever, and peers that were heard of.
//! Invariant: never more than [`DIALS_MAX`] dials out, never one to ourselves; a link that is down is
//! being dialled or has a time for its next try.
//! Not here: sockets, permits (shells), where records are found (routing).

mod announce;
mod choose;
mod health;
mod hearsay;
mod io;
mod line;
mod links;
mod peers;
mod upgrade;

use std::collections::VecDeque;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;

pub use self::io::{Config, Input, Output};
pub use self::line::LinkError;

use self::announce::Announcer;
use self::line::State;
use self::links::Links;
use self::peers::{Connection, Peers};
use self::upgrade::Upgrades;
use crate::defence::address::without_peer;
use crate::defence::book::{Book, Change};
use crate::defence::rate::Buckets;
use crate::limits::{
    ANNOUNCER_BURST, ANNOUNCER_RATE_PER_S, BOOK_RECHECK_MS, DIAL_LOST_MS, DIAL_MS, DIALS_HEARD_MAX,
    DIALS_MAX, FORWARDER_BURST, FORWARDER_RATE_PER_S, PEER_STABLE_MS, RATE_KEYS_MAX, SLEPT_MS,
};
use crate::machine::Machine;
use crate::ordered::{BTreeMap, BTreeSet};
use crate::time::{Mono, Now};
use crate::view;
use crate::{Multiaddr, PeerId};

/// What a dial is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Goal {
    Line(u64),
    Peer(PeerId),
    /// A direct path to a peer that a relay connects us to.
    Upgrade(PeerId),
}

#[derive(Debug)]
struct Dial {
    goal: Goal,
    lost_at: Mono,
}

/// The discovery machine.
#[derive(Debug)]
pub struct Discovery {
    local: PeerId,
    config: Config,
    rng: SmallRng,
    links: Links,
    peers: Peers,
    upgrades: Upgrades,
    book: Book,
    dials: BTreeMap<u64, Dial>,
    /// Heard-of peers whose dial succeeded but whose connection was not told yet, and until when it
    /// must be.
    arriving: BTreeMap<PeerId, Mono>,
    next_ticket: u64,
    ours: BTreeSet<Multiaddr>,
    announcer: Announcer,
    authors: Buckets<PeerId>,
    forwarders: Buckets<PeerId>,
    out: VecDeque<Output>,
}

impl Discovery {
    /// A machine that knows nobody. `public_key` is our own; `seed` drives jitter only.
    #[must_use]
    pub fn new(public_key: libp2p_identity::PublicKey, seed: u64, config: Config) -> Self {
        Self {
            local: public_key.to_peer_id(),
            config,
            rng: SmallRng::seed_from_u64(seed),
            links: Links::new(config.each_link_address),
            peers: Peers::default(),
            upgrades: Upgrades::default(),
            book: Book::default(),
            dials: BTreeMap::new(),
            arriving: BTreeMap::new(),
            next_ticket: 0,
            ours: BTreeSet::new(),
            announcer: Announcer::new(public_key),
            authors: Buckets::new(RATE_KEYS_MAX, ANNOUNCER_RATE_PER_S, ANNOUNCER_BURST),
            forwarders: Buckets::new(RATE_KEYS_MAX, FORWARDER_RATE_PER_S, FORWARDER_BURST),
            out: VecDeque::new(),
        }
    }

    /// Whether [`Input::Keep`] would take this address. What it would not take, it ignores.
    ///
    /// # Errors
    /// Why not.
    pub fn check_link(&self, address: &Multiaddr) -> Result<(), LinkError> {
        self.links.check(&self.local, address)
    }

    /// The addresses we keep connected, each with its state.
    #[must_use]
    pub fn links(&self, now: Now) -> Vec<view::Link> {
        self.links.view(now.mono, &self.peers)
    }

    /// How well we are connected, and why.
    #[must_use]
    pub fn health(&self) -> (view::Health, String) {
        let (direct, relayed) = self.peers.counts();
        let (links, up, dialing) = self.links.counts();
        let trying = self.heard_dials();
        let why = self.links.why();
        health::health(health::Facts { direct, relayed, links, up, dialing, trying, why })
    }

    /// The address book.
    #[must_use]
    pub fn book(&self) -> &Book {
        &self.book
    }

    fn heard_dials(&self) -> usize {
        self.dials.values().filter(|dial| matches!(dial.goal, Goal::Peer(_))).count()
    }

    fn connected(&mut self, now: Now, number: u64, connection: Connection) {
        let peer = connection.peer;
        self.links.connected(now.mono, number, &connection);
        self.links.changed = true;
        let direct = connection.outbound && !connection.relayed;
        self.peers.add(now.mono, number, connection.clone());
        self.upgrades.connected(now.mono, &connection, &self.peers);
        self.arriving.remove(&peer);
        self.book.engage(&peer);
        if direct {
            self.book.reached(now, &peer);
            // It may be the relay that leads to others.
            self.book.hasten(now.mono, |entry| {
                entry.addrs.iter().any(|address| choose::relay(address) == Some(peer))
            });
        }
    }

    fn disconnected(&mut self, now: Now, number: u64) {
        let Some(peer) = self.peers.get(number).map(|gone| gone.peer) else { return };
        let Some(last) = self.peers.remove(number) else { return };
        self.upgrades.disconnected(now.mono, &peer, &self.peers);
        self.links.changed = true;
        self.links.disconnected(now.mono, (number, peer), &self.peers, &mut self.rng);
        let Some((peer, since)) = last else { return };
        if now.mono.since(since) >= PEER_STABLE_MS {
            self.book.settle(now, &peer, &mut self.rng);
        } else {
            self.book.failed(now, &peer, &mut self.rng);
        }
    }

    fn dialed(&mut self, now: Now, ticket: u64, result: Result<PeerId, String>) {
        let Some(dial) = self.dials.remove(&ticket) else { return };
        match dial.goal {
            Goal::Line(line) => {
                let context = (&self.peers, &self.local, &mut self.rng);
                self.links.dialed(now.mono, (line, ticket), result, context);
            }
            Goal::Upgrade(peer) => {
                if result.is_err() {
                    self.upgrades.failed(now.mono, &peer);
                }
            }
            Goal::Peer(peer) => {
                self.links.changed = true;
                // A connected peer's next turn follows from the end of its connections.
                if !self.peers.is_connected(&peer) {
                    match result {
                        Ok(_) => drop(self.arriving.insert(peer, now.mono.after(DIAL_MS))),
                        Err(_) => self.book.failed(now, &peer, &mut self.rng),
                    }
                }
            }
        }
    }

    fn retry(&mut self, now: Now) {
        self.links.retry(now.mono);
        self.book.hasten(now.mono, |_| true);
    }

    /// Does all that is due and collects what it means for the shell.
    fn work(&mut self, now: Now) {
        let lost = self.dials.iter().filter(|(_, dial)| dial.lost_at <= now.mono);
        for ticket in lost.map(|(ticket, _)| *ticket).collect::<Vec<_>>() {
            self.dialed(now, ticket, Err("no answer in time".to_owned()));
        }
        self.links.expire(now.mono, &mut self.rng);
        let broken = self.arriving.iter().filter(|(_, until)| **until <= now.mono);
        for peer in broken.map(|(peer, _)| *peer).collect::<Vec<_>>() {
            self.arriving.remove(&peer);
            self.book.failed(now, &peer, &mut self.rng);
        }
        for line in self.links.due(now.mono) {
            if self.dials.len() < DIALS_MAX {
                self.dial_line(now, line);
            }
        }
        self.seek_direct_paths(now);
        while self.may_dial_heard() {
            let Some(peer) = self.book.due(now.mono) else { break };
            self.dial_peer(now, peer);
        }
        if let Some(data) = self.announcer.due(now.mono, &mut self.rng) {
            self.out.push_back(Output::Announce(data));
        }
        self.out.extend(self.book.take_changes().into_iter().map(|change| match change {
            Change::Save(entry) => Output::Save(entry),
            Change::Forget(peer) => Output::Forget(peer),
        }));
        if std::mem::take(&mut self.links.changed) {
            self.out.push_back(Output::LinksChanged);
        }
    }

    fn may_dial_heard(&self) -> bool {
        let trying = self.heard_dials();
        let got = || {
            let outbound = self.peers.outbound();
            outbound.iter().filter(|peer| !self.links.is_for(peer)).count()
        };
        self.dials.len() < DIALS_MAX
            && trying < DIALS_HEARD_MAX
            && trying.saturating_add(got()) < self.config.outbound_wanted
    }

    fn dial_line(&mut self, now: Now, id: u64) {
        let ticket = self.next_ticket;
        let Some(line) = self.links.get_mut(id) else { return };
        let mut addrs = line.bare();
        addrs.retain(|address| !self.ours.contains(address));
        if addrs.is_empty() {
            line.state = State::Ours;
            return;
        }
        line.state = State::Dialing(ticket);
        line.held = None;
        let peer = line.wanted();
        let connected = peer.is_some_and(|peer| self.peers.is_connected(&peer));
        let even_if_connected = self.config.each_link_address || connected;
        self.dial(now, Goal::Line(id), Output::Dial { ticket, peer, addrs, even_if_connected });
    }

    fn dial_peer(&mut self, now: Now, peer: PeerId) {
        let Some(entry) = self.book.get(&peer) else { return };
        let ours = |address: &Multiaddr| self.ours.contains(address);
        let addrs = choose::usable(&self.config, &self.peers, entry, &ours);
        // A link's peer is dialled for the link.
        if addrs.is_empty() || self.links.is_for(&peer) {
            return self.book.postpone(&peer, now.mono.after(BOOK_RECHECK_MS));
        }
        self.book.engage(&peer);
        self.links.changed = true;
        let ticket = self.next_ticket;
        let dial = Output::Dial { ticket, peer: Some(peer), addrs, even_if_connected: false };
        self.dial(now, Goal::Peer(peer), dial);
    }

    fn dial(&mut self, now: Now, goal: Goal, output: Output) {
        let lost_at = now.mono.after(DIAL_LOST_MS);
        self.dials.insert(self.next_ticket, Dial { goal, lost_at });
        self.next_ticket = self.next_ticket.saturating_add(1);
        self.out.push_back(output);
    }

    fn take(&mut self, now: Now, input: Input) {
        match input {
            Input::Keep(address) => {
                if self.check_link(&address).is_ok() {
                    self.links.keep(now.mono, address, &self.peers);
                }
            }
            Input::Unkeep(address) => self.links.unkeep(&address),
            Input::Heard { peer, addrs, source, over } => {
                self.hear(now, peer, &addrs, (source, over));
            }
            Input::AnnouncementArrived { id, forwarder, over, author, data } => {
                let acceptance = self.judge(now, (forwarder, over), author, &data);
                self.out.push_back(Output::Judge { id, forwarder, acceptance });
            }
            Input::Connected { peer, connection, address, relayed, outbound } => {
                let address = without_peer(address);
                self.connected(now, connection, Connection { peer, address, relayed, outbound });
            }
            Input::Disconnected { connection, .. } => self.disconnected(now, connection),
            Input::Dialed { ticket, result } => self.dialed(now, ticket, result),
            Input::OurAddresses(addrs) => {
                self.ours = addrs.iter().cloned().map(without_peer).collect();
                if self.announcer.set_addresses(now.mono, addrs) {
                    self.links.recheck(now.mono);
                }
            }
            Input::DiscoveryPeers(n) => self.announcer.set_listeners(now.mono, n),
            Input::Loaded(mut entries) => {
                entries.retain(|entry| entry.peer != self.local);
                self.book.load(now, entries);
                for peer in self.peers.all() {
                    self.book.engage(&peer);
                }
            }
            Input::RetryNow => self.retry(now),
        }
    }
}

impl Machine for Discovery {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        self.take(now, input);
        self.work(now);
    }

    fn tick(&mut self, now: Now) {
        // A wake that comes far too late means that the computer slept: all pauses are void.
        if self.next_wake().is_some_and(|wake| now.mono.since(wake) > SLEPT_MS) {
            self.retry(now);
        }
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        let lost = self.dials.values().map(|dial| dial.lost_at).min();
        let broken = self.arriving.values().min().copied();
        let links = self.links.next_wake(self.dials.len() < DIALS_MAX);
        let heard = if self.may_dial_heard() { self.book.next_turn() } else { None };
        let free = self.dials.len() < DIALS_MAX;
        let upgrades = self.upgrades.next_wake().filter(|_| free);
        [lost, broken, links, heard, upgrades, self.announcer.next_wake()]
            .into_iter()
            .flatten()
            .min()
    }
}

#[cfg(test)]
mod tests;

//! Listening, and reservations on relays for a peer that others cannot reach otherwise.
//! Invariant: at most one reservation a relay, never one through a circuit or through ourselves;
//! whatever fails is tried again after a pause.
//! Not here: sockets, who may reserve on us (the relay's budget), dialling (discovery).

mod io;
mod listeners;
mod relays;

use std::collections::VecDeque;

use rand::SeedableRng as _;
use rand::rngs::SmallRng;

pub use self::io::{Input, Output};

use self::listeners::Listeners;
use self::relays::Relays;
use crate::defence::address::Parts;
use crate::limits::RELAY_CANDIDATES_MAX;
use crate::machine::Machine;
use crate::ordered::BTreeMap;
use crate::time::{Mono, Now};
use crate::{Multiaddr, PeerId};

/// What a ticket is for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Goal {
    Listen(Multiaddr),
    Reserve(PeerId),
}

/// The transport machine.
#[derive(Debug)]
pub struct Transport {
    rng: SmallRng,
    listeners: Listeners,
    relays: Relays,
    tickets: BTreeMap<u64, Goal>,
    next_ticket: u64,
    changed: bool,
    out: VecDeque<Output>,
}

impl Transport {
    /// A machine that listens nowhere and wants no relay. `seed` drives jitter only.
    #[must_use]
    pub fn new(local: PeerId, seed: u64) -> Self {
        Self {
            rng: SmallRng::seed_from_u64(seed),
            listeners: Listeners::default(),
            relays: Relays::new(local),
            tickets: BTreeMap::new(),
            next_ticket: 0,
            changed: false,
            out: VecDeque::new(),
        }
    }

    /// The circuit addresses that lead to us now.
    #[must_use]
    pub fn circuit_addresses(&self) -> Vec<Multiaddr> {
        self.relays.addresses()
    }

    /// The relays that hold a reservation for us.
    #[must_use]
    pub fn reservations(&self) -> Vec<PeerId> {
        self.relays.held()
    }

    /// The addresses we were told to listen on and do listen on, as they were told.
    #[must_use]
    pub fn listening(&self) -> Vec<Multiaddr> {
        self.listeners.open()
    }

    fn ticket(&mut self, goal: Goal) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket = ticket.saturating_add(1);
        self.tickets.insert(ticket, goal);
        ticket
    }

    fn listened(&mut self, now: Now, ticket: u64, result: Result<(), String>) {
        match self.tickets.remove(&ticket) {
            Some(Goal::Listen(address)) => {
                self.changed |= result.is_ok();
                let failed = self.listeners.listened(now.mono, &address, result, &mut self.rng);
                self.out.extend(failed.map(|reason| Output::ListenFailed { address, reason }));
            }
            Some(Goal::Reserve(relay)) if result.is_err() => self.lose(now, relay),
            Some(Goal::Reserve(_)) | None => {}
        }
    }

    /// A reservation was refused or ended. Answers to requests made before mean nothing any more.
    fn lose(&mut self, now: Now, relay: PeerId) {
        self.tickets.retain(|_, goal| *goal != Goal::Reserve(relay));
        self.changed |= self.relays.lost(now.mono, &relay, &mut self.rng);
    }

    fn closed(&mut self, now: Now, address: Option<&Multiaddr>, reason: String) {
        let Some(address) = address else { return };
        let parts = Parts::of(address);
        if parts.circuit {
            if let Some(relay) = parts.relay {
                self.lose(now, relay);
            }
        } else if let Some((address, told)) =
            self.listeners.closed(now.mono, address, reason, &mut self.rng)
        {
            self.changed = true;
            self.out.extend(told.map(|reason| Output::ListenFailed { address, reason }));
        }
    }

    fn work(&mut self, now: Now) {
        for relay in self.relays.late(now.mono) {
            self.lose(now, relay);
        }
        while let Some(address) = self.listeners.start(now.mono) {
            let ticket = self.ticket(Goal::Listen(address.clone()));
            self.out.push_back(Output::Listen { ticket, address });
        }
        while let Some(relay) = self.relays.surplus() {
            self.changed = true;
            self.tickets.retain(|_, goal| *goal != Goal::Reserve(relay));
            self.out.push_back(Output::Release { relay });
        }
        while let Some((relay, address)) = self.relays.start(now.mono) {
            let ticket = self.ticket(Goal::Reserve(relay));
            self.out.push_back(Output::Reserve { ticket, relay, address });
        }
        if std::mem::take(&mut self.changed) {
            self.out.push_back(Output::AddressesChanged);
        }
    }
}

impl Machine for Transport {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Listen(addresses) => self.listeners.want(now.mono, addresses),
            Input::Listened { ticket, result } => self.listened(now, ticket, result),
            Input::ListenerClosed { address, reason } => {
                self.closed(now, address.as_ref(), reason);
            }
            Input::RelaySeen { peer, address } => self.relays.seen(now.mono, peer, address),
            Input::RelayGone { peer } => {
                self.tickets.retain(|_, goal| *goal != Goal::Reserve(peer));
                self.changed |= self.relays.gone(&peer);
            }
            Input::Reserved { relay, addrs } => {
                self.changed |= self.relays.reserved(&relay, addrs);
            }
            Input::ReservationLost { relay, .. } => self.lose(now, relay),
            Input::WantRelays(wanted) => self.relays.want(wanted.min(RELAY_CANDIDATES_MAX)),
        }
        self.work(now);
    }

    fn tick(&mut self, now: Now) {
        self.work(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        [self.listeners.next_wake(), self.relays.next_wake()].into_iter().flatten().min()
    }
}

#[cfg(test)]
mod tests;

//! Relays we are connected to, and our reservations on them.
//! Invariant: as many reservations are held or asked for as are wanted and candidates allow.
//! Not here: connecting to relays (discovery).

use multiaddr::Protocol;
use rand::rngs::SmallRng;

use crate::defence::address::{Parts, with_peer};
use crate::defence::book::pause;
use crate::defence::group::Group;
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, BACKOFF_RELAY_MAX_MS, RELAY_CANDIDATES_MAX, RESERVE_MS,
};
use crate::ordered::{BTreeMap, BTreeSet};
use crate::time::Mono;
use crate::{Multiaddr, PeerId};

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// May be asked from this time on.
    Idle(Mono),
    /// Asked; the answer must come by then.
    Asked(Mono),
    /// Holds a reservation for us, which is reached at these addresses.
    Held(Vec<Multiaddr>),
}

#[derive(Debug)]
struct Relay {
    address: Multiaddr,
    /// In which order we met: the older stays longer.
    order: u64,
    state: State,
    failures: u32,
}

impl Relay {
    fn is_used(&self) -> bool {
        !matches!(self.state, State::Idle(_))
    }
}

/// All relays we know.
#[derive(Debug)]
pub(super) struct Relays {
    local: PeerId,
    wanted: usize,
    relays: BTreeMap<PeerId, Relay>,
    next_order: u64,
}

impl Relays {
    pub(super) fn new(local: PeerId) -> Self {
        Self { local, wanted: 0, relays: BTreeMap::new(), next_order: 0 }
    }

    pub(super) fn want(&mut self, wanted: usize) {
        self.wanted = wanted;
    }

    pub(super) fn seen(&mut self, now: Mono, peer: PeerId, address: Multiaddr) {
        let parts = Parts::of(&address);
        let foreign = parts.peer.is_some_and(|named| named != peer);
        let odd = parts.circuit || parts.host.is_none() || foreign;
        if peer == self.local || odd || address.len() > ADDRESS_BYTES_MAX {
            return;
        }
        if let Some(relay) = self.relays.get_mut(&peer) {
            if !relay.is_used() {
                relay.address = address;
            }
            return;
        }
        if self.relays.len() >= RELAY_CANDIDATES_MAX {
            let spare = |(_, relay): &(&PeerId, &Relay)| !relay.is_used() && relay.failures > 0;
            let worst = self.relays.iter().filter(spare).max_by_key(|(_, relay)| relay.failures);
            let Some(worst) = worst.map(|(peer, _)| *peer) else { return };
            self.relays.remove(&worst);
        }
        let order = self.next_order;
        self.next_order = order.saturating_add(1);
        self.relays.insert(peer, Relay { address, order, state: State::Idle(now), failures: 0 });
    }

    /// `true` when our addresses changed; likewise below.
    pub(super) fn gone(&mut self, peer: &PeerId) -> bool {
        self.relays.remove(peer).is_some_and(|relay| matches!(relay.state, State::Held(_)))
    }

    pub(super) fn reserved(&mut self, peer: &PeerId, addrs: Vec<Multiaddr>) -> bool {
        let local = self.local;
        let Some(relay) = self.relays.get_mut(peer) else { return false };
        let mut held: Vec<Multiaddr> = addrs
            .into_iter()
            .filter(|address| {
                let parts = Parts::of(address);
                parts.circuit
                    && parts.relay == Some(*peer)
                    && parts.peer.is_none_or(|end| end == local)
                    && address.len() <= ADDRESS_BYTES_MAX
            })
            .map(|address| with_peer(address, local))
            .take(ADDRESSES_MAX)
            .collect();
        if held.is_empty() {
            held.push(with_peer(request(&relay.address, *peer), local));
        }
        held.sort_unstable();
        held.dedup();
        relay.failures = 0;
        let state = State::Held(held);
        let changed = relay.state != state;
        relay.state = state;
        changed
    }

    pub(super) fn lost(&mut self, now: Mono, peer: &PeerId, rng: &mut SmallRng) -> bool {
        let Some(relay) = self.relays.get_mut(peer) else { return false };
        if !relay.is_used() {
            // Both the listener and the relay tell of one loss: it counts once.
            return false;
        }
        let held = matches!(relay.state, State::Held(_));
        relay.state = State::Idle(now.after(pause(relay.failures, BACKOFF_RELAY_MAX_MS, rng)));
        relay.failures = relay.failures.saturating_add(1);
        held
    }

    /// Relays that did not answer in time.
    pub(super) fn late(&self, now: Mono) -> Vec<PeerId> {
        let late = |(_, relay): &(&PeerId, &Relay)| matches!(relay.state, State::Asked(until) if until <= now);
        self.relays.iter().filter(late).map(|(peer, _)| *peer).collect()
    }

    /// A reservation that is not wanted any more, the youngest first.
    pub(super) fn surplus(&mut self) -> Option<PeerId> {
        if self.used() <= self.wanted {
            return None;
        }
        let used = self.relays.iter_mut().filter(|(_, relay)| relay.is_used());
        let (peer, relay) = used.max_by_key(|(_, relay)| relay.order)?;
        // It may be asked again at once should it be wanted again.
        relay.state = State::Idle(Mono::ZERO);
        Some(*peer)
    }

    /// The next relay to ask, and where to listen for it: first one in a network of its own, then the
    /// one that failed least, then the oldest.
    pub(super) fn start(&mut self, now: Mono) -> Option<(PeerId, Multiaddr)> {
        if self.used() >= self.wanted {
            return None;
        }
        let groups: BTreeSet<_> = self
            .relays
            .values()
            .filter(|relay| relay.is_used())
            .filter_map(|relay| Group::of(&relay.address))
            .collect();
        let ready = |(_, relay): &(&PeerId, &Relay)| matches!(relay.state, State::Idle(from) if from <= now);
        let cost = |(_, relay): &(&PeerId, &Relay)| {
            let near = Group::of(&relay.address).is_none_or(|group| groups.contains(&group));
            (near, relay.failures, relay.order)
        };
        let peer = *self.relays.iter().filter(ready).min_by_key(cost)?.0;
        let relay = self.relays.get_mut(&peer)?;
        relay.state = State::Asked(now.after(RESERVE_MS));
        Some((peer, request(&relay.address, peer)))
    }

    fn used(&self) -> usize {
        self.relays.values().filter(|relay| relay.is_used()).count()
    }

    pub(super) fn held(&self) -> Vec<PeerId> {
        let held = |(_, relay): &(&PeerId, &Relay)| matches!(relay.state, State::Held(_));
        self.relays.iter().filter(held).map(|(peer, _)| *peer).collect()
    }

    pub(super) fn addresses(&self) -> Vec<Multiaddr> {
        let mut addresses = Vec::new();
        for relay in self.relays.values() {
            if let State::Held(held) = &relay.state {
                addresses.extend(held.iter().cloned());
            }
        }
        addresses
    }

    pub(super) fn next_wake(&self) -> Option<Mono> {
        let free = self.used() < self.wanted;
        let wake = |relay: &Relay| match relay.state {
            State::Idle(from) => free.then_some(from),
            State::Asked(until) => Some(until),
            State::Held(_) => None,
        };
        self.relays.values().filter_map(wake).min()
    }
}

/// What to listen on for a reservation.
fn request(address: &Multiaddr, relay: PeerId) -> Multiaddr {
    with_peer(address.clone(), relay).with(Protocol::P2pCircuit)
}

//! Who gets a relay slot or a circuit from this node.
//! Invariant: the policy is asked first; no group of addresses takes all slots.
//! Not here: total numbers, bytes and times (libp2p's relay counts those).

use libp2p::{Multiaddr, PeerId, relay};
use web_time::Instant;

use super::behaviour::Profile;
use super::judge::Judge;
use crate::bounded::BoundedMap;
use crate::defence::group::Group;
use crate::defence::scope::Scope;
use crate::limits::{
    CIRCUIT_BYTES_MAX, CIRCUIT_MS, CIRCUITS_MAX, CIRCUITS_PER_PEER_MAX, CIRCUITS_RELAY_MAX,
    RATE_KEYS_MAX, RESERVATION_MS, RESERVATIONS_MAX, RESERVATIONS_PER_GROUP_MAX,
    RESERVATIONS_PER_PEER_MAX, RESERVATIONS_RELAY_MAX,
};
use crate::ordered::BTreeMap;
use crate::policy::{Action, Resource, Subject};

/// Slots of the last hour, by group. libp2p renews a slot by asking again, so a peer that already
/// has one always passes.
struct Slots {
    groups: BoundedMap<Group, BTreeMap<PeerId, Instant>>,
    exempt_private: bool,
}

impl Slots {
    fn take(&mut self, peer: PeerId, address: &Multiaddr, now: Instant) -> bool {
        let scope = Scope::of(address);
        if scope == Scope::Loopback || (scope == Scope::Private && self.exempt_private) {
            return true;
        }
        let Some(group) = Group::of(address) else { return false };
        let mut held = self.groups.remove(&group).unwrap_or_default();
        held.retain(|_, since| now.duration_since(*since).as_millis() < u128::from(RESERVATION_MS));
        let free = held.contains_key(&peer) || held.len() < RESERVATIONS_PER_GROUP_MAX;
        if free {
            held.insert(peer, now);
        }
        self.groups.insert(group, held);
        free
    }
}

/// The relay's configuration for a profile.
pub(super) fn config(profile: Profile, local: PeerId, judge: &Judge) -> relay::Config {
    let millis = std::time::Duration::from_millis;
    let large = profile == Profile::Relay;
    let mut slots = Slots { groups: BoundedMap::new(RATE_KEYS_MAX), exempt_private: !large };
    let (reserve, circuit) = (judge.clone(), judge.clone());
    let may_reserve = move |peer: PeerId, address: &Multiaddr, now: Instant| {
        let who = Subject::connected(peer, address);
        let allowed = reserve.authorize(&who, Action::RelayReserve, &Resource::Relay(local));
        allowed.is_ok() && slots.take(peer, address, now)
    };
    let may_connect = move |peer: PeerId, address: &Multiaddr, _: Instant| {
        let who = Subject::connected(peer, address);
        circuit.authorize(&who, Action::RelayCircuit, &Resource::Relay(local)).is_ok()
    };
    relay::Config {
        max_reservations: if large { RESERVATIONS_RELAY_MAX } else { RESERVATIONS_MAX },
        max_reservations_per_peer: RESERVATIONS_PER_PEER_MAX,
        reservation_duration: millis(RESERVATION_MS),
        reservation_rate_limiters: vec![Box::new(may_reserve)],
        max_circuits: if large { CIRCUITS_RELAY_MAX } else { CIRCUITS_MAX },
        max_circuits_per_peer: CIRCUITS_PER_PEER_MAX,
        max_circuit_duration: millis(CIRCUIT_MS),
        max_circuit_bytes: CIRCUIT_BYTES_MAX,
        circuit_src_rate_limiters: vec![Box::new(may_connect)],
    }
}

//! The latest truth about connections and addresses, as the Driver sees it.
//! Invariant: published whole and immutable; a reader that sleeps sees the newest, never a queue.
//! Not here: rooms and links, which belong to their machines.

use std::sync::Arc;

use libp2p::{Multiaddr, PeerId};

use super::address;
use crate::auth::Allowance;
use crate::ordered::{BTreeMap, BTreeSet};
use crate::policy::Action;
use crate::room_key::KeyRing;
use crate::view::{self, Direction, Path, PeerKind, Standing};

/// One open connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Who is at the other end.
    pub peer: PeerId,
    /// The remote address.
    pub address: Multiaddr,
    /// Whether we opened it.
    pub outbound: bool,
    /// When it opened: Unix time in ms.
    pub opened_ms: u64,
}

impl Connection {
    /// Whether it goes through a relay.
    #[must_use]
    pub fn relayed(&self) -> bool {
        address::is_relayed(&self.address)
    }
}

/// What a peer told about itself in identify, checked and cut to size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Identity {
    /// Its agent string.
    pub agent: String,
    /// Whether it speaks our Kademlia protocol as a server.
    pub kad: bool,
    /// Whether it offers relay slots.
    pub relay: bool,
    /// The addresses it says it listens on.
    pub addresses: Vec<Multiaddr>,
    /// What it allows us, as it said last.
    pub allowance: Option<Allowance>,
}

/// The state of the swarm.
#[derive(Clone, Debug, PartialEq)]
pub struct NetState {
    /// Our own id.
    pub local: PeerId,
    /// Addresses we listen on.
    pub listen: BTreeSet<Multiaddr>,
    /// Addresses under which we know to be reachable, circuits among them.
    pub external: BTreeSet<Multiaddr>,
    /// Open connections by number.
    pub connections: BTreeMap<u64, Connection>,
    /// Connected peers that have not shown yet why they may stay.
    pub strangers: BTreeSet<PeerId>,
    /// What connected peers said about themselves.
    pub identities: BTreeMap<PeerId, Arc<Identity>>,
    /// Last round-trip time of connected peers, in microseconds.
    pub rtt_us: BTreeMap<PeerId, u64>,
    /// Relays that hold a slot for us.
    pub reservations: BTreeSet<PeerId>,
    /// Peers we know to listen to each topic that we are subscribed to.
    pub topics: BTreeMap<String, BTreeSet<PeerId>>,
    /// The keys of members' rooms that we have.
    pub room_keys: Arc<KeyRing>,
    /// Circuits that this node carries for others.
    pub circuits: usize,
}

impl NetState {
    /// A swarm without any connection.
    #[must_use]
    pub fn new(local: PeerId) -> Self {
        Self {
            local,
            listen: BTreeSet::new(),
            external: BTreeSet::new(),
            connections: BTreeMap::new(),
            strangers: BTreeSet::new(),
            identities: BTreeMap::new(),
            rtt_us: BTreeMap::new(),
            reservations: BTreeSet::new(),
            topics: BTreeMap::new(),
            room_keys: Arc::default(),
            circuits: 0,
        }
    }

    /// Whether any connection to the peer is open.
    #[must_use]
    pub fn is_connected(&self, peer: &PeerId) -> bool {
        self.connections.values().any(|c| c.peer == *peer)
    }

    /// The address of a direct connection to the peer, the outbound ones first.
    #[must_use]
    pub fn direct_address(&self, peer: &PeerId) -> Option<&Multiaddr> {
        let direct = || self.connections.values().filter(|c| c.peer == *peer && !c.relayed());
        direct().find(|c| c.outbound).or_else(|| direct().next()).map(|c| &c.address)
    }

    /// The address of a connection to the peer: a direct one, or else, unless it must be `direct`, one
    /// over a relay.
    #[must_use]
    pub fn path_to(&self, peer: &PeerId, direct: bool) -> Option<&Multiaddr> {
        let relayed = || self.connections.values().find(|c| !direct && c.peer == *peer);
        self.direct_address(peer).or_else(|| relayed().map(|c| &c.address))
    }

    /// Whether a new connection replaces one that is still listed. A peer keeps one direct connection of
    /// each kind to us, so a second one is its next life's.
    #[must_use]
    pub fn has_replaced(&self, new: &Connection) -> bool {
        let kind = view::Transport::of(&new.address);
        let same = |old: &&Connection| {
            old.peer == new.peer
                && !(old.outbound || old.relayed())
                && view::Transport::of(&old.address) == kind
        };
        !new.outbound && !new.relayed() && self.connections.values().any(|old| same(&old))
    }

    /// The number of the connection that is to go where both sides asked at once for a direct path:
    /// the peer with the larger PeerId closes the one that it began. The other side closes none.
    #[must_use]
    pub fn surplus(&self, peer: &PeerId) -> Option<u64> {
        if self.local < *peer {
            return None;
        }
        let (mut ours, mut theirs) = (None, false);
        for (number, connection) in &self.connections {
            if connection.peer == *peer && address::is_signalled(&connection.address) {
                if connection.outbound {
                    ours = Some(*number);
                } else {
                    theirs = true;
                }
            }
        }
        ours.filter(|_| theirs)
    }

    /// Connected peers as people see them.
    #[must_use]
    pub fn peers(&self) -> Vec<view::PeerInfo> {
        let mut peers = BTreeMap::<PeerId, Vec<view::ConnectionInfo>>::new();
        for connection in self.connections.values() {
            peers.entry(connection.peer).or_default().push(view::ConnectionInfo {
                address: connection.address.to_string(),
                transport: view::Transport::of(&connection.address),
                path: view::Path::of(&connection.address),
                direction: if connection.outbound {
                    Direction::Outbound
                } else {
                    Direction::Inbound
                },
                opened_ms: connection.opened_ms,
            });
        }
        peers.into_iter().map(|(peer, connections)| self.peer(peer, connections)).collect()
    }

    fn allowance(&self, peer: &PeerId) -> Option<&Allowance> {
        self.identities.get(peer)?.allowance.as_ref()
    }

    fn standing(&self, peer: &PeerId) -> Standing {
        let allowance = self.allowance(peer);
        if self.strangers.contains(peer) {
            Standing::Stranger
        } else if allowance.is_some_and(|here| !here.allowed.contains(Action::ConnectIn)) {
            Standing::Refuses
        } else {
            Standing::Full
        }
    }

    fn peer(&self, peer: PeerId, connections: Vec<view::ConnectionInfo>) -> view::PeerInfo {
        let agent = self.identities.get(&peer).map(|identity| identity.agent.clone());
        let kind = match agent.as_deref() {
            Some(agent) if !agent.starts_with("peerloom/") => PeerKind::Other,
            Some(agent) if agent.ends_with("(native)") => PeerKind::Native,
            Some(agent) if agent.ends_with("(browser)") => PeerKind::Browser,
            _ => PeerKind::Other,
        };
        let direct = connections.iter().any(|c| c.path == Path::Direct);
        view::PeerInfo {
            id: peer.to_string(),
            agent,
            kind,
            rtt_ms: self.rtt_us.get(&peer).map(|us| {
                // Whole microseconds below an hour are exact in a double.
                std::time::Duration::from_micros(*us).as_secs_f64() * 1_000.0
            }),
            path: if direct { Path::Direct } else { Path::Relayed },
            connections,
            standing: self.standing(&peer),
            allows: self.allowance(&peer).map(allows),
        }
    }
}

fn allows(allowance: &Allowance) -> view::Allows {
    view::Allows {
        access: allowance.access.name().to_owned(),
        actions: allowance.allowed.iter().map(|action| action.name().to_owned()).collect(),
        expires_ms: allowance.expires_ms,
        reason: allowance.reason.clone(),
        epoch: allowance.epoch,
    }
}

/// The difference between two states, for machines that want to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A connection opened.
    Connected {
        /// Its number.
        id: u64,
        /// What it is.
        connection: Connection,
    },
    /// A connection closed.
    Disconnected {
        /// Its number.
        id: u64,
        /// What it was.
        connection: Connection,
    },
    /// The last connection to a peer closed.
    Gone(PeerId),
    /// A peer told about itself, or something new.
    Identified(PeerId, Arc<Identity>),
    /// A relay gave us a slot.
    Reserved(PeerId),
    /// A relay no longer holds a slot for us.
    ReservationLost(PeerId),
    /// A peer began or ceased to listen to a topic of ours.
    Follows {
        /// Who.
        peer: PeerId,
        /// Which topic.
        topic: String,
        /// Whether it listens now.
        follows: bool,
    },
    /// The keys of members' rooms that we have changed.
    RoomKeys(Arc<KeyRing>),
    /// The set of addresses under which we are reachable changed.
    Addresses,
}

/// What changed from `old` to `new`, closings first, so that a reader never sees two links at once
/// where one replaced the other.
#[must_use]
pub fn changes(old: &NetState, new: &NetState) -> Vec<Change> {
    let mut out = Vec::new();
    for (id, connection) in &old.connections {
        if !new.connections.contains_key(id) {
            out.push(Change::Disconnected { id: *id, connection: connection.clone() });
        }
    }
    let peers = |state: &NetState| -> BTreeSet<PeerId> {
        state.connections.values().map(|c| c.peer).collect()
    };
    out.extend(peers(old).difference(&peers(new)).copied().map(Change::Gone));
    out.extend(
        old.reservations.difference(&new.reservations).copied().map(Change::ReservationLost),
    );
    for (id, connection) in &new.connections {
        if !old.connections.contains_key(id) {
            out.push(Change::Connected { id: *id, connection: connection.clone() });
        }
    }
    for (peer, identity) in &new.identities {
        if old.identities.get(peer) != Some(identity) {
            out.push(Change::Identified(*peer, Arc::clone(identity)));
        }
    }
    out.extend(new.reservations.difference(&old.reservations).copied().map(Change::Reserved));
    if old.room_keys != new.room_keys {
        out.push(Change::RoomKeys(Arc::clone(&new.room_keys)));
    }
    follows(old, new, true, &mut out);
    follows(new, old, false, &mut out);
    if old.external != new.external || old.listen != new.listen {
        out.push(Change::Addresses);
    }
    out
}

/// Listeners that `new` has and `old` has not, told as `follows`.
fn follows(old: &NetState, new: &NetState, follows: bool, out: &mut Vec<Change>) {
    let nobody = BTreeSet::new();
    for (topic, peers) in &new.topics {
        let before = old.topics.get(topic).unwrap_or(&nobody);
        out.extend(peers.difference(before).map(|peer| Change::Follows {
            peer: *peer,
            topic: topic.clone(),
            follows,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(peer: PeerId, address: &str, outbound: bool) -> Connection {
        Connection { peer, address: address.parse().expect("an address"), outbound, opened_ms: 0 }
    }

    #[test]
    fn a_second_connection_of_one_kind_is_the_next_life() {
        let (peer, other) = (PeerId::random(), PeerId::random());
        let mut state = NetState::new(PeerId::random());
        state.connections.insert(1, connection(peer, "/ip4/127.0.0.1/tcp/1/ws", false));
        let replaced =
            |at: &str, peer, outbound| state.has_replaced(&connection(peer, at, outbound));
        assert!(replaced("/ip4/127.0.0.1/tcp/2/ws", peer, false));
        assert!(!replaced("/ip4/127.0.0.1/tcp/2", peer, false), "another transport");
        assert!(!replaced("/ip4/127.0.0.1/tcp/2/ws", other, false), "another peer");
        assert!(!replaced("/ip4/127.0.0.1/tcp/2/ws", peer, true), "ours");
        assert!(!replaced("/ip4/127.0.0.1/tcp/2/ws/p2p-circuit", peer, false), "relayed");
    }

    #[test]
    fn a_relayed_path_is_no_direct_one() {
        let peer = PeerId::random();
        let mut state = NetState::new(PeerId::random());
        let relayed = connection(peer, "/ip4/127.0.0.1/tcp/1/p2p-circuit", true);
        state.connections.insert(1, relayed.clone());
        assert_eq!(state.path_to(&peer, true), None);
        assert_eq!(state.path_to(&peer, false), Some(&relayed.address));
        let direct = connection(peer, "/ip4/127.0.0.1/tcp/2", true);
        state.connections.insert(2, direct.clone());
        assert_eq!(state.path_to(&peer, false), Some(&direct.address));
    }

    #[test]
    fn of_two_introductions_at_once_both_sides_keep_the_same() {
        let circuit = format!("/ip4/1.2.3.4/tcp/1/p2p/{}/p2p-circuit", PeerId::random());
        let (introduced, direct) = (format!("{circuit}/webrtc"), "/ip4/1.2.3.4/tcp/1");
        let mut ids = [PeerId::random(), PeerId::random()];
        ids.sort();
        let [smaller, larger] = ids;
        // Which of the two opens first differs between the sides.
        for numbers in [[1, 2], [2, 1]] {
            let side = |local, peer| {
                let mut state = NetState::new(local);
                for (number, outbound) in numbers.into_iter().zip([true, false]) {
                    assert_eq!(state.surplus(&peer), None);
                    // Others do not count: of another peer, relayed, or over another transport.
                    let others = [(local, &*introduced), (peer, &*circuit), (peer, direct)];
                    for (other, (with, at)) in (10..).zip(others) {
                        let other = other + 10 * number;
                        state.connections.insert(other, connection(with, at, !outbound));
                        assert_eq!(state.surplus(&peer), None);
                    }
                    state.connections.insert(number, connection(peer, &introduced, outbound));
                }
                state
            };
            let (mut at_larger, at_smaller) = (side(larger, smaller), side(smaller, larger));
            assert_eq!(at_smaller.surplus(&larger), None, "the other side's duty");
            let ours = numbers[0];
            assert_eq!(at_larger.surplus(&smaller), Some(ours));
            at_larger.connections.remove(&ours);
            assert_eq!(at_larger.surplus(&smaller), None, "once");
        }
    }
}

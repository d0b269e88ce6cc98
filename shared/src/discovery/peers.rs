//! Open connections and the peers behind them.
//! Invariant: a peer is here exactly as long as it has a connection.
//! Not here: opening or closing any.

use crate::ordered::BTreeMap;
use crate::time::Mono;
use crate::{Multiaddr, PeerId};

/// An open connection.
#[derive(Clone, Debug)]
pub(super) struct Connection {
    pub(super) peer: PeerId,
    /// The remote address without the peer at its end.
    pub(super) address: Multiaddr,
    pub(super) relayed: bool,
    pub(super) outbound: bool,
}

#[derive(Debug)]
struct Peer {
    connections: usize,
    direct: usize,
    since: Mono,
}

/// All open connections.
#[derive(Debug, Default)]
pub(super) struct Peers {
    connections: BTreeMap<u64, Connection>,
    peers: BTreeMap<PeerId, Peer>,
}

impl Peers {
    /// Notes a connection.
    pub(super) fn add(&mut self, now: Mono, number: u64, connection: Connection) {
        let (peer, direct) = (connection.peer, usize::from(!connection.relayed));
        if self.connections.insert(number, connection).is_some() {
            return;
        }
        let entry =
            self.peers.entry(peer).or_insert(Peer { connections: 0, direct: 0, since: now });
        entry.connections += 1;
        entry.direct += direct;
    }

    /// Forgets a connection. Tells since when the peer was connected when it was its last.
    pub(super) fn remove(&mut self, number: u64) -> Option<Option<(PeerId, Mono)>> {
        let gone = self.connections.remove(&number)?;
        let entry = self.peers.get_mut(&gone.peer)?;
        entry.connections = entry.connections.saturating_sub(1);
        entry.direct = entry.direct.saturating_sub(usize::from(!gone.relayed));
        if entry.connections > 0 {
            return Some(None);
        }
        let since = entry.since;
        self.peers.remove(&gone.peer);
        Some(Some((gone.peer, since)))
    }

    pub(super) fn get(&self, number: u64) -> Option<&Connection> {
        self.connections.get(&number)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (u64, &Connection)> {
        self.connections.iter().map(|(number, connection)| (*number, connection))
    }

    pub(super) fn is_connected(&self, peer: &PeerId) -> bool {
        self.peers.contains_key(peer)
    }

    /// All connected peers.
    pub(super) fn all(&self) -> Vec<PeerId> {
        self.peers.keys().copied().collect()
    }

    /// The address of a direct connection to the peer, which a circuit can go through. The address
    /// of an inbound connection leads nowhere, but shows that the peer is there.
    pub(super) fn direct(&self, peer: &PeerId) -> Option<&Connection> {
        if self.peers.get(peer).is_none_or(|peer| peer.direct == 0) {
            return None;
        }
        let direct = || self.connections.values().filter(|c| c.peer == *peer && !c.relayed);
        direct().find(|c| c.outbound).or_else(|| direct().next())
    }

    /// Whether the peer is connected, and over relays only.
    pub(super) fn is_relayed_only(&self, peer: &PeerId) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.direct == 0)
    }

    /// A relayed connection to the peer; one that we opened, if there is one.
    pub(super) fn relayed(&self, peer: &PeerId) -> Option<&Connection> {
        let relayed = || self.connections.values().filter(|c| c.peer == *peer && c.relayed);
        relayed().find(|c| c.outbound).or_else(|| relayed().next())
    }

    /// (peers with a direct path, peers with relayed paths only).
    pub(super) fn counts(&self) -> (usize, usize) {
        let direct = self.peers.values().filter(|peer| peer.direct > 0).count();
        (direct, self.peers.len().saturating_sub(direct))
    }

    /// Peers to which we opened a connection.
    pub(super) fn outbound(&self) -> crate::ordered::BTreeSet<PeerId> {
        self.connections.values().filter(|c| c.outbound).map(|c| c.peer).collect()
    }
}

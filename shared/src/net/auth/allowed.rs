//! What a peer is told that it may do here.
//! Invariant: an answer for people and pages; nothing is decided by it.
//! Not here: decisions (`judge`).

use libp2p::PeerId;
use libp2p::swarm::ConnectionId;

use super::Behaviour;
use crate::grant::{ActionSet, Prefix};
use crate::net::{GOSSIP_PROTOCOL, KAD_PROTOCOL};
use crate::policy::{Action, Held, Resource, Subject};

impl Behaviour {
    /// The actions that the peer may do to something.
    pub(super) fn allowed(&self, peer: PeerId, connection: ConnectionId) -> ActionSet {
        let who = self.connections.get(connection).map_or_else(
            || Subject::author(peer),
            |connection| Subject::connected(peer, &connection.remote),
        );
        let held = self.judge.holdings().of(&peer);
        let things = things(self.local, &held);
        Action::ALL
            .into_iter()
            .filter(|action| {
                things.iter().any(|thing| self.judge.would_allow(&who, *action, thing))
            })
            .collect()
    }
}

/// Things to ask the judge about: one of each kind, and what the peer's grants are about.
fn things(local: PeerId, held: &Held) -> Vec<Resource> {
    let mut things = vec![
        Resource::Node,
        Resource::Protocol(GOSSIP_PROTOCOL.to_owned()),
        Resource::Protocol(KAD_PROTOCOL.to_owned()),
        Resource::Relay(local),
        Resource::Key(Vec::new()),
        Resource::Topic(String::new()),
        Resource::Content(String::new()),
        Resource::Mailbox(local),
        Resource::Route(local),
        Resource::Admin,
    ];
    things.extend(held.rights.iter().map(|rights| rights.prefix()).filter_map(Prefix::resource));
    things
}

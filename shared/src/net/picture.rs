//! The whole picture of a peer, put together from what the network and the machines show.
//! Invariant: native nodes and browser peers describe themselves with this one function.
//! Not here: how any part of it is found out.

use super::address::{needs_relay, with_peer};
use super::agent;
use super::state::NetState;
use crate::view::{Health, Link, RoomInfo, Status};

/// The parts of a [`Status`].
#[derive(Clone, Copy, Debug)]
pub struct Picture<'a> {
    /// What the Driver shows.
    pub net: &'a NetState,
    /// What kind of program this is, `native` or `browser`.
    pub kind: &'a str,
    /// How well we are connected, from discovery.
    pub health: Health,
    /// Why, in one sentence.
    pub reason: &'a str,
    /// The addresses we keep connected, from discovery.
    pub links: &'a [Link],
    /// Milliseconds since `links` was taken: the times to the next tries are shorter by so much.
    pub links_age_ms: u64,
    /// The rooms we are in, from pubsub.
    pub rooms: &'a [RoomInfo],
    /// Milliseconds since the start.
    pub uptime_ms: u64,
}

impl Picture<'_> {
    /// The picture as people and programs see it.
    #[must_use]
    pub fn status(&self) -> Status {
        let net = self.net;
        let whole = |at: &crate::Multiaddr| with_peer(at.clone(), net.local).to_string();
        let mut links = self.links.to_vec();
        for link in &mut links {
            link.retry_in_ms = link.retry_in_ms.map(|ms| ms.saturating_sub(self.links_age_ms));
        }
        Status {
            schema: "peerloom/status/1".to_owned(),
            id: net.local.to_string(),
            agent: agent(self.kind),
            health: self.health,
            reason: self.reason.to_owned(),
            links,
            peers: net.peers(),
            rooms: self.rooms.to_vec(),
            addresses: net.external.iter().map(whole).collect(),
            // A circuit is listed as an address: nothing of ours listens on the relay's socket.
            listen: net.listen.iter().filter(|at| !needs_relay(at)).map(whole).collect(),
            uptime_ms: self.uptime_ms,
        }
    }
}

//! From a relayed path to a direct one: which peers to ask for `/webrtc`, and when.
//! Invariant: a peer is asked only while every path to it is relayed, each time later than before,
//! and at last not again.
//! Not here: how the two sides agree on a path (`peerloom-webrtc`).

use multiaddr::Protocol;

use super::peers::{Connection, Peers};
use super::{Discovery, Goal, Output};
use crate::limits::{DIALS_MAX, UPGRADE_AGAIN_MS, UPGRADE_TRIES_MAX, UPGRADE_YIELD_MS};
use crate::time::{Mono, Now};
use crate::{Multiaddr, PeerId};

#[derive(Debug)]
struct Wish {
    /// `None`: not again.
    at: Option<Mono>,
    tries: u32,
    /// Its dial is out.
    out: bool,
}

/// Peers to which every path is relayed.
#[derive(Debug, Default)]
pub(super) struct Upgrades(Vec<(PeerId, Wish)>);

impl Upgrades {
    /// A connection opened. Who opened a relayed one asks at once; the other side gives it time, so
    /// that not both ask.
    pub(super) fn connected(&mut self, now: Mono, connection: &Connection, peers: &Peers) {
        if !peers.is_relayed_only(&connection.peer) {
            return self.forget(&connection.peer);
        }
        let at = Some(if connection.outbound { now } else { now.after(UPGRADE_YIELD_MS) });
        if self.wish(&connection.peer).is_none() {
            self.0.push((connection.peer, Wish { at, tries: 0, out: false }));
        }
    }

    /// A connection closed. Where a direct path broke and a relayed one is left, it starts over.
    pub(super) fn disconnected(&mut self, now: Mono, peer: &PeerId, peers: &Peers) {
        if !peers.is_relayed_only(peer) {
            self.forget(peer);
        } else if self.wish(peer).is_none() {
            let at = Some(now.after(UPGRADE_YIELD_MS));
            self.0.push((*peer, Wish { at, tries: 0, out: false }));
        }
    }

    /// Peers whose time has come.
    pub(super) fn due(&self, now: Mono) -> Vec<PeerId> {
        let due = |wish: &Wish| !wish.out && wish.at.is_some_and(|at| at <= now);
        self.0.iter().filter(|(_, wish)| due(wish)).map(|(peer, _)| *peer).collect()
    }

    /// The dial to this peer is out.
    pub(super) fn dialing(&mut self, peer: &PeerId) {
        if let Some(wish) = self.wish(peer) {
            wish.out = true;
        }
    }

    /// The dial to this peer failed.
    pub(super) fn failed(&mut self, now: Mono, peer: &PeerId) {
        let Some(wish) = self.wish(peer) else { return };
        wish.out = false;
        wish.tries = wish.tries.saturating_add(1);
        // Four times as long after each: the path between the two hardly changes by itself.
        let factor = 4_u64.checked_pow(wish.tries).filter(|_| wish.tries < UPGRADE_TRIES_MAX);
        wish.at = factor.map(|factor| now.after(UPGRADE_AGAIN_MS.saturating_mul(factor)));
    }

    /// When the next peer is due.
    pub(super) fn next_wake(&self) -> Option<Mono> {
        self.0.iter().filter(|(_, wish)| !wish.out).filter_map(|(_, wish)| wish.at).min()
    }

    fn wish(&mut self, peer: &PeerId) -> Option<&mut Wish> {
        self.0.iter_mut().find(|(known, _)| known == peer).map(|(_, wish)| wish)
    }

    fn forget(&mut self, peer: &PeerId) {
        self.0.retain(|(known, _)| known != peer);
    }
}

/// Where `/webrtc` finds the other end of a relayed connection.
fn address(relayed: &Connection) -> Multiaddr {
    relayed.address.clone().with(Protocol::WebRTC)
}

impl Discovery {
    /// Asks for all direct paths that are due, as far as dials are free.
    pub(super) fn seek_direct_paths(&mut self, now: Now) {
        for peer in self.upgrades.due(now.mono) {
            if self.dials.len() >= DIALS_MAX {
                return;
            }
            let Some(relayed) = self.peers.relayed(&peer) else { continue };
            let addrs = vec![address(relayed)];
            self.upgrades.dialing(&peer);
            let ticket = self.next_ticket;
            let dial = Output::Dial { ticket, peer: Some(peer), addrs, even_if_connected: true };
            self.dial(now, Goal::Upgrade(peer), dial);
        }
    }
}

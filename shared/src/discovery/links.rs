//! The addresses we were told to keep connected, and the state of each.
//! Invariant: a line that is not up is either being dialled or has a time for its next try.
//! Not here: how many dials may be out (the machine above counts them).

use rand::rngs::SmallRng;

use super::line::{Line, LinkError, State};
use super::peers::{Connection, Peers};
use crate::defence::address::{Parts, peer};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, DIAL_MS, LINK_HELD_MS, LINK_STABLE_MS, LINKS_MAX,
};
use crate::time::Mono;
use crate::view::Link;
use crate::{Multiaddr, PeerId};

/// All lines.
#[derive(Debug)]
pub(super) struct Links {
    each: bool,
    lines: Vec<Line>,
    next_id: u64,
    /// Something that people see changed since this was last cleared.
    pub(super) changed: bool,
}

impl Links {
    pub(super) fn new(each: bool) -> Self {
        Self { each, lines: Vec::new(), next_id: 0, changed: false }
    }

    pub(super) fn check(&self, local: &PeerId, address: &Multiaddr) -> Result<(), LinkError> {
        if address.len() > ADDRESS_BYTES_MAX {
            return Err(LinkError::TooLong);
        }
        let parts = Parts::of(address);
        let nowhere = parts.host.is_none() || parts.port == Some(0);
        if nowhere || (parts.circuit && (parts.relay.is_none() || parts.peer.is_none())) {
            return Err(LinkError::Incomplete);
        }
        if parts.peer == Some(*local) || parts.relay == Some(*local) {
            return Err(LinkError::Ourselves);
        }
        let mut given = self.lines.iter().flat_map(|line| &line.given);
        if given.clone().count() >= LINKS_MAX && !given.any(|known| known == address) {
            return Err(LinkError::TooMany);
        }
        Ok(())
    }

    pub(super) fn keep(&mut self, now: Mono, address: Multiaddr, peers: &Peers) {
        if self.lines.iter().any(|line| line.given.contains(&address)) {
            return;
        }
        self.changed = true;
        let (named, circuit) = (peer(&address), Parts::of(&address).circuit);
        let each = self.each;
        let group = |line: &&mut Line| {
            !each
                && named.is_some()
                && line.wanted() == named
                && line.circuit == circuit
                && line.given.len() < ADDRESSES_MAX
        };
        if let Some(line) = self.lines.iter_mut().find(group) {
            line.given.push(address);
            if let State::Due(_) | State::Ours = line.state {
                line.state = State::Due(now);
            }
            return;
        }
        let id = self.next_id;
        self.next_id = id.saturating_add(1);
        let mut line = Line {
            id,
            peer: named,
            named: named.is_some(),
            given: vec![address],
            circuit,
            state: State::Due(now),
            failures: 0,
            detail: None,
            held: None,
        };
        if let Some((number, there)) =
            peers.iter().find(|(_, there)| line.is_served_by(there, each))
        {
            line.rise(now, number, there.peer);
        }
        self.lines.push(line);
    }

    pub(super) fn unkeep(&mut self, address: &Multiaddr) {
        for line in &mut self.lines {
            let before = line.given.len();
            line.given.retain(|given| given != address);
            self.changed |= line.given.len() != before;
        }
        self.lines.retain(|line| !line.given.is_empty());
    }

    /// The lines whose time has come, the longest waiting first.
    pub(super) fn due(&self, now: Mono) -> Vec<u64> {
        let mut due: Vec<(Mono, u64)> = self
            .lines
            .iter()
            .filter_map(|line| match line.state {
                State::Due(at) if at <= now => Some((at, line.id)),
                State::Due(_)
                | State::Dialing(_)
                | State::Arriving(..)
                | State::Up(..)
                | State::Ours => None,
            })
            .collect();
        due.sort_unstable();
        due.into_iter().map(|(_, id)| id).collect()
    }

    pub(super) fn get_mut(&mut self, id: u64) -> Option<&mut Line> {
        // Whoever asks for it changes it.
        self.changed = true;
        self.lines.iter_mut().find(|line| line.id == id)
    }

    /// Whether the peer is one that a line is for.
    pub(super) fn is_for(&self, peer: &PeerId) -> bool {
        self.lines.iter().any(|line| line.peer == Some(*peer))
    }

    /// A connection opened: lines that it serves are up.
    pub(super) fn connected(&mut self, now: Mono, number: u64, connection: &Connection) {
        let each = self.each;
        let mut taken = false;
        for line in &mut self.lines {
            if !matches!(line.state, State::Up(..)) && line.is_served_by(connection, each) {
                line.rise(now, number, connection.peer);
                taken = true;
            }
        }
        if taken {
            self.changed = true;
            return;
        }
        // The transport may tell another address than the one it was given (a resolved name, say).
        let awaited = |line: &&mut Line| {
            matches!(line.state, State::Arriving(peer, _) if peer == connection.peer)
                && connection.outbound
                && line.circuit >= connection.relayed
        };
        if let Some(line) = self.lines.iter_mut().find(awaited) {
            line.rise(now, number, connection.peer);
            self.changed = true;
        }
    }

    /// A connection closed: lines that it served look for another or are dialled again, at once when
    /// it held for a while.
    ///
    /// While the peer has other connections they are doubted, for the peer may have died and come back.
    /// A connection to its new life would be closed together with those of its old one, and lose what
    /// had been said on it: the lines wait until the doubt is over.
    pub(super) fn disconnected(
        &mut self,
        now: Mono,
        (closed, peer): (u64, PeerId),
        peers: &Peers,
        rng: &mut SmallRng,
    ) {
        let each = self.each;
        for line in &mut self.lines {
            let State::Up(number, since) = line.state else { continue };
            if number != closed {
                continue;
            }
            self.changed = true;
            let other = peers.iter().find(|(_, other)| line.is_served_by(other, each));
            if let Some((number, _)) = other {
                line.state = State::Up(number, since);
            } else if now.since(since) >= LINK_STABLE_MS {
                line.failures = 0;
                line.detail = Some("the connection broke".to_owned());
                line.state = State::Due(now);
            } else {
                line.fail(now, "the connection broke soon after it opened".to_owned(), rng);
            }
            line.hold(now.after(LINK_HELD_MS));
        }
        if !peers.is_connected(&peer) {
            self.lines.iter_mut().filter(|l| l.peer == Some(peer)).for_each(|l| l.release(now));
        }
    }

    /// The dial with this ticket ended.
    pub(super) fn dialed(
        &mut self,
        now: Mono,
        (line, ticket): (u64, u64),
        result: Result<PeerId, String>,
        context: (&Peers, &PeerId, &mut SmallRng),
    ) {
        let (peers, local, rng) = context;
        let taken: Vec<u64> = self.lines.iter().filter_map(Line::connection).collect();
        let each = self.each;
        let Some(line) = self.lines.iter_mut().find(|l| l.id == line) else { return };
        if line.state != State::Dialing(ticket) {
            return;
        }
        self.changed = true;
        match result {
            Ok(peer) if peer == *local => line.state = State::Ours,
            Ok(peer) => match line.wanted() {
                Some(wanted) if wanted != peer => {
                    line.fail(now, format!("the peer there is {peer}, not {wanted}"), rng);
                }
                _ => {
                    line.peer = Some(peer);
                    let serves = |(number, connection): &(u64, &Connection)| {
                        let free = each && connection.peer == peer && connection.outbound;
                        line.is_served_by(connection, each)
                            || (free
                                && line.circuit >= connection.relayed
                                && !taken.contains(number))
                    };
                    let found = peers.iter().filter(serves).map(|(number, _)| number).last();
                    match found {
                        Some(number) => line.rise(now, number, peer),
                        None => line.state = State::Arriving(peer, now.after(DIAL_MS)),
                    }
                }
            },
            Err(why) => line.fail(now, why, rng),
        }
    }

    /// Gives up waiting for connections that never came.
    pub(super) fn expire(&mut self, now: Mono, rng: &mut SmallRng) {
        for line in &mut self.lines {
            if matches!(line.state, State::Arriving(_, until) if until <= now) {
                line.fail(now, "the connection broke at once".to_owned(), rng);
                self.changed = true;
            }
        }
    }

    /// All lines that wait are due now.
    pub(super) fn retry(&mut self, now: Mono) {
        for line in &mut self.lines {
            if let State::Due(at) = &mut line.state {
                *at = now.min(*at);
                line.failures = 0;
                self.changed = true;
            }
        }
    }

    /// Our addresses changed: lines held back because they led to ourselves may be dialled again.
    pub(super) fn recheck(&mut self, now: Mono) {
        for line in &mut self.lines {
            if line.state == State::Ours {
                line.state = State::Due(now);
                self.changed = true;
            }
        }
    }

    /// When something of the lines is due.
    pub(super) fn next_wake(&self, dials_free: bool) -> Option<Mono> {
        let wake = |line: &Line| match line.state {
            // Without a free dial the next answer is the next chance.
            State::Due(at) => dials_free.then_some(at),
            State::Arriving(_, until) => Some(until),
            State::Dialing(_) | State::Up(..) | State::Ours => None,
        };
        self.lines.iter().filter_map(wake).min()
    }

    /// (all that count, up, being dialled) in addresses.
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let mut counts = (0_usize, 0_usize, 0_usize);
        for line in &self.lines {
            let n = line.given.len();
            match line.state {
                State::Ours => continue,
                State::Up(..) => counts.1 += n,
                State::Dialing(_) | State::Arriving(..) => counts.2 += n,
                State::Due(_) => {}
            }
            counts.0 += n;
        }
        counts
    }

    /// Why the first line that waits is not up.
    pub(super) fn why(&self) -> Option<&str> {
        let waits = |line: &&Line| matches!(line.state, State::Due(_));
        self.lines.iter().filter(waits).find_map(|line| line.detail.as_deref())
    }

    pub(super) fn view(&self, now: Mono, peers: &Peers) -> Vec<Link> {
        self.lines
            .iter()
            .flat_map(|line| line.given.iter().map(move |given| line.show(now, given, peers)))
            .collect()
    }
}

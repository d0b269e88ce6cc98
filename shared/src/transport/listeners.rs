//! Addresses we were told to listen on.
//! Invariant: each is open, being opened, or has a time for its next try.
//! Not here: circuits (`relays`).

use multiaddr::Protocol;
use rand::rngs::SmallRng;

use crate::Multiaddr;
use crate::defence::book::pause;
use crate::limits::{BACKOFF_LISTEN_MAX_MS, LISTEN_MAX};
use crate::time::Mono;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Due(Mono),
    Opening,
    Open,
}

#[derive(Debug)]
struct Listener {
    address: Multiaddr,
    state: State,
    failures: u32,
    told: Option<String>,
}

impl Listener {
    /// Notes a failure. The reason, when it was not told before.
    fn fail(&mut self, now: Mono, reason: String, rng: &mut SmallRng) -> Option<String> {
        self.state = State::Due(now.after(pause(self.failures, BACKOFF_LISTEN_MAX_MS, rng)));
        self.failures = self.failures.saturating_add(1);
        if self.told.as_ref() == Some(&reason) {
            return None;
        }
        self.told = Some(reason.clone());
        Some(reason)
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Listeners {
    all: Vec<Listener>,
}

impl Listeners {
    pub(super) fn want(&mut self, now: Mono, addresses: Vec<Multiaddr>) {
        // What is open stays open: closing it would cut the connections of others for nothing. What
        // is not open and not wanted is not tried again.
        self.all.retain(|l| l.state == State::Open || addresses.contains(&l.address));
        for address in addresses {
            let known = self.all.iter().any(|listener| listener.address == address);
            if !known && self.all.len() < LISTEN_MAX {
                let state = State::Due(now);
                self.all.push(Listener { address, state, failures: 0, told: None });
            }
        }
    }

    /// The next address to open.
    pub(super) fn start(&mut self, now: Mono) -> Option<Multiaddr> {
        let due = |l: &&mut Listener| matches!(l.state, State::Due(at) if at <= now);
        let listener = self.all.iter_mut().find(due)?;
        listener.state = State::Opening;
        Some(listener.address.clone())
    }

    /// How an opening ended. The reason of a failure, when it was not told before.
    pub(super) fn listened(
        &mut self,
        now: Mono,
        address: &Multiaddr,
        result: Result<(), String>,
        rng: &mut SmallRng,
    ) -> Option<String> {
        let opening = |l: &&mut Listener| l.address == *address && l.state == State::Opening;
        let listener = self.all.iter_mut().find(opening)?;
        match result {
            Ok(()) => {
                listener.state = State::Open;
                listener.failures = 0;
                listener.told = None;
                None
            }
            Err(reason) => listener.fail(now, reason, rng),
        }
    }

    /// A listener ended at the address where it really was. Which of ours, and the reason when it was
    /// not told before.
    pub(super) fn closed(
        &mut self,
        now: Mono,
        address: &Multiaddr,
        reason: String,
        rng: &mut SmallRng,
    ) -> Option<(Multiaddr, Option<String>)> {
        let open = |l: &Listener| l.state == State::Open;
        let exact = self.all.iter().position(|l| open(l) && l.address == *address);
        let at = exact
            .or_else(|| self.all.iter().position(|l| open(l) && may_become(&l.address, address)))?;
        let listener = self.all.get_mut(at)?;
        let told = listener.fail(now, reason, rng);
        Some((listener.address.clone(), told))
    }

    pub(super) fn open(&self) -> Vec<Multiaddr> {
        let open = self.all.iter().filter(|l| l.state == State::Open);
        open.map(|l| l.address.clone()).collect()
    }

    pub(super) fn next_wake(&self) -> Option<Mono> {
        let due = |l: &Listener| if let State::Due(at) = l.state { Some(at) } else { None };
        self.all.iter().filter_map(due).min()
    }
}

/// Whether a listener asked for at `asked` may really be at `real`: an unspecified IP address stands
/// for any of its family, port 0 for any port, and the transport may add parts (a certificate hash).
fn may_become(asked: &Multiaddr, real: &Multiaddr) -> bool {
    let mut real = real.iter();
    asked.iter().all(|asked| {
        let Some(real) = real.next() else { return false };
        asked == real || stands_for(&asked, &real)
    })
}

fn stands_for(asked: &Protocol<'_>, real: &Protocol<'_>) -> bool {
    match (asked, real) {
        (Protocol::Ip4(ip), Protocol::Ip4(_)) => ip.is_unspecified(),
        (Protocol::Ip6(ip), Protocol::Ip6(_)) => ip.is_unspecified(),
        (Protocol::Tcp(port), Protocol::Tcp(_)) | (Protocol::Udp(port), Protocol::Udp(_)) => {
            *port == 0
        }
        (Protocol::Memory(port), Protocol::Memory(_)) => *port == 0,
        _ => false,
    }
}

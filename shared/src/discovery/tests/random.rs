//! Random histories of one machine in a world that fails at will, then heals.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{BROWSER, Bench, NATIVE, addr, id, named};
use crate::Multiaddr;
use crate::defence::book::Source;
use crate::defence::scope::Scope;
use crate::discovery::{Config, Input};
use crate::limits::{BACKOFF_LINK_MAX_MS, BOOK_MAX, DIAL_LOST_MS, DIAL_MS, DIALS_MAX};
use crate::view::LinkState;

#[derive(Clone, Debug)]
enum Step {
    Keep(u8),
    Unkeep(u8),
    Hear(u8, u8),
    Answer { which: u8, well: bool, told: bool },
    Close(u8),
    Arrive(u8),
    Pass(u16),
    Ours(u8),
    Retry,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0_u8..12).prop_map(Step::Keep),
        1 => (0_u8..12).prop_map(Step::Unkeep),
        3 => (0_u8..12, 0_u8..4).prop_map(|(n, kind)| Step::Hear(n, kind)),
        8 => (any::<u8>(), any::<bool>(), any::<bool>())
            .prop_map(|(which, well, told)| Step::Answer { which, well, told }),
        3 => any::<u8>().prop_map(Step::Close),
        1 => (1_u8..12).prop_map(Step::Arrive),
        6 => (1_u16..4_000).prop_map(Step::Pass),
        1 => (0_u8..12).prop_map(Step::Ours),
        1 => Just(Step::Retry),
    ]
}

/// Where peer `n` is.
fn place(n: u8) -> String {
    format!("/ip4/8.8.{n}.8/tcp/1/ws")
}

struct World {
    bench: Bench,
    open: Vec<(u8, u64)>,
    next: u64,
    tickets: BTreeSet<u64>,
    ours: Option<u8>,
}

impl World {
    fn new(config: Config) -> Self {
        Self {
            bench: Bench::new(config),
            open: Vec::new(),
            next: 0,
            tickets: BTreeSet::new(),
            ours: None,
        }
    }

    fn owner(address: &Multiaddr) -> Option<u8> {
        (0..12).find(|n| addr(&place(*n)) == *address)
    }

    fn check(&mut self) {
        // Dials without answer for so long were given up by the machine.
        assert!(self.bench.dials.len() <= DIALS_MAX);
        for (ticket, peer, addrs, _) in &self.bench.dials {
            assert_ne!(*peer, Some(id(0)), "never ourselves");
            assert!(!addrs.is_empty());
            self.tickets.insert(*ticket);
        }
        for link in self.bench.links() {
            if link.state == LinkState::Waiting {
                assert!(link.retry_in_ms.is_none_or(|wait| wait <= BACKOFF_LINK_MAX_MS));
            }
        }
        assert!(self.bench.machine.book().len() <= BOOK_MAX);
    }

    fn answer(&mut self, which: usize, well: bool, told: bool) {
        let (ticket, peer, addrs, _) = self.bench.dials.remove(which);
        let owner = addrs.iter().find_map(Self::owner);
        assert!(self.ours.is_none() || owner != self.ours, "our own address was dialled");
        match owner.filter(|_| well) {
            Some(n) if n != 0 && peer.is_none_or(|peer| peer == id(n)) => {
                if told {
                    self.connect(n, true);
                }
                self.bench.tell(Input::Dialed { ticket, result: Ok(id(n)) });
                if !told {
                    self.connect(n, true);
                }
            }
            _ => self.bench.fail(ticket),
        }
    }

    fn connect(&mut self, n: u8, outbound: bool) {
        let connection = self.next;
        self.next += 1;
        self.open.push((n, connection));
        let address = addr(&place(n));
        self.bench.tell(Input::Connected {
            peer: id(n),
            connection,
            address,
            relayed: false,
            outbound,
        });
    }

    /// Lets time pass in steps in which every dial is answered before the machine gives it up.
    fn pass(&mut self, ms: u64) {
        self.bench.pass(ms.min(DIAL_LOST_MS / 8));
    }

    fn run(&mut self, step: Step) {
        match step {
            Step::Keep(n) if n % 3 == 0 => self.bench.tell(Input::Keep(addr(&place(n)))),
            Step::Keep(n) => self.bench.tell(Input::Keep(named(&place(n), n))),
            Step::Unkeep(n) if n % 3 == 0 => self.bench.tell(Input::Unkeep(addr(&place(n)))),
            Step::Unkeep(n) => self.bench.tell(Input::Unkeep(named(&place(n), n))),
            Step::Hear(n, kind) => {
                let source =
                    [Source::Mdns, Source::Announcement, Source::Identify, Source::Routing];
                let source = source[usize::from(kind)];
                let (peer, addrs, over) = (id(n), vec![addr(&place(n))], Scope::Global);
                self.bench.tell(Input::Heard { peer, addrs, source, over });
            }
            Step::Answer { which, well, told } => {
                if !self.bench.dials.is_empty() {
                    self.answer(usize::from(which) % self.bench.dials.len(), well, told);
                }
            }
            Step::Close(which) => {
                if !self.open.is_empty() {
                    let at = usize::from(which) % self.open.len();
                    let (n, connection) = self.open.remove(at);
                    self.bench.close(n, connection);
                }
            }
            Step::Arrive(n) => self.connect(n, false),
            Step::Pass(ms) => self.pass(u64::from(ms)),
            Step::Ours(n) => {
                // Our address must not change under a dial that is out already.
                while !self.bench.dials.is_empty() {
                    self.answer(0, false, false);
                }
                self.ours = Some(n);
                self.bench.tell(Input::OurAddresses(vec![addr(&place(n))]));
                while !self.bench.dials.is_empty() {
                    self.answer(0, false, false);
                }
            }
            Step::Retry => self.bench.tell(Input::RetryNow),
        }
        self.check();
    }

    /// From now on every dial succeeds.
    fn heal(&mut self) {
        let end = self.bench.ms + DIAL_MS + 2 * BACKOFF_LINK_MAX_MS;
        while self.bench.ms < end {
            while !self.bench.dials.is_empty() {
                self.answer(0, true, true);
                self.check();
            }
            self.pass(100);
        }
    }
}

fn history(config: Config, steps: Vec<Step>) {
    let mut world = World::new(config);
    for (n, step) in steps.into_iter().enumerate() {
        world.run(step);
        // The dials of a real driver end by themselves.
        if n % 20 == 19 {
            while !world.bench.dials.is_empty() {
                world.answer(0, n % 40 == 19, true);
            }
        }
    }
    world.heal();
    for link in world.bench.links() {
        let n = (0..12_u8).find(|n| link.address.starts_with(&place(*n))).expect("ours");
        let up = link.state == LinkState::Connected;
        assert!(up || n == 0 || Some(n) == world.ours, "{link:?}");
        assert!(!up || n != 0, "{link:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn native_histories_end_well(steps in prop::collection::vec(step(), 1..150)) {
        history(NATIVE, steps);
    }

    #[test]
    fn browser_histories_end_well(steps in prop::collection::vec(step(), 1..150)) {
        history(BROWSER, steps);
    }
}

//! From relayed to direct paths.

use super::{BROWSER, Bench, addr, id};
use crate::discovery::Input;
use crate::limits::{UPGRADE_AGAIN_MS, UPGRADE_TRIES_MAX, UPGRADE_YIELD_MS};
use crate::{Multiaddr, PeerId};

const CIRCUIT: &str = "/ip4/127.0.0.1/tcp/7073/ws/p2p/12D3KooWD8Jdj8cFkSwUM7YWBXrwCGjXyWej2GAS3836pd5JwGnJ/p2p-circuit";

impl Bench {
    fn accept(&mut self, n: u8, connection: u64, at: &str) {
        let (address, relayed) = (addr(at), at.ends_with("p2p-circuit"));
        self.tell(Input::Connected { peer: id(n), connection, address, relayed, outbound: false });
    }

    fn upgrade(&mut self) -> (u64, Option<PeerId>, Vec<Multiaddr>, bool) {
        assert_eq!(self.upgrades.len(), 1, "{:?}", self.upgrades);
        self.upgrades.remove(0)
    }

    fn direct(&mut self, n: u8, connection: u64) {
        let address = addr(&format!("{CIRCUIT}/webrtc"));
        let (peer, relayed, outbound) = (id(n), false, true);
        self.tell(Input::Connected { peer, connection, address, relayed, outbound });
    }
}

#[test]
fn who_opened_the_relayed_path_asks_at_once() {
    let mut bench = Bench::new(BROWSER);
    bench.connect(1, 1, CIRCUIT);
    let (ticket, peer, addrs, even_if_connected) = bench.upgrade();
    assert_eq!(peer, Some(id(1)));
    assert_eq!(addrs, [addr(&format!("{CIRCUIT}/webrtc"))]);
    assert!(even_if_connected);
    bench.direct(1, 2);
    bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    bench.close(1, 1);
    bench.pass(3_600_000);
    assert_eq!(bench.upgrades, []);
}

#[test]
fn the_other_side_waits_first() {
    let mut bench = Bench::new(BROWSER);
    bench.accept(1, 1, CIRCUIT);
    bench.pass(UPGRADE_YIELD_MS - 1);
    assert_eq!(bench.upgrades, []);
    bench.pass(1);
    assert_eq!(bench.upgrade().1, Some(id(1)));
}

#[test]
fn a_direct_path_that_came_meanwhile_is_enough() {
    let mut bench = Bench::new(BROWSER);
    bench.accept(1, 1, CIRCUIT);
    bench.accept(1, 2, &format!("{CIRCUIT}/webrtc"));
    bench.pass(3_600_000);
    assert_eq!(bench.upgrades, []);
}

#[test]
fn failures_come_ever_later_and_end() {
    let mut bench = Bench::new(BROWSER);
    bench.connect(1, 1, CIRCUIT);
    let mut pause = UPGRADE_AGAIN_MS;
    for left in (0..UPGRADE_TRIES_MAX).rev() {
        let ticket = bench.upgrade().0;
        bench.fail(ticket);
        pause *= 4;
        if left > 0 {
            bench.pass(pause - 1);
            assert_eq!(bench.upgrades, []);
            bench.pass(1);
        }
    }
    bench.pass(24 * 3_600_000);
    assert_eq!(bench.upgrades, []);
}

#[test]
fn a_direct_path_that_breaks_is_looked_for_again() {
    let mut bench = Bench::new(BROWSER);
    bench.connect(1, 1, CIRCUIT);
    let ticket = bench.upgrade().0;
    bench.direct(1, 2);
    bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    bench.close(1, 2);
    assert_eq!(bench.upgrades, []);
    bench.pass(UPGRADE_YIELD_MS);
    assert_eq!(bench.upgrade().1, Some(id(1)));
}

use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::{Input, Output, Transport};
use crate::limits::{
    BACKOFF_LISTEN_MAX_MS, BACKOFF_RELAY_MAX_MS, RELAY_CANDIDATES_MAX, RESERVE_MS,
};
use crate::machine::Machine as _;
use crate::time::{Mono, Now};
use crate::{Multiaddr, PeerId};

fn id(n: u8) -> PeerId {
    Keypair::ed25519_from_bytes([n; 32]).expect("32 bytes").public().to_peer_id()
}

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn at(n: u8) -> Multiaddr {
    addr(&format!("/ip4/8.8.{n}.8/tcp/1/ws"))
}

/// Peer 0's machine with its clock.
struct Bench {
    machine: Transport,
    ms: u64,
    asked: Vec<(u64, PeerId)>,
    listens: Vec<(u64, Multiaddr)>,
    failed: Vec<(Multiaddr, String)>,
    released: Vec<PeerId>,
    changes: usize,
}

impl Bench {
    fn new() -> Self {
        Self {
            machine: Transport::new(id(0), 1),
            ms: 0,
            asked: vec![],
            listens: vec![],
            failed: vec![],
            released: vec![],
            changes: 0,
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Listen { ticket, address } => self.listens.push((ticket, address)),
                Output::Reserve { ticket, relay, address } => {
                    let text = address.to_string();
                    assert!(text.ends_with(&format!("/p2p/{relay}/p2p-circuit")), "{text}");
                    assert_ne!(relay, id(0));
                    self.asked.push((ticket, relay));
                }
                Output::Release { relay } => self.released.push(relay),
                Output::ListenFailed { address, reason } => self.failed.push((address, reason)),
                Output::AddressesChanged => self.changes += 1,
            }
        }
    }

    fn now(&self) -> Now {
        Now::new(Mono::from_millis(self.ms), 0)
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(self.now(), input);
        self.drain();
    }

    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while let Some(wake) = self.machine.next_wake().filter(|wake| wake.as_millis() <= end) {
            assert!(wake.as_millis() > self.ms, "a wake that changes nothing");
            self.ms = wake.as_millis();
            self.machine.tick(self.now());
            self.drain();
        }
        self.ms = end;
    }

    fn seen(&mut self, n: u8) {
        self.tell(Input::RelaySeen { peer: id(n), address: at(n) });
    }

    fn reserved(&mut self, relay: PeerId) {
        self.tell(Input::Reserved { relay, addrs: vec![] });
    }
}

#[test]
fn reservations_are_held_on_as_many_relays_as_wanted() {
    let mut bench = Bench::new();
    for n in 1..=5 {
        bench.seen(n);
    }
    assert!(bench.asked.is_empty(), "none is wanted");
    bench.tell(Input::WantRelays(3));
    let asked = std::mem::take(&mut bench.asked);
    assert_eq!(asked.iter().map(|(_, relay)| *relay).collect::<Vec<_>>(), [id(1), id(2), id(3)]);
    for (ticket, relay) in asked {
        bench.reserved(relay);
        bench.tell(Input::Listened { ticket, result: Ok(()) });
    }
    assert_eq!(bench.machine.circuit_addresses().len(), 3);
    let first = addr(&format!("{}/p2p/{}/p2p-circuit/p2p/{}", at(1), id(1), id(0)));
    assert!(bench.machine.circuit_addresses().contains(&first));
    assert_eq!(bench.changes, 3);
    // One relay goes: another takes its place.
    bench.tell(Input::RelayGone { peer: id(2) });
    assert_eq!(bench.asked.pop().map(|(_, relay)| relay), Some(id(4)));
    // Fewer are wanted: the youngest goes first.
    bench.tell(Input::WantRelays(1));
    assert_eq!(bench.released, [id(4), id(3)]);
    assert_eq!(bench.machine.reservations(), [id(1)]);
    assert_eq!(bench.machine.next_wake(), None);
}

#[test]
fn a_refused_or_silent_relay_is_asked_again_after_a_pause() {
    let mut bench = Bench::new();
    bench.tell(Input::WantRelays(1));
    bench.seen(1);
    let (ticket, relay) = bench.asked.pop().expect("asked");
    // The driver tells of one failure in two ways: it counts once.
    bench.tell(Input::ReservationLost { relay, reason: "full".to_owned() });
    bench.tell(Input::Listened { ticket, result: Err("full".to_owned()) });
    assert!(bench.asked.is_empty());
    bench.pass(1_000);
    assert_eq!(bench.asked.len(), 1);
    for _ in 0..20 {
        bench.asked.clear();
        bench.pass(RESERVE_MS + BACKOFF_RELAY_MAX_MS);
        assert!((1..=4).contains(&bench.asked.len()), "{}", bench.asked.len());
    }
    bench.reserved(relay);
    bench.tell(Input::Reserved { relay, addrs: vec![] });
    assert_eq!(bench.changes, 1, "a renewal changes nothing");
    bench.pass(600_000);
    let closed = bench.machine.circuit_addresses().pop();
    bench.asked.clear();
    bench.tell(Input::ListenerClosed { address: closed, reason: "ended".to_owned() });
    assert!(bench.machine.circuit_addresses().is_empty());
    bench.pass(1_000);
    assert_eq!(bench.asked.len(), 1, "the success made the pause short again");
}

#[test]
fn an_answer_to_an_earlier_request_does_not_count() {
    let mut bench = Bench::new();
    bench.tell(Input::WantRelays(1));
    bench.seen(1);
    let (old, _) = bench.asked.pop().expect("asked");
    bench.tell(Input::RelayGone { peer: id(1) });
    bench.seen(1);
    assert_eq!(bench.asked.len(), 1);
    bench.tell(Input::Listened { ticket: old, result: Err("gone".to_owned()) });
    bench.pass(RESERVE_MS - 1);
    assert_eq!(bench.asked.len(), 1, "the second request still stands");
}

#[test]
fn relays_of_different_networks_come_first() {
    let mut bench = Bench::new();
    let near = |n: u8| addr(&format!("/ip4/8.8.1.{n}/tcp/1"));
    bench.tell(Input::RelaySeen { peer: id(1), address: near(1) });
    bench.tell(Input::RelaySeen { peer: id(2), address: near(2) });
    bench.seen(3);
    bench.tell(Input::WantRelays(2));
    let relays: Vec<_> = bench.asked.iter().map(|(_, relay)| *relay).collect();
    assert_eq!(relays, [id(1), id(3)]);
}

#[test]
fn what_cannot_be_a_relay_is_not_asked() {
    let mut bench = Bench::new();
    bench.tell(Input::WantRelays(3));
    bench.tell(Input::RelaySeen { peer: id(0), address: at(0) });
    let circuit = addr(&format!("{}/p2p/{}/p2p-circuit", at(1), id(1)));
    bench.tell(Input::RelaySeen { peer: id(2), address: circuit });
    let foreign = addr(&format!("{}/p2p/{}", at(1), id(1)));
    bench.tell(Input::RelaySeen { peer: id(2), address: foreign });
    assert!(bench.asked.is_empty());
    for n in 1..=u8::MAX {
        bench.seen(n);
    }
    assert!(bench.machine.relays.held().len() <= RELAY_CANDIDATES_MAX);
}

#[test]
fn told_circuit_addresses_are_checked() {
    let mut bench = Bench::new();
    bench.tell(Input::WantRelays(1));
    bench.seen(1);
    let good = addr(&format!("/ip4/9.9.9.9/tcp/1/p2p/{}/p2p-circuit", id(1)));
    let other_relay = addr(&format!("/ip4/9.9.9.9/tcp/1/p2p/{}/p2p-circuit", id(2)));
    let other_end = addr(&format!("/ip4/9.9.9.9/tcp/1/p2p/{}/p2p-circuit/p2p/{}", id(1), id(3)));
    let addrs = vec![good.clone(), other_relay, other_end, at(7), good.clone()];
    bench.tell(Input::Reserved { relay: id(1), addrs });
    let ours = good.with(multiaddr::Protocol::P2p(id(0)));
    assert_eq!(bench.machine.circuit_addresses(), [ours]);
}

#[test]
fn listening_heals_and_complains_once() {
    let mut bench = Bench::new();
    let wanted = vec![addr("/ip4/0.0.0.0/tcp/7072"), addr("/ip4/0.0.0.0/udp/7071/webrtc-direct")];
    bench.tell(Input::Listen(wanted.clone()));
    assert_eq!(bench.listens.len(), 2);
    let (busy, _) = bench.listens.remove(0);
    let (fine, _) = bench.listens.remove(0);
    bench.tell(Input::Listened { ticket: fine, result: Ok(()) });
    bench.tell(Input::Listened { ticket: busy, result: Err("address in use".to_owned()) });
    assert_eq!(bench.failed, [(wanted[0].clone(), "address in use".to_owned())]);
    assert_eq!(bench.machine.listening(), [wanted[1].clone()]);
    for _ in 0..10 {
        bench.pass(BACKOFF_LISTEN_MAX_MS);
        let (ticket, _) = bench.listens.pop().expect("tried again");
        bench.listens.clear();
        bench.tell(Input::Listened { ticket, result: Err("address in use".to_owned()) });
    }
    assert_eq!(bench.failed.len(), 1, "the same reason is told once");
    bench.pass(BACKOFF_LISTEN_MAX_MS);
    let (ticket, _) = bench.listens.pop().expect("tried again");
    bench.tell(Input::Listened { ticket, result: Ok(()) });
    assert_eq!(bench.machine.listening().len(), 2);
    // The interface goes away: the real address tells which listener it was.
    bench.listens.clear();
    let real = addr(
        "/ip4/192.168.0.2/udp/7071/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ",
    );
    bench.tell(Input::ListenerClosed { address: Some(real), reason: "down".to_owned() });
    assert_eq!(bench.machine.listening(), [wanted[0].clone()]);
    bench.pass(1_000);
    assert_eq!(bench.listens.pop().map(|(_, address)| address), Some(wanted[1].clone()));
    // What is not known is no reason to do anything.
    bench.tell(Input::ListenerClosed { address: None, reason: "closed".to_owned() });
    bench.tell(Input::ListenerClosed { address: Some(at(9)), reason: "closed".to_owned() });
    assert_eq!(bench.machine.listening(), [wanted[0].clone()]);
}

#[test]
fn an_address_that_is_not_wanted_any_more_is_not_tried_again() {
    let mut bench = Bench::new();
    bench.tell(Input::Listen(vec![at(1), at(2)]));
    let (ticket, _) = bench.listens.remove(0);
    bench.tell(Input::Listened { ticket, result: Err("no".to_owned()) });
    bench.listens.clear();
    bench.tell(Input::Listen(vec![at(2)]));
    bench.pass(120_000);
    assert!(bench.listens.is_empty());
}

proptest! {
    #[test]
    fn never_more_reservations_than_wanted(
        steps in prop::collection::vec((0_u8..8, 1_u8..8, 1_u64..30_000), 1..120),
    ) {
        let mut bench = Bench::new();
        let mut wanted = 0;
        for (what, n, ms) in steps {
            match what {
                0 => { wanted = usize::from(n % 4); bench.tell(Input::WantRelays(wanted)); }
                1 | 2 => bench.seen(n),
                3 => bench.tell(Input::RelayGone { peer: id(n) }),
                4 => bench.tell(Input::ReservationLost { relay: id(n), reason: String::new() }),
                5 => if let Some((_, relay)) = bench.asked.pop() { bench.reserved(relay); },
                6 => if let Some((ticket, _)) = bench.asked.pop() {
                    bench.tell(Input::Listened { ticket, result: Err("no".to_owned()) });
                },
                _ => bench.pass(ms),
            }
            // A relay may grant what was released meanwhile; the next turn gives it back.
            prop_assert!(bench.machine.reservations().len() <= wanted);
        }
    }
}

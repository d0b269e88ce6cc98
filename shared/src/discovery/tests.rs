//! Tests of the discovery machine: single steps here, random histories in `random`, whole networks
//! in `network`, the way to direct paths in `upgrade`.

mod network;
mod random;
mod upgrade;

use std::sync::OnceLock;

use libp2p_identity::Keypair;

use super::{Config, Discovery, Input, LinkError, Output};
use crate::defence::book::{BookEntry, Source};
use crate::defence::scope::Scope;
use crate::limits::{
    ANNOUNCE_EVERY_MS, ANNOUNCE_GAP_MS, ANNOUNCER_BURST, BACKOFF_LINK_MAX_MS, BOOK_RECHECK_MS,
    DIAL_LOST_MS, DIAL_MS, DIALS_HEARD_MAX, LINK_HELD_MS, LINK_STABLE_MS, LINKS_MAX,
};
use crate::machine::Machine as _;
use crate::pubsub::Acceptance;
use crate::time::{Mono, Now};
use crate::view::{Health, Link, LinkState};
use crate::wire::Announcement;
use crate::{Multiaddr, PeerId};

const EPOCH: u64 = 1_700_000_000_000;

const NATIVE: Config =
    Config { each_link_address: false, dial_private: true, outbound_wanted: 8, relay_only: false };
const BROWSER: Config =
    Config { each_link_address: true, dial_private: true, outbound_wanted: 8, relay_only: true };

fn keys(n: u8) -> Keypair {
    Keypair::ed25519_from_bytes([n; 32]).expect("32 bytes")
}

fn id(n: u8) -> PeerId {
    static IDS: OnceLock<Vec<PeerId>> = OnceLock::new();
    let all = || (0..=u8::MAX).map(|n| keys(n).public().to_peer_id()).collect();
    IDS.get_or_init(all)[usize::from(n)]
}

fn addr(text: &str) -> Multiaddr {
    text.parse().unwrap_or_else(|e| panic!("{text}: {e}"))
}

fn named(text: &str, n: u8) -> Multiaddr {
    addr(&format!("{text}/p2p/{}", id(n)))
}

/// A machine with its clock; it is peer 0.
struct Bench {
    machine: Discovery,
    ms: u64,
    /// Dials that were asked for and are not answered.
    dials: Vec<(u64, Option<PeerId>, Vec<Multiaddr>, bool)>,
    /// The same for dials that a relay is to introduce.
    upgrades: Vec<(u64, Option<PeerId>, Vec<Multiaddr>, bool)>,
    /// All other outputs since they were last taken.
    other: Vec<Output>,
}

impl Bench {
    fn new(config: Config) -> Self {
        let machine = Discovery::new(keys(0).public(), 7, config);
        Self { machine, ms: 0, dials: Vec::new(), upgrades: Vec::new(), other: Vec::new() }
    }

    fn now(&self) -> Now {
        Now::new(Mono::from_millis(self.ms), EPOCH + self.ms)
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Dial { ticket, peer, addrs, even_if_connected } => {
                    let introduced = |at: &Multiaddr| at.to_string().ends_with("/webrtc");
                    let side = if addrs.iter().all(introduced) {
                        &mut self.upgrades
                    } else {
                        &mut self.dials
                    };
                    side.push((ticket, peer, addrs, even_if_connected));
                }
                other @ (Output::Announce(_)
                | Output::Judge { .. }
                | Output::Save(_)
                | Output::Forget(_)
                | Output::LinksChanged) => self.other.push(other),
            }
        }
    }

    fn tell(&mut self, input: Input) {
        self.machine.handle(self.now(), input);
        self.drain();
    }

    /// Lets time pass, waking the machine whenever it wants.
    fn pass(&mut self, ms: u64) {
        let end = self.ms + ms;
        while let Some(wake) = self.machine.next_wake().filter(|wake| wake.as_millis() <= end) {
            assert!(wake.as_millis() > self.ms || self.ms == 0, "a wake that changes nothing");
            self.ms = wake.as_millis().max(self.ms);
            self.machine.tick(self.now());
            self.drain();
            if wake.as_millis() == end {
                break;
            }
        }
        self.ms = end;
        self.machine.tick(self.now());
        self.drain();
    }

    fn dial(&mut self) -> (u64, Option<PeerId>, Vec<Multiaddr>, bool) {
        assert_eq!(self.dials.len(), 1, "{:?}", self.dials);
        self.dials.remove(0)
    }

    fn fail(&mut self, ticket: u64) {
        self.tell(Input::Dialed { ticket, result: Err("refused".to_owned()) });
    }

    fn connect(&mut self, n: u8, connection: u64, at: &str) {
        let address = addr(at);
        let relayed = at.contains("p2p-circuit");
        self.tell(Input::Connected { peer: id(n), connection, address, relayed, outbound: true });
    }

    fn close(&mut self, n: u8, connection: u64) {
        self.tell(Input::Disconnected { peer: id(n), connection });
    }

    fn links(&self) -> Vec<Link> {
        self.machine.links(self.now())
    }

    fn states(&self) -> Vec<LinkState> {
        self.links().iter().map(|link| link.state).collect()
    }

    fn health(&self) -> Health {
        self.machine.health().0
    }

    fn hear(&mut self, n: u8, addrs: &[&str]) {
        let addrs = addrs.iter().map(|text| addr(text)).collect();
        let (source, over) = (Source::Announcement, Scope::Loopback);
        self.tell(Input::Heard { peer: id(n), addrs, source, over });
    }

    fn judgements(&mut self) -> Vec<Acceptance> {
        let judged = self.other.drain(..).filter_map(|output| match output {
            Output::Judge { acceptance, .. } => Some(acceptance),
            Output::Dial { .. }
            | Output::Announce(_)
            | Output::Save(_)
            | Output::Forget(_)
            | Output::LinksChanged => None,
        });
        judged.collect()
    }

    fn announcements(&mut self) -> Vec<Announcement> {
        let told = self.other.drain(..).filter_map(|output| match output {
            Output::Announce(data) => Announcement::decode(&data).ok(),
            Output::Dial { .. }
            | Output::Judge { .. }
            | Output::Save(_)
            | Output::Forget(_)
            | Output::LinksChanged => None,
        });
        told.collect()
    }
}

const WS: &str = "/ip4/127.0.0.1/tcp/7073/ws";
const RTC: &str = "/ip4/127.0.0.1/udp/7071/webrtc-direct/certhash/uEiAkH5a4DPGKUuOBjYw0CgwjvcJCJMD2K_1aluKR_tpevQ";

#[test]
fn a_browser_keeps_both_links_to_one_node() {
    let mut bench = Bench::new(BROWSER);
    bench.tell(Input::Keep(named(WS, 1)));
    bench.tell(Input::Keep(named(RTC, 1)));
    assert_eq!(bench.health(), Health::Connecting);
    let dials = std::mem::take(&mut bench.dials);
    assert_eq!(dials.len(), 2);
    assert!(
        dials
            .iter()
            .all(|(_, peer, addrs, even)| *peer == Some(id(1)) && addrs.len() == 1 && *even)
    );
    // One answer before its connection, one after.
    bench.tell(Input::Dialed { ticket: dials[0].0, result: Ok(id(1)) });
    assert_eq!(bench.states(), [LinkState::Dialing, LinkState::Dialing]);
    bench.connect(1, 10, WS);
    bench.connect(1, 11, RTC);
    bench.tell(Input::Dialed { ticket: dials[1].0, result: Ok(id(1)) });
    assert_eq!(bench.states(), [LinkState::Connected, LinkState::Connected]);
    assert_eq!(bench.health(), Health::Connected);
    // Each heals alone.
    bench.pass(LINK_STABLE_MS);
    bench.close(1, 11);
    assert_eq!(bench.health(), Health::Degraded);
    bench.pass(LINK_HELD_MS);
    assert_eq!(bench.states(), [LinkState::Connected, LinkState::Dialing]);
    assert_eq!(bench.health(), Health::Degraded);
    let (ticket, _, addrs, even) = bench.dial();
    assert_eq!((addrs, even), (vec![addr(RTC)], true));
    bench.connect(1, 12, RTC);
    bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    assert_eq!(bench.health(), Health::Connected);
    assert_eq!(bench.machine.next_wake(), None);
}

/// Both links of a page are up, long enough to count as stable; then one breaks.
fn one_of_two_breaks() -> Bench {
    let mut bench = Bench::new(BROWSER);
    for (connection, at) in [(11, WS), (12, RTC)] {
        bench.tell(Input::Keep(named(at, 1)));
        let (ticket, ..) = bench.dial();
        bench.connect(1, connection, at);
        bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    }
    bench.pass(LINK_STABLE_MS);
    bench.close(1, 11);
    bench.pass(LINK_HELD_MS - 1);
    assert!(bench.dials.is_empty(), "dialled while the other connection is doubted");
    bench
}

#[test]
fn a_broken_link_waits_while_the_other_is_doubted_and_comes_when_that_lives() {
    let mut bench = one_of_two_breaks();
    bench.pass(1);
    let (_, _, addrs, even) = bench.dial();
    assert_eq!((addrs, even), (vec![addr(WS)], true));
}

#[test]
fn both_links_are_dialled_at_once_when_the_doubted_one_was_dead() {
    let mut bench = one_of_two_breaks();
    bench.close(1, 12);
    let mut addrs: Vec<_> = bench.dials.drain(..).flat_map(|(_, _, addrs, _)| addrs).collect();
    addrs.sort();
    let mut both = [addr(WS), addr(RTC)];
    both.sort();
    assert_eq!(addrs, both);
}

#[test]
fn a_native_node_dials_all_addresses_of_a_peer_at_once() {
    let mut bench = Bench::new(NATIVE);
    for at in ["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1", "/ip6/2600::1/tcp/1"] {
        bench.tell(Input::Keep(named(at, 1)));
    }
    let (ticket, peer, addrs, even) = bench.dial();
    assert_eq!((peer, addrs.len(), even), (Some(id(1)), 1, false));
    bench.fail(ticket);
    bench.pass(BACKOFF_LINK_MAX_MS);
    let (ticket, _, addrs, _) = bench.dial();
    assert_eq!(addrs.len(), 3);
    bench.connect(1, 5, "/ip4/8.8.8.8/udp/1/quic-v1");
    bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    assert_eq!(bench.states(), [LinkState::Connected; 3]);
    let details: Vec<_> = bench.links().into_iter().map(|link| link.detail).collect();
    assert!(details[0].as_deref().is_some_and(|text| text.contains("quic-v1")));
    assert_eq!(details[1], None);
    // An inbound connection keeps the line up when the outbound one goes.
    let inbound = Input::Connected {
        peer: id(1),
        connection: 6,
        address: addr("/ip4/8.8.8.8/tcp/55555"),
        relayed: false,
        outbound: false,
    };
    bench.tell(inbound);
    bench.close(1, 5);
    assert_eq!(bench.states(), [LinkState::Connected; 3]);
    assert!(bench.dials.is_empty());
}

#[test]
fn a_relayed_path_does_not_stand_in_for_a_direct_link() {
    let mut bench = Bench::new(NATIVE);
    let circuit = format!("/ip4/9.9.9.9/tcp/1/p2p/{}/p2p-circuit", id(2));
    bench.connect(1, 1, &circuit);
    bench.tell(Input::Keep(named("/ip4/8.8.8.8/tcp/1", 1)));
    let (_, _, _, even_if_connected) = bench.dial();
    assert!(even_if_connected);
    assert_eq!(bench.health(), Health::Degraded);
    bench.connect(1, 2, "/ip4/8.8.8.8/tcp/1");
    assert_eq!(bench.health(), Health::Connected);
}

#[test]
fn a_link_that_is_connected_already_is_not_dialled() {
    let mut bench = Bench::new(NATIVE);
    bench.connect(1, 1, "/ip4/8.8.8.8/tcp/9");
    bench.tell(Input::Keep(named("/ip4/8.8.8.8/tcp/1", 1)));
    assert!(bench.dials.is_empty());
    assert_eq!(bench.states(), [LinkState::Connected]);
}

#[test]
fn failures_wait_longer_but_never_past_the_bound() {
    let mut bench = Bench::new(NATIVE);
    bench.tell(Input::Keep(named("/ip4/8.8.8.8/tcp/1", 1)));
    for _ in 0..50 {
        let (ticket, ..) = bench.dial();
        bench.fail(ticket);
        let link = bench.links().remove(0);
        assert_eq!(link.state, LinkState::Waiting);
        assert_eq!(link.detail.as_deref(), Some("refused"));
        assert_eq!(bench.health(), Health::Offline);
        let reason = "No connection to the 1 address to keep: refused.";
        assert_eq!(bench.machine.health().1, reason);
        let wait = link.retry_in_ms.expect("a time");
        assert!(wait <= BACKOFF_LINK_MAX_MS);
        bench.pass(wait.saturating_sub(1));
        assert!(bench.dials.is_empty());
        bench.pass(1);
    }
}

#[test]
fn a_connection_that_breaks_at_once_is_no_hot_loop() {
    let mut bench = Bench::new(BROWSER);
    bench.tell(Input::Keep(named(WS, 1)));
    let mut dials = 0;
    for connection in 0..40 {
        if let Some((ticket, ..)) = bench.dials.pop() {
            dials += 1;
            bench.connect(1, connection, WS);
            bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
            bench.close(1, connection);
        }
        bench.pass(500);
    }
    assert!((4..12).contains(&dials), "{dials} dials in 20 s");
}

#[test]
fn a_dial_that_succeeds_without_a_connection_is_tried_again() {
    let mut bench = Bench::new(BROWSER);
    bench.tell(Input::Keep(named(WS, 1)));
    let (ticket, ..) = bench.dial();
    bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    bench.pass(DIAL_MS + BACKOFF_LINK_MAX_MS);
    bench.dial();
}

#[test]
fn a_connection_told_with_another_address_belongs_to_the_dial() {
    let mut bench = Bench::new(BROWSER);
    bench.tell(Input::Keep(addr("/dns4/localhost/tcp/7073/ws")));
    let (ticket, peer, ..) = bench.dial();
    assert_eq!(peer, None);
    bench.tell(Input::Dialed { ticket, result: Ok(id(1)) });
    bench.connect(1, 3, WS);
    let link = bench.links().remove(0);
    assert_eq!(link.state, LinkState::Connected);
    assert_eq!(link.peer, Some(id(1).to_string()));
}

#[test]
fn the_wrong_peer_is_named() {
    let mut bench = Bench::new(NATIVE);
    bench.tell(Input::Keep(named("/ip4/8.8.8.8/tcp/1", 1)));
    let (ticket, ..) = bench.dial();
    bench.tell(Input::Dialed { ticket, result: Ok(id(2)) });
    let link = bench.links().remove(0);
    assert_eq!(link.detail, Some(format!("the peer there is {}, not {}", id(2), id(1))));
    assert_eq!(link.state, LinkState::Waiting);
}

#[test]
fn a_lost_answer_costs_time_but_no_slot() {
    let mut bench = Bench::new(NATIVE);
    bench.tell(Input::Keep(named("/ip4/8.8.8.8/tcp/1", 1)));
    let (lost, ..) = bench.dial();
    bench.pass(DIAL_LOST_MS + BACKOFF_LINK_MAX_MS);
    let (ticket, ..) = bench.dial();
    assert_ne!(ticket, lost);
    bench.tell(Input::Dialed { ticket: lost, result: Err("late".to_owned()) });
    assert_eq!(bench.states(), [LinkState::Dialing]);
}

#[test]
fn a_restarted_node_with_a_new_address_is_kept_in_place_of_the_old() {
    let mut bench = Bench::new(BROWSER);
    bench.tell(Input::Keep(named(RTC, 1)));
    let (old, ..) = bench.dial();
    let moved = RTC.replace("7071", "7999");
    bench.tell(Input::Keep(named(&moved, 1)));
    bench.tell(Input::Unkeep(named(RTC, 1)));
    let (new, _, addrs, _) = bench.dial();
    assert_eq!(addrs, [addr(&moved)]);
    bench.fail(old);
    bench.connect(1, 1, &moved);
    bench.tell(Input::Dialed { ticket: new, result: Ok(id(1)) });
    assert_eq!(bench.states(), [LinkState::Connected]);
}

#[test]
fn links_that_cannot_be_are_refused_with_a_reason() {
    let mut bench = Bench::new(NATIVE);
    let check = |bench: &Bench, text: &str| bench.machine.check_link(&addr(text));
    let long = format!("/dns4/{}/tcp/1", "a".repeat(600));
    assert_eq!(check(&bench, &long), Err(LinkError::TooLong));
    for text in ["/tcp/1", "/ip4/8.8.8.8/tcp/0", "/ip4/8.8.8.8/tcp/1/p2p-circuit"] {
        assert_eq!(check(&bench, text), Err(LinkError::Incomplete), "{text}");
    }
    let us = named("/ip4/8.8.8.8/tcp/1", 0);
    assert_eq!(bench.machine.check_link(&us), Err(LinkError::Ourselves));
    bench.tell(Input::Keep(us));
    assert!(bench.links().is_empty() && bench.dials.is_empty());
    for n in 0..LINKS_MAX {
        bench.tell(Input::Keep(addr(&format!("/ip4/8.8.8.8/tcp/{}", n + 1))));
    }
    assert_eq!(check(&bench, "/ip4/8.8.8.8/tcp/1"), Ok(()), "one we keep already");
    assert_eq!(check(&bench, "/ip4/8.8.8.8/tcp/999"), Err(LinkError::TooMany));
    bench.tell(Input::Keep(addr("/ip4/8.8.8.8/tcp/999")));
    assert_eq!(bench.links().len(), LINKS_MAX);
}

#[test]
fn our_own_address_is_never_dialled() {
    let mut bench = Bench::new(NATIVE);
    bench.tell(Input::OurAddresses(vec![addr("/ip4/8.8.8.8/tcp/1")]));
    bench.tell(Input::Keep(addr("/ip4/8.8.8.8/tcp/1")));
    bench.hear(1, &["/ip4/8.8.8.8/tcp/1"]);
    bench.pass(60_000);
    assert!(bench.dials.is_empty());
    assert!(bench.links()[0].detail.as_deref().is_some_and(|text| text.contains("itself")));
    bench.tell(Input::OurAddresses(vec![addr("/ip4/8.8.8.8/tcp/2")]));
    let (ticket, ..) = bench.dial();
    bench.tell(Input::Dialed { ticket, result: Ok(id(0)) });
    bench.pass(BOOK_RECHECK_MS);
    let (_, peer, ..) = bench.dial();
    assert_eq!(peer, Some(id(1)), "the address is somebody else's now");
}

#[test]
fn sleep_and_a_persons_wish_end_all_pauses() {
    let mut bench = Bench::new(NATIVE);
    bench.tell(Input::Keep(named("/ip4/8.8.8.8/tcp/1", 1)));
    for _ in 0..5 {
        let (ticket, ..) = bench.dial();
        bench.fail(ticket);
        bench.tell(Input::RetryNow);
    }
    let (ticket, ..) = bench.dial();
    bench.fail(ticket);
    bench.hear(2, &["/ip4/9.9.9.9/tcp/1"]);
    for _ in 0..8 {
        let (ticket, ..) = bench.dials.pop().expect("a dial");
        bench.fail(ticket);
        if bench.dials.is_empty() {
            bench.tell(Input::RetryNow);
        }
    }
    while let Some((ticket, ..)) = bench.dials.pop() {
        bench.fail(ticket);
    }
    // The computer sleeps for an hour: the clock jumps, no wake came in between.
    bench.ms += 3_600_000;
    bench.machine.tick(bench.now());
    bench.drain();
    assert_eq!(bench.dials.len(), 2);
}

#[test]
fn two_browsers_meet_over_their_relay() {
    let mut bench = Bench::new(BROWSER);
    // What a browser announces before we know the relay: nothing to dial.
    let told = format!("{RTC}/p2p/{}/p2p-circuit/webrtc/p2p/{}", id(1), id(2));
    bench.hear(2, &[&told]);
    assert!(bench.dials.is_empty());
    bench.connect(1, 1, WS);
    let (ticket, peer, addrs, even) = bench.dial();
    assert_eq!((peer, even), (Some(id(2)), false));
    assert_eq!(addrs, [addr(&format!("{WS}/p2p/{}/p2p-circuit", id(1)))], "over our own path");
    bench.connect(2, 2, &format!("{WS}/p2p/{}/p2p-circuit", id(1)));
    bench.tell(Input::Dialed { ticket, result: Ok(id(2)) });
    // Connected: hearing of it again changes nothing.
    for _ in 0..20 {
        bench.pass(10_000);
        bench.hear(2, &[&told]);
    }
    assert!(bench.dials.is_empty());
    // The circuit ends: a new one after a pause.
    bench.close(2, 2);
    assert!(bench.dials.is_empty());
    bench.pass(1_000);
    bench.dial();
}

#[test]
fn an_inbound_circuit_stops_us_from_dialling_back() {
    let mut bench = Bench::new(BROWSER);
    bench.connect(1, 1, WS);
    let inbound = Input::Connected {
        peer: id(2),
        connection: 2,
        address: addr(&format!("{WS}/p2p/{}/p2p-circuit", id(1))),
        relayed: true,
        outbound: false,
    };
    bench.tell(inbound);
    bench.hear(2, &[&format!("{WS}/p2p/{}/p2p-circuit", id(1))]);
    bench.pass(600_000);
    assert!(bench.dials.is_empty());
}

#[test]
fn a_peer_that_came_to_us_while_we_waited_is_not_dialled() {
    let mut bench = Bench::new(NATIVE);
    bench.hear(2, &["/ip4/8.8.8.8/tcp/1"]);
    let (ticket, ..) = bench.dial();
    bench.fail(ticket);
    let (address, relayed, outbound) = (addr("/ip4/8.8.8.8/tcp/50000"), false, false);
    bench.tell(Input::Connected { peer: id(2), connection: 1, address, relayed, outbound });
    bench.pass(600_000);
    assert!(bench.dials.is_empty());
    bench.close(2, 1);
    bench.pass(1_000);
    bench.dial();
}

#[test]
fn a_browser_dials_only_what_it_can() {
    let mut bench = Bench::new(BROWSER);
    bench.hear(2, &["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/udp/1/quic-v1"]);
    assert!(bench.dials.is_empty());
    bench.hear(3, &["/ip4/8.8.8.8/tcp/1", "/ip4/8.8.8.8/tcp/2/ws", "/dns4/a.com/tcp/443/wss"]);
    let (_, peer, addrs, _) = bench.dial();
    assert_eq!((peer, addrs.len()), (Some(id(3)), 2));
}

#[test]
fn without_leave_no_private_host_is_dialled_on_hearsay() {
    let mut bench = Bench::new(Config { dial_private: false, ..NATIVE });
    bench.hear(2, &["/ip4/192.168.0.9/tcp/1", "/ip4/127.0.0.1/tcp/1"]);
    bench.pass(200_000);
    assert!(bench.dials.is_empty());
    bench.hear(3, &["/ip4/192.168.0.9/tcp/1", "/ip4/8.8.8.8/tcp/1"]);
    let (.., addrs, _) = bench.dial();
    assert_eq!(addrs, [addr("/ip4/8.8.8.8/tcp/1")]);
    bench.tell(Input::Keep(addr("/ip4/192.168.0.9/tcp/1")));
    assert_eq!(bench.dials.len(), 1, "what we are told to keep is dialled");
}

#[test]
fn hearsay_leaves_dials_for_links() {
    let mut bench = Bench::new(NATIVE);
    for n in 1..40 {
        bench.hear(n, &[&format!("/ip4/8.8.{n}.8/tcp/1")]);
    }
    assert_eq!(bench.dials.len(), DIALS_HEARD_MAX);
    bench.tell(Input::Keep(named("/ip4/9.9.9.9/tcp/1", 99)));
    assert_eq!(bench.dials.len(), DIALS_HEARD_MAX + 1);
}

#[test]
fn enough_peers_are_enough() {
    let mut bench = Bench::new(Config { outbound_wanted: 2, ..NATIVE });
    for n in 1..20 {
        bench.hear(n, &[&format!("/ip4/8.8.{n}.8/tcp/1")]);
    }
    for (connection, (ticket, peer, addrs, _)) in (0..).zip(std::mem::take(&mut bench.dials)) {
        let peer = peer.expect("named");
        let address = addrs[0].clone();
        let (relayed, outbound) = (false, true);
        bench.tell(Input::Connected { peer, connection, address, relayed, outbound });
        bench.tell(Input::Dialed { ticket, result: Ok(peer) });
    }
    bench.pass(600_000);
    assert!(bench.dials.is_empty());
    bench.close(1, 0);
    assert_eq!(bench.dials.len(), 1);
}

#[test]
fn announcements_are_judged_once_and_by_rule() {
    let mut bench = Bench::new(NATIVE);
    let announcement = |n: u8, at: &str| {
        Announcement { public_key: keys(n).public(), addrs: vec![addr(at)] }.encode()
    };
    let good = announcement(2, "/ip4/8.8.8.8/tcp/1");
    let arrive = |author: Option<u8>, data: &[u8]| Input::AnnouncementArrived {
        id: vec![1, 2],
        forwarder: id(1),
        over: Scope::Global,
        author: author.map(id),
        data: data.to_vec(),
    };
    let table = [
        (Some(2), good.clone(), Acceptance::Accept),
        (None, good.clone(), Acceptance::Reject),
        (Some(3), good.clone(), Acceptance::Ignore),
        (Some(4), b"\xff\xff nonsense".to_vec(), Acceptance::Ignore),
        (Some(5), vec![0; 100_000], Acceptance::Ignore),
        (Some(0), announcement(0, "/ip4/8.8.8.8/tcp/1"), Acceptance::Ignore),
        (Some(6), announcement(6, "/ip4/127.0.0.1/tcp/1"), Acceptance::Accept),
    ];
    for (author, data, expected) in table {
        bench.tell(arrive(author, &data));
        assert_eq!(bench.judgements(), [expected], "{author:?}");
    }
    assert_eq!(bench.machine.book().len(), 1, "only what may be dialled is kept");
    let (_, peer, ..) = bench.dial();
    assert_eq!(peer, Some(id(2)));
    let mut accepted = 1;
    for _ in 0..100 {
        bench.tell(arrive(Some(2), &good));
        accepted += bench.judgements().iter().filter(|a| **a == Acceptance::Accept).count();
    }
    assert_eq!(accepted, ANNOUNCER_BURST as usize);
}

#[test]
fn we_announce_at_once_then_in_rhythm_and_only_to_listeners() {
    let mut bench = Bench::new(BROWSER);
    bench.tell(Input::OurAddresses(vec![addr("/ip4/127.0.0.1/tcp/1"), addr("/ip4/8.8.8.8/tcp/1")]));
    bench.pass(60_000);
    assert!(bench.announcements().is_empty(), "nobody listens");
    bench.tell(Input::DiscoveryPeers(1));
    let told = bench.announcements();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].peer(), id(0));
    assert_eq!(told[0].addrs[0], named("/ip4/8.8.8.8/tcp/1", 0), "the widest first, with our id");
    for n in 2..50 {
        bench.tell(Input::DiscoveryPeers(n));
    }
    assert!(bench.announcements().is_empty());
    bench.pass(ANNOUNCE_GAP_MS);
    assert_eq!(bench.announcements().len(), 1, "newcomers hear us soon, but all at once");
    bench.pass(ANNOUNCE_EVERY_MS * 10);
    assert!((9..=11).contains(&bench.announcements().len()));
    bench.tell(Input::OurAddresses(vec![addr("/ip4/9.9.9.9/tcp/1")]));
    bench.pass(ANNOUNCE_GAP_MS);
    assert_eq!(bench.announcements().len(), 1, "a new address is news");
    bench.tell(Input::DiscoveryPeers(0));
    bench.pass(60_000);
    assert!(bench.announcements().is_empty());
    assert_eq!(bench.machine.next_wake(), None);
}

#[test]
fn the_book_comes_back_from_disk() {
    let mut bench = Bench::new(NATIVE);
    bench.hear(1, &["/ip4/8.8.8.8/tcp/1"]);
    bench.connect(1, 1, "/ip4/8.8.8.8/tcp/1");
    let saved = |output: &Output| match output {
        Output::Save(entry) => Some(entry.clone()),
        Output::Dial { .. }
        | Output::Announce(_)
        | Output::Judge { .. }
        | Output::Forget(_)
        | Output::LinksChanged => None,
    };
    let saved = bench.other.iter().filter_map(saved).next_back().expect("saved");
    assert_ne!(saved.reached_unix_ms, 0);
    let ours = BookEntry { peer: id(0), ..saved.clone() };
    let mut again = Bench::new(NATIVE);
    again.tell(Input::Loaded(vec![saved, ours]));
    let (_, peer, ..) = again.dial();
    assert_eq!(peer, Some(id(1)));
}

#[test]
fn health_in_words() {
    let mut bench = Bench::new(NATIVE);
    let (health, reason) = bench.machine.health();
    assert_eq!(health, Health::Offline);
    assert!(reason.contains("no address to keep"));
    bench.hear(1, &["/ip4/8.8.8.8/tcp/1"]);
    assert_eq!(bench.health(), Health::Connecting);
    let circuit = format!("/ip4/9.9.9.9/tcp/1/p2p/{}/p2p-circuit", id(2));
    bench.connect(3, 1, &circuit);
    assert_eq!(
        bench.machine.health(),
        (Health::Degraded, "Every peer is reached through a relay.".to_owned())
    );
    bench.connect(1, 2, "/ip4/8.8.8.8/tcp/1");
    assert_eq!(bench.machine.health(), (Health::Connected, "Connected to 2 peers.".to_owned()));
    assert!(bench.other.contains(&Output::LinksChanged));
}

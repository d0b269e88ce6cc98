use std::collections::BTreeSet;

use libp2p_identity::Keypair;
use proptest::prelude::*;

use super::{Ask, Config, Found, Input, Miss, Output, Routing, RoutingError};
use crate::defence::scope::Scope;
use crate::limits::{
    PROVIDED_KEYS_MAX, QUERIES_MAX, QUERY_MS, RECORD_BYTES_MAX, RECORD_KEY_BYTES_MAX,
    REFRESH_EVERY_MS, TABLE_AWAY_MS, TABLE_PER_GROUP_MAX,
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

/// Peer 0's machine with its clock.
struct Bench {
    machine: Routing,
    ms: u64,
    admitted: Vec<(PeerId, Vec<Multiaddr>)>,
    expelled: Vec<PeerId>,
    queries: Vec<(u64, Ask)>,
    cancelled: Vec<u64>,
    answers: Vec<(u64, Result<Found, RoutingError>)>,
    heard: Vec<PeerId>,
}

impl Bench {
    fn new(exempt_private: bool) -> Self {
        Self {
            machine: Routing::new(id(0), Config { exempt_private }),
            ms: 0,
            admitted: vec![],
            expelled: vec![],
            queries: vec![],
            cancelled: vec![],
            answers: vec![],
            heard: vec![],
        }
    }

    fn now(&self) -> Now {
        Now::new(Mono::from_millis(self.ms), 0)
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Admit { peer, addrs } => self.admitted.push((peer, addrs)),
                Output::Expel { peer } => self.expelled.push(peer),
                Output::Query { query, ask } => self.queries.push((query, ask)),
                Output::Cancel { query } => self.cancelled.push(query),
                Output::Answer { ticket, result } => self.answers.push((ticket, result)),
                Output::Heard { peer, .. } => self.heard.push(peer),
            }
        }
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

    fn meet(&mut self, n: u8, addrs: &[&str], over: Scope) {
        let addrs = addrs.iter().map(|text| addr(text)).collect();
        self.tell(Input::Identified { peer: id(n), speaks_kad: true, addrs, over });
    }

    fn ask(&mut self, ticket: u64, ask: Ask) {
        self.tell(Input::Ask { ticket, ask });
    }

    fn answer(&mut self) -> (u64, Result<Found, RoutingError>) {
        assert_eq!(self.answers.len(), 1, "{:?}", self.answers);
        self.answers.remove(0)
    }
}

#[test]
fn only_servers_with_acceptable_addresses_are_admitted() {
    let mut bench = Bench::new(false);
    bench.meet(
        1,
        &["/ip4/8.8.8.8/tcp/1", "/ip4/10.0.0.1/tcp/1", "/ip4/8.8.8.8/tcp/0"],
        Scope::Global,
    );
    assert_eq!(bench.admitted, [(id(1), vec![addr("/ip4/8.8.8.8/tcp/1")])]);
    bench.meet(2, &["/ip4/127.0.0.1/tcp/1"], Scope::Global);
    bench.meet(0, &["/ip4/9.9.9.9/tcp/1"], Scope::Global);
    assert_eq!(bench.machine.table_len(), 1);
    // The same again is no news; other addresses are a fresh start.
    bench.meet(1, &["/ip4/8.8.8.8/tcp/1"], Scope::Global);
    assert_eq!((bench.admitted.len(), bench.expelled.len()), (1, 0));
    bench.meet(1, &["/ip4/8.8.8.8/tcp/2"], Scope::Global);
    assert_eq!((bench.admitted.len(), bench.expelled.len()), (2, 1));
    // It serves no longer.
    let addrs = vec![addr("/ip4/8.8.8.8/tcp/2")];
    let client = Input::Identified { peer: id(1), speaks_kad: false, addrs, over: Scope::Global };
    bench.tell(client);
    assert_eq!(bench.machine.table_len(), 0);
    assert_eq!(bench.expelled, [id(1), id(1)]);
}

#[test]
fn no_group_fills_the_table() {
    let mut bench = Bench::new(false);
    for n in 1..=20 {
        // A lone first address does not hide the group of the second.
        bench.meet(
            n,
            &[&format!("/ip4/7.7.{n}.7/tcp/1"), &format!("/ip4/8.8.8.{n}/tcp/1")],
            Scope::Global,
        );
    }
    assert_eq!(bench.machine.table_len(), TABLE_PER_GROUP_MAX);
    // A peer that left makes room at once for one that is here.
    bench.tell(Input::Gone { peer: id(1) });
    bench.meet(30, &["/ip4/8.8.8.30/tcp/1"], Scope::Global);
    assert_eq!(bench.expelled, [id(1)]);
    assert_eq!(bench.machine.table_len(), TABLE_PER_GROUP_MAX);
    let mut lan = Bench::new(true);
    let mut host = Bench::new(false);
    for n in 1..=20 {
        lan.meet(n, &[&format!("/ip4/10.0.0.{n}/tcp/1")], Scope::Private);
        host.meet(n, &[&format!("/ip4/127.0.0.1/tcp/{n}")], Scope::Loopback);
    }
    assert_eq!((lan.machine.table_len(), host.machine.table_len()), (20, 20));
}

#[test]
fn a_peer_that_stays_away_leaves_and_one_that_returns_stays() {
    let mut bench = Bench::new(false);
    bench.meet(1, &["/ip4/8.8.8.8/tcp/1"], Scope::Global);
    bench.meet(2, &["/ip4/9.9.9.9/tcp/1"], Scope::Global);
    bench.tell(Input::Gone { peer: id(1) });
    bench.tell(Input::Gone { peer: id(2) });
    bench.pass(TABLE_AWAY_MS - 1);
    bench.meet(2, &["/ip4/9.9.9.9/tcp/1"], Scope::Global);
    assert!(bench.expelled.is_empty());
    bench.pass(TABLE_AWAY_MS);
    assert_eq!(bench.expelled, [id(1)]);
}

#[test]
fn a_peer_that_returns_is_told_to_kademlia_again() {
    let mut bench = Bench::new(false);
    let meet = |bench: &mut Bench| bench.meet(1, &["/ip4/8.8.8.8/tcp/1"], Scope::Global);
    meet(&mut bench);
    bench.tell(Input::Gone { peer: id(1) });
    // Kademlia may have dropped it after a dial of its own that failed.
    meet(&mut bench);
    assert_eq!((bench.admitted.len(), bench.expelled.len()), (2, 0));
    meet(&mut bench);
    assert_eq!(bench.admitted.len(), 2);
}

#[test]
fn the_table_is_refreshed_first_and_then_in_rhythm() {
    let mut bench = Bench::new(false);
    bench.pass(REFRESH_EVERY_MS * 3);
    assert!(bench.queries.is_empty());
    bench.meet(1, &["/ip4/8.8.8.8/tcp/1"], Scope::Global);
    let (query, ask) = bench.queries.pop().expect("a refresh");
    assert_eq!(ask, Ask::Refresh);
    let peers = vec![(id(2), vec![addr("/ip4/9.9.9.9/tcp/1")]), (id(3), vec![])];
    bench.tell(Input::Done { query, result: Ok(Found::Refreshed { peers }) });
    assert_eq!(bench.heard, [id(2)]);
    assert!(bench.answers.is_empty(), "nobody asked");
    bench.pass(REFRESH_EVERY_MS * 3);
    assert_eq!(bench.queries.len(), 3);
}

#[test]
fn asks_are_answered() {
    let mut bench = Bench::new(false);
    bench.meet(1, &["/ip4/8.8.8.8/tcp/1"], Scope::Global);
    bench.queries.clear();
    let value = Found::Value { key: vec![1], value: vec![2], publisher: None };
    let table = [
        (Ask::Get(vec![1]), Ok(value.clone()), Ok(value)),
        (Ask::Put { key: vec![1], value: vec![2] }, Ok(Found::Stored), Ok(Found::Stored)),
        (Ask::Provide(vec![1]), Ok(Found::Provided), Ok(Found::Provided)),
        (Ask::FindProviders(vec![1]), Ok(Found::Providers(vec![])), Ok(Found::Providers(vec![]))),
        (
            Ask::FindPeer(id(5)),
            Ok(Found::Peer { peer: id(5), addrs: vec![] }),
            Err(RoutingError::NotFound),
        ),
        (Ask::Get(vec![1]), Err(Miss::NotFound), Err(RoutingError::NotFound)),
        (
            Ask::Get(vec![1]),
            Err(Miss::Failed("no quorum".to_owned())),
            Err(RoutingError::Failed { reason: "no quorum".to_owned() }),
        ),
    ];
    for (ticket, (ask, result, expected)) in (100..).zip(table) {
        bench.ask(ticket, ask.clone());
        let (query, asked) = bench.queries.pop().expect("a query");
        assert_eq!(asked, ask);
        bench.tell(Input::Done { query, result: result.clone() });
        assert_eq!(bench.answer(), (ticket, expected));
        bench.tell(Input::Done { query, result });
        assert!(bench.answers.is_empty(), "a second result does nothing");
    }
    bench.ask(1, Ask::FindPeer(id(6)));
    let (query, _) = bench.queries.pop().expect("a query");
    let found = Found::Peer { peer: id(6), addrs: vec![addr("/ip4/1.1.1.1/tcp/1")] };
    bench.tell(Input::Done { query, result: Ok(found) });
    assert_eq!(bench.heard, [id(6)]);
}

#[test]
fn bad_asks_get_a_reason_and_no_query() {
    let mut bench = Bench::new(false);
    let long = vec![1; RECORD_KEY_BYTES_MAX + 1];
    let table = [
        (Ask::Get(vec![]), "DHT-005"),
        (Ask::Get(long.clone()), "DHT-005"),
        (Ask::Provide(long.clone()), "DHT-005"),
        (Ask::FindProviders(long.clone()), "DHT-005"),
        (Ask::Put { key: long, value: vec![] }, "DHT-005"),
        (Ask::Put { key: vec![1], value: vec![0; RECORD_BYTES_MAX + 1] }, "DHT-006"),
    ];
    for (ask, code) in table {
        bench.ask(1, ask);
        let (_, result) = bench.answer();
        let error = result.expect_err("refused");
        assert_eq!(error.code(), code);
        assert!(!error.hint().is_empty());
    }
    assert!(bench.queries.is_empty());
}

#[test]
fn provided_keys_are_bounded_and_failures_do_not_count() {
    let mut bench = Bench::new(false);
    let provide = |n: usize| Ask::Provide(n.to_be_bytes().to_vec());
    for n in 0..PROVIDED_KEYS_MAX + 10 {
        bench.ask(n as u64, provide(n));
        if let Some((query, _)) = bench.queries.pop() {
            let result =
                if n < 10 { Err(Miss::Failed("no".to_owned())) } else { Ok(Found::Provided) };
            bench.tell(Input::Done { query, result });
        }
    }
    assert_eq!(bench.answers.len(), PROVIDED_KEYS_MAX + 10);
    bench.answers.clear();
    bench.ask(1, provide(usize::MAX));
    assert_eq!(bench.answer(), (1, Err(RoutingError::TooManyProvided)));
    bench.ask(2, provide(20));
    assert_eq!(bench.queries.len(), 1, "one we provide already may be renewed");
}

#[test]
fn too_many_queries_and_too_slow_ones() {
    let mut bench = Bench::new(false);
    for n in 0..QUERIES_MAX {
        bench.ask(n as u64, Ask::Get(vec![1]));
    }
    bench.ask(999, Ask::Get(vec![1]));
    assert_eq!(bench.answer(), (999, Err(RoutingError::Busy)));
    bench.pass(QUERY_MS);
    assert_eq!(bench.cancelled.len(), QUERIES_MAX);
    assert_eq!(bench.answers.len(), QUERIES_MAX);
    assert!(bench.answers.iter().all(|(_, result)| *result == Err(RoutingError::TimedOut)));
    assert_eq!(bench.machine.queries_len(), 0);
    bench.answers.clear();
    bench.ask(1, Ask::Get(vec![1]));
    let (query, _) = bench.queries.pop().expect("a query");
    bench.tell(Input::Done { query, result: Err(Miss::Failed("no known peers".to_owned())) });
    assert_eq!(bench.answer(), (1, Err(RoutingError::Alone)));
}

proptest! {
    #[test]
    fn every_ask_gets_exactly_one_answer(
        steps in prop::collection::vec((0_u8..6, 1_u8..6, 1_u64..20_000), 1..200),
    ) {
        let mut bench = Bench::new(false);
        let mut asked = 0;
        for (what, n, ms) in steps {
            match what {
                0 | 1 => {
                    bench.ask(asked, Ask::Get(vec![n]));
                    asked += 1;
                }
                2 => bench.meet(n, &[&format!("/ip4/8.8.8.{n}/tcp/1")], Scope::Global),
                3 => bench.tell(Input::Gone { peer: id(n) }),
                4 => if let Some((query, _)) = bench.queries.pop() {
                    bench.tell(Input::Done { query, result: Err(Miss::Failed("no".to_owned())) });
                },
                _ => bench.pass(ms),
            }
            prop_assert!(bench.machine.queries_len() <= QUERIES_MAX);
            prop_assert!(bench.machine.table_len() <= TABLE_PER_GROUP_MAX);
        }
        bench.pass(QUERY_MS);
        let tickets: BTreeSet<u64> = bench.answers.iter().map(|(ticket, _)| *ticket).collect();
        prop_assert_eq!(tickets.len(), bench.answers.len());
        prop_assert_eq!(bench.answers.len() as u64, asked);
    }
}

use proptest::prelude::*;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::{Book, BookEntry, Change, Source, pause};
use crate::defence::scope::Scope;
use crate::limits::{
    ADDRESSES_MAX, BACKOFF_FIRST_MS, BACKOFF_PEER_MAX_MS, BOOK_ENTRY_BYTES_MAX, BOOK_FAILURES_MAX,
    BOOK_LIFE_MS, BOOK_MAX, BOOK_SAVE_EVERY_MS,
};
use crate::time::{Mono, Now};
use crate::{Multiaddr, PeerId};

const EPOCH: u64 = 1_700_000_000_000;

fn at(ms: u64) -> Now {
    Now::new(Mono::from_millis(ms), EPOCH + ms)
}

/// A peer made of a number.
fn id(n: u32) -> PeerId {
    let mut bytes = vec![0, 36, 8, 1, 18, 32];
    bytes.extend_from_slice(&n.to_be_bytes());
    bytes.resize(38, 7);
    PeerId::from_bytes(&bytes).expect("an identity multihash")
}

fn address(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

fn rng() -> SmallRng {
    SmallRng::seed_from_u64(1)
}

const ANNOUNCED: (Source, Scope) = (Source::Announcement, Scope::Global);

#[test]
fn hostile_peers_do_not_push_out_those_that_were_reached() {
    let mut book = Book::default();
    let good = id(u32::MAX);
    book.learn(at(0), good, &[address("/ip4/8.8.8.8/tcp/1")], ANNOUNCED);
    book.reached(at(0), &good);
    for n in 0..(BOOK_MAX as u32 + 500) {
        book.learn(at(1_000 + u64::from(n)), id(n), &[address("/ip4/9.9.9.9/tcp/1")], ANNOUNCED);
        assert!(book.len() <= BOOK_MAX);
    }
    assert_eq!(book.len(), BOOK_MAX);
    assert!(book.get(&good).is_some());
    let forgotten = book.take_changes().into_iter().filter(|c| matches!(c, Change::Forget(_)));
    assert_eq!(forgotten.count(), 501);
    assert_eq!(book.slots.len(), book.worst.len());
    assert_eq!(book.slots.len(), book.tried.len() + book.fresh.len());
    assert_eq!(book.due(at(1_000_000).mono), Some(good), "the proven peer has its turn first");
}

#[test]
fn failures_delay_and_at_last_forget() {
    let (mut book, mut rng) = (Book::default(), rng());
    book.learn(at(0), id(1), &[address("/ip4/8.8.8.8/tcp/1")], ANNOUNCED);
    let mut now = 0;
    for failed in 1..BOOK_FAILURES_MAX {
        assert_eq!(book.due(at(now).mono), Some(id(1)));
        book.engage(&id(1));
        assert_eq!(book.due(at(now).mono), None, "no second dial beside the first");
        book.failed(at(now), &id(1), &mut rng);
        let next = book.next_turn().expect("a turn").since(at(now).mono);
        let whole = (BACKOFF_FIRST_MS << (failed - 1)).min(BACKOFF_PEER_MAX_MS);
        assert!(next <= whole && next >= whole - whole / 4, "{failed}: {next}");
        now += next;
    }
    book.failed(at(now), &id(1), &mut rng);
    assert!(book.is_empty());
    assert!(book.take_changes().contains(&Change::Forget(id(1))));
}

#[test]
fn a_peer_once_reached_is_forgotten_by_age_only() {
    let (mut book, mut rng) = (Book::default(), rng());
    book.learn(at(0), id(1), &[address("/ip4/8.8.8.8/tcp/1")], ANNOUNCED);
    book.reached(at(0), &id(1));
    for n in 0..100 {
        book.failed(at(n), &id(1), &mut rng);
    }
    let turn = book.next_turn().expect("a turn");
    assert!(turn.since(at(99).mono) <= BACKOFF_PEER_MAX_MS);
    book.failed(at(BOOK_LIFE_MS + 1), &id(1), &mut rng);
    assert!(book.is_empty());
}

#[test]
fn own_words_replace_and_the_words_of_others_add() {
    let mut book = Book::default();
    let (lan, old, new) = (
        address("/ip4/10.0.0.1/tcp/1"),
        address("/ip4/8.8.8.8/tcp/1"),
        address("/ip4/8.8.8.8/tcp/2"),
    );
    let private = (Source::Identify, Scope::Private);
    assert!(book.learn(at(0), id(1), &[lan.clone(), old.clone()], private));
    assert!(book.learn(at(1), id(1), std::slice::from_ref(&new), ANNOUNCED));
    let addrs = |book: &Book| book.get(&id(1)).expect("known").addrs.clone();
    assert_eq!(addrs(&book), [new.clone(), lan.clone()], "the LAN address could not be repeated");
    let routing = (Source::Routing, Scope::Global);
    assert!(book.learn(at(2), id(1), std::slice::from_ref(&old), routing));
    assert_eq!(addrs(&book), [new.clone(), lan, old]);
    let many: Vec<_> = (1..100).map(|n| address(&format!("/ip4/7.7.7.7/tcp/{n}"))).collect();
    book.learn(at(3), id(1), &many, routing);
    assert_eq!(addrs(&book).len(), ADDRESSES_MAX);
    assert!(addrs(&book).contains(&new));
}

#[test]
fn only_own_words_bring_a_turn_forward() {
    let (mut book, mut rng) = (Book::default(), rng());
    book.learn(at(0), id(1), &[address("/ip4/8.8.8.8/tcp/1")], ANNOUNCED);
    book.failed(at(0), &id(1), &mut rng);
    let routing = (Source::Routing, Scope::Global);
    book.learn(at(1), id(1), &[address("/ip4/8.8.8.8/tcp/2")], routing);
    assert_eq!(book.due(at(1).mono), None);
    book.learn(at(2), id(1), &[address("/ip4/8.8.8.8/tcp/3")], ANNOUNCED);
    assert_eq!(book.due(at(2).mono), Some(id(1)));
}

#[test]
fn the_disk_is_written_when_it_matters() {
    let mut book = Book::default();
    let told = [address("/ip4/8.8.8.8/tcp/1")];
    let saves = |book: &mut Book| book.take_changes().len();
    book.learn(at(0), id(1), &told, ANNOUNCED);
    assert_eq!(saves(&mut book), 1);
    for n in 1..100 {
        book.learn(at(n * 10_000), id(1), &told, ANNOUNCED);
    }
    assert_eq!(saves(&mut book), 0, "repetition is not written");
    book.learn(at(BOOK_SAVE_EVERY_MS + 1), id(1), &told, ANNOUNCED);
    assert_eq!(saves(&mut book), 1);
    book.reached(at(BOOK_SAVE_EVERY_MS + 2), &id(1));
    assert_eq!(saves(&mut book), 1);
}

#[test]
fn loading_drops_what_is_too_old_and_repairs_a_clock_ahead() {
    let mut book = Book::default();
    let entry = |n, last_seen_unix_ms| BookEntry {
        peer: id(n),
        addrs: vec![address("/ip4/8.8.8.8/tcp/1")],
        source: Source::Identify,
        last_seen_unix_ms,
        reached_unix_ms: 1,
        failures: 3,
    };
    let now = Now::new(Mono::ZERO, EPOCH);
    book.load(
        now,
        vec![entry(1, EPOCH - BOOK_LIFE_MS - 1), entry(2, EPOCH - 5), entry(3, u64::MAX)],
    );
    assert_eq!(book.take_changes(), [Change::Forget(id(1))]);
    assert_eq!(book.get(&id(3)).map(|e| e.last_seen_unix_ms), Some(EPOCH));
    assert_eq!(book.len(), 2);
}

#[test]
fn entries_of_the_largest_size_fit_their_bound() {
    let name = format!("{}.{}.{}.com", "a".repeat(63), "b".repeat(63), "c".repeat(63));
    let long: String = format!("/dns4/{name}/tcp/1/tls/sni/{name}/ws");
    let entry = BookEntry {
        peer: id(1),
        addrs: vec![address(&long); ADDRESSES_MAX],
        source: Source::Invite,
        last_seen_unix_ms: u64::MAX,
        reached_unix_ms: u64::MAX,
        failures: u32::MAX,
    };
    let bytes = entry.encode();
    assert!(bytes.len() <= BOOK_ENTRY_BYTES_MAX);
    assert_eq!(BookEntry::decode(&bytes), Ok(entry.clone()));
    let mut nine = entry;
    nine.addrs.push(address("/ip4/1.1.1.1/tcp/1"));
    assert!(BookEntry::decode(&nine.encode()).is_err());
    assert!(BookEntry::decode(&vec![0; BOOK_ENTRY_BYTES_MAX + 1]).is_err());
    assert!(BookEntry::decode(&[]).is_err());
}

proptest! {
    #[test]
    fn entries_come_back_as_they_were(
        n in any::<u32>(),
        ports in prop::collection::vec(1_u16.., 0..=ADDRESSES_MAX),
        source in 0_usize..5,
        seen in any::<u64>(),
        reached in any::<u64>(),
        failures in any::<u32>(),
    ) {
        let sources =
            [Source::Mdns, Source::Announcement, Source::Identify, Source::Routing, Source::Invite];
        let entry = BookEntry {
            peer: id(n),
            addrs: ports.iter().map(|p| address(&format!("/ip4/1.2.3.4/tcp/{p}/ws"))).collect(),
            source: sources[source],
            last_seen_unix_ms: seen,
            reached_unix_ms: reached,
            failures,
        };
        prop_assert_eq!(BookEntry::decode(&entry.encode()), Ok(entry));
    }

    #[test]
    fn hostile_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        if let Ok(entry) = BookEntry::decode(&bytes) {
            prop_assert!(entry.addrs.len() <= ADDRESSES_MAX);
        }
    }

    #[test]
    fn damaged_entries_never_panic(at_byte in 0_usize..100, value in any::<u8>()) {
        let entry = BookEntry {
            peer: id(1),
            addrs: vec![address("/ip4/1.2.3.4/tcp/1"), address("/dns4/a.b/tcp/2/wss")],
            source: Source::Identify,
            last_seen_unix_ms: 1,
            reached_unix_ms: 2,
            failures: 3,
        };
        let mut bytes = entry.encode();
        let n = bytes.len();
        bytes[at_byte % n] = value;
        drop(BookEntry::decode(&bytes));
    }

    #[test]
    fn pauses_grow_and_stay_bounded(failures in any::<u32>(), most in 1_000_u64..1_000_000, seed in any::<u64>()) {
        let took = pause(failures, most, &mut SmallRng::seed_from_u64(seed));
        prop_assert!(took <= most);
        prop_assert!(took >= BACKOFF_FIRST_MS - BACKOFF_FIRST_MS / 4);
    }

    #[test]
    fn the_indexes_agree_with_the_table(ops in prop::collection::vec((0_u8..7, 0_u32..12), 1..200)) {
        let (mut book, mut rng) = (Book::default(), rng());
        for (step, (op, n)) in ops.into_iter().enumerate() {
            let now = at(step as u64 * 700);
            match op {
                0 | 1 => drop(book.learn(now, id(n), &[address("/ip4/8.8.8.8/tcp/1")], ANNOUNCED)),
                2 => book.engage(&id(n)),
                3 => book.failed(now, &id(n), &mut rng),
                4 => book.settle(now, &id(n), &mut rng),
                5 => book.reached(now, &id(n)),
                _ => book.hasten(now.mono, |_| true),
            }
            let idle = book.slots.values().filter(|slot| slot.idle).count();
            prop_assert_eq!(book.slots.len(), book.worst.len());
            prop_assert_eq!(idle, book.tried.len() + book.fresh.len());
        }
    }
}

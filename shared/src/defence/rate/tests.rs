use proptest::prelude::*;

use super::Buckets;
use crate::time::Mono;

fn at(ms: u64) -> Mono {
    Mono::from_millis(ms)
}

#[test]
fn starts_full_and_refills_at_its_rate() {
    let mut buckets = Buckets::new(4, 10, 3);
    assert!(buckets.take(at(0), 'a', 3));
    assert!(!buckets.take(at(0), 'a', 1));
    assert!(!buckets.take(at(99), 'a', 1), "a token takes 100 ms at 10/s");
    assert!(buckets.take(at(100), 'a', 1));
    assert!(!buckets.take(at(100), 'a', 1));
    assert!(buckets.take(at(10_000), 'a', 3), "never more than the burst");
    assert!(!buckets.take(at(10_000), 'a', 1));
}

#[test]
fn keys_do_not_share() {
    let mut buckets = Buckets::new(4, 1, 1);
    assert!(buckets.take(at(0), 'a', 1));
    assert!(buckets.take(at(0), 'b', 1));
    assert!(!buckets.take(at(0), 'a', 1));
}

#[test]
fn more_than_the_burst_never_passes_and_is_not_remembered() {
    let mut buckets = Buckets::new(4, 1, 5);
    assert!(!buckets.take(at(0), 'a', 6));
    assert!(buckets.is_empty());
    assert!(buckets.take(at(0), 'a', 0));
}

#[test]
fn a_clock_that_stands_or_goes_back_gives_nothing() {
    let mut buckets = Buckets::new(4, 1_000, 1);
    assert!(buckets.take(at(500), 'a', 1));
    assert!(!buckets.take(at(0), 'a', 1));
    assert!(!buckets.take(at(500), 'a', 1));
    assert!(buckets.take(at(501), 'a', 1));
}

#[test]
fn extreme_numbers_do_not_overflow() {
    let mut buckets = Buckets::new(usize::MAX, u32::MAX, u32::MAX);
    assert!(buckets.take(at(u64::MAX), 'a', u32::MAX));
    assert!(!buckets.take(at(u64::MAX), 'a', u32::MAX));
    let mut never = Buckets::new(0, 0, 1);
    assert!(never.take(at(0), 'a', 1));
    assert!(!never.take(at(u64::MAX), 'a', 1));
}

#[test]
fn at_capacity_the_emptiest_bucket_stays() {
    let mut buckets = Buckets::new(2, 1, 10);
    assert!(buckets.take(at(0), 'a', 10));
    assert!(buckets.take(at(0), 'b', 1));
    assert!(buckets.take(at(0), 'c', 1));
    assert_eq!(buckets.len(), 2);
    assert!(!buckets.take(at(0), 'a', 1), "the spent bucket was not forgotten");
}

proptest! {
    #[test]
    fn never_more_than_burst_and_rate(
        rate in 0_u32..2_000,
        burst in 0_u32..500,
        takes in prop::collection::vec((0_u64..400, 0_u32..50, 0_u8..3), 1..200),
    ) {
        let mut buckets = Buckets::new(8, rate, burst);
        let mut now = 0_u64;
        let mut history: Vec<(u8, u64, u64)> = Vec::new();
        for (pause, n, key) in takes {
            now += pause;
            if buckets.take(at(now), key, n) {
                history.push((key, now, u64::from(n)));
            }
        }
        for key in 0..3 {
            let mine: Vec<_> = history.iter().filter(|(k, ..)| *k == key).collect();
            for (first, (_, from, _)) in mine.iter().enumerate() {
                let mut sum = 0;
                for (_, to, n) in mine.iter().skip(first) {
                    sum += n;
                    let most = u64::from(burst) * 1_000 + (to - from) * u64::from(rate);
                    prop_assert!(sum * 1_000 <= most);
                }
            }
        }
    }

    #[test]
    fn what_is_within_the_rate_passes(rate in 1_u32..1_000, n in 1_usize..200) {
        let mut buckets = Buckets::new(8, rate, 1);
        let gap = 1_000_u64.div_ceil(u64::from(rate));
        for i in 0..n {
            prop_assert!(buckets.take(at(i as u64 * gap), 'a', 1));
        }
    }

    #[test]
    fn the_table_stays_bounded(keys in prop::collection::vec(any::<u16>(), 1..300)) {
        let mut buckets = Buckets::new(16, 1, 10);
        for (i, key) in keys.into_iter().enumerate() {
            buckets.take(at(i as u64), key, 1);
            prop_assert!(buckets.len() <= 16);
            prop_assert_eq!(buckets.full_at.len(), buckets.by_full_at.len());
        }
    }
}

use std::collections::BTreeSet;

use libp2p_identity::{Keypair, PeerId};
use proptest::prelude::*;

use super::*;

fn peer(seed: u8) -> PeerId {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap().public().to_peer_id()
}

#[test]
fn pairs_are_remembered_and_the_oldest_is_forgotten() {
    let mut seen = Seen::new(9);
    let (ada, bob) = (peer(1), peer(2));
    seen.insert(&ada, 0);
    assert!(seen.contains(&ada, 0));
    assert!(!seen.contains(&bob, 0) && !seen.contains(&ada, 1));
    for seqno in 1..SEEN_MAX as u64 {
        seen.insert(&ada, seqno);
        seen.insert(&ada, seqno);
    }
    assert!(seen.contains(&ada, 0));
    assert_eq!(seen.len(), SEEN_MAX);
    seen.insert(&bob, 0);
    assert!(!seen.contains(&ada, 0) && seen.contains(&ada, 1) && seen.contains(&bob, 0));
    assert_eq!(seen.len(), SEEN_MAX);
}

#[test]
fn a_window_at_its_edges() {
    let now = Mono::ZERO;
    let mut window = Window::starting(10_000, now);
    assert!(!window.admits(10_000));
    assert!(window.admits(10_000 - WINDOW + 1));
    assert!(!window.admits(10_000 - WINDOW), "out of sight: it may have been here");
    assert!(window.admits(u64::MAX));
    assert!(window.record(10_001, now));
    assert!(!window.record(9_999, now), "late, so not the newest");
    assert!(!window.admits(9_999));
    assert!(window.record(u64::MAX, now));
    assert!(!window.admits(u64::MAX) && !window.admits(10_001) && window.admits(u64::MAX - 1));
    let zero = Window::starting(0, now);
    assert!(!zero.admits(0) && zero.admits(1));
}

#[test]
fn posts_that_were_skipped_are_not_taken_for_those_a_window_before() {
    let mut window = Window::starting(0, Mono::ZERO);
    for counter in 1..WINDOW {
        assert!(window.record(counter, Mono::ZERO));
    }
    assert!(window.record(WINDOW + 100, Mono::ZERO));
    assert!((WINDOW..WINDOW + 100).all(|late| window.admits(late)));
    assert!((101..WINDOW).all(|old| !window.admits(old)));
    assert!(window.record(3 * WINDOW, Mono::ZERO));
    assert!((2 * WINDOW + 1..3 * WINDOW).all(|late| window.admits(late)));
}

#[test]
fn an_old_window_is_over() {
    let window = Window::starting(1, Mono::from_millis(5));
    assert!(!window.is_over(Mono::from_millis(5 + 2 * CLOCK_TOLERANCE_MS)));
    assert!(window.is_over(Mono::from_millis(6 + 2 * CLOCK_TOLERANCE_MS)));
}

proptest! {
    /// A window admits what a list of all counters so far admits.
    #[test]
    fn as_the_obvious_list(
        first: u64,
        steps in proptest::collection::vec(
            prop_oneof![
                6 => (-700_i64..200).boxed(),
                1 => (-2_000_i64..2_000).boxed(),
                1 => any::<i64>().boxed(),
            ],
            0..300,
        ),
    ) {
        let mut window = Window::starting(first, Mono::ZERO);
        let mut all = BTreeSet::from([first]);
        for step in steps {
            let highest = *all.last().unwrap();
            let counter = highest.saturating_add_signed(step);
            let visible = counter > highest || highest - counter < WINDOW;
            let fresh = visible && !all.contains(&counter);
            prop_assert_eq!(window.admits(counter), fresh);
            if fresh {
                prop_assert_eq!(window.record(counter, Mono::ZERO), counter > highest);
                all.insert(counter);
            }
        }
    }
}

use proptest::prelude::*;

use super::{BoundedMap, BoundedQueue};

#[test]
fn the_longest_untouched_entry_goes_first() {
    let mut map = BoundedMap::new(2);
    assert_eq!(map.insert("a", 1), None);
    assert_eq!(map.insert("b", 2), None);
    assert!(map.touch("a"));
    assert_eq!(map.insert("c", 3), Some(("b", 2)));
    assert_eq!(map.insert("a", 4), Some(("a", 1)));
    assert_eq!(map.get("c"), Some(&3), "reading does not touch");
    assert_eq!(map.insert("d", 5), Some(("c", 3)));
    assert_eq!(map.pop_oldest(), Some(("a", 4)));
    assert_eq!(map.remove("d"), Some(5));
    assert!(map.is_empty());
}

#[test]
fn nothing_fits_into_nothing() {
    let mut map = BoundedMap::new(0);
    assert_eq!(map.insert(1, 'x'), Some((1, 'x')));
    assert_eq!(BoundedQueue::new(0).push(1), Err(1));
}

#[test]
fn a_full_queue_hands_the_item_back() {
    let mut queue = BoundedQueue::new(2);
    assert_eq!((queue.push(1), queue.push(2), queue.push(3)), (Ok(()), Ok(()), Err(3)));
    assert_eq!((queue.pop(), queue.push(4), queue.peek()), (Some(1), Ok(()), Some(&2)));
    assert_eq!(queue.iter().copied().collect::<Vec<_>>(), [2, 4]);
}

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u32),
    Touch(u8),
    Remove(u8),
    Pop,
    RetainBelow(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..16_u8, any::<u32>()).prop_map(|(k, v)| Step::Insert(k, v)),
        2 => (0..16_u8).prop_map(Step::Touch),
        1 => (0..16_u8).prop_map(Step::Remove),
        1 => Just(Step::Pop),
        1 => (0..16_u8).prop_map(Step::RetainBelow),
    ]
}

proptest! {
    /// The map does what a plain list, kept from longest to last touched, does.
    #[test]
    fn as_the_obvious_list(capacity in 0..6_usize, steps in proptest::collection::vec(step(), 0..80)) {
        let mut map = BoundedMap::new(capacity);
        let mut list: Vec<(u8, u32)> = Vec::new();
        for step in steps {
            match step {
                Step::Insert(k, v) => {
                    let expected = if capacity == 0 {
                        Some((k, v))
                    } else {
                        let gone = match list.iter().position(|(key, _)| *key == k) {
                            Some(at) => Some(list.remove(at)),
                            None if list.len() == capacity => Some(list.remove(0)),
                            None => None,
                        };
                        list.push((k, v));
                        gone
                    };
                    prop_assert_eq!(map.insert(k, v), expected);
                }
                Step::Touch(k) => {
                    let at = list.iter().position(|(key, _)| *key == k);
                    prop_assert_eq!(map.touch(&k), at.is_some());
                    if let Some(at) = at {
                        let entry = list.remove(at);
                        list.push(entry);
                    }
                }
                Step::Remove(k) => {
                    let at = list.iter().position(|(key, _)| *key == k);
                    prop_assert_eq!(map.remove(&k), at.map(|at| list.remove(at).1));
                }
                Step::Pop => {
                    let first = (!list.is_empty()).then(|| list.remove(0));
                    prop_assert_eq!(map.pop_oldest(), first);
                }
                Step::RetainBelow(k) => {
                    map.retain(|key, _| *key < k);
                    list.retain(|(key, _)| *key < k);
                }
            }
            prop_assert!(map.len() <= capacity);
            prop_assert_eq!(map.by_age.len(), map.entries.len());
            let mut sorted = list.clone();
            sorted.sort_unstable();
            prop_assert_eq!(map.iter().map(|(k, v)| (*k, *v)).collect::<Vec<_>>(), sorted);
        }
    }
}

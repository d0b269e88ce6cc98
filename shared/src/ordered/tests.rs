use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::list::Map;
use super::set_list::Set;

#[derive(Clone, Debug)]
enum Step {
    Insert(u8, u16),
    Entry(u8, u16),
    Change(u8, u16),
    Remove(u8),
    PopFirst,
    RetainBelow(u8),
    Extend(Vec<(u8, u16)>),
    Clear,
}

fn step() -> impl Strategy<Value = Step> {
    let entries = proptest::collection::vec((0..24_u8, any::<u16>()), 0..8);
    prop_oneof![
        6 => (0..24_u8, any::<u16>()).prop_map(|(k, v)| Step::Insert(k, v)),
        3 => (0..24_u8, any::<u16>()).prop_map(|(k, v)| Step::Entry(k, v)),
        2 => (0..24_u8, any::<u16>()).prop_map(|(k, v)| Step::Change(k, v)),
        4 => (0..24_u8).prop_map(Step::Remove),
        1 => Just(Step::PopFirst),
        1 => (0..24_u8).prop_map(Step::RetainBelow),
        1 => entries.prop_map(Step::Extend),
        1 => Just(Step::Clear),
    ]
}

/// One step on a tree and on a list; both have to give the same back.
fn walk(tree: &mut BTreeMap<u8, u16>, list: &mut Map<u8, u16>, step: &Step) {
    match step {
        Step::Insert(key, value) => {
            assert_eq!(tree.insert(*key, *value), list.insert(*key, *value))
        }
        Step::Entry(key, add) => {
            let (one, other) = (tree.entry(*key).or_default(), list.entry(*key).or_default());
            assert_eq!(one, other);
            (*one, *other) = (one.wrapping_add(*add), other.wrapping_add(*add));
            assert_eq!(tree.entry(*key).or_insert(1), list.entry(*key).or_insert(1));
        }
        Step::Change(key, new) => {
            assert_eq!(tree.get(key), list.get(key));
            let (one, other) = (tree.get_mut(key), list.get_mut(key));
            assert_eq!(one, other);
            if let (Some(one), Some(other)) = (one, other) {
                (*one, *other) = (*new, *new);
            }
        }
        Step::Remove(key) => {
            assert_eq!(tree.contains_key(key), list.contains_key(key));
            assert_eq!(tree.remove_entry(key), list.remove_entry(key));
            assert_eq!(list.remove(key), None);
        }
        Step::PopFirst => assert_eq!(tree.pop_first(), list.pop_first()),
        Step::RetainBelow(limit) => {
            let keep = |key: &u8, value: &mut u16| {
                *value = value.rotate_left(1);
                key < limit
            };
            tree.retain(keep);
            list.retain(keep);
        }
        Step::Extend(entries) => {
            tree.extend(entries.iter().copied());
            list.extend(entries.iter().copied());
        }
        Step::Clear => {
            tree.clear();
            list.clear();
        }
    }
}

proptest! {
    #[test]
    fn a_list_does_what_a_tree_does(steps in proptest::collection::vec(step(), 0..120)) {
        let (mut tree, mut list) = (BTreeMap::new(), Map::new());
        for step in &steps {
            walk(&mut tree, &mut list, step);
            prop_assert!(tree.iter().eq(list.iter()), "{tree:?} {list:?}");
            prop_assert_eq!(tree.len(), list.len());
            prop_assert_eq!(tree.is_empty(), list.is_empty());
            prop_assert_eq!(tree.first_key_value(), list.first_key_value());
            prop_assert_eq!(tree.last_key_value(), list.last_key_value());
        }
        prop_assert!(tree.keys().rev().eq(list.keys().rev()));
        prop_assert!(tree.values().eq(list.values()));
        tree.values_mut().zip(list.values_mut()).for_each(|(one, other)| {
            (*one, *other) = (one.wrapping_mul(3), other.wrapping_mul(3));
        });
        tree.iter_mut().zip(&mut list).for_each(|(one, other)| {
            assert_eq!(one, other);
            (*one.1, *other.1) = (one.1.wrapping_add(1), other.1.wrapping_add(1));
        });
        prop_assert!(tree.clone().into_keys().eq(list.clone().into_keys()));
        prop_assert!(tree.clone().into_values().eq(list.clone().into_values()));
        prop_assert!(tree.iter().eq(&list));
        prop_assert!(tree.into_iter().eq(list));
    }

    #[test]
    fn sets_agree_too(
        members in proptest::collection::vec(0..32_u8, 0..40),
        gone in proptest::collection::vec(0..32_u8, 0..40),
        limit in 0..32_u8,
    ) {
        let (mut tree, mut list) = (BTreeSet::new(), Set::new());
        for member in &members {
            prop_assert_eq!(tree.insert(*member), list.insert(*member));
            prop_assert_eq!((tree.len(), tree.is_empty()), (list.len(), list.is_empty()));
        }
        let (all, all_list): (BTreeSet<_>, Set<_>) = (gone.iter().collect(), gone.iter().collect());
        prop_assert!(all.iter().eq(&all_list));
        for member in &gone {
            prop_assert_eq!(tree.contains(member), list.contains(member));
            prop_assert_eq!(tree.remove(member), list.remove(member));
        }
        prop_assert_eq!((tree.first(), tree.last()), (list.first(), list.last()));
        let (other, other_list) = (BTreeSet::from([1, 5, 9]), Set::from([9, 1, 5, 1]));
        prop_assert!(tree.difference(&other).eq(list.difference(&other_list)));
        tree.retain(|member| *member < limit);
        list.retain(|member| *member < limit);
        tree.extend([7, 3]);
        list.extend([7, 3]);
        prop_assert_eq!(tree.pop_first(), list.pop_first());
        prop_assert!(tree.into_iter().eq(list));
    }
}

#[test]
fn what_can_be_compared_compares_alike() {
    let lists = [Set::from([1, 2]), Set::from([1, 2, 3]), Set::from([0, 9])];
    let trees = [BTreeSet::from([1, 2]), BTreeSet::from([1, 2, 3]), BTreeSet::from([0, 9])];
    for (at, one) in lists.iter().enumerate() {
        for (other_at, other) in lists.iter().enumerate() {
            assert_eq!(one.cmp(other), trees[at].cmp(&trees[other_at]));
        }
    }
    assert_eq!(Map::from([(2, 'b'), (1, 'a')]), [(1, 'a'), (2, 'b')].into_iter().collect());
    assert_eq!((Map::<u8, u8>::default().len(), Set::<u8>::default().len()), (0, 0));
}

//! Collections that cannot grow past their capacity.
//! Invariant: `len() <= capacity()` at all times, and what is pushed out is handed back.
//! Not here: capacities; they live in `limits`.

use crate::ordered::BTreeMap;
use std::borrow::Borrow;
use std::collections::VecDeque;

/// An ordered map that forgets the entry that was longest untouched when a new key finds it full.
/// [`insert`](Self::insert), [`get_mut`](Self::get_mut) and [`touch`](Self::touch) touch an entry;
/// reading does not.
#[derive(Clone, Debug)]
pub struct BoundedMap<K, V> {
    entries: BTreeMap<K, Entry<V>>,
    by_age: BTreeMap<u64, K>,
    clock: u64,
    capacity: usize,
}

#[derive(Clone, Debug)]
struct Entry<V> {
    touched: u64,
    value: V,
}

impl<K: Ord + Clone, V> BoundedMap<K, V> {
    /// An empty map for at most `capacity` entries.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { entries: BTreeMap::new(), by_age: BTreeMap::new(), clock: 0, capacity }
    }

    /// Puts a value in and touches it. Gives back what had to go: the old value of the same key, or
    /// the entry longest untouched; with capacity 0 the new entry itself.
    pub fn insert(&mut self, key: K, value: V) -> Option<(K, V)> {
        if self.capacity == 0 {
            return Some((key, value));
        }
        let evicted = if self.entries.contains_key(&key) {
            self.remove(&key).map(|old| (key.clone(), old))
        } else if self.is_full() {
            self.pop_oldest()
        } else {
            None
        };
        let touched = self.next_age();
        self.by_age.insert(touched, key.clone());
        self.entries.insert(key, Entry { touched, value });
        evicted
    }

    /// The value, untouched.
    #[must_use]
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.entries.get(key).map(|entry| &entry.value)
    }

    /// The value, to change; touches it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let touched = self.next_age();
        let entry = self.entries.get_mut(key)?;
        if let Some(key) = self.by_age.remove(&entry.touched) {
            self.by_age.insert(touched, key);
        }
        entry.touched = touched;
        Some(&mut entry.value)
    }

    /// Touches an entry; whether there is one.
    pub fn touch<Q: Ord + ?Sized>(&mut self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.get_mut(key).is_some()
    }

    /// Whether the key is there.
    #[must_use]
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.entries.contains_key(key)
    }

    /// Takes a value out.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let entry = self.entries.remove(key)?;
        self.by_age.remove(&entry.touched);
        Some(entry.value)
    }

    /// Takes the entry out that was longest untouched.
    pub fn pop_oldest(&mut self) -> Option<(K, V)> {
        let (_, key) = self.by_age.pop_first()?;
        self.entries.remove_entry(&key).map(|(key, entry)| (key, entry.value))
    }

    /// Keeps the entries for which `keep` says so. Touches none.
    pub fn retain(&mut self, mut keep: impl FnMut(&K, &mut V) -> bool) {
        let by_age = &mut self.by_age;
        self.entries.retain(|key, entry| {
            let stays = keep(key, &mut entry.value);
            if !stays {
                by_age.remove(&entry.touched);
            }
            stays
        });
    }

    /// All entries, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.entries.iter().map(|(key, entry)| (key, &entry.value))
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.entries.keys()
    }

    /// All values, by key.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.values().map(|entry| &entry.value)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.clear();
        self.by_age.clear();
    }

    /// How many entries there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// Whether the next new key pushes one out.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() >= self.capacity
    }

    /// How many entries there can be.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }

    fn next_age(&mut self) -> u64 {
        // One step for each touch: 2^64 touches do not happen in the life of a process.
        self.clock = self.clock.saturating_add(1);
        self.clock
    }
}

/// A queue, first in, first out, that refuses when it is full.
#[derive(Clone, Debug)]
pub struct BoundedQueue<T> {
    items: VecDeque<T>,
    capacity: usize,
}

impl<T> BoundedQueue<T> {
    /// An empty queue for at most `capacity` items.
    #[must_use]
    pub const fn new(capacity: usize) -> Self {
        Self { items: VecDeque::new(), capacity }
    }

    /// Puts an item at the end.
    ///
    /// # Errors
    /// The item, when the queue is full.
    pub fn push(&mut self, item: T) -> Result<(), T> {
        if self.is_full() {
            return Err(item);
        }
        self.items.push_back(item);
        Ok(())
    }

    /// Takes the first item out.
    pub fn pop(&mut self) -> Option<T> {
        self.items.pop_front()
    }

    /// The first item.
    #[must_use]
    pub fn peek(&self) -> Option<&T> {
        self.items.front()
    }

    /// All items, first to last.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.items.iter()
    }

    /// How many items wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Whether the next push is refused.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.items.len() >= self.capacity
    }

    /// How many items can wait.
    #[must_use]
    pub const fn capacity(&self) -> usize {
        self.capacity
    }
}

#[cfg(test)]
mod tests;

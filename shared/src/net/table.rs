//! What is known of open connections, by id.
//! Invariant: sorted by id, each id once; ids rise, so a new one is mostly put at the end.
//! Not here: what is known.

use libp2p::swarm::ConnectionId;

/// A table in one piece of memory. A tree of each kind of entry costs 8 KB of the browser's module, and
/// there are some hundred connections at most.
#[derive(Debug)]
pub(super) struct Table<T>(Vec<(ConnectionId, T)>);

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Table<T> {
    fn place(&self, id: ConnectionId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(known, _)| *known)
    }

    pub(super) fn get(&self, id: ConnectionId) -> Option<&T> {
        self.0.get(self.place(id).ok()?).map(|(_, entry)| entry)
    }

    pub(super) fn get_mut(&mut self, id: ConnectionId) -> Option<&mut T> {
        let place = self.place(id).ok()?;
        self.0.get_mut(place).map(|(_, entry)| entry)
    }

    /// Puts an entry in, in place of the one that was there.
    pub(super) fn insert(&mut self, id: ConnectionId, entry: T) {
        match self.place(id) {
            Ok(place) => {
                if let Some(known) = self.0.get_mut(place) {
                    known.1 = entry;
                }
            }
            Err(place) => self.0.insert(place, (id, entry)),
        }
    }

    pub(super) fn remove(&mut self, id: ConnectionId) -> Option<T> {
        let place = self.place(id).ok()?;
        Some(self.0.remove(place).1)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ConnectionId, &T)> {
        self.0.iter().map(|(id, entry)| (*id, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_found_whatever_the_order_they_came_in() {
        let mut table = Table::default();
        let id = ConnectionId::new_unchecked;
        for n in [5, 1, 3, 4, 2, 3] {
            table.insert(id(n), n * 10);
        }
        assert_eq!(table.iter().map(|(_, n)| *n).collect::<Vec<_>>(), [10, 20, 30, 40, 50]);
        assert_eq!((table.get(id(4)), table.get(id(6))), (Some(&40), None));
        *table.get_mut(id(2)).expect("there") = 7;
        assert_eq!((table.remove(id(2)), table.remove(id(2))), (Some(7), None));
        assert_eq!(table.iter().count(), 4);
    }
}

//! Things by channel, in the order of the channels' numbers.
//! Invariant: one thing for a channel. A list, because channels are few, and every map that a page
//! loads costs kilobytes.
//! Not here: how many there may be (whoever adds them).

use crate::backend::ChannelId;

/// See the module's text.
#[derive(Debug)]
pub(crate) struct ById<T>(Vec<(ChannelId, T)>);

impl<T> Default for ById<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> ById<T> {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn get(&self, id: ChannelId) -> Option<&T> {
        let at = self.place(id).ok()?;
        self.0.get(at).map(|(_, thing)| thing)
    }

    pub(crate) fn get_mut(&mut self, id: ChannelId) -> Option<&mut T> {
        let at = self.place(id).ok()?;
        self.0.get_mut(at).map(|(_, thing)| thing)
    }

    /// Adds one; a channel keeps the one that it has.
    pub(crate) fn insert(&mut self, id: ChannelId, thing: T) {
        if let Err(at) = self.place(id) {
            self.0.insert(at, (id, thing));
        }
    }

    pub(crate) fn remove(&mut self, id: ChannelId) -> Option<T> {
        let at = self.place(id).ok()?;
        Some(self.0.remove(at).1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ChannelId, &T)> {
        self.0.iter().map(|(id, thing)| (*id, thing))
    }

    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, thing)| thing)
    }

    #[cfg(all(feature = "browser", target_arch = "wasm32"))]
    pub(crate) fn retain(&mut self, keep: impl Fn(&T) -> bool) {
        self.0.retain(|(_, thing)| keep(thing));
    }

    #[cfg(all(feature = "browser", target_arch = "wasm32"))]
    pub(crate) fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_iter().map(|(_, thing)| thing)
    }

    fn place(&self, id: ChannelId) -> Result<usize, usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id)
    }
}

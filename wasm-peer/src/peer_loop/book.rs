//! The address book's place in IndexedDB: database `peerloom-book`, store `book`, key = PeerId.
//! Invariant: one write at a time, each with everything that has come up meanwhile; losing the book
//! costs a peer nothing but time, so no failure here is reported.
//! Not here: what is worth keeping (the discovery machine).

use std::pin::pin;
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{LocalBoxFuture, select};
use futures_timer::Delay;
use js_sys::{Array, Uint8Array};
use peerloom_shared::PeerId;
use peerloom_shared::defence::book::BookEntry;
use peerloom_shared::limits::{BOOK_MAX, STORAGE_MS};
use peerloom_shared::ordered::BTreeMap;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::IdbTransactionMode;

use crate::idb::{OpenError, Place, Store};

// A database of its own: a person may clear it without losing the identity.
const PLACE: Place = Place { database: "peerloom-book", version: 1, store: "book" };

/// Changes by peer; `None` forgets the peer.
type Changes = BTreeMap<PeerId, Option<Vec<u8>>>;

/// See the module's text.
#[derive(Default)]
pub(crate) struct Book {
    changes: Changes,
    writing: bool,
}

/// Work that the loop runs beside its own.
type Writing = LocalBoxFuture<'static, ()>;

impl Book {
    /// What is kept; empty when the browser's storage does not answer.
    pub(super) fn load(&self) -> LocalBoxFuture<'static, Vec<BookEntry>> {
        async {
            let loaded = pin!(entries());
            let deadline = Delay::new(Duration::from_millis(STORAGE_MS));
            match select(loaded, deadline).await {
                futures::future::Either::Left((entries, _)) => entries,
                futures::future::Either::Right(_) => Vec::new(),
            }
        }
        .boxed_local()
    }

    /// Keeps an entry. Work that is handed out must be run; then call [`Self::written`].
    pub(super) fn save(&mut self, entry: &BookEntry) -> Option<Writing> {
        self.changes.insert(entry.peer, Some(entry.encode()));
        self.next()
    }

    /// Drops a peer's entry, as [`Self::save`].
    pub(super) fn forget(&mut self, peer: PeerId) -> Option<Writing> {
        self.changes.insert(peer, None);
        self.next()
    }

    /// The work handed out last is done.
    pub(super) fn written(&mut self) -> Option<Writing> {
        self.writing = false;
        self.next()
    }

    fn next(&mut self) -> Option<Writing> {
        if self.writing || self.changes.is_empty() {
            return None;
        }
        self.writing = true;
        let changes = std::mem::take(&mut self.changes);
        let write = async move {
            let deadline = Delay::new(Duration::from_millis(STORAGE_MS));
            drop(select(pin!(write(changes)), deadline).await);
        };
        Some(write.boxed_local())
    }
}

async fn entries() -> Vec<BookEntry> {
    let Ok(store) = Store::open(PLACE).await else { return Vec::new() };
    let most = u32::try_from(BOOK_MAX).unwrap_or(u32::MAX);
    let all = store
        .run(IdbTransactionMode::Readonly, |store| {
            store.get_all_with_key_and_limit(&JsValue::UNDEFINED, most)
        })
        .await;
    let Ok((_, Ok(values))) = all else { return Vec::new() };
    let Ok(values) = values.dyn_into::<Array>() else { return Vec::new() };
    let bytes = values.iter().filter_map(|value| value.dyn_into::<Uint8Array>().ok());
    bytes.filter_map(|bytes| BookEntry::decode(&bytes.to_vec()).ok()).collect()
}

async fn write(changes: Changes) {
    let store = match Store::open(PLACE).await {
        Ok(store) => store,
        Err(OpenError::Refused(_) | OpenError::Newer) => return,
    };
    let written = store.run(IdbTransactionMode::Readwrite, |store| {
        let mut last = Err(JsValue::NULL);
        for (peer, entry) in changes {
            let key = JsValue::from(peer.to_string());
            last = Ok(match entry {
                Some(bytes) => store.put_with_key(&Uint8Array::from(bytes.as_slice()), &key)?,
                None => store.delete(&key)?,
            });
        }
        last
    });
    drop(written.await);
}

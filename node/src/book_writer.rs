//! Writes changes of the address book to disk, beside everything else.
//! Invariant: bounded; a change that finds no place is lost, and the next one of that peer repeats it.
//! Not here: the database (`store`), what is worth saving (the discovery machine).

use std::sync::Arc;

use peerloom_shared::PeerId;
use peerloom_shared::defence::book::BookEntry;
use peerloom_shared::limits::{BOOK_BATCH_MAX, BOOK_CHANGES_MAX};
use tokio::sync::mpsc;

use crate::store::{Change, Shelf, Store};

/// The writer's front. Cheap to clone.
#[derive(Clone, Debug)]
pub struct BookWriter(mpsc::Sender<Change>);

impl BookWriter {
    /// The front, and the work to be spawned. It ends, with everything written, when the last
    /// front is gone.
    pub fn new(store: Arc<Store>) -> (Self, impl Future<Output = ()> + Send + 'static) {
        let (sender, changes) = mpsc::channel(BOOK_CHANGES_MAX);
        (Self(sender), write(store, changes))
    }

    /// Saves an entry.
    pub fn save(&self, entry: &BookEntry) {
        self.offer(entry.peer, Some(entry.encode()));
    }

    /// Forgets a peer.
    pub fn forget(&self, peer: PeerId) {
        self.offer(peer, None);
    }

    fn offer(&self, peer: PeerId, value: Option<Vec<u8>>) {
        let change = Change { shelf: Shelf::Book, key: peer.to_bytes(), value };
        if self.0.try_send(change).is_err() {
            tracing::debug!("address book change lost: the disk is slow");
        }
    }
}

async fn write(store: Arc<Store>, mut changes: mpsc::Receiver<Change>) {
    let mut batch = Vec::new();
    while changes.recv_many(&mut batch, BOOK_BATCH_MAX).await > 0 {
        let (store, changes) = (Arc::clone(&store), std::mem::take(&mut batch));
        let written = tokio::task::spawn_blocking(move || store.change(&changes)).await;
        match written {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the address book was not written"),
            Err(error) => tracing::error!(%error, "the address book's writer broke"),
        }
    }
}

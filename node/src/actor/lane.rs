//! The reader's end of a lane: work from the Driver as a stream for an actor.
//! Invariant: what is taken is counted, so that a stall can be told from a flood.
//! Not here: the Driver's end (`peerloom_shared::net::work`).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures::{Stream, stream};
use peerloom_shared::net::work::Work;

/// What a lane looks like from outside.
#[derive(Clone, Debug)]
pub struct Gauge {
    taken: Arc<AtomicU64>,
    waiting: Arc<AtomicU64>,
    shed: Arc<AtomicU64>,
}

impl Gauge {
    /// Items taken so far.
    #[must_use]
    pub fn taken(&self) -> u64 {
        self.taken.load(Ordering::Relaxed)
    }

    /// Items that waited when an item was last offered or taken.
    #[must_use]
    pub fn waiting(&self) -> u64 {
        self.waiting.load(Ordering::Relaxed)
    }

    /// Items refused because the lane was full.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }
}

/// The items of a lane as a stream, with its gauge.
pub fn lane<T: 'static>(work: Work<T>) -> (impl Stream<Item = T> + 'static, Gauge) {
    let Work { mut receiver, shed, waiting } = work;
    let taken = Arc::<AtomicU64>::default();
    let gauge = Gauge { taken: Arc::clone(&taken), waiting: Arc::clone(&waiting), shed };
    let items = stream::poll_fn(move |cx| {
        let item = receiver.poll_recv(cx);
        if item.is_ready() {
            taken.fetch_add(1, Ordering::Relaxed);
            waiting.store(u64::try_from(receiver.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        item
    });
    (items, gauge)
}

//! The event stream: a bounded log of what happened, and its readers as Server-Sent Events.
//! Invariant: readers share one log, so a slow reader costs nothing and learns what it lost.
//! Not here: who makes the events, and how often a status is worth one.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::web::Bytes;
use futures::Stream;
use peerloom_shared::limits;
use peerloom_shared::view::PeerEvent;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Interval, MissedTickBehavior, interval_at};
use tokio_util::sync::CancellationToken;

/// One event as a reader gets it.
#[derive(Clone, Debug, PartialEq)]
pub struct Numbered {
    /// Its number since the start, rising by one; `None` for a status, which is the present and
    /// not history: the next one replaces it.
    pub number: Option<u64>,
    /// The event.
    pub event: PeerEvent,
}

/// An event and its JSON text, made once for all readers.
#[derive(Debug)]
struct Kept {
    item: Numbered,
    json: String,
}

/// The part of the log behind the lock.
#[derive(Debug)]
struct Ring {
    kept: VecDeque<Arc<Kept>>,
    bytes: usize,
    next_number: u64,
    status: Option<Arc<Kept>>,
    status_version: u64,
}

#[derive(Debug)]
struct Shared {
    boot: u64,
    ring: Mutex<Ring>,
    changed: watch::Sender<u64>,
}

/// The log of events. Clones are the same log.
///
/// Messages, arrivals and gaps are numbered and kept, at most [`limits::EVENTS_KEPT_MAX`] and
/// [`limits::EVENTS_KEPT_BYTES_MAX`]. Of the statuses only the newest is kept.
#[derive(Clone, Debug)]
pub struct EventLog {
    shared: Arc<Shared>,
}

impl EventLog {
    /// An empty log. `boot` must differ at each start of the node, for example its Unix time in
    /// ms: it tells a reader's place in this log from a place in an earlier one.
    pub fn new(boot: u64) -> Self {
        let ring = Ring {
            kept: VecDeque::new(),
            bytes: 0,
            next_number: 1,
            status: None,
            status_version: 0,
        };
        let (changed, _) = watch::channel(0);
        Self { shared: Arc::new(Shared { boot, ring: Mutex::new(ring), changed }) }
    }

    /// Adds an event and wakes the readers. Never waits for a reader.
    pub fn publish(&self, event: PeerEvent) {
        // Views are plain structs with string keys, which always have a JSON form.
        let json = serde_json::to_string(&event).unwrap_or_default();
        {
            let mut ring = self.ring();
            if matches!(event, PeerEvent::Status { .. }) {
                let item = Numbered { number: None, event };
                ring.status = Some(Arc::new(Kept { item, json }));
                ring.status_version = ring.status_version.wrapping_add(1);
            } else {
                ring.push(event, json);
            }
        }
        self.shared.changed.send_modify(|version| *version = version.wrapping_add(1));
    }

    /// A reader of what comes from now on, or after the place it names.
    ///
    /// The first event is the newest status, as soon as there is one. A place that is no longer
    /// kept, or of an earlier start, begins with a gap.
    pub fn read(&self, after: Option<EventId>) -> EventReader {
        let changed = self.shared.changed.subscribe();
        let ring = self.ring();
        let (next, restarted) = match after {
            None => (ring.next_number, false),
            Some(id) if id.boot != self.shared.boot => (1, true),
            // A number that was never given out is nobody's place: read from now on.
            Some(id) => (id.number.saturating_add(1).min(ring.next_number), false),
        };
        drop(ring);
        EventReader { log: self.clone(), changed, next, status_seen: 0, restarted }
    }

    /// The identifier of a numbered event: `<boot>-<number>`.
    pub fn id(&self, number: u64) -> EventId {
        EventId { boot: self.shared.boot, number }
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        // Nothing under this lock can panic half-way, so a poisoned ring is still whole.
        self.shared.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn push(&mut self, event: PeerEvent, json: String) {
        let number = self.next_number;
        self.next_number = number.saturating_add(1);
        self.bytes = self.bytes.saturating_add(json.len());
        let item = Numbered { number: Some(number), event };
        self.kept.push_back(Arc::new(Kept { item, json }));
        while self.kept.len() > limits::EVENTS_KEPT_MAX
            || self.bytes > limits::EVENTS_KEPT_BYTES_MAX
        {
            match self.kept.pop_front() {
                Some(old) => self.bytes = self.bytes.saturating_sub(old.json.len()),
                None => break,
            }
        }
    }

    /// The number of the oldest event that is still here.
    fn oldest(&self) -> u64 {
        let len = u64::try_from(self.kept.len()).unwrap_or(u64::MAX);
        self.next_number.saturating_sub(len)
    }

    fn at(&self, number: u64) -> Option<Arc<Kept>> {
        let index = usize::try_from(number.checked_sub(self.oldest())?).ok()?;
        self.kept.get(index).cloned()
    }
}

/// A place in the log of one start of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventId {
    boot: u64,
    number: u64,
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:x}-{}", self.boot, self.number)
    }
}

impl std::str::FromStr for EventId {
    type Err = BadEventId;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (boot, number) = text.split_once('-').ok_or(BadEventId)?;
        let boot = u64::from_str_radix(boot, 16).map_err(|_| BadEventId)?;
        let number = number.parse().map_err(|_| BadEventId)?;
        Ok(Self { boot, number })
    }
}

/// The text is not `<boot>-<number>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an event id looks like 18f3a-42")]
pub struct BadEventId;

/// One reader of the log.
#[derive(Debug)]
pub struct EventReader {
    log: EventLog,
    changed: watch::Receiver<u64>,
    next: u64,
    status_seen: u64,
    restarted: bool,
}

impl EventReader {
    /// The next event; waits for it. Dropping the future loses nothing.
    pub async fn next(&mut self) -> Numbered {
        self.next_kept().await.item.clone()
    }

    async fn next_kept(&mut self) -> Arc<Kept> {
        loop {
            self.changed.mark_unchanged();
            if let Some(kept) = self.take() {
                return kept;
            }
            if self.changed.changed().await.is_err() {
                // The sender lives in the log that this reader holds, so this cannot happen;
                // waiting for ever is then the truth.
                futures::future::pending::<()>().await;
            }
        }
    }

    fn take(&mut self) -> Option<Arc<Kept>> {
        let log = self.log.clone();
        let ring = log.ring();
        let oldest = ring.oldest();
        if self.restarted || self.next < oldest {
            let lost = oldest.saturating_sub(self.next);
            self.restarted = false;
            self.next = oldest;
            return Some(Arc::new(gap(lost, oldest.saturating_sub(1))));
        }
        // The status goes first: there are few of them, and under a flood of messages it is what
        // tells a person why.
        if self.status_seen != ring.status_version
            && let Some(status) = ring.status.clone()
        {
            self.status_seen = ring.status_version;
            return Some(status);
        }
        let kept = ring.at(self.next)?;
        self.next = self.next.saturating_add(1);
        Some(kept)
    }
}

fn gap(lost: u64, number: u64) -> Kept {
    let event = PeerEvent::Gap { lost };
    let json = serde_json::to_string(&event).unwrap_or_default();
    // It carries the number of the last lost event, so that a reader that breaks off right after
    // it comes back to the right place.
    Kept { item: Numbered { number: Some(number), event }, json }
}

/// What one HTTP response of the stream holds.
struct Feed {
    reader: EventReader,
    comments: Interval,
    stop: CancellationToken,
    _place: OwnedSemaphorePermit,
    greeted: bool,
}

/// The body of a `text/event-stream` response. It ends when the server stops.
pub(super) fn stream(
    reader: EventReader,
    stop: CancellationToken,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Bytes, Infallible>> {
    let every = Duration::from_millis(limits::EVENTS_COMMENT_MS);
    let mut comments = interval_at(tokio::time::Instant::now() + every, every);
    comments.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let feed = Feed { reader, comments, stop, _place: place, greeted: false };
    futures::stream::unfold(feed, |mut feed| async move {
        let text = feed.next().await?;
        Some((Ok(Bytes::from(text)), feed))
    })
}

impl Feed {
    async fn next(&mut self) -> Option<String> {
        if !self.greeted {
            // Sent at once, so that a client knows the stream is open before anything happens.
            self.greeted = true;
            return Some(": peerloom events\nretry: 1000\n\n".to_owned());
        }
        tokio::select! {
            biased;
            () = self.stop.cancelled() => None,
            kept = self.reader.next_kept() => {
                self.comments.reset();
                Some(frame(&self.reader.log, &kept))
            }
            _ = self.comments.tick() => Some(": still here\n\n".to_owned()),
        }
    }
}

fn frame(log: &EventLog, kept: &Kept) -> String {
    // JSON text has no line breaks, so one data line always holds it.
    match kept.item.number {
        Some(number) => format!("id: {}\ndata: {}\n\n", log.id(number), kept.json),
        None => format!("data: {}\n\n", kept.json),
    }
}

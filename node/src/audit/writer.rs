//! The one thread that writes the audit log.
//! Invariant: whatever the disk does, the thread goes on, counts what it could not write, and says so
//! in the log when it can again.
//! Not here: the form of lines (`entry`, `chain`), what is worth one (`Audit`).

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use peerloom_shared::limits::{AUDIT_QUEUE_MAX, AUDIT_SYNC_MS};

use super::chain::Head;
use super::log::{Bounds, Log, Recovery};
use super::{Entry, Shared, Why, unix_ms};

/// What the writer is told.
#[derive(Debug)]
pub(super) enum Order {
    /// A line, and when it happened, Unix time in ms.
    Write(u64, Box<Entry>),
    /// Everything that waits is to be written, and then no more.
    Stop,
}

/// The writer's state.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) folder: PathBuf,
    pub(super) bounds: Bounds,
    pub(super) orders: Receiver<Order>,
    pub(super) shared: Arc<Shared>,
    pub(super) log: Option<Log>,
    known: Option<Head>,
    found: Option<Recovery>,
    lost: u64,
    failing: bool,
    tried: Option<Instant>,
    looked: Instant,
    recent_written: Instant,
}

impl Writer {
    pub(super) fn new(folder: PathBuf, orders: Receiver<Order>, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self {
            folder,
            bounds: Bounds::default(),
            orders,
            shared,
            log: None,
            known: None,
            found: None,
            lost: 0,
            failing: false,
            tried: None,
            looked: now,
            recent_written: now,
        }
    }

    /// Writes until it is told to stop, or nobody can tell it anything any more.
    pub(super) fn run(mut self) {
        self.shared.recent.seed(&self.folder);
        self.settle();
        self.mark();
        while self.turn(Duration::from_millis(AUDIT_SYNC_MS)) {}
        self.end();
    }

    /// Waits for work, but not longer than that, and does it. Whether to go on.
    pub(super) fn turn(&mut self, patience: Duration) -> bool {
        let mut next = match self.orders.recv_timeout(patience) {
            Ok(order) => Some(order),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return false,
        };
        let mut goes_on = true;
        for _ in 0..AUDIT_QUEUE_MAX {
            match next {
                Some(Order::Write(at_ms, entry)) => self.put(at_ms, &entry),
                Some(Order::Stop) => goes_on = false,
                None => break,
            }
            next = self.orders.try_recv().ok();
        }
        if let Some(Order::Write(at_ms, entry)) = next {
            self.put(at_ms, &entry);
        }
        self.look(Instant::now());
        self.mark();
        goes_on && !self.shared.closed.load(Ordering::Acquire)
    }

    /// What is due once a second: counts, the sync, another try, and once a minute the decisions.
    fn look(&mut self, now: Instant) {
        if now.duration_since(self.looked) < Duration::from_millis(AUDIT_SYNC_MS) {
            return;
        }
        self.looked = now;
        self.put_counts(now, false);
        self.settle();
        if let Some(Err(error)) = self.log.as_mut().map(Log::sync) {
            self.fail(&error);
        }
        if now.duration_since(self.recent_written) >= self.shared.recent.rest() {
            self.recent_written = now;
            self.write_recent();
        }
    }

    fn end(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Write(at_ms, entry) => self.put(at_ms, &entry),
                Order::Stop => {}
            }
        }
        self.put_counts(Instant::now(), true);
        self.tried = None;
        self.settle();
        self.mark();
        if let Some(Err(error)) = self.log.as_mut().map(Log::sync) {
            self.fail(&error);
        }
        self.write_recent();
    }

    fn put_counts(&mut self, now: Instant, at_end: bool) {
        let counts = self.shared.limiter().sweep(now, at_end);
        for count in counts {
            self.put(unix_ms(), &count);
        }
    }

    fn write_recent(&mut self) {
        if let Err(error) = self.shared.recent.write(&self.folder) {
            tracing::warn!(%error, "the newest decisions were not written");
        }
    }

    /// Writes a line behind everything that has to be said before it.
    fn put(&mut self, at_ms: u64, entry: &Entry) {
        self.settle();
        if !self.append(at_ms, entry) {
            self.lost = self.lost.saturating_add(1);
            self.shared.metrics.count_audit_lost(Why::Disk.name(), 1);
        }
    }

    /// Opens the log where it is not open, and says in it what was found and what is missing.
    fn settle(&mut self) {
        if !self.opened() {
            return;
        }
        if let Some(found) = self.found.take()
            && !self.append(unix_ms(), &found.clone().into())
        {
            self.found = Some(found);
            return;
        }
        let lines = self.lost;
        if lines > 0 && self.append(unix_ms(), &Entry::Gap { lines, why: Why::Disk }) {
            self.lost = 0;
        }
        let lines = self.shared.dropped.swap(0, Ordering::AcqRel);
        if lines > 0 && !self.append(unix_ms(), &Entry::Gap { lines, why: Why::Queue }) {
            self.shared.dropped.fetch_add(lines, Ordering::AcqRel);
        }
    }

    fn opened(&mut self) -> bool {
        if self.log.is_some() {
            return true;
        }
        let pause = Duration::from_millis(AUDIT_SYNC_MS);
        let now = Instant::now();
        if self.tried.is_some_and(|tried| now.duration_since(tried) < pause) {
            return false;
        }
        self.tried = Some(now);
        match Log::open(&self.folder, self.bounds, self.known) {
            Ok((log, found)) => {
                self.log = Some(log);
                if let Some(found) = found {
                    tracing::warn!(?found, "the audit log was not ended cleanly");
                    self.found.get_or_insert(found);
                }
                true
            }
            Err(error) => {
                self.fail(&error);
                false
            }
        }
    }

    fn append(&mut self, at_ms: u64, entry: &Entry) -> bool {
        match self.log.as_mut().map(|log| log.append(at_ms, entry)) {
            None => false,
            Some(Ok(())) => {
                if std::mem::take(&mut self.failing) {
                    tracing::info!("the audit log is written again");
                }
                true
            }
            Some(Err(error)) => {
                self.fail(&error);
                false
            }
        }
    }

    fn mark(&mut self) {
        if let Some(Err(error)) = self.log.as_mut().map(Log::mark) {
            self.fail(&error);
        }
    }

    /// Gives the open file up, and says so once.
    fn fail(&mut self, error: &std::io::Error) {
        self.known = self.log.take().map(|log| log.head()).or(self.known);
        self.tried = Some(Instant::now());
        if !std::mem::replace(&mut self.failing, true) {
            tracing::error!(%error, "the audit log cannot be written; the node counts what it misses");
        }
    }

    /// As if a second had passed.
    #[cfg(test)]
    pub(super) fn look_again(&mut self) {
        self.look(self.looked + Duration::from_millis(AUDIT_SYNC_MS));
    }

    /// As if the pause after a failure were over.
    #[cfg(test)]
    pub(super) const fn try_again(&mut self) {
        self.tried = None;
    }
}

//! The audit log: who was denied what, who changed this node, which rules came and went.
//! Invariant: nothing here waits for a disk or for a queue but its own thread; what could not be written
//! is counted, and the count is written.
//! Not here: decisions (`peerloom_shared::policy`), ordinary logs (`telemetry`).

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use peerloom_shared::limits::AUDIT_QUEUE_MAX;
use peerloom_shared::net::judge::Auditor;
use peerloom_shared::policy::{Denial, Permit, Question, Subject};

use crate::admin::Metrics;
use crate::error::{Failure, codes};

mod chain;
mod check;
mod entry;
mod limiter;
mod log;
mod past;
mod recent;
mod show;
mod tail;
mod text;
mod writer;

pub use check::{Broken, CheckError, Whole, Wrong, check};
pub use entry::{Entry, GrantChange, GrantNote, Ref, Way, Why};
pub use past::PastDenial;
pub use recent::{Asked, AskedGrant, read as read_recent};
pub use show::{show, utc};
pub use tail::Tailing;

use limiter::{Key, Limiter, Say};
use recent::Recent;
use writer::{Order, Writer};

/// The audit log's front. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Audit {
    shared: Arc<Shared>,
    orders: SyncSender<Order>,
}

/// What the front and the writer both use.
#[derive(Debug)]
struct Shared {
    limiter: Mutex<Limiter>,
    recent: Recent,
    /// Lines that found the queue full and that no line tells of yet.
    dropped: AtomicU64,
    /// Denials so far, for their references.
    denials: AtomicU64,
    secret: [u8; 32],
    closed: AtomicBool,
    metrics: Metrics,
}

/// The thread that writes.
#[derive(Debug)]
pub struct Writing(JoinHandle<()>);

impl Writing {
    /// Waits until everything is written, after [`Audit::close`] or when the last front is gone.
    pub async fn ended(self) {
        let joined = tokio::task::spawn_blocking(move || self.0.join().is_ok()).await;
        if !joined.is_ok_and(|fine| fine) {
            tracing::error!("the audit log's writer broke");
        }
    }
}

impl Shared {
    fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Audit {
    /// Starts writing the log in a folder, which is made when there is work. A disk that cannot be
    /// written is no error here: the node lives on, and the log says later what it misses.
    ///
    /// # Errors
    /// When the system gives no random numbers or no thread.
    pub fn start(folder: PathBuf, metrics: Metrics) -> Result<(Self, Writing), Failure> {
        let (audit, writer) = Self::parts(folder, metrics)?;
        let thread = std::thread::Builder::new().name("audit".to_owned());
        let thread = thread
            .spawn(move || writer.run())
            .map_err(|error| Failure::new(&codes::NODE_004, format!("no thread: {error}")))?;
        Ok((audit, Writing(thread)))
    }

    fn parts(folder: PathBuf, metrics: Metrics) -> Result<(Self, Writer), Failure> {
        let mut secret = [0_u8; 32];
        getrandom::fill(&mut secret).map_err(|error| {
            let text = format!("the system gives no random numbers: {error}");
            Failure::new(&codes::NODE_004, text)
        })?;
        let shared = Arc::new(Shared {
            limiter: Mutex::new(Limiter::new()),
            recent: Recent::default(),
            dropped: AtomicU64::new(0),
            denials: AtomicU64::new(0),
            secret,
            closed: AtomicBool::new(false),
            metrics,
        });
        let (orders, waiting) = sync_channel(AUDIT_QUEUE_MAX);
        let writer = Writer::new(folder, waiting, Arc::clone(&shared));
        Ok((Self { shared, orders }, writer))
    }

    /// Notes a denial. Gives the reference of the line that it is in or counted with, which a remote may
    /// be told; `None` when there is no such line, because too many come at once.
    pub fn denied(&self, question: &Question<'_>, denial: &Denial) -> Option<Ref> {
        self.denied_at(Instant::now(), question, denial)
    }

    fn denied_at(&self, now: Instant, question: &Question<'_>, denial: &Denial) -> Option<Ref> {
        let number = self.shared.denials.fetch_add(1, Ordering::Relaxed);
        let reference = Ref::new(&self.shared.secret, number);
        let key = Key::of(question.subject, denial);
        let said = self.shared.limiter().note(key.clone(), now, reference);
        match said {
            Say::Line(before) => {
                if let Some(before) = before {
                    self.write(before);
                }
                if self.write(Entry::denied(question, denial, reference)) {
                    return Some(reference);
                }
                self.shared.limiter().forget(&key);
                None
            }
            Say::Count(reference) => {
                self.shared.metrics.count_audit_suppressed(1);
                Some(reference)
            }
            Say::Crowd => {
                self.shared.metrics.count_audit_suppressed(1);
                None
            }
        }
    }

    /// The reference of a denial that was noted within the last second or two, for those who hear of it
    /// after the judge.
    #[must_use]
    pub fn reference(&self, subject: &Subject, denial: &Denial) -> Option<Ref> {
        self.shared.limiter().reference(&Key::of(subject, denial))
    }

    /// Notes that something was asked of the control interface that changes the node: the method and the
    /// path, never what was sent.
    pub fn admin(&self, verb: &str, target: &str) {
        self.write(Entry::Admin { verb: text::words(verb), target: text::words(target) });
    }

    /// Notes that new rules are in force.
    pub fn reloaded(&self, epoch: u64) {
        self.write(Entry::Reloaded { epoch });
    }

    /// Notes that rules could not be read, with the code of the failure and what is wrong.
    pub fn reload_failed(&self, code: &str, why: &str) {
        let (code, text) = (text::words(code), text::sentence(why));
        self.write(Entry::ReloadFailed { code, text });
    }

    /// Notes that a grant was made or taken back.
    pub fn grant(&self, note: &GrantNote<'_>) {
        self.write(Entry::grant(note));
    }

    /// Ends the log: what waits is written, what comes later is not.
    pub fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        // Only to wake the writer: with a full queue it is awake.
        drop(self.orders.try_send(Order::Stop));
    }

    fn write(&self, entry: Entry) -> bool {
        let sent = self.orders.try_send(Order::Write(unix_ms(), Box::new(entry))).is_ok();
        if !sent {
            self.shared.dropped.fetch_add(1, Ordering::AcqRel);
            self.shared.metrics.count_audit_lost(Why::Queue.name(), 1);
        }
        sent
    }
}

impl Auditor for Audit {
    fn decided(&self, question: &Question<'_>, answer: Result<&Permit, &Denial>) {
        self.shared.recent.note(question, answer.is_ok());
        if let Err(denial) = answer {
            self.denied(question, denial);
        }
    }
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;

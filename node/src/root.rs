//! The root: builds the actors and the Driver, rebuilds all when one dies, ends all in order.
//! Invariant: lifetimes only; a restart runs the same code as the start, so no stale handle exists.
//! Not here: what any capability does.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use libp2p::PeerId;
use peerloom_shared::limits::{
    PANICS_MAX, QUARANTINE_MAX, QUARANTINE_MS, RESTART_WINDOW_MS, RESTARTS_MAX, STALL_MS, STOP_MS,
};
use peerloom_shared::net::{Driver, Exit};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::actor::Death;
use crate::boot::Boot;
use crate::error::Failure;
use crate::group::Group;

/// Why a node ended.
#[derive(Clone, Debug)]
pub enum End {
    /// It was asked to.
    Stopped,
    /// It broke too often in a short time.
    GaveUp,
    /// It could not be rebuilt.
    Failed(Failure),
}

/// The group in force, or none while it is being rebuilt.
pub type Current = watch::Sender<Option<Arc<Group>>>;

/// Keeps one group alive until `stop`.
pub struct Root {
    boot: Boot,
    current: Current,
    deaths: mpsc::Receiver<Death>,
    restarts: Window,
    panics: Window,
    quarantine: VecDeque<(PeerId, Instant)>,
}

impl std::fmt::Debug for Root {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Root").finish_non_exhaustive()
    }
}

/// Moments of the last restart window.
#[derive(Debug, Default)]
struct Window(VecDeque<Instant>);

impl Window {
    /// Notes one more and gives how many there were in the window.
    fn note(&mut self, now: Instant) -> usize {
        let window = Duration::from_millis(RESTART_WINDOW_MS);
        self.0.push_back(now);
        self.0.retain(|at| now.duration_since(*at) < window);
        self.0.len()
    }
}

/// Runs `work` on the runtime's threads. Root owns every task: it keeps the handle, or the work ends
/// with a token that Root holds.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn spawn<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    tokio::spawn(work)
}

impl Root {
    /// A root that has not built anything yet.
    #[must_use]
    pub fn new(boot: Boot, current: Current, deaths: mpsc::Receiver<Death>) -> Self {
        Self {
            boot,
            current,
            deaths,
            restarts: Window::default(),
            panics: Window::default(),
            quarantine: VecDeque::new(),
        }
    }

    /// Builds the first group and tells `ready` how that went, then keeps the node alive until
    /// `stop`. Must run on the actors' thread.
    pub async fn run(
        mut self,
        ready: tokio::sync::oneshot::Sender<Result<(), Failure>>,
        stop: CancellationToken,
    ) -> End {
        let mut life = match self.begin().await {
            Ok(life) => life,
            Err(failure) => {
                drop(ready.send(Err(failure.clone())));
                return End::Failed(failure);
            }
        };
        // Whoever started us may have left; the node runs all the same.
        drop(ready.send(Ok(())));
        loop {
            let death = tokio::select! {
                () = stop.cancelled() => {
                    self.finish(life).await;
                    return End::Stopped;
                }
                death = self.next_death(&mut life) => death,
            };
            if !self.may_go_on(&death) {
                self.tear_down(life).await;
                return End::GaveUp;
            }
            self.tear_down(life).await;
            life = match self.begin().await {
                Ok(life) => life,
                Err(failure) => return End::Failed(failure),
            };
        }
    }

    async fn begin(&mut self) -> Result<Life, Failure> {
        let (group, driver) = self.boot.build()?;
        let group = Arc::new(group);
        let stop = group.stop_net.clone();
        let driver = spawn(Driver::run(driver, async move { stop.cancelled().await }));
        let life = Life { group: Arc::clone(&group), driver, stalls: Vec::new() };
        if let Err(failure) = self.boot.settle(&group).await {
            self.tear_down(life).await;
            return Err(failure);
        }
        let now = Instant::now();
        self.quarantine.retain(|(_, until)| *until > now);
        for (peer, until) in &self.quarantine {
            let millis = until.duration_since(now).as_millis();
            let for_ms = u64::try_from(millis).unwrap_or(QUARANTINE_MS);
            drop(group.net.quarantine(*peer, for_ms).await);
        }
        self.current.send_replace(Some(group));
        Ok(life)
    }

    /// Waits until something dies or stalls.
    async fn next_death(&mut self, life: &mut Life) -> Death {
        let mut look = tokio::time::interval(Duration::from_millis(STALL_MS / 5));
        loop {
            tokio::select! {
                death = self.deaths.recv() => {
                    if let Some(death) = death {
                        return death;
                    }
                }
                _ = &mut life.driver => return Death { name: "driver", in_hand: None },
                _ = look.tick() => {
                    if let Some(name) = life.stalled() {
                        return Death { name, in_hand: None };
                    }
                }
            }
        }
    }

    /// Notes a death and says whether to rebuild.
    fn may_go_on(&mut self, death: &Death) -> bool {
        let now = Instant::now();
        let mut panics = self.panics.note(now);
        while self.deaths.try_recv().is_ok() {
            panics = self.panics.note(now);
        }
        let restarts = self.restarts.note(now);
        self.boot.metrics.count_restart(death.name);
        tracing::error!(actor = death.name, restarts, "a part died; all parts are rebuilt");
        if let Some(peer) = death.in_hand {
            if self.quarantine.len() >= QUARANTINE_MAX {
                self.quarantine.pop_front();
            }
            self.quarantine.push_back((peer, now + Duration::from_millis(QUARANTINE_MS)));
        }
        restarts < RESTARTS_MAX && panics < PANICS_MAX
    }

    /// Ends a life without manners: parts of it are dead.
    async fn tear_down(&self, life: Life) {
        self.current.send_replace(None);
        life.group.stop_actors.cancel();
        life.group.stop_net.cancel();
        life.driver.abort();
        // Aborted or dead: either way its sockets are closed when this returns.
        drop(life.driver.await);
    }

    /// Ends a life in order: rooms say goodbye, the Driver drains, the actors stop.
    async fn finish(&self, life: Life) {
        let orderly = async {
            self.boot.say_goodbye(&life.group).await;
            self.current.send_replace(None);
            life.group.stop_net.cancel();
            match life.driver.await {
                Ok(Exit::Stopped | Exit::Orphaned) => {}
                Err(error) => tracing::error!(%error, "the network broke while stopping"),
            }
            life.group.stop_actors.cancel();
        };
        if tokio::time::timeout(Duration::from_millis(STOP_MS), orderly).await.is_err() {
            tracing::warn!("stopped without waiting for everybody");
        }
    }
}

/// A group with its Driver's task.
struct Life {
    group: Arc<Group>,
    driver: JoinHandle<Exit>,
    stalls: Vec<(u64, Instant)>,
}

impl Life {
    /// The name of an actor whose lane is not empty and from which nothing was taken for too long.
    fn stalled(&mut self) -> Option<&'static str> {
        let now = Instant::now();
        let taken: Vec<_> = self.group.gauges.iter().map(|(_, gauge)| gauge.taken()).collect();
        if self.stalls.is_empty() {
            self.stalls = taken.iter().map(|taken| (*taken, now)).collect();
        }
        let seen = self.stalls.iter_mut().zip(taken).zip(&self.group.gauges);
        for (((before, since), taken), (name, gauge)) in seen {
            if *before != taken || gauge.waiting() == 0 {
                (*before, *since) = (taken, now);
            } else if now.duration_since(*since) >= Duration::from_millis(STALL_MS) {
                return Some(name);
            }
        }
        None
    }
}

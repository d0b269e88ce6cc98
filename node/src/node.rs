//! Starting and stopping a whole node.
//! Invariant: a start that fails leaves nothing running and nothing changed but new files.
//! Not here: the command line, signals.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use libp2p::identity::Keypair;
use peerloom_shared::grant::Key;
use peerloom_shared::limits::{ROOMS_MAX, STATUS_EVENT_MS};
use peerloom_shared::net::clock::Clock;
use peerloom_shared::policy::{Access, PolicySet};
use peerloom_shared::view::PeerEvent;
use peerloom_shared::wire::RoomName;
use peerloom_webrtc::backend::native::Certificate;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, AdminServer, AdminToken, EventLog, Metrics};
use crate::audit::{Audit, Writing};
use crate::book_writer::BookWriter;
use crate::boot::Boot;
use crate::config::CheckedConfig;
use crate::error::{Failure, NodeEnd, codes};
use crate::gauges::Gauges;
use crate::group::seed;
use crate::identity::keystore;
use crate::lock::DataLock;
use crate::node_handle::NodeHandle;
use crate::paths::DataFiles;
use crate::policy::PolicyError;
use crate::policy::folder::Wanted;
use crate::policy::keeper::{Keeper, Settings, Tellers};
use crate::pubsub::outlets::Inspect;
use crate::recent::Recent;
use crate::root::{End, Root, spawn};
use crate::store::Store;
use crate::watcher::Watcher;

/// What a started node tells about itself.
#[derive(Clone, Debug)]
pub struct Started {
    /// Its PeerId.
    pub id: String,
    /// Where the page is.
    pub page: String,
    /// Where it listens for peers.
    pub listen: Vec<String>,
    /// Its data folder.
    pub data_dir: PathBuf,
    /// What strangers get.
    pub access: Access,
    /// The file with the API's token.
    pub token_file: PathBuf,
}

/// What only programs that embed a node can set.
#[derive(Clone, Default)]
pub struct Options {
    /// Looks at every gossip message before the node does.
    pub inspect: Option<Inspect>,
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options").field("inspect", &self.inspect.is_some()).finish()
    }
}

/// A running node.
#[derive(Debug)]
pub struct Node {
    started: Started,
    handle: NodeHandle,
    end: watch::Receiver<Option<NodeEnd>>,
    _lock: DataLock,
}

impl Node {
    /// Starts a node. Must be called inside an actix system that runs on a multi-thread runtime: the
    /// actors live on the calling thread, connections on the others.
    ///
    /// # Errors
    /// Whatever keeps the node from working: its folder, keys, rules or addresses.
    pub async fn start(config: CheckedConfig) -> Result<Self, Failure> {
        Self::start_with(config, Options::default()).await
    }

    /// [`Node::start`] with options.
    ///
    /// # Errors
    /// As [`Node::start`].
    pub async fn start_with(config: CheckedConfig, options: Options) -> Result<Self, Failure> {
        let files = config.files();
        keystore::open_folder(&files)?;
        let lock = DataLock::take(&files)?;
        let keypair = keystore::identity_or_new(&files)?;
        let token = keystore::token_or_new(&config.token_file)?;
        let token = AdminToken::new(token.expose())
            .map_err(|e| Failure::new(&codes::KEY_003, e.to_string()))?;
        let store = Arc::new(Store::open(&files.store())?);
        let metrics = Metrics::new(env!("CARGO_PKG_VERSION"));
        let events = EventLog::new(seed()? >> 16);
        let (audit, auditing) = Audit::start(files.audit(), metrics.clone())?;
        let tellers =
            Tellers { metrics: metrics.clone(), events: events.clone(), audit: audit.clone() };
        let policy = policy(&config, &keypair, tellers)?;
        let rules_seen = policy.subscribe();
        let (book, writing) = BookWriter::new(Arc::clone(&store));
        let writer = spawn(writing);

        let writers = Writers { book: writer, audit: audit.clone(), auditing };
        let (notices, deaths) = mpsc::channel(ROOMS_MAX);
        let boot = Boot {
            certificate: certificate(&files)?,
            store,
            book,
            policy: Arc::new(policy),
            audit,
            events,
            recent: Recent::default(),
            watcher: Watcher::new(metrics.clone()),
            metrics,
            rooms: Arc::new(Mutex::new(rooms(&config)?)),
            name: Arc::new(Mutex::new(config.name.clone())),
            inspect: options.inspect,
            clock: Clock::default(),
            notices,
            keypair,
            config,
        };
        let (current, lives) = watch::channel(None);
        let stop = CancellationToken::new();
        let handle = handle(&boot, lives, rules_seen, stop.clone());
        let http = admin::serve(Arc::new(handle.clone()), boot.config.http, token)?;
        let page = http.page_url();
        let (ready, is_ready) = oneshot::channel();
        let root = Root::new(boot, current, deaths);
        let end = keep(root, http, ready, writers, stop);
        is_ready.await.map_err(|_| gone())??;
        spawn(tell_status(handle.clone()));
        let started = started(&handle, page);
        Ok(Self { started, handle, end, _lock: lock })
    }

    /// What the node tells about itself.
    #[must_use]
    pub fn started(&self) -> &Started {
        &self.started
    }

    /// A handle to use the node by.
    #[must_use]
    pub fn handle(&self) -> &NodeHandle {
        &self.handle
    }

    /// Waits until the node has ended.
    pub async fn wait(&self) -> NodeEnd {
        let mut end = self.end.clone();
        let ended = end.wait_for(Option::is_some).await;
        ended.map_or(None, |end| *end).unwrap_or(NodeEnd::Requested)
    }

    /// Stops the node and waits until it has ended.
    pub async fn stop(&self) {
        self.handle.stop.cancel();
        self.wait().await;
    }

    /// Reads the rules again and gives the epoch of the set in force.
    ///
    /// # Errors
    /// When the file is bad; the rules in force stay.
    pub async fn reload(&self) -> Result<u64, Failure> {
        self.handle.reload_rules().await
    }
}

fn gone() -> Failure {
    Failure::new(&codes::NODE_004, "a part of the node broke while it started")
}

/// What writes files beside everything else.
struct Writers {
    book: tokio::task::JoinHandle<()>,
    audit: Audit,
    auditing: Writing,
}

impl Writers {
    /// Waits until everything is written, after the root has ended.
    async fn ended(self) {
        // The writer ends when the last front of the book is gone, and that was the root's.
        if let Err(error) = self.book.await {
            tracing::error!(%error, "the address book's writer broke");
        }
        self.audit.close();
        self.auditing.ended().await;
    }
}

/// Runs the root and the admin server on the actors' thread until both have ended.
#[expect(clippy::disallowed_methods, reason = "the actors' thread; the end is watched")]
fn keep(
    root: Root,
    http: AdminServer,
    ready: oneshot::Sender<Result<(), Failure>>,
    writers: Writers,
    stop: CancellationToken,
) -> watch::Receiver<Option<NodeEnd>> {
    let (ended, end) = watch::channel(None);
    actix::spawn(async move {
        // The admin server closes first: nobody asks a node that is going.
        let stop_root = CancellationToken::new();
        let serving = async {
            http.run(stop.clone()).await;
            stop_root.cancel();
        };
        let living = async {
            let end = root.run(ready, stop_root.clone()).await;
            stop.cancel();
            end
        };
        let ((), end) = futures::join!(serving, living);
        writers.ended().await;
        ended.send_replace(Some(match end {
            End::Stopped => NodeEnd::Requested,
            End::GaveUp => NodeEnd::GaveUp,
            End::Failed(failure) => {
                tracing::error!(code = failure.id(), "{}", failure.message());
                NodeEnd::GaveUp
            }
        }));
    });
    end
}

fn handle(
    boot: &Boot,
    current: watch::Receiver<Option<Arc<crate::group::Group>>>,
    policy: watch::Receiver<Arc<PolicySet>>,
    stop: CancellationToken,
) -> NodeHandle {
    let public = boot.keypair.public();
    let raw = public.clone().try_into_ed25519().map(|key| key.to_bytes().to_vec());
    NodeHandle {
        id: public.to_peer_id(),
        public_key: raw.unwrap_or_else(|_| public.encode_protobuf()),
        config: Arc::new(boot.config.clone()),
        current,
        policy,
        audit: boot.audit.clone(),
        events: boot.events.clone(),
        recent: boot.recent.clone(),
        metrics: boot.metrics.clone(),
        gauges: Arc::new(Gauges::default()),
        rooms: Arc::clone(&boot.rooms),
        name: Arc::clone(&boot.name),
        clock: boot.clock,
        stop,
    }
}

fn started(handle: &NodeHandle, page: String) -> Started {
    let listen = handle.picture().map(|status| status.listen).unwrap_or_default();
    Started {
        id: handle.id.to_string(),
        page,
        listen,
        data_dir: handle.config.data_dir.clone(),
        access: handle.policy.borrow().access(),
        token_file: handle.config.token_file.clone(),
    }
}

fn rooms(config: &CheckedConfig) -> Result<BTreeSet<RoomName>, Failure> {
    config.rooms.iter().map(|room| Ok(room.parse::<RoomName>()?)).collect()
}

/// The policy, loaded for the first time. A bad one keeps the node from starting.
fn policy(
    config: &CheckedConfig,
    keypair: &Keypair,
    tellers: Tellers,
) -> Result<Keeper, PolicyError> {
    let settings = Settings {
        folder: config.files().policy(),
        wanted: Wanted { access: config.access, own: Key::of_peer(&keypair.public().to_peer_id()) },
        observe_until_ms: config.observe_until_ms,
    };
    Keeper::start(settings, tellers)
}

/// The certificate of the WebRTC listener, kept so that its hash in our addresses survives a restart.
fn certificate(files: &DataFiles) -> Result<Certificate, Failure> {
    let certificate = keystore::webrtc_certificate(
        files,
        || Certificate::generate().map(|fresh| fresh.to_pem()).map_err(|e| e.to_string()),
        |pem| Certificate::from_pem(pem).map_err(|e| e.to_string()),
    )?;
    Ok(certificate)
}

/// Tells readers of the event stream when the picture changes, a few times a second at most.
async fn tell_status(handle: NodeHandle) {
    let mut look = tokio::time::interval(Duration::from_millis(STATUS_EVENT_MS));
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut told = None;
    loop {
        tokio::select! {
            () = handle.stop.cancelled() => return,
            _ = look.tick() => {}
        }
        let Ok(mut status) = handle.picture() else { continue };
        // Time passes always; only the rest is worth an event.
        let uptime_ms = std::mem::take(&mut status.uptime_ms);
        let quiet = status.links.iter_mut().map(|link| link.retry_in_ms.take()).collect::<Vec<_>>();
        if told.as_ref() == Some(&status) {
            continue;
        }
        told = Some(status.clone());
        status.uptime_ms = uptime_ms;
        for (link, retry_in_ms) in status.links.iter_mut().zip(quiet) {
            link.retry_in_ms = retry_in_ms;
        }
        handle.events.publish(PeerEvent::Status { status });
    }
}

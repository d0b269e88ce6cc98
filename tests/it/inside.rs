//! Nodes and actors inside a test, where a process would be too far away to see or to break.
//! Invariant: what measures the whole process, or panics on purpose, has a process of its own.
//! Not here: nodes as processes (the library of this crate).

use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use peerloom_node::admin::NodeApi as _;
use peerloom_node::config::CheckedConfig;
use peerloom_node::error::NodeEnd;
use peerloom_node::{Node, NodeHandle, Options, Started};
use peerloom_shared::view::Status;
use peerloom_tests::command::Running;
use peerloom_tests::{PATIENCE, wait_until};
use tempfile::TempDir;

/// Names the one test that a process runs.
const ALONE: &str = "PEERLOOM_TEST_ALONE";

/// Whether this process was started for one test alone.
pub(crate) fn is_alone(test: &str) -> bool {
    std::env::var_os(ALONE).is_some_and(|name| name == test)
}

/// Runs `body` in a process of its own, by starting this test again there.
pub(crate) fn alone(test: &str, body: impl FnOnce()) {
    if is_alone(test) {
        return body();
    }
    let text = again(test, Command::new("env")).expect("the tests start");
    println!("{text}");
}

/// Runs a test again behind `runner`, a command that takes a program and its arguments at the end. What
/// it printed; `None` when the runner does not get so far.
pub(crate) fn again(test: &str, mut runner: Command) -> Option<String> {
    let log = tempfile::NamedTempFile::new().expect("a file");
    let append = || std::fs::File::options().append(true).open(log.path()).expect("the file");
    let child = runner
        .arg(std::env::current_exe().expect("the path of the tests"))
        .args([test, "--exact", "--nocapture"])
        .env(ALONE, test)
        .stdin(Stdio::null())
        .stdout(append())
        .stderr(append())
        .spawn()
        .ok()?;
    let status = Running(child).wait(PATIENCE * 4, "the end of the test");
    let text = std::fs::read(log.path()).expect("the file");
    let text = String::from_utf8_lossy(&text).into_owned();
    if !text.contains("running 1 test") {
        println!("{text}");
        return None;
    }
    assert!(status.success() && text.contains("test result: ok. 1 passed"), "{text}");
    Some(text)
}

/// Bytes of memory that this process holds, from `/proc/self/statm` (pages of 4 KiB).
pub(crate) fn resident_bytes() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.expect("a number of pages") * 4096
}

/// The present, Unix time in ms.
pub(crate) fn unix_ms() -> u64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the end of time")
}

fn prepare() {
    // As the program does; an error means that another test was first.
    drop(rustls::crypto::ring::default_provider().install_default());
}

pub(crate) fn runtime() -> tokio::runtime::Runtime {
    prepare();
    tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("threads")
}

/// Runs `work` where actors can be started: they live on this thread, tasks on others.
pub(crate) fn in_system<T>(work: impl Future<Output = T>) -> T {
    actix::System::with_tokio_rt(runtime).block_on(work)
}

/// Waits for what brings no event of its own.
pub(crate) async fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Settings of a node that listens on TCP on loopback, at the same port in every life.
pub(crate) fn config() -> (TempDir, CheckedConfig) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = CheckedConfig::for_data_dir(folder.path().join("data")).expect("settings");
    // An address of loopback that no other process uses, so that a free port stays free.
    let [.., high, low] = std::process::id().to_be_bytes();
    let ip = std::net::Ipv4Addr::new(127, 78, high, low.max(1));
    let free = std::net::TcpListener::bind((ip, 0)).expect("a port");
    let port = free.local_addr().expect("its address").port();
    let address = format!("/ip4/{ip}/tcp/{port}");
    config.listen = vec![address.parse().expect("an address")];
    config.http = ([127, 0, 0, 1], 0).into();
    config.mdns = false;
    (folder, config)
}

/// A node on a thread of its own.
pub(crate) struct Inside {
    pub(crate) handle: NodeHandle,
    pub(crate) started: Started,
    runtime: tokio::runtime::Handle,
    ends: Receiver<NodeEnd>,
    thread: Option<JoinHandle<()>>,
    _folder: TempDir,
}

impl Inside {
    pub(crate) fn start(options: Options) -> Self {
        Self::prepared(options, |_| ())
    }

    /// One whose settings, or what lies in its data folder, are not the usual ones.
    pub(crate) fn prepared(options: Options, prepare: impl FnOnce(&mut CheckedConfig)) -> Self {
        let (folder, mut config) = config();
        prepare(&mut config);
        let (tell, told) = sync_channel(1);
        let (tell_end, ends) = sync_channel(1);
        let thread = std::thread::spawn(move || {
            in_system(async move {
                let node = Node::start_with(config, options).await.expect("the node starts");
                let parts = (node.handle().clone(), node.started().clone());
                tell.send((parts, tokio::runtime::Handle::current())).expect("the test waits");
                tell_end.send(node.wait().await).unwrap_or_default();
            });
        });
        let ((handle, started), runtime) = told.recv_timeout(PATIENCE).expect("the node is up");
        Self { handle, started, runtime, ends, thread: Some(thread), _folder: folder }
    }

    /// Waits for an answer of the node.
    pub(crate) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    pub(crate) fn join(&self, room: &str) {
        self.wait(self.handle.join_room(room, None)).expect("joins");
    }

    /// Says something as soon as somebody is there to hear it.
    pub(crate) fn say(&self, room: &str, text: &str) {
        wait_until(PATIENCE, &format!("somebody to hear `{text}`"), || {
            match self.wait(self.handle.say(room, text.to_owned())) {
                Ok(_) => Some(()),
                Err(failure) if failure.retryable() => None,
                Err(failure) => panic!("{failure:?}"),
            }
        });
    }

    /// The texts that have arrived in a room.
    pub(crate) fn texts(&self, room: &str) -> Vec<String> {
        let messages = self.wait(self.handle.messages(room.to_owned(), 500)).expect("a room");
        messages.into_iter().map(|message| message.text).collect()
    }

    /// How often a text has arrived.
    pub(crate) fn count(&self, room: &str, text: &str) -> usize {
        self.texts(room).iter().filter(|known| *known == text).count()
    }

    /// Waits until the picture is as wanted. Between two lives there is none.
    pub(crate) fn picture<T>(&self, what: &str, look: impl Fn(&Status) -> Option<T>) -> T {
        wait_until(PATIENCE, what, || self.handle.picture().ok().and_then(|now| look(&now)))
    }

    pub(crate) fn wait_peer(&self, id: &str) {
        self.picture(&format!("connected to {id}"), |status| {
            status.peers.iter().any(|peer| peer.id == id).then_some(())
        });
    }

    /// The sum of a metric over its labels.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let text = self.handle.metrics_text();
        let lines = text.lines().filter(|line| line.starts_with(name));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }

    /// Waits until the node ends by itself.
    pub(crate) fn end(&self) -> NodeEnd {
        self.ends.recv_timeout(PATIENCE).expect("the node ends")
    }

    /// Whether it has ended.
    pub(crate) fn has_ended(&self) -> bool {
        self.ends.try_recv().is_ok()
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        self.handle.shutdown();
        if let Some(thread) = self.thread.take() {
            // A panic there was the test's subject, or has been reported.
            drop(thread.join());
        }
    }
}

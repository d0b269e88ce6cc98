//! One real node: the program, its announcement, its API.
//! Invariant: killed when dropped; its log is shown when the test fails.
//! Not here: how it is set up (`setup`).

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::mpsc::sync_channel;

use peerloom_shared::view::{Message, RoomInfo, Status, Transport};
use peerloom_shared::{Multiaddr, PeerId};
use serde::Deserialize;
use serde_json::{Value, json};
use ureq::Agent;

use crate::command::{self, Ran, Running};
use crate::{Events, PATIENCE, Setup, wait_until};

/// What `run --json` prints.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    schema: String,
    id: String,
    page: String,
    listen: Vec<String>,
    token_file: PathBuf,
}

/// A list of messages as the API gives it.
#[derive(Deserialize)]
struct Listed {
    messages: Vec<Message>,
}

/// A request that the API refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, such as `NET-104`.
    pub code: String,
    /// What happened.
    pub text: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

/// A running node.
#[derive(Debug)]
pub struct NodeProcess {
    setup: Setup,
    running: Running,
    started: Started,
    token: String,
    agent: Agent,
}

impl NodeProcess {
    pub(crate) fn start(setup: Setup) -> Self {
        let (running, started) = launch(&setup)
            .unwrap_or_else(|log| panic!("the node did not come up: {:?}\n{log}", setup.args()));
        let token = std::fs::read_to_string(&started.token_file).expect("a token");
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        Self { setup, running, started, token: token.trim().to_owned(), agent }
    }

    /// Its PeerId.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.started.id
    }

    /// Its PeerId, parsed.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.started.id.parse().expect("a PeerId")
    }

    /// The addresses it printed.
    #[must_use]
    pub fn listen(&self) -> &[String] {
        &self.started.listen
    }

    /// Its first address of a transport, with its PeerId.
    ///
    /// # Panics
    /// When it has none.
    #[must_use]
    pub fn address(&self, transport: Transport) -> String {
        let of = |text: &&String| Transport::of(&parse(text)) == transport;
        let found = self.started.listen.iter().find(of);
        found.unwrap_or_else(|| panic!("no {transport:?} in {:?}", self.started.listen)).clone()
    }

    /// Its data folder.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.setup.data_dir()
    }

    /// How it was set up; a clone keeps its folder after the node.
    #[must_use]
    pub const fn setup(&self) -> &Setup {
        &self.setup
    }

    /// Its process.
    pub const fn running(&mut self) -> &mut Running {
        &mut self.running
    }

    /// The number of its process.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.0.id()
    }

    /// What it logged.
    #[must_use]
    pub fn log(&self) -> String {
        read_log(&self.setup)
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Starts it again on the same ports, with the same folder and flags.
    ///
    /// # Panics
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.running.kill();
        self.setup.listen = self.started.listen.iter().map(|address| bindable(address)).collect();
        let page = self.started.page.trim_start_matches("http://").trim_end_matches('/');
        self.setup.http = page.to_owned();
        // A port that was free for a moment may be lent to somebody's outgoing connection.
        let (running, started) =
            wait_until(PATIENCE, "the node starts again", || match launch(&self.setup) {
                Ok(up) => Some(up),
                Err(log) if log.contains("NET-102") => None,
                Err(log) => panic!("the node did not start again:\n{log}"),
            });
        self.running = running;
        self.started = started;
    }

    /// The same without links, rooms and other flags.
    ///
    /// # Panics
    /// As [`NodeProcess::restart`].
    pub fn restart_bare(&mut self) {
        self.setup = self.setup.clone().without_rest();
        self.restart();
    }

    /// Runs a command against it.
    ///
    /// # Panics
    /// When the command does not end.
    #[must_use]
    pub fn cli(&self, args: &[&str]) -> Ran {
        self.cli_with(args, "")
    }

    /// [`NodeProcess::cli`] with a text on standard input.
    ///
    /// # Panics
    /// When the command does not end.
    #[must_use]
    pub fn cli_with(&self, args: &[&str], input: &str) -> Ran {
        let data_dir = self.data_dir().display().to_string();
        let args = [args, &["--data-dir", &data_dir]].concat();
        command::run_with(self.setup.home(), &args, input)
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.started.page.trim_end_matches('/'))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// Reads a path; `None` when the node does not answer.
    #[must_use]
    pub fn try_get(&self, path: &str) -> Option<(u16, String)> {
        let answer = self.agent.get(self.url(path)).header("Authorization", self.bearer()).call();
        let mut answer = answer.ok()?;
        let status = answer.status().as_u16();
        Some((status, answer.body_mut().read_to_string().ok()?))
    }

    /// Reads a path.
    ///
    /// # Panics
    /// When the node does not answer with 200.
    #[must_use]
    pub fn get(&self, path: &str) -> String {
        match self.try_get(path) {
            Some((200, body)) => body,
            other => panic!("GET {path}: {other:?}"),
        }
    }

    /// Does something.
    ///
    /// # Errors
    /// When the API refuses.
    ///
    /// # Panics
    /// When the node does not answer, or not in the form that it should.
    #[expect(clippy::needless_pass_by_value, reason = "callers write the body in place")]
    pub fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        let mut answer = self
            .agent
            .post(self.url(path))
            .header("Authorization", self.bearer())
            .header("Content-Type", "application/json")
            .send(body.to_string())
            .unwrap_or_else(|error| panic!("POST {path} {body}: {error}\n{}", self.log()));
        let status = answer.status().as_u16();
        let text = answer.body_mut().read_to_string().expect("an answer");
        let value: Value = serde_json::from_str(&text).expect("JSON");
        if status < 300 {
            return Ok(value);
        }
        let field = |name: &str| value.get(name).and_then(Value::as_str).map(str::to_owned);
        Err(Refusal {
            status,
            code: field("code").expect("a code"),
            text: field("detail").expect("a detail"),
            retryable: value.get("retryable").and_then(Value::as_bool).expect("retryable"),
        })
    }

    /// The whole picture.
    ///
    /// # Panics
    /// When the node gives none.
    #[must_use]
    pub fn status(&self) -> Status {
        serde_json::from_str(&self.get("/api/v1/status")).expect("a status")
    }

    /// Waits until the picture is as wanted.
    ///
    /// # Panics
    /// When it does not become so within [`PATIENCE`].
    pub fn wait_status<T>(&self, what: &str, mut look: impl FnMut(&Status) -> Option<T>) -> T {
        let mut last = None;
        let end = std::time::Instant::now() + PATIENCE;
        wait_until(PATIENCE * 2, what, || {
            let status = self.status();
            let found = look(&status);
            last = Some(status);
            assert!(found.is_some() || std::time::Instant::now() < end, "{what}: {last:#?}");
            found
        })
    }

    /// Waits until it is connected to a peer, at least in one way.
    ///
    /// # Panics
    /// When that does not happen in time.
    pub fn wait_peer(&self, id: &str) {
        self.wait_status(&format!("connected to {id}"), |status| {
            status.peers.iter().any(|peer| peer.id == id).then_some(())
        });
    }

    /// Opens a connection.
    ///
    /// # Errors
    /// When the API refuses.
    pub fn connect(&self, address: &str) -> Result<Value, Refusal> {
        self.post("/api/v1/peers/connect", json!({ "address": address }))
    }

    /// Joins a room.
    ///
    /// # Panics
    /// When it cannot.
    pub fn join(&self, room: &str) {
        self.post("/api/v1/rooms/join", json!({ "room": room })).expect("joins");
    }

    /// Says something as soon as somebody is there to hear it.
    ///
    /// # Panics
    /// When it cannot.
    pub fn say(&self, room: &str, text: &str) -> Message {
        let body = json!({ "room": room, "text": text });
        wait_until(PATIENCE, &format!("somebody to hear `{text}`"), || {
            match self.post("/api/v1/rooms/send", body.clone()) {
                Ok(message) => Some(serde_json::from_value(message).expect("a message")),
                Err(refusal) if refusal.retryable => None,
                Err(refusal) => panic!("`{text}` was refused: {refusal:?}"),
            }
        })
    }

    /// The newest messages of a room.
    ///
    /// # Panics
    /// When the node gives none.
    #[must_use]
    pub fn messages(&self, room: &str) -> Vec<Message> {
        let list = self.get(&format!("/api/v1/rooms/messages?room={room}&limit=500"));
        let list: Listed = serde_json::from_str(&list).expect("messages");
        list.messages
    }

    /// How often a text has arrived in a room.
    ///
    /// # Panics
    /// As [`NodeProcess::messages`].
    #[must_use]
    pub fn count(&self, room: &str, text: &str) -> usize {
        self.messages(room).iter().filter(|message| message.text == text).count()
    }

    /// The room as it sees it, if it is in it.
    #[must_use]
    pub fn room(&self, name: &str) -> Option<RoomInfo> {
        self.status().rooms.into_iter().find(|room| room.name == name)
    }

    /// Follows its events from now on.
    ///
    /// # Panics
    /// When the node does not let us.
    #[must_use]
    pub fn events(&self) -> Events {
        let answer = self
            .agent
            .get(self.url("/api/v1/events"))
            .header("Authorization", self.bearer())
            .config()
            .timeout_global(None)
            .build()
            .call()
            .expect("the event stream");
        assert_eq!(answer.status().as_u16(), 200);
        Events::of(answer.into_body().into_with_config().limit(u64::MAX).reader())
    }

    /// The value of a metric: the sum over all its labels that contain `label`.
    ///
    /// # Panics
    /// When the node gives none.
    #[must_use]
    pub fn metric(&self, name: &str, label: &str) -> f64 {
        let text = self.get("/metrics");
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

impl Drop for NodeProcess {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let tail: Vec<_> = log.lines().rev().take(40).collect();
            let tail: Vec<_> = tail.into_iter().rev().collect();
            eprintln!("---- log of {}\n{}", self.started.id, tail.join("\n"));
        }
    }
}

fn parse(address: &str) -> Multiaddr {
    address.parse().expect("an address")
}

/// What to listen on to get this address again: without certificate hash and PeerId.
fn bindable(address: &str) -> String {
    let cut = |text: &str, at: &str| text.split(at).next().unwrap_or_default().to_owned();
    cut(&cut(address, "/p2p/"), "/certhash/")
}

fn log_file(setup: &Setup) -> PathBuf {
    setup.home().join("log")
}

fn read_log(setup: &Setup) -> String {
    let mut text = Vec::new();
    let file = File::open(log_file(setup)).and_then(|mut file| file.read_to_end(&mut text));
    file.map(|_| String::from_utf8_lossy(&text).into_owned()).unwrap_or_default()
}

/// Starts the program and waits for its announcement; else gives what it logged.
fn launch(setup: &Setup) -> Result<(Running, Started), String> {
    let before = read_log(setup).len();
    let log = File::options().create(true).append(true).open(log_file(setup)).expect("a log");
    let mut command = command::command(setup.home());
    command.args(setup.args()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
    if std::env::var_os("PEERLOOM_TEST_VERBOSE").is_some() {
        command.arg("-v");
    }
    let mut child = command.spawn().expect("the program starts");
    let stdout = child.stdout.take().expect("a pipe");
    let running = Running(child);
    let (sender, lines) = sync_channel(1);
    std::thread::spawn(move || {
        let mut line = String::new();
        // Nothing read: the program has ended, and the empty line says so.
        BufReader::new(stdout).read_line(&mut line).unwrap_or_default();
        sender.send(line).unwrap_or_default();
    });
    let line = lines.recv_timeout(PATIENCE).unwrap_or_default();
    let logged = || read_log(setup).get(before..).unwrap_or_default().to_owned();
    let started: Started = serde_json::from_str(&line).map_err(|_| logged())?;
    assert_eq!(started.schema, "peerloom/started/1");
    Ok((running, started))
}

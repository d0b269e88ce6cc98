//! How a node is started: its addresses, its links, its rooms.
//! Invariant: without a word it listens on loopback only, on ports that the system chooses, and looks
//! for nobody.
//! Not here: the running node (`process`).

use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;
use std::sync::Arc;

use tempfile::TempDir;

use crate::NodeProcess;

/// A transport to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// TCP.
    Tcp,
    /// QUIC.
    Quic,
    /// WebSocket.
    WebSocket,
    /// WebRTC-direct.
    WebrtcDirect,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::Quic, Self::WebSocket, Self::WebrtcDirect];

    /// The address to listen on at `host`, such as `/ip4/127.0.0.1`, and any port.
    #[must_use]
    pub fn at(self, host: &str) -> String {
        let rest = match self {
            Self::Tcp => "tcp/0",
            Self::Quic => "udp/0/quic-v1",
            Self::WebSocket => "tcp/0/ws",
            Self::WebrtcDirect => "udp/0/webrtc-direct",
        };
        format!("{host}/{rest}")
    }
}

/// What a node is started with.
#[derive(Clone, Debug)]
pub struct Setup {
    pub(crate) home: Arc<TempDir>,
    pub(crate) listen: Vec<String>,
    pub(crate) http: String,
    pub(crate) mdns: bool,
    pub(crate) rest: Vec<String>,
}

impl Default for Setup {
    fn default() -> Self {
        Self::new()
    }
}

impl Setup {
    /// A node in a folder of its own that listens on TCP.
    ///
    /// # Panics
    /// When there is no place for a folder.
    #[must_use]
    pub fn new() -> Self {
        Self {
            home: Arc::new(tempfile::tempdir().expect("a folder")),
            listen: vec![Form::Tcp.at("/ip4/127.0.0.1")],
            http: "127.0.0.1:0".to_owned(),
            mdns: false,
            rest: Vec::new(),
        }
    }

    /// Where it listens instead.
    #[must_use]
    pub fn listen(mut self, addresses: &[String]) -> Self {
        self.listen = addresses.to_vec();
        self
    }

    /// Where page and API listen instead, such as `127.0.0.1:7070`.
    #[must_use]
    pub fn http(mut self, at: &str) -> Self {
        at.clone_into(&mut self.http);
        self
    }

    /// An address to keep connected.
    #[must_use]
    pub fn bootstrap(self, address: &str) -> Self {
        self.arg("--bootstrap", address)
    }

    /// A room to be in from the start.
    #[must_use]
    pub fn room(self, room: &str) -> Self {
        self.arg("--room", room)
    }

    /// Looks for peers on the LAN.
    #[must_use]
    pub const fn mdns(mut self) -> Self {
        self.mdns = true;
        self
    }

    /// Any other flag.
    #[must_use]
    pub fn arg(mut self, flag: &str, value: &str) -> Self {
        self.rest.extend([flag.to_owned(), value.to_owned()]);
        self
    }

    /// The rules of its policy.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn rules(self, text: &str) -> Self {
        write_rules(&self.data_dir(), text);
        self
    }

    /// No links, no rooms, no other flags any more.
    pub(crate) fn without_rest(mut self) -> Self {
        self.rest.clear();
        self
    }

    /// The folder that stands for the home folder. It exists as long as a clone of this.
    #[must_use]
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// The node's data folder.
    #[must_use]
    pub fn data_dir(&self) -> std::path::PathBuf {
        self.home.path().join("data")
    }

    /// The arguments of `peerloom`.
    #[must_use]
    pub fn args(&self) -> Vec<String> {
        let data_dir = self.data_dir().display().to_string();
        let mdns = self.mdns.to_string();
        let fixed =
            ["run", "--json", "--data-dir", &data_dir, "--http", &self.http, "--mdns", &mdns];
        let listen = self.listen.iter().flat_map(|address| ["--listen", address]);
        let rest = self.rest.iter().map(String::as_str);
        fixed.into_iter().chain(listen).chain(rest).map(str::to_owned).collect()
    }

    /// Starts the node and waits until it is up.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(self) -> NodeProcess {
        NodeProcess::start(self)
    }
}

/// Writes the rules file of a data folder, as an editor does: a new file in the place of the old one.
///
/// # Panics
/// When it cannot be written.
pub fn write_rules(data_dir: &Path, text: &str) {
    let folder = data_dir.join("policy");
    fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).expect("a folder");
    let draft = folder.join("rules.toml.draft");
    fs::write(&draft, text).expect("a file");
    fs::rename(draft, folder.join("rules.toml")).expect("a file");
}

//! `peerloom run`: a node in the foreground.
//! Invariant: the first signal drains, the second one ends the process at once.
//! Not here: the node.

use std::io;
use std::process;
use std::time::Duration;

use clap::Args;
use peerloom_shared::limits;
use serde_json::json;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use super::output::{bold, dim};
use super::running::{self, Running};
use super::{Failures, Outcome, Session, config::unknown_variable};
use crate::config::{CheckedConfig, Key, Origin, Raw, layers};
use crate::error::{Exit, Failure, NodeEnd, codes};
use crate::policy::time;
use crate::telemetry::LogLevel;
use crate::text::one_line;
use crate::{Node, Started};

mod signals;
use signals::{Signal, Signals};

/// Arguments of `run`.
#[derive(Debug, Default, Args)]
pub struct RunArgs {
    /// Resource preset: relay, lan or edge
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// What strangers get: open, friends or closed
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Until when denials are only logged, such as 2026-05-01T12:00:00Z
    #[arg(long, value_name = "TIME")]
    policy_observe_until: Option<String>,
    /// Address of a peer to stay connected with; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    bootstrap: Vec<String>,
    /// Address to listen on instead of the default ones; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    listen: Vec<String>,
    /// Where page and API listen, such as 127.0.0.1:7070
    #[arg(long, value_name = "IP:PORT")]
    http: Option<String>,
    /// Name shown to others in rooms
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Room to join at the start; may be repeated
    #[arg(long, value_name = "ROOM")]
    room: Vec<String>,
    /// Whether to look for peers on the same LAN
    #[arg(long, value_name = "true|false")]
    mdns: Option<bool>,
}

impl RunArgs {
    fn flags(&self) -> Vec<(Key, Raw)> {
        let texts = [
            (Key::Profile, &self.profile),
            (Key::PolicyProfile, &self.policy),
            (Key::PolicyObserveUntil, &self.policy_observe_until),
            (Key::Http, &self.http),
            (Key::Name, &self.name),
        ];
        let lists = [
            (Key::Bootstrap, &self.bootstrap),
            (Key::Listen, &self.listen),
            (Key::Rooms, &self.room),
        ];
        let texts =
            texts.into_iter().filter_map(|(key, text)| Some((key, Raw::Text(text.clone()?))));
        let lists = lists
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(key, list)| (key, Raw::List(list.clone())));
        let mdns = self.mdns.map(|on| (Key::Mdns, Raw::Switch(on)));
        texts.chain(lists).chain(mdns).collect()
    }
}

/// Runs a node until a signal or a command ends it.
///
/// # Errors
/// Wrong settings, a node that cannot start, or one that gave up.
pub fn run(session: &Session, args: &RunArgs) -> Outcome {
    let sources = session.sources(args.flags());
    let config = CheckedConfig::load(&sources)?;
    session.start_logs(&config, LogLevel::Steps);
    for (name, meant) in layers::unknown_variables(&sources) {
        tracing::warn!("{}", unknown_variable(&one_line(&name), meant.as_deref()));
    }
    let system = actix::System::with_tokio_rt(runtime);
    system.block_on(serve(session, config))
}

/// The threads of the process: actors stay on this one, packets are worked on by the others.
#[expect(
    clippy::expect_used,
    reason = "the caller's type allows no error; without threads nothing works"
)]
fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .enable_all()
        .build()
        .expect("the operating system gives the process its threads")
}

async fn serve(session: &Session, config: CheckedConfig) -> Outcome {
    let mut signals = Signals::new().map_err(internal)?;
    let node = tokio::select! {
        started = Node::start(config.clone()) => started.map_err(Failures::from)?,
        signal = signals.stop() => {
            session.out.progress("ended before the node was up");
            return Ok(signal.exit());
        }
    };
    // Commands find the API without it at the usual address.
    if let Err(error) = Running::here(&node.started().page).leave(&config.files()) {
        tracing::warn!(%error, "commands may not find this node");
    }
    let shown = announce(session, node.started(), &config);
    let end = match shown {
        Ok(()) => wait(session, &node, &config, &mut signals).await,
        // Nobody reads what was asked for, so nobody knows that the node runs.
        Err(failures) => {
            node.stop().await;
            return Err(failures);
        }
    };
    if let Err(error) = running::remove(&config.files()) {
        tracing::warn!(%error, "the note for commands stays behind");
    }
    match end {
        NodeEnd::Requested => {
            session.out.progress("stopped");
            Ok(Exit::DONE)
        }
        NodeEnd::GaveUp => {
            let text = "the node restarted itself too often within a minute and gave up";
            Err(Failure::new(&codes::NODE_005, text).into())
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the signature of map_err")]
fn internal(error: io::Error) -> Failure {
    Failure::new(&codes::NODE_004, format!("cannot listen for signals: {error}"))
}

async fn wait(
    session: &Session,
    node: &Node,
    config: &CheckedConfig,
    signals: &mut Signals,
) -> NodeEnd {
    loop {
        let signal = tokio::select! {
            end = node.wait() => return end,
            signal = signals.any() => signal,
        };
        if signal == Signal::Reload {
            reload(node, config).await;
            continue;
        }
        session.out.progress("stopping ... (press Ctrl-C again to stop at once)");
        tokio::select! {
            () = drain(node) => return NodeEnd::Requested,
            again = signals.stop() => {
                session.out.progress("stopped at once");
                // Nothing may hold this back: no destructor, no task, no other thread.
                process::exit(i32::from(again.exit().number()));
            }
        }
    }
}

/// Stops the node, which has a budget of its own; this deadline is only the last net.
async fn drain(node: &Node) {
    let deadline = Duration::from_millis(limits::STOP_MS + limits::DRIVER_DRAIN_MS);
    if timeout(deadline, node.stop()).await.is_err() {
        tracing::error!("the node did not stop in time");
    }
}

/// Reads rules and settings again. What is wrong is reported; what is in force stays.
async fn reload(node: &Node, config: &CheckedConfig) {
    match node.reload().await {
        Ok(_) => tracing::info!("rules were read again"),
        Err(failure) => complain(&failure),
    }
    match config.changed_since() {
        Ok(keys) => {
            for key in keys {
                tracing::warn!(setting = key.name(), "the changed setting needs a restart");
            }
        }
        Err(errors) => errors.into_iter().map(Failure::from).for_each(|wrong| complain(&wrong)),
    }
}

fn complain(failure: &Failure) {
    tracing::error!(code = failure.id(), hint = failure.hint(), "{}", failure.message());
}

fn announce(session: &Session, started: &Started, config: &CheckedConfig) -> Result<(), Failures> {
    let value = json!({
        "schema": "peerloom/started/1",
        "id": started.id,
        "page": started.page,
        "listen": started.listen,
        "policy": started.access.name(),
        "dataDir": started.data_dir.display().to_string(),
        "tokenFile": started.token_file.display().to_string(),
    });
    session.out.either(&value, || banner(session, started, config))
}

fn banner(session: &Session, started: &Started, config: &CheckedConfig) -> String {
    let head = format!(
        "peerloom {} · peer {} · profile {} · policy {}\n",
        env!("CARGO_PKG_VERSION"),
        bold(&started.id),
        config.profile.name(),
        started.access.name(),
    );
    let mut pairs = vec![
        ("  page", bold(&started.page)),
        ("  listen", started.listen.join("\n")),
        ("  data", started.data_dir.display().to_string()),
    ];
    if let Some(until) = config.observe_until_ms {
        let text = format!("denials are only logged until {}", time::text(until));
        pairs.push(("  policy", text));
    }
    if !config.rooms.is_empty() {
        pairs.push(("  rooms", config.rooms.join(", ")));
    }
    if config.bootstrap.is_empty() && !config.mdns {
        let text = "alone until somebody connects; join a mesh with --bootstrap ADDRESS";
        pairs.push(("  reach", text.to_owned()));
    }
    // Without this flag the command would look for a node in another folder.
    let folder = match config.origin(Key::DataDir) {
        Origin::Flag(flag) => format!(" {flag} {}", config.data_dir.display()),
        Origin::Env(_) | Origin::File { .. } | Origin::Default => String::new(),
    };
    let room = config.rooms.first().map_or("lobby", String::as_str);
    let foot =
        format!("{} peerloom chat {room}{folder}     {} Ctrl-C\n", dim("Talk:"), dim("Stop:"),);
    format!("{head}{}{foot}", session.out.pairs(&pairs))
}

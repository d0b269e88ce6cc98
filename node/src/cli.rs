//! The command line: grammar, and the way from a verb to its outcome.
//! Invariant: data goes to standard output, everything else to standard error.
//! Not here: what the verbs do (one file each); settings (`config`).

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};

use crate::config::{CheckedConfig, Key, Raw, Sources};
use crate::error::{Exit, Failure, codes};
use crate::telemetry::{self, LogLevel, LogSettings};

pub mod audit;
pub mod chat;
pub mod client;
pub mod config;
pub mod dht;
pub mod grant;
pub mod health;
pub mod invite;
pub mod join;
pub mod key;
pub mod output;
pub mod paths;
pub mod peers;
pub mod ping;
pub mod policy;
pub mod reload;
pub mod room;
pub mod run;
pub mod running;
pub mod shutdown;
pub mod status;
pub mod version;

use client::Client;
pub use output::{Failures, Out};

/// How a verb ends.
pub type Outcome = Result<Exit, Failures>;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "peerloom",
    version,
    about = "A peer-to-peer mesh of native nodes and browsers",
    after_help = "Settings: flags, then PEERLOOM_* variables, then the configuration file, then defaults.\n\
                  `peerloom config show --origin` lists them all. Exit codes: docs/errors.md.",
    propagate_version = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Flags of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// When output has colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ColourWhen {
    /// On a terminal that wants them.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Flags of every verb.
#[derive(Clone, Debug, Default, Args)]
pub struct Global {
    /// Configuration file to read instead of the usual one
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<String>,
    /// Folder of identity, token, database and rules
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data_dir: Option<String>,
    /// Address of the node's API, such as http://127.0.0.1:7070
    #[arg(long, global = true, value_name = "URL")]
    pub api: Option<String>,
    /// File with the API's token
    #[arg(long, global = true, value_name = "FILE")]
    pub token_file: Option<String>,
    /// Write JSON instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Write text without colours and alignment, columns separated by tabs
    #[arg(long, global = true)]
    pub plain: bool,
    /// Write no remarks, only data and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Log more; twice for everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto", alias = "colour")]
    pub color: ColourWhen,
    /// How long to wait for the node, such as 10s, 500ms or 2m
    #[arg(long, global = true, value_name = "TIME")]
    pub timeout: Option<String>,
    /// Form of log lines: human or json
    #[arg(long, global = true, value_name = "FORM")]
    pub log_format: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a node in the foreground
    Run(run::RunArgs),
    /// Talk in a room through the running node
    Chat(chat::ChatArgs),
    /// Show the whole picture of the running node
    Status,
    /// List, connect or disconnect peers
    Peers(peers::PeersArgs),
    /// Measure round trips to a connected peer
    Ping(ping::PingArgs),
    /// List, join or leave rooms, or show who is in one
    Room(room::RoomArgs),
    /// Look up and store in the distributed hash table
    Dht(dht::DhtArgs),
    /// Invite others, list and take back invitations
    Invite(invite::InviteArgs),
    /// Accept an invitation
    Join(join::JoinArgs),
    /// List and take back grants
    Grant(grant::GrantArgs),
    /// Check, test, format and explain the policies
    Policy(policy::PolicyArgs),
    /// Tell whether the node is alive and does its work
    Health,
    /// Show where files are
    Paths,
    /// Show and check settings
    Config(config::ConfigArgs),
    /// Show, export or import the identity key
    Key(key::KeyArgs),
    /// Check and read the audit log
    Audit(audit::AuditArgs),
    /// Make the running node read its rules and settings again
    Reload,
    /// Stop the running node cleanly
    Shutdown,
    /// Show the version
    Version,
}

/// One run of the program: its flags and where its output goes.
#[derive(Debug)]
pub struct Session {
    global: Global,
    /// Where output goes.
    pub out: Out,
}

impl Session {
    fn new(global: Global) -> Self {
        let out = Out::new(&global);
        Self { global, out }
    }

    /// The layers of settings, with the flags of one verb added.
    #[must_use]
    pub fn sources(&self, mut flags: Vec<(Key, Raw)>) -> Sources {
        let global = &self.global;
        let texts = [
            (Key::DataDir, &global.data_dir),
            (Key::Api, &global.api),
            (Key::TokenFile, &global.token_file),
            (Key::Timeout, &global.timeout),
            (Key::LogFormat, &global.log_format),
        ];
        for (key, text) in texts {
            flags.extend(text.clone().map(|text| (key, Raw::Text(text))));
        }
        Sources::of_process(flags, global.config.as_ref().map(Into::into))
    }

    /// The settings of a verb without flags of its own.
    ///
    /// # Errors
    /// Everything wrong with them.
    pub fn config(&self) -> Result<CheckedConfig, Failures> {
        CheckedConfig::load(&self.sources(Vec::new())).map_err(Failures::from)
    }

    /// A client of the running node's API.
    ///
    /// # Errors
    /// Wrong settings, or an address that must not get the token.
    pub fn client(&self) -> Result<Client, Failures> {
        let config = self.config()?;
        self.start_logs(&config, LogLevel::Warnings);
        Ok(Client::new(&config)?)
    }

    /// Starts logging; `usual` is the level without `-q` and `-v`.
    fn start_logs(&self, config: &CheckedConfig, usual: LogLevel) {
        let level = match (self.global.quiet, self.global.verbose) {
            (true, _) => LogLevel::Errors,
            (false, 0) => usual,
            (false, 1) => LogLevel::Details,
            (false, _) => LogLevel::Everything,
        };
        let started = telemetry::start(&LogSettings {
            format: config.log_format,
            filter: config.log_filter.clone(),
            level,
            colour: self.out.stderr_has_colours(),
        });
        if started.is_err() {
            self.out.note("logging was started before; its settings stay");
        }
    }
}

/// Does what the command line says. Failures are shown here; the caller only ends the process.
#[must_use]
pub fn run(cli: Cli) -> Exit {
    let session = Session::new(cli.global);
    let outcome = match cli.verb {
        Verb::Run(args) => run::run(&session, &args),
        Verb::Chat(args) => chat::run(&session, &args),
        Verb::Status => status::run(&session),
        Verb::Peers(args) => peers::run(&session, args),
        Verb::Ping(args) => ping::run(&session, &args),
        Verb::Room(args) => room::run(&session, args),
        Verb::Dht(args) => dht::run(&session, args),
        Verb::Invite(args) => invite::run(&session, args),
        Verb::Join(args) => join::run(&session, &args),
        Verb::Grant(args) => grant::run(&session, args),
        Verb::Policy(args) => policy::run(&session, args),
        Verb::Health => health::run(&session),
        Verb::Paths => paths::run(&session),
        Verb::Config(args) => config::run(&session, args),
        Verb::Key(args) => key::run(&session, args),
        Verb::Audit(args) => audit::run(&session, args),
        Verb::Reload => reload::run(&session),
        Verb::Shutdown => shutdown::run(&session),
        Verb::Version => version::run(&session),
    };
    outcome.unwrap_or_else(|failures| {
        session.out.failures(&failures);
        failures.exit()
    })
}

/// Shows what was asked for instead of a verb (help, version), or what is wrong with the command line.
#[must_use]
pub fn refused(error: &clap::Error) -> Exit {
    if !error.use_stderr() {
        return if error.print().is_ok() { Exit::DONE } else { Exit::FAILURE };
    }
    let text = error.render().to_string();
    let (what, usage) = text.split_once("\n\n").unwrap_or((&text, ""));
    let what = what.trim_start_matches("error: ").trim();
    // The command line could not be read, so whether JSON is wanted is read off its words.
    if std::env::args_os().any(|word| word == "--json") {
        let failure = Failure::new(&codes::CLI_001, what.to_owned());
        eprintln!("{}", output::error_json(&failure));
    } else {
        eprintln!("error[{}]: {what}\n\n{}", codes::CLI_001.id, usage.trim_end());
    }
    Exit::USAGE
}

#[cfg(test)]
mod tests;

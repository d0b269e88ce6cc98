//! The settings of one run: flags, then `PEERLOOM_*`, then one TOML file, then defaults.
//! Invariant: a [`CheckedConfig`] holds only usable values, and knows where each one came from.
//! Not here: the command line's own grammar; the rules of who may connect.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use peerloom_shared::Multiaddr;
use peerloom_shared::policy::Access;
use serde_json::{Value, json};

use crate::paths::DataFiles;
use crate::policy::time;

pub mod address;
pub mod check;
pub mod error;
pub mod file;
pub mod key;
pub mod layers;
pub mod profile;

pub use error::ConfigError;
pub use key::Key;
pub use layers::{Origin, Raw, Sources};
pub use profile::Profile;

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// The word used in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Human => "human",
            Self::Json => "json",
        }
    }
}

/// All settings, checked. Start from [`CheckedConfig::for_data_dir`] to embed a node, and change
/// fields as needed.
#[derive(Clone, Debug)]
pub struct CheckedConfig {
    /// Folder of identity, token, database and rules. Absolute.
    pub data_dir: PathBuf,
    /// Resource preset.
    pub profile: Profile,
    /// Where page and API listen.
    pub http: SocketAddr,
    /// Where peers are listened for.
    pub listen: Vec<Multiaddr>,
    /// Addresses to keep connected.
    pub bootstrap: Vec<Multiaddr>,
    /// Name shown to others in rooms.
    pub name: Option<String>,
    /// Rooms to join at the start.
    pub rooms: Vec<String>,
    /// Whether peers on the same LAN are looked for.
    pub mdns: bool,
    /// What strangers get, where it is told: `open` else, or `closed` in a network that was joined.
    pub access: Option<Access>,
    /// Until when denials are only observed, Unix time in ms.
    pub observe_until_ms: Option<u64>,
    /// Address of the API for commands, where it is not that of this data folder's node.
    pub api: Option<String>,
    /// File of the API's token. Absolute.
    pub token_file: PathBuf,
    /// How long commands wait for an answer.
    pub timeout: Duration,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written, in the syntax of `tracing` filters; `None` follows `-q`, `-v`.
    pub log_filter: Option<String>,
    origins: BTreeMap<Key, Origin>,
    sources: Option<Sources>,
}

/// One setting as `config show` and the API list it.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The setting.
    pub key: Key,
    /// Its value.
    pub value: Value,
    /// Where it came from.
    pub origin: Origin,
}

impl CheckedConfig {
    /// Defaults, with everything kept in `data_dir`.
    ///
    /// # Errors
    /// When `data_dir` is relative and there is no current folder.
    pub fn for_data_dir(data_dir: impl Into<PathBuf>) -> Result<Self, Vec<ConfigError>> {
        let path = data_dir.into();
        let raw = Raw::Text(path.to_string_lossy().into_owned());
        let mut config = check::check(&layers::Layers::of_flags(vec![(Key::DataDir, raw)]))?;
        // A path that is no valid text must survive the trip through one.
        if let Ok(path) = std::path::absolute(path) {
            config.token_file = DataFiles::of(&path).admin_token();
            config.data_dir = path;
        }
        Ok(config)
    }

    /// Reads all layers and checks them.
    ///
    /// # Errors
    /// Every setting that is wrong, in the order of the layers.
    pub fn load(sources: &Sources) -> Result<Self, Vec<ConfigError>> {
        let mut config = check::check(&layers::Layers::read(sources)?)?;
        config.sources = Some(sources.clone());
        Ok(config)
    }

    /// Reads all layers again and names the settings that have changed since. They count after the
    /// next start. An embedded node has no layers, so nothing ever changes.
    ///
    /// # Errors
    /// Everything that is wrong with the settings now.
    pub fn changed_since(&self) -> Result<Vec<Key>, Vec<ConfigError>> {
        match &self.sources {
            Some(sources) => Ok(self.changed(&Self::load(sources)?)),
            None => Ok(Vec::new()),
        }
    }

    /// The files of the data folder.
    #[must_use]
    pub fn files(&self) -> DataFiles {
        DataFiles::of(&self.data_dir)
    }

    /// Where a setting came from.
    #[must_use]
    pub fn origin(&self, key: Key) -> Origin {
        self.origins.get(&key).cloned().unwrap_or(Origin::Default)
    }

    /// Whether the listen addresses are the default ones. A computer without IPv6 or without one of
    /// the transports may then go on with the others; an address that was asked for must work.
    #[must_use]
    pub fn listens_by_default(&self) -> bool {
        self.origin(Key::Listen) == Origin::Default
    }

    /// Whether a data folder was named, and no address of a node.
    #[must_use]
    pub fn names_a_folder_only(&self) -> bool {
        self.origin(Key::DataDir) != Origin::Default && self.origin(Key::Http) == Origin::Default
    }

    /// All settings with their origins.
    #[must_use]
    pub fn entries(&self) -> Vec<Entry> {
        Key::ALL
            .iter()
            .map(|key| Entry { key: *key, value: self.value(*key), origin: self.origin(*key) })
            .collect()
    }

    /// All settings with their origins, as `peerloom/config/1`. There are no secrets among them.
    #[must_use]
    pub fn json(&self) -> Value {
        let settings = self.entries().into_iter().map(|entry| {
            let origin = entry.origin.to_string();
            json!({ "key": entry.key.name(), "value": entry.value, "origin": origin })
        });
        json!({ "schema": "peerloom/config/1", "settings": Value::from_iter(settings) })
    }

    /// One setting's value.
    #[must_use]
    pub fn value(&self, key: Key) -> Value {
        let texts = |addrs: &[Multiaddr]| Value::from_iter(addrs.iter().map(ToString::to_string));
        match key {
            Key::DataDir => json!(self.data_dir.display().to_string()),
            Key::Profile => json!(self.profile.name()),
            Key::Http => json!(self.http.to_string()),
            Key::Listen => texts(&self.listen),
            Key::Bootstrap => texts(&self.bootstrap),
            Key::Name => json!(self.name),
            Key::Rooms => json!(self.rooms),
            Key::Mdns => json!(self.mdns),
            Key::PolicyProfile => json!(self.access.map(Access::name)),
            Key::PolicyObserveUntil => json!(self.observe_until_ms.map(time::text)),
            Key::Api => json!(self.api),
            Key::TokenFile => json!(self.token_file.display().to_string()),
            Key::Timeout => json!(check::duration_text(self.timeout)),
            Key::LogFormat => json!(self.log_format.name()),
            Key::LogFilter => json!(self.log_filter),
        }
    }

    /// The settings whose values differ between two configurations of one node.
    #[must_use]
    pub fn changed(&self, other: &Self) -> Vec<Key> {
        Key::ALL.iter().copied().filter(|key| self.value(*key) != other.value(*key)).collect()
    }
}

#[cfg(test)]
mod tests;

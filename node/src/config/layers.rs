//! The layers of settings, unchecked, and the choice between them.
//! Invariant: for each setting the first layer that gives it wins as a whole; lists are not merged.
//! Not here: whether a value is usable.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::key::{Form, Key};
use super::{ConfigError, file};
use crate::toml_text;

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag on the command line.
    Flag(String),
    /// An environment variable.
    Env(String),
    /// A line of the configuration file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) => write!(f, "flag {name}"),
            Self::Env(name) => write!(f, "env {name}"),
            Self::File { path, line } => write!(f, "file {}:{line}", path.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value as a layer gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Raw {
    /// One text.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
    /// True or false.
    Switch(bool),
}

/// What the layers are read from. Arguments instead of globals, so that tests need no process.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Settings given as flags.
    pub flags: Vec<(Key, Raw)>,
    /// The environment; everything that does not begin with `PEERLOOM_` is ignored.
    pub env: Vec<(OsString, OsString)>,
    /// The file named by `--config`; it must exist.
    pub config: Option<PathBuf>,
    /// Files of which the first that exists is read when none is named.
    pub candidates: Vec<PathBuf>,
}

impl Sources {
    /// Flags over this process's environment and the usual files.
    #[must_use]
    pub fn of_process(flags: Vec<(Key, Raw)>, config: Option<PathBuf>) -> Self {
        // The rest of the environment is not ours to keep.
        let ours = |name: &OsString| name.to_string_lossy().starts_with(PREFIX);
        let env = std::env::vars_os().filter(|(name, _)| ours(name)).collect();
        let candidates = crate::paths::user_config()
            .into_iter()
            .chain([PathBuf::from(crate::paths::SYSTEM_CONFIG)])
            .collect();
        Self { flags, env, config, candidates }
    }

    /// The file that is read: the named one, or the first candidate that exists.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        let named = self.config.clone().or_else(|| {
            let variable = self.env.iter().find(|(name, _)| name == CONFIG_VARIABLE);
            variable.map(|(_, value)| PathBuf::from(value))
        });
        named.or_else(|| self.candidates.iter().find(|path| path.exists()).cloned())
    }
}

const PREFIX: &str = "PEERLOOM_";

/// The variable that names the configuration file; it is no setting itself.
pub const CONFIG_VARIABLE: &str = "PEERLOOM_CONFIG";

/// A value and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Given {
    /// The value.
    pub raw: Raw,
    /// Its origin.
    pub origin: Origin,
}

/// All layers, already folded into one choice per setting.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    chosen: BTreeMap<Key, Given>,
}

impl Layers {
    /// Flags only.
    #[must_use]
    pub fn of_flags(flags: Vec<(Key, Raw)>) -> Self {
        let mut layers = Self::default();
        for (key, raw) in flags {
            layers.offer(key, raw, Origin::Flag(key.flag()));
        }
        layers
    }

    /// Reads every layer.
    ///
    /// # Errors
    /// Everything wrong with the layers as such: an unreadable or broken file, unknown keys, values
    /// of the wrong form.
    pub fn read(sources: &Sources) -> Result<Self, Vec<ConfigError>> {
        let mut layers = Self::of_flags(sources.flags.clone());
        let mut errors = Vec::new();
        for key in Key::ALL {
            let name = key.env();
            let found = sources.env.iter().find(|(variable, _)| *variable == *name.as_str());
            let Some((_, value)) = found else { continue };
            match from_env(key, &name, value.clone()) {
                Ok(raw) => layers.offer(key, raw, Origin::Env(name)),
                Err(error) => errors.push(error),
            }
        }
        if let Some(path) = sources.file() {
            match file::read(&path) {
                Ok(settings) => {
                    for (key, given) in settings {
                        layers.offer(key, given.raw, given.origin);
                    }
                }
                Err(wrong) => errors.extend(wrong),
            }
        }
        if errors.is_empty() { Ok(layers) } else { Err(errors) }
    }

    /// The chosen value of a setting.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<&Given> {
        self.chosen.get(&key)
    }

    fn offer(&mut self, key: Key, raw: Raw, origin: Origin) {
        self.chosen.entry(key).or_insert(Given { raw, origin });
    }
}

/// Variables that look like settings but are none, each with the setting that may be meant. They are
/// worth a warning and no error: container platforms set variables of their own named after a
/// service, and a service may well be called peerloom.
#[must_use]
pub fn unknown_variables(sources: &Sources) -> Vec<(String, Option<String>)> {
    let known: Vec<String> = Key::ALL.iter().map(|key| key.env()).collect();
    let mut unknown: Vec<_> = sources
        .env
        .iter()
        .filter_map(|(name, _)| name.to_str())
        .filter(|name| name.starts_with(PREFIX) && *name != CONFIG_VARIABLE)
        .filter(|name| !known.iter().any(|key| key == name))
        .map(|name| {
            let like = toml_text::did_you_mean(name, known.iter().map(String::as_str));
            (name.to_owned(), like.map(str::to_owned))
        })
        .collect();
    unknown.sort();
    unknown
}

fn from_env(key: Key, name: &str, value: OsString) -> Result<Raw, ConfigError> {
    let wrong = |value: String, why: &str, hint: String| ConfigError::Value {
        key,
        origin: Origin::Env(name.to_owned()),
        value,
        why: why.to_owned(),
        hint,
    };
    let text = value.into_string().map_err(|raw| {
        let shown = raw.to_string_lossy().into_owned();
        wrong(shown, "it is not valid UTF-8", format!("set {name} to plain text"))
    })?;
    match key.form() {
        Form::Text => Ok(Raw::Text(text)),
        Form::List => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Ok(Raw::List(parts.map(str::to_owned).collect()))
        }
        Form::Switch => match text.as_str() {
            "true" | "1" | "yes" | "on" => Ok(Raw::Switch(true)),
            "false" | "0" | "no" | "off" => Ok(Raw::Switch(false)),
            _ => Err(wrong(
                text,
                "it is neither true nor false",
                format!("set {name}=true or {name}=false"),
            )),
        },
    }
}

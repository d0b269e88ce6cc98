//! `peerloom config`: show and check settings.
//! Invariant: nothing is written; what `show` prints can be used as a configuration file.
//! Not here: the settings themselves.

use clap::builder::PossibleValuesParser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::output::dim;
use super::{Failures, Outcome, Session};
use crate::config::layers::Sources;
use crate::config::{CheckedConfig, Key, layers};
use crate::error::Exit;
use crate::paths;

/// Arguments of `config`.
#[derive(Debug, Args)]
pub struct ConfigArgs {
    #[command(subcommand)]
    verb: ConfigVerb,
}

#[derive(Debug, Subcommand)]
enum ConfigVerb {
    /// Show all settings as TOML
    Show {
        /// Tell where each value came from
        #[arg(long)]
        origin: bool,
    },
    /// Show one setting
    Get {
        /// The setting
        #[arg(value_name = "KEY", value_parser = PossibleValuesParser::new(Key::ALL.map(Key::name)))]
        key: String,
    },
    /// Show which configuration file is read
    Path,
    /// Check the settings without starting anything
    Validate {
        /// Configuration file to check instead of the usual one
        #[arg(value_name = "FILE")]
        file: Option<String>,
    },
}

/// Shows or checks settings.
///
/// # Errors
/// Everything wrong with the settings.
pub fn run(session: &Session, args: ConfigArgs) -> Outcome {
    match args.verb {
        ConfigVerb::Show { origin } => show(session, origin),
        ConfigVerb::Get { key } => get(session, &key),
        ConfigVerb::Path => path(session),
        ConfigVerb::Validate { file } => validate(session, file),
    }
}

fn show(session: &Session, origin: bool) -> Outcome {
    let config = session.config()?;
    remark_unknown(session, &session.sources(Vec::new()));
    session.out.either(&config.json(), || {
        config
            .entries()
            .into_iter()
            .map(|entry| {
                let name = entry.key.name();
                let line = if entry.value.is_null() {
                    dim(&format!("# {name} is not set"))
                } else {
                    format!("{name} = {}", entry.value)
                };
                let origin =
                    if origin { dim(&format!("  # {}", entry.origin)) } else { String::new() };
                format!("{line}{origin}\n")
            })
            .collect()
    })?;
    Ok(Exit::DONE)
}

fn get(session: &Session, name: &str) -> Outcome {
    let config = session.config()?;
    // clap has let only names of settings through.
    let Some(key) = Key::find(name) else {
        return Ok(Exit::USAGE);
    };
    let value = config.value(key);
    let origin = config.origin(key).to_string();
    let object =
        json!({ "schema": "peerloom/setting/1", "key": name, "value": value, "origin": origin });
    session.out.either(&object, || match &value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            items.iter().map(|item| format!("{}\n", item.as_str().unwrap_or_default())).collect()
        }
        Value::Null => String::new(),
        Value::Bool(_) | Value::Number(_) | Value::Object(_) => value.to_string(),
    })?;
    Ok(Exit::DONE)
}

fn path(session: &Session) -> Outcome {
    let sources = session.sources(Vec::new());
    let file = sources.file().map(|path| path.display().to_string());
    let looked: Vec<_> = sources.candidates.iter().map(|path| path.display().to_string()).collect();
    let value = json!({ "schema": "peerloom/config-path/1", "path": file, "candidates": looked });
    match (&file, session.out.is_json()) {
        (None, false) => {
            let user = paths::user_config().map(|path| path.display().to_string());
            let place = user.unwrap_or_else(|| paths::SYSTEM_CONFIG.to_owned());
            session.out.note(&format!("no configuration file is used; make one at {place}"));
        }
        _ => session.out.either(&value, || file.clone().unwrap_or_default())?,
    }
    Ok(Exit::DONE)
}

fn validate(session: &Session, file: Option<String>) -> Outcome {
    let mut sources = session.sources(Vec::new());
    if let Some(file) = file {
        sources.config = Some(file.into());
    }
    let path = sources.file().map(|path| path.display().to_string());
    CheckedConfig::load(&sources).map_err(Failures::from)?;
    remark_unknown(session, &sources);
    let value = json!({ "schema": "peerloom/config-check/1", "valid": true, "path": path });
    session.out.either(&value, || match &path {
        Some(path) => format!("{path}: all settings are right"),
        None => "there is no configuration file; all settings are right".to_owned(),
    })?;
    Ok(Exit::DONE)
}

fn remark_unknown(session: &Session, sources: &Sources) {
    for (name, meant) in layers::unknown_variables(sources) {
        session.out.note(&unknown_variable(&name, meant.as_deref()));
    }
}

/// A remark on a variable that looks like a setting.
#[must_use]
pub fn unknown_variable(name: &str, meant: Option<&str>) -> String {
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    format!("the variable {name} is no setting and is ignored{meant}")
}

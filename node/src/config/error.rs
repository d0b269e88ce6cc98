//! What can be wrong with settings.
//! Invariant: every message names the place, the value, the reason and the way out.
//! Not here: the checks.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::key::Key;
use super::layers::Origin;
use crate::error::{Code, Coded, Exit, codes};
use crate::toml_text::Place;

/// Something wrong with the settings.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file has a key that does not exist.
    #[error("{}:{}:{}: unknown setting `{key}`", path.display(), place.line, place.column)]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// The key.
        key: String,
        /// The setting that may be meant.
        meant: Option<String>,
    },
    /// A value cannot be used.
    #[error("{} = `{value}` ({origin}) cannot be used: {why}", key.name())]
    Value {
        /// The setting.
        key: Key,
        /// Who gave the value.
        origin: Origin,
        /// The value, or what it is.
        value: String,
        /// Why not.
        why: String,
        /// What to do.
        hint: String,
    },
    /// Two values do not fit together.
    #[error("{} ({first_origin}) and {} ({second_origin}) do not fit together: {why}",
        first.name(), second.name())]
    Conflict {
        /// One setting.
        first: Key,
        /// Who gave it.
        first_origin: Origin,
        /// The other setting.
        second: Key,
        /// Who gave it.
        second_origin: Origin,
        /// Why not.
        why: String,
        /// What to do.
        hint: String,
    },
    /// The file is not TOML.
    #[error("{}:{}:{}: {why}", path.display(), place.line, place.column)]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// How it breaks the rules.
        why: String,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any configuration can be.
    #[error("the configuration file {} is larger than {bound} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        bound: u64,
    },
    /// No data folder is named and there is no home folder.
    #[error("no data folder is named, and there is no home folder for the default one")]
    NoHome,
}

impl Coded for ConfigError {
    fn code(&self) -> &'static Code {
        match self {
            Self::UnknownKey { .. } => &codes::CFG_001,
            Self::Value { .. } => &codes::CFG_002,
            Self::Unreadable { .. } | Self::TooLarge { .. } => &codes::CFG_003,
            Self::Syntax { .. } => &codes::CFG_004,
            Self::NoHome => &codes::CFG_005,
            Self::Conflict { .. } => &codes::CFG_006,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::UnknownKey { meant, .. } => {
                meant.as_ref().map(|meant| format!("did you mean `{meant}`?"))
            }
            Self::Value { hint, .. } | Self::Conflict { hint, .. } => Some(hint.clone()),
            Self::Syntax { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::NoHome => None,
        }
    }

    fn exit(&self) -> Exit {
        let from_flags = match self {
            Self::Value { origin, .. } => is_flag(origin),
            Self::Conflict { first_origin, second_origin, .. } => {
                is_flag(first_origin) || is_flag(second_origin)
            }
            Self::UnknownKey { .. }
            | Self::Syntax { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::NoHome => false,
        };
        if from_flags { Exit::USAGE } else { self.code().exit }
    }
}

const fn is_flag(origin: &Origin) -> bool {
    matches!(origin, Origin::Flag(_))
}

//! The rules file: who may connect, as `policy/rules.toml` in the data folder says it.
//! Invariant: only a file that is right as a whole becomes rules; a missing file means no rules.
//! Not here: what the rules mean; that is `peerloom_shared::policy`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use peerloom_shared::policy::{Cidr, Rules};
use peerloom_shared::{PeerId, limits};
use thiserror::Error;
use toml::de::{DeTable, DeValue};

use crate::error::{Code, Coded, codes};
use crate::text;
use crate::toml_text::{self, Item, Place};

/// What can be wrong with the rules file.
#[derive(Debug, Error)]
pub enum RulesError {
    /// It is not TOML.
    #[error("{}:{}:{}: {why}", path.display(), place.line, place.column)]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// How it breaks the rules of TOML.
        why: String,
    },
    /// A key does not exist.
    #[error("{}:{}:{}: unknown key `{key}`", path.display(), place.line, place.column)]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// The key.
        key: String,
        /// The key that may be meant.
        meant: Option<&'static str>,
    },
    /// A value is of no use.
    #[error("{}:{}:{}: `{value}` {why}", path.display(), place.line, place.column)]
    Value {
        /// The file.
        path: PathBuf,
        /// Where in it.
        place: Place,
        /// The value, or what it is.
        value: String,
        /// Why not.
        why: String,
    },
    /// The file has more rules than one decision may look at.
    #[error("{}: {why}", path.display())]
    TooMany {
        /// The file.
        path: PathBuf,
        /// How many there are and may be.
        why: String,
    },
    /// The file cannot be read.
    #[error("cannot read the rules file {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is larger than any list of rules should be.
    #[error("the rules file {} is larger than {bound} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        bound: u64,
    },
    /// Changes of the file cannot be noticed.
    #[error("cannot watch the folder {}", path.display())]
    Unwatchable {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: notify::Error,
    },
}

impl Coded for RulesError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Syntax { .. } => &codes::POL_001,
            Self::UnknownKey { .. } => &codes::POL_002,
            Self::Value { .. } | Self::TooMany { .. } => &codes::POL_003,
            Self::Unreadable { .. } | Self::TooLarge { .. } | Self::Unwatchable { .. } => {
                &codes::POL_004
            }
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TooMany { .. } => Some("name ranges instead of single addresses".to_owned()),
            Self::UnknownKey { meant, .. } => meant.map(|meant| format!("did you mean `{meant}`?")),
            Self::Syntax { .. }
            | Self::Value { .. }
            | Self::Unreadable { .. }
            | Self::TooLarge { .. }
            | Self::Unwatchable { .. } => None,
        }
    }
}

/// Reads the rules. A missing file gives none.
///
/// # Errors
/// The first thing wrong with the file.
pub fn load(path: &Path) -> Result<Rules, RulesError> {
    match read(path)? {
        Some(text) => parse(path, &text),
        None => Ok(Rules::default()),
    }
}

fn read(path: &Path) -> Result<Option<String>, RulesError> {
    let unreadable = |source| RulesError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let bound = limits::RULES_FILE_BYTES_MAX;
    let mut text = String::new();
    file.take(bound + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > bound {
        return Err(RulesError::TooLarge { path: path.to_owned(), bound });
    }
    Ok(Some(text))
}

/// Parses the text of a rules file; `path` is for messages.
///
/// # Errors
/// The first thing wrong with it.
pub fn parse(path: &Path, text: &str) -> Result<Rules, RulesError> {
    let table = toml_text::parse(text).map_err(|error| RulesError::Syntax {
        path: path.to_owned(),
        place: error.place,
        why: error.why,
    })?;
    let source = Source { path, text };
    let mut rules = Rules::default();
    for item in toml_text::items(text, table.get_ref()) {
        match item.key {
            "allow" => {
                (rules.allow_peers, rules.allow_nets) = source.lists(&item)?;
            }
            "deny" => {
                (rules.deny_peers, rules.deny_nets) = source.lists(&item)?;
            }
            _ => return Err(source.unknown(&item, &["allow", "deny"])),
        }
    }
    rules
        .check()
        .map_err(|error| RulesError::TooMany { path: path.to_owned(), why: error.to_string() })?;
    Ok(rules)
}

struct Source<'a> {
    path: &'a Path,
    text: &'a str,
}

type Lists = (std::collections::BTreeSet<PeerId>, Vec<Cidr>);

impl Source<'_> {
    fn lists(&self, section: &Item<'_>) -> Result<Lists, RulesError> {
        let table: &DeTable<'_> = if let DeValue::Table(table) = section.value {
            table
        } else {
            return Err(self.wrong_kind(section, "must be a table with `peers` and `nets`"));
        };
        let mut lists = Lists::default();
        for item in toml_text::items(self.text, table) {
            match item.key {
                "peers" => lists.0 = self.values::<PeerId>(&item, "is no PeerId")?.collect(),
                "nets" => {
                    let why = "is no IP address and no range such as 10.0.0.0/8";
                    lists.1 = self.values::<Cidr>(&item, why)?.collect();
                }
                _ => return Err(self.unknown(&item, &["peers", "nets"])),
            }
        }
        Ok(lists)
    }

    fn values<T: FromStr>(
        &self,
        item: &Item<'_>,
        why: &str,
    ) -> Result<std::vec::IntoIter<T>, RulesError> {
        let DeValue::Array(values) = item.value else {
            return Err(self.wrong_kind(item, "must be a list of texts"));
        };
        let mut parsed = Vec::with_capacity(values.len());
        for value in values.iter() {
            let place = Place::of(self.text, value.span().start);
            let DeValue::String(raw) = value.get_ref() else {
                let kind = toml_text::kind_of(value.get_ref());
                return Err(self.wrong(place, kind, "must be a text"));
            };
            let found = raw.parse().map_err(|_| self.wrong(place, raw, why))?;
            parsed.push(found);
        }
        Ok(parsed.into_iter())
    }

    fn unknown(&self, item: &Item<'_>, known: &[&'static str]) -> RulesError {
        let like = toml_text::did_you_mean(item.key, known.iter().copied());
        RulesError::UnknownKey {
            path: self.path.to_owned(),
            place: item.key_place,
            key: text::one_line(item.key),
            meant: known.iter().copied().find(|known| Some(*known) == like),
        }
    }

    fn wrong_kind(&self, item: &Item<'_>, why: &str) -> RulesError {
        self.wrong(item.value_place, item.key, why)
    }

    fn wrong(&self, place: Place, value: &str, why: &str) -> RulesError {
        RulesError::Value {
            path: self.path.to_owned(),
            place,
            value: text::one_line(value),
            why: why.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests;

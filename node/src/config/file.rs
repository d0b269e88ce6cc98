//! The configuration file.
//! Invariant: an unknown key is an error, and every message names line and column.
//! Not here: where the file is looked for.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use peerloom_shared::limits;
use toml::de::{DeTable, DeValue};

use super::ConfigError;
use super::key::{Form, Key};
use super::layers::{Given, Origin, Raw};
use crate::toml_text::{self, Item};

/// Reads and parses the file at `path`.
///
/// # Errors
/// Everything wrong with it.
pub fn read(path: &Path) -> Result<Vec<(Key, Given)>, Vec<ConfigError>> {
    let text = read_text(path).map_err(|error| vec![error])?;
    parse(path, &text)
}

fn read_text(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let bound = limits::CONFIG_FILE_BYTES_MAX;
    let file = File::open(path).map_err(unreadable)?;
    file.take(bound + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > bound {
        return Err(ConfigError::TooLarge { path: path.to_owned(), bound });
    }
    Ok(text)
}

/// Parses `text`, which came from `path`.
///
/// # Errors
/// Everything wrong with it.
pub fn parse(path: &Path, text: &str) -> Result<Vec<(Key, Given)>, Vec<ConfigError>> {
    let table = toml_text::parse(text).map_err(|error| {
        vec![ConfigError::Syntax { path: path.to_owned(), place: error.place, why: error.why }]
    })?;
    let mut settings = Vec::new();
    let mut errors = Vec::new();
    for (name, item) in entries(text, table.get_ref()) {
        let Some(key) = Key::find(&name) else {
            errors.push(unknown(path, &name, &item));
            continue;
        };
        let origin = Origin::File { path: path.to_owned(), line: item.key_place.line };
        match raw(key, item.value) {
            Some(raw) => settings.push((key, Given { raw, origin })),
            None => errors.push(wrong_form(key, origin, item.value)),
        }
    }
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

/// All entries with their whole names: those of a section have its name in front.
fn entries<'a>(text: &str, table: &'a DeTable<'a>) -> Vec<(String, Item<'a>)> {
    let mut entries = Vec::new();
    for item in toml_text::items(text, table) {
        if let DeValue::Table(section) = item.value
            && Key::is_section(item.key)
        {
            let inner = toml_text::items(text, section).into_iter();
            entries.extend(inner.map(|entry| (format!("{}.{}", item.key, entry.key), entry)));
        } else {
            entries.push((item.key.to_owned(), item));
        }
    }
    entries
}

fn unknown(path: &Path, name: &str, item: &Item<'_>) -> ConfigError {
    let names = Key::ALL.iter().map(|key| key.name());
    ConfigError::UnknownKey {
        path: path.to_owned(),
        place: item.key_place,
        key: name.to_owned(),
        meant: toml_text::did_you_mean(name, names).map(str::to_owned),
    }
}

fn raw(key: Key, value: &DeValue<'_>) -> Option<Raw> {
    match (key.form(), value) {
        (Form::Text, DeValue::String(text)) => Some(Raw::Text(text.as_ref().to_owned())),
        // A number of seconds may be written without quotes.
        (Form::Text, DeValue::Integer(number)) if key == Key::Timeout => {
            Some(Raw::Text(number.to_string()))
        }
        (Form::Switch, DeValue::Boolean(on)) => Some(Raw::Switch(*on)),
        (Form::List, DeValue::Array(values)) => {
            let texts = values.iter().map(|value| match value.get_ref() {
                DeValue::String(text) => Some(text.as_ref().to_owned()),
                DeValue::Integer(_)
                | DeValue::Float(_)
                | DeValue::Boolean(_)
                | DeValue::Datetime(_)
                | DeValue::Array(_)
                | DeValue::Table(_) => None,
            });
            Some(Raw::List(texts.collect::<Option<Vec<_>>>()?))
        }
        _ => None,
    }
}

fn wrong_form(key: Key, origin: Origin, value: &DeValue<'_>) -> ConfigError {
    let name = key.name();
    let (wanted, example) = match key.form() {
        Form::Text => ("a text", format!("{name} = \"...\"")),
        Form::List => ("a list of texts", format!("{name} = [\"...\", \"...\"]")),
        Form::Switch => ("true or false", format!("{name} = true")),
    };
    let found = toml_text::kind_of(value);
    ConfigError::Value {
        key,
        origin,
        value: found.to_owned(),
        why: format!("it must be {wanted}"),
        hint: format!("write {example}"),
    }
}

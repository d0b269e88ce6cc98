//! Reading a TOML file of the policy folder, with places for messages.
//! Invariant: an unknown key is an error, and every error names file, line and column.
//! Not here: what the keys mean (`entities_file`, `tests_file`).

use std::path::Path;
use std::str::FromStr;

use toml::de::{DeTable, DeValue};

use super::error::{PolicyError, Spot};
use crate::text::one_line;
use crate::toml_text::{self, Item, Place};

/// A text and where it came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The file.
    pub(super) file: &'a Path,
    /// Its text.
    pub(super) text: &'a str,
}

impl Source<'_> {
    /// An error at this place.
    #[must_use]
    pub(super) fn wrong(&self, place: Place, why: impl Into<String>) -> PolicyError {
        PolicyError::Entry { spot: Spot::at(self.file, place), why: why.into(), hint: None }
    }

    /// An error about a key that does not exist.
    #[must_use]
    pub(super) fn unknown(&self, item: &Item<'_>, known: &[&str]) -> PolicyError {
        let like = toml_text::did_you_mean(item.key, known.iter().copied());
        PolicyError::Entry {
            spot: Spot::at(self.file, item.key_place),
            why: format!("unknown key `{}`", one_line(item.key)),
            hint: Some(match like {
                Some(like) => format!("did you mean `{like}`?"),
                None => format!("the keys here are {}", known.join(", ")),
            }),
        }
    }

    /// There are too many of something.
    #[must_use]
    pub(super) fn too_many(&self, place: Place, what: &str, max: usize) -> PolicyError {
        let why = format!("more than {max} {what}");
        PolicyError::TooMuch { spot: Spot::at(self.file, place), why }
    }

    /// The entries of a table.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn table<'v>(&self, item: &Item<'v>) -> Result<Vec<Item<'v>>, PolicyError> {
        let DeValue::Table(table) = item.value else {
            return Err(self.kind(item.value_place, item.value, "a table"));
        };
        Ok(toml_text::items(self.text, table))
    }

    /// A text.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn text<'v>(&self, item: &Item<'v>) -> Result<&'v str, PolicyError> {
        let DeValue::String(text) = item.value else {
            return Err(self.kind(item.value_place, item.value, "a text"));
        };
        Ok(text)
    }

    /// A list of values that texts stand for; `what` says what they are.
    ///
    /// # Errors
    /// When it is no list of texts, or one of them stands for nothing.
    pub(super) fn list<T: FromStr>(
        &self,
        item: &Item<'_>,
        what: &str,
    ) -> Result<Vec<T>, PolicyError> {
        let DeValue::Array(values) = item.value else {
            return Err(self.kind(item.value_place, item.value, "a list of texts"));
        };
        let mut parsed = Vec::with_capacity(values.len());
        for value in values.iter() {
            let place = Place::of(self.text, value.span().start);
            let DeValue::String(text) = value.get_ref() else {
                return Err(self.kind(place, value.get_ref(), "a text"));
            };
            parsed.push(text.parse().map_err(|_| self.no(place, text, what))?);
        }
        Ok(parsed)
    }

    /// The tables of an array of tables.
    ///
    /// # Errors
    /// When it is none.
    pub(super) fn tables<'v>(
        &self,
        item: &Item<'v>,
    ) -> Result<Vec<(Place, &'v DeTable<'v>)>, PolicyError> {
        let DeValue::Array(values) = item.value else {
            return Err(self.kind(item.value_place, item.value, "a list of tables"));
        };
        let mut tables = Vec::with_capacity(values.len());
        for value in values.iter() {
            let place = Place::of(self.text, value.span().start);
            let DeValue::Table(table) = value.get_ref() else {
                return Err(self.kind(place, value.get_ref(), "a table"));
            };
            tables.push((place, table));
        }
        Ok(tables)
    }

    /// A value that stands for nothing of its kind.
    #[must_use]
    pub(super) fn no(&self, place: Place, value: &str, what: &str) -> PolicyError {
        self.wrong(place, format!("`{}` is no {what}", one_line(value)))
    }

    fn kind(&self, place: Place, value: &DeValue<'_>, wanted: &str) -> PolicyError {
        self.wrong(place, format!("this must be {wanted}, not {}", toml_text::kind_of(value)))
    }
}

/// Parses a file's text and hands its entries over.
///
/// # Errors
/// When it is no TOML, and what `read` finds.
pub(super) fn parse<T>(
    file: &Path,
    text: &str,
    read: impl FnOnce(&Source<'_>, Vec<Item<'_>>) -> Result<T, PolicyError>,
) -> Result<T, PolicyError> {
    let source = Source { file, text };
    let table =
        toml_text::parse(text).map_err(|error| source.wrong(error.place, error.why.clone()))?;
    let items = toml_text::items(text, table.get_ref());
    read(&source, items)
}

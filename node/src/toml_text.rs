//! TOML whose values know where they stand in the file, for messages that name line and column.
//! Invariant: parsing never panics and keeps no text beyond the caller's.
//! Not here: what the keys mean.

use std::borrow::Cow;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A place in a text: line and column, both from 1, the column in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The line.
    pub line: usize,
    /// The column.
    pub column: usize,
}

impl Place {
    /// The place of a byte offset in `text`.
    #[must_use]
    pub fn of(text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.matches('\n').count() + 1;
        let column = before.get(start..).map_or(1, |rest| rest.chars().count() + 1);
        Self { line, column }
    }
}

/// A text that breaks the rules of TOML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SyntaxError {
    /// Where.
    pub place: Place,
    /// How, in one line.
    pub why: String,
}

/// One `key = value` with its places.
#[derive(Debug)]
pub struct Item<'a> {
    /// The key.
    pub key: &'a str,
    /// Where the key stands.
    pub key_place: Place,
    /// The value.
    pub value: &'a DeValue<'a>,
    /// Where the value stands.
    pub value_place: Place,
}

/// Parses `text`.
///
/// # Errors
/// Where and how the text breaks the rules of TOML.
pub fn parse(text: &str) -> Result<Spanned<DeTable<'_>>, SyntaxError> {
    DeTable::parse(text).map_err(|error| {
        let offset = error.span().map_or(0, |span| span.start);
        let why = error.message().lines().collect::<Vec<_>>().join(", ");
        SyntaxError { place: Place::of(text, offset), why }
    })
}

/// The entries of a table, in the order of the file.
#[must_use]
pub fn items<'a>(text: &str, table: &'a DeTable<'a>) -> Vec<Item<'a>> {
    let mut items: Vec<_> = table
        .iter()
        .map(|(key, value)| Item {
            key: Cow::as_ref(key.get_ref()),
            key_place: Place::of(text, key.span().start),
            value: value.get_ref(),
            value_place: Place::of(text, value.span().start),
        })
        .collect();
    items.sort_by_key(|item| item.key_place);
    items
}

/// What a value is, in words, for messages.
#[must_use]
pub const fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The candidate that is most like `word`, if one is like enough to be meant.
#[must_use]
pub fn did_you_mean<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_count_lines_and_characters() {
        let text = "a = 1\n\"ä\" = \"é\"\n";
        let table = parse(text).expect("valid");
        let items = items(text, table.get_ref());
        let places: Vec<_> = items.iter().map(|i| (i.key, i.key_place, i.value_place)).collect();
        let at = |line, column| Place { line, column };
        assert_eq!(places, [("a", at(1, 1), at(1, 5)), ("ä", at(2, 1), at(2, 7))]);
        assert_eq!(Place::of("x", 99), at(1, 2));
    }

    #[test]
    fn broken_text_is_located() {
        let error = parse("a = 1\nb = \n").expect_err("no value");
        assert_eq!(error.place.line, 2);
        assert!(!error.why.is_empty() && !error.why.contains('\n'));
    }

    #[test]
    fn only_similar_words_are_suggested() {
        let known = ["listen", "bootstrap", "data_dir"];
        assert_eq!(did_you_mean("lisen", known), Some("listen"));
        assert_eq!(did_you_mean("data-dir", known), Some("data_dir"));
        assert_eq!(did_you_mean("colour", known), None);
    }
}

//! From the text of policies to rules: each policy with its place, its id, its reason.
//! Invariant: bad text is one named error with file, line and column; nothing nests too deep.
//! Not here: which files there are (`folder`), whether ids differ (`compile`).

use std::path::Path;

use cedar_policy::{Policy, PolicyId};
use miette::Diagnostic;
use peerloom_shared::limits::{POLICY_ID_BYTES_MAX, POLICY_NESTING_MAX, POLICY_REASON_BYTES_MAX};

use super::error::{PolicyError, Spot};
use super::rule::{Origin, Rule};
use crate::text::one_line;
use crate::toml_text::Place;

/// A policy's piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Piece<'a> {
    text: &'a str,
    /// Where the text begins.
    offset: usize,
    /// Where the policy begins, behind comments.
    start: usize,
}

/// Reads all policies of a text that came from `file`.
///
/// # Errors
/// The first thing wrong with it.
pub fn rules(file: &Path, text: &str) -> Result<Vec<Rule>, PolicyError> {
    let pieces = split(text).map_err(|offset| PolicyError::TooMuch {
        spot: Spot::at(file, Place::of(text, offset)),
        why: format!("brackets lie in each other more than {POLICY_NESTING_MAX} deep"),
    })?;
    pieces.into_iter().map(|piece| rule(file, text, piece)).collect()
}

fn rule(file: &Path, text: &str, piece: Piece<'_>) -> Result<Rule, PolicyError> {
    let place = Place::of(text, piece.start);
    let spot = Spot::at(file, place);
    let policy = Policy::parse(None, piece.text).map_err(|error| {
        let offset = offset_of(&error).map_or(piece.start, |at| at.saturating_add(piece.offset));
        let spot = Spot::at(file, Place::of(text, offset));
        PolicyError::Syntax { spot, why: words(&error) }
    })?;
    let annotated = |name: &str, max: usize| {
        let value = policy.annotation(name).map(str::trim).unwrap_or_default();
        let missing = |why: &str| PolicyError::Annotation {
            spot: spot.clone(),
            name: name.to_owned(),
            why: why.to_owned(),
        };
        if value.is_empty() {
            return Err(missing("is missing"));
        }
        if value.len() > max {
            return Err(missing(&format!("is longer than {max} bytes")));
        }
        if one_line(value) != value {
            return Err(missing("has line breaks or invisible characters"));
        }
        Ok(value.to_owned())
    };
    let id = annotated("id", POLICY_ID_BYTES_MAX)?;
    if !id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')) {
        let why = "has other characters than letters, digits, dots, dashes, underscores".to_owned();
        return Err(PolicyError::Annotation { spot, name: "id".to_owned(), why });
    }
    let reason = annotated("reason", POLICY_REASON_BYTES_MAX)?;
    let origin = Origin { file: file.to_owned(), place };
    let unfit = |why| PolicyError::Unfit { spot: spot.of(&id), why };
    Rule::new(policy.new_id(PolicyId::new(&id)), &id, &reason, Some(origin)).map_err(unfit)
}

/// Where the piece of text begins whose policy stands at this place.
pub(super) fn piece_start(text: &str, place: Place) -> usize {
    let pieces = split(text).unwrap_or_default();
    let piece = pieces.into_iter().find(|piece| Place::of(text, piece.start) == place);
    piece.map_or(0, |piece| piece.offset)
}

/// Where an error of Cedar points to, in bytes.
pub(super) fn offset_of(error: &dyn Diagnostic) -> Option<usize> {
    error.labels()?.map(|label| label.offset()).next()
}

/// An error of Cedar in one line, with its advice.
pub(super) fn words(error: &dyn Diagnostic) -> String {
    let mut text = one_line(&error.to_string());
    let label = error.labels().and_then(|mut labels| labels.next());
    for more in [
        label.and_then(|label| label.label().map(str::to_owned)),
        error.help().map(|help| help.to_string()),
    ]
    .into_iter()
    .flatten()
    {
        text.push_str(", ");
        text.push_str(&one_line(&more));
    }
    text
}

/// Where a scan stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Code,
    Text,
    Comment,
}

/// Cuts a text behind each semicolon. What stands between policies belongs to the next one.
///
/// # Errors
/// Where brackets lie too deep in each other.
fn split(text: &str) -> Result<Vec<Piece<'_>>, usize> {
    let mut pieces = Vec::new();
    let (mut state, mut depth, mut offset, mut start) = (State::Code, 0_usize, 0, None);
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        match (state, char) {
            (State::Comment, '\n') => state = State::Code,
            (State::Comment, _) => {}
            (State::Text, '\\') => drop(chars.next()),
            (State::Text, '"') => state = State::Code,
            (State::Text, _) => {}
            (State::Code, '/') if chars.peek().is_some_and(|(_, next)| *next == '/') => {
                state = State::Comment;
            }
            (State::Code, _) => {
                if !char.is_whitespace() {
                    start.get_or_insert(at);
                }
                match char {
                    '"' => state = State::Text,
                    '(' | '[' | '{' => depth = depth.saturating_add(1),
                    ')' | ']' | '}' => depth = depth.saturating_sub(1),
                    ';' => {
                        let end = at.saturating_add(1);
                        let cut = text.get(offset..end).unwrap_or_default();
                        pieces.push(Piece { text: cut, offset, start: start.unwrap_or(at) });
                        (offset, start, depth) = (end, None, 0);
                    }
                    _ => {}
                }
                if depth > POLICY_NESTING_MAX {
                    return Err(at);
                }
            }
        }
    }
    // Whatever is left is no whole policy; Cedar says what it lacks.
    if let Some(start) = start {
        let rest = text.get(offset..).unwrap_or_default();
        pieces.push(Piece { text: rest, offset, start });
    }
    Ok(pieces)
}

#[cfg(test)]
mod tests;

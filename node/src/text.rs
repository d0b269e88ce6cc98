//! Text that is shown on a terminal or written into a line.
//! Invariant: nothing that came from a remote peer or a file can steer the terminal.
//! Not here: texts of the wire, which `peerloom_shared` checks.

use peerloom_shared::wire::RoomName;
use peerloom_shared::wire::text::clean_text;

/// The text in one harmless line: line breaks and tabs become spaces, unsafe characters go.
#[must_use]
pub fn one_line(text: &str) -> String {
    clean_text(text).replace(['\n', '\t'], " ")
}

/// The text in harmless lines: line breaks stay, so that a message looks as it was written.
#[must_use]
pub fn lines(text: &str) -> String {
    clean_text(text).replace('\t', " ")
}

/// An id short enough for people: its first four and last four characters.
#[must_use]
pub fn short_id(id: &str) -> String {
    let safe = one_line(id);
    let count = safe.chars().count();
    if count <= 12 {
        return safe;
    }
    let head: String = safe.chars().take(4).collect();
    let tail: String = safe.chars().skip(count.saturating_sub(4)).collect();
    format!("{head}…{tail}")
}

/// Checks a room's name.
///
/// # Errors
/// Why it is none.
pub fn room(name: &str) -> Result<String, String> {
    name.parse::<RoomName>()
        .map(|room| room.to_string())
        .map_err(|error| one_line(&error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_text_cannot_steer_a_terminal() {
        assert_eq!(one_line("a\u{1b}[2Jb\nc\td\u{202e}e\u{200b}f\u{9b}g"), "a[2Jb c defg");
        assert_eq!(lines("a\nb\u{7}\u{1b}]0;x\u{7}"), "a\nb]0;x");
        assert_eq!(one_line("早安 é 👍"), "早安 é 👍");
    }

    #[test]
    fn ids_are_short_and_short_texts_stay() {
        assert_eq!(short_id("12D3KooWabcdefgh9fKq"), "12D3…9fKq");
        assert_eq!(short_id("short"), "short");
    }

    #[test]
    fn room_names() {
        for good in ["lobby", "a", "team-7_x.y", &"z".repeat(64)] {
            assert_eq!(room(good), Ok(good.to_owned()));
        }
        for bad in ["", "Lobby", "a b", "a/b", "é", &"z".repeat(65)] {
            assert!(room(bad).is_err(), "{bad:?}");
        }
    }
}

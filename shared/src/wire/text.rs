//! Remote text made safe to show: nothing invisible, nothing that turns the line around.
//! Invariant: cleaning twice changes nothing more, and the result never has more characters.
//! Not here: escaping for a terminal, HTML or JSON; each display does its own.

use crate::limits::{NAME_CHARS_MAX, TEXT_CHARS_MAX};

/// Chat text for display: line breaks and tabs stay, other control characters, marks that change the
/// writing direction, and invisible characters go. The joiners U+200C and U+200D stay: Persian and
/// family emoji need them. Cut after [`TEXT_CHARS_MAX`] characters.
#[must_use]
pub fn clean_text(text: &str) -> String {
    let kept = text.chars().filter_map(|c| match c {
        '\n' | '\t' | '\u{200C}' | '\u{200D}' => Some(c),
        '\u{2028}' | '\u{2029}' | '\u{85}' => Some('\n'),
        c if c.is_control() || is_unseen(c) => None,
        c => Some(c),
    });
    kept.take(TEXT_CHARS_MAX).collect()
}

/// A display name: one line, nothing invisible, no blanks around or doubled, at most 40 characters.
/// Empty when nothing is left.
#[must_use]
pub fn clean_name(name: &str) -> String {
    clean_label(name, NAME_CHARS_MAX)
}

/// One line of remote text, such as an agent string: as [`clean_name`], at most `chars_max` long.
#[must_use]
pub fn clean_label(label: &str, chars_max: usize) -> String {
    let mut clean = String::new();
    let mut count = 0_usize;
    let mut gap = false;
    for c in label.chars() {
        if c.is_whitespace() {
            gap = true;
            continue;
        }
        if c.is_control() || is_unseen(c) {
            continue;
        }
        let needed = 1 + usize::from(gap && count > 0);
        if count.saturating_add(needed) > chars_max {
            break;
        }
        if needed > 1 {
            clean.push(' ');
        }
        clean.push(c);
        count = count.saturating_add(needed);
        gap = false;
    }
    clean
}

/// Characters that show nothing, or change how their neighbours are shown (Unicode: bidirectional
/// controls, default-ignorable format characters, fillers, tags, interlinear marks).
const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\u{00AD}'
            | '\u{034F}'
            | '\u{061C}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}'
            | '\u{2800}'
            | '\u{3164}'
            | '\u{FEFF}'
            | '\u{FFA0}'
            | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}'
            | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

//! As much JSON (RFC 8259) as a candidate needs: one object of plain values.
//! Invariant: reading is linear in the input, never recurses, and takes no name twice.
//! Not here: arrays and objects inside; a candidate has none.

use std::iter::Peekable;
use std::str::Chars;

use crate::limits::JSON_MEMBERS;

/// A plain value.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Value {
    Text(String),
    /// As it was written.
    Number(String),
    Bool,
    Null,
}

/// Reads one object and nothing after it. `None` if it is anything else.
pub(super) fn object(text: &str) -> Option<Vec<(String, Value)>> {
    let mut reader = Reader(text.chars().peekable());
    let mut members: Vec<(String, Value)> = Vec::new();
    reader.expect('{')?;
    if reader.skip('}') {
        return reader.end().then_some(members);
    }
    loop {
        reader.space();
        let name = reader.text()?;
        reader.expect(':')?;
        let value = reader.value()?;
        if members.len() >= JSON_MEMBERS || members.iter().any(|(known, _)| *known == name) {
            return None;
        }
        members.push((name, value));
        if !reader.skip(',') {
            reader.expect('}')?;
            return reader.end().then_some(members);
        }
    }
}

/// Writes a string with its quotes.
pub(super) fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' | '\\' => out.extend(['\\', letter]),
            '\0'..='\u{1f}' => {
                let digit = |value: u32| char::from_digit(value & 15, 16).unwrap_or('0');
                let code = u32::from(letter);
                out.push_str("\\u00");
                out.extend([digit(code >> 4), digit(code)]);
            }
            _ => out.push(letter),
        }
    }
    out.push('"');
}

/// Writes a string, or `null`.
pub(super) fn write_optional(out: &mut String, text: Option<&str>) {
    match text {
        Some(text) => write_text(out, text),
        None => out.push_str("null"),
    }
}

struct Reader<'a>(Peekable<Chars<'a>>);

impl Reader<'_> {
    fn space(&mut self) {
        while self.0.next_if(|c| matches!(c, ' ' | '\t' | '\n' | '\r')).is_some() {}
    }

    fn skip(&mut self, wanted: char) -> bool {
        self.space();
        self.0.next_if_eq(&wanted).is_some()
    }

    fn expect(&mut self, wanted: char) -> Option<()> {
        self.skip(wanted).then_some(())
    }

    fn end(&mut self) -> bool {
        self.space();
        self.0.next().is_none()
    }

    fn value(&mut self) -> Option<Value> {
        self.space();
        match self.0.peek()? {
            '"' => self.text().map(Value::Text),
            '-' | '0'..='9' => self.number().map(Value::Number),
            _ => match self.run(char::is_ascii_lowercase).as_str() {
                "null" => Some(Value::Null),
                "true" | "false" => Some(Value::Bool),
                _ => None,
            },
        }
    }

    fn run(&mut self, wanted: impl Fn(&char) -> bool) -> String {
        let mut run = String::new();
        while let Some(letter) = self.0.next_if(&wanted) {
            run.push(letter);
        }
        run
    }

    fn number(&mut self) -> Option<String> {
        let mut number = String::new();
        number.extend(self.0.next_if_eq(&'-'));
        let whole = self.run(char::is_ascii_digit);
        if whole.is_empty() || (whole.len() > 1 && whole.starts_with('0')) {
            return None;
        }
        number.push_str(&whole);
        if self.0.next_if_eq(&'.').is_some() {
            let part = self.run(char::is_ascii_digit);
            number.extend([".", &part]);
            if part.is_empty() {
                return None;
            }
        }
        if self.0.next_if(|c| matches!(c, 'e' | 'E')).is_some() {
            number.push('e');
            number.extend(self.0.next_if(|c| matches!(c, '-' | '+')));
            let power = self.run(char::is_ascii_digit);
            number.push_str(&power);
            if power.is_empty() {
                return None;
            }
        }
        Some(number)
    }

    /// A string, of which the opening quote comes next.
    fn text(&mut self) -> Option<String> {
        self.0.next_if_eq(&'"')?;
        let mut text = String::new();
        loop {
            match self.0.next()? {
                '"' => return Some(text),
                '\\' => text.push(self.escape()?),
                '\0'..='\u{1f}' => return None,
                letter => text.push(letter),
            }
        }
    }

    fn escape(&mut self) -> Option<char> {
        Some(match self.0.next()? {
            letter @ ('"' | '\\' | '/') => letter,
            'b' => '\u{8}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'u' => {
                let first = self.hex()?;
                // Two halves of one character, or a lone half, which is none.
                if !(0xD800..0xDC00).contains(&first) {
                    return char::from_u32(first);
                }
                self.0.next_if_eq(&'\\')?;
                self.0.next_if_eq(&'u')?;
                let second = self.hex()?.checked_sub(0xDC00).filter(|half| *half < 0x400)?;
                char::from_u32(0x1_0000 + ((first - 0xD800) << 10) + second)?
            }
            _ => return None,
        })
    }

    fn hex(&mut self) -> Option<u32> {
        (0..4).try_fold(0, |code, _| Some((code << 4) | self.0.next()?.to_digit(16)?))
    }
}

//! Output of the verbs: lines, tables, JSON, failures.
//! Invariant: a reader that closes the pipe ends a verb quietly, never with a panic.
//! Not here: what is written.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use anstream::ColorChoice;
use clap::builder::styling::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};

use super::{ColourWhen, Global};
use crate::config::ConfigError;
use crate::error::{Coded, Exit, Failure, codes};

/// Why a verb failed: usually one failure, several when settings are checked.
#[derive(Debug)]
pub struct Failures {
    list: Vec<Failure>,
    exit: Exit,
}

impl Failures {
    /// Nothing to say, because nobody reads any more.
    fn quiet() -> Self {
        Self { list: Vec::new(), exit: Exit::DONE }
    }

    /// The exit code: that of the first failure.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// The failures.
    #[must_use]
    pub fn list(&self) -> &[Failure] {
        &self.list
    }
}

impl From<Failure> for Failures {
    fn from(failure: Failure) -> Self {
        Self { exit: failure.exit(), list: vec![failure] }
    }
}

impl<E: Coded> From<E> for Failures {
    fn from(error: E) -> Self {
        Failure::from(error).into()
    }
}

impl From<Vec<ConfigError>> for Failures {
    fn from(errors: Vec<ConfigError>) -> Self {
        let list: Vec<_> = errors.into_iter().map(Failure::from).collect();
        let exit = list.first().map_or(Exit::FAILURE, Failure::exit);
        Self { list, exit }
    }
}

/// Where the output of one run goes, and how it looks.
#[derive(Clone, Copy, Debug)]
pub struct Out {
    json: bool,
    plain: bool,
    quiet: bool,
}

impl Out {
    /// Output as the flags want it. Sets the colours of the whole process.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        match global.color {
            _ if global.plain => ColorChoice::Never.write_global(),
            ColourWhen::Never => ColorChoice::Never.write_global(),
            ColourWhen::Always => ColorChoice::Always.write_global(),
            // Asks NO_COLOR, TERM and whether it is a terminal.
            ColourWhen::Auto => ColorChoice::Auto.write_global(),
        }
        Self { json: global.json, plain: global.plain, quiet: global.quiet }
    }

    /// Whether data is to be JSON.
    #[must_use]
    pub const fn is_json(self) -> bool {
        self.json
    }

    /// Whether text is for programs: no alignment, nothing shortened.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.plain
    }

    /// Whether standard error shows colours.
    #[must_use]
    pub fn stderr_has_colours(self) -> bool {
        anstream::AutoStream::choice(&io::stderr()) != ColorChoice::Never
    }

    /// Writes data: text that ends its last line itself or not.
    ///
    /// # Errors
    /// When standard output fails; quietly when its reader is gone.
    pub fn data(self, text: &str) -> Result<(), Failures> {
        let mut stdout = anstream::stdout();
        let written = stdout
            .write_all(text.as_bytes())
            .and_then(|()| if text.ends_with('\n') { Ok(()) } else { stdout.write_all(b"\n") })
            .and_then(|()| stdout.flush());
        match written {
            Ok(()) => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Err(Failures::quiet()),
            Err(error) => {
                let text = format!("cannot write to standard output: {error}");
                Err(Failure::new(&codes::CLI_002, text).into())
            }
        }
    }

    /// Writes one JSON value in one line.
    ///
    /// # Errors
    /// As [`Out::data`].
    pub fn json(self, value: &impl Serialize) -> Result<(), Failures> {
        let text = serde_json::to_string(value)
            .map_err(|error| Failure::new(&codes::NODE_006, error.to_string()))?;
        self.data(&text)
    }

    /// Writes the JSON value or the text, whichever is wanted.
    ///
    /// # Errors
    /// As [`Out::data`].
    pub fn either(self, value: &Value, text: impl FnOnce() -> String) -> Result<(), Failures> {
        if self.json { self.json(value) } else { self.data(&text()) }
    }

    /// Writes a remark for people to standard error, unless they asked for quiet.
    pub fn note(self, text: &str) {
        if !self.quiet && !self.json {
            self.stderr(text);
        }
    }

    /// Tells on standard error what is going on, also beside JSON, unless quiet is asked for.
    pub fn progress(self, text: &str) {
        if !self.quiet {
            self.stderr(text);
        }
    }

    /// Shows failures on standard error.
    pub fn failures(self, failures: &Failures) {
        for failure in failures.list() {
            if self.json {
                self.stderr(&error_json(failure).to_string());
            } else {
                self.stderr(&error_text(failure));
            }
        }
    }

    fn stderr(self, text: &str) {
        let mut stderr = anstream::stderr();
        // There is no place left to report that standard error fails.
        writeln!(stderr, "{text}").unwrap_or_default();
    }

    /// Lays out rows below a head. Plain output has no head, and tabs between the columns.
    #[must_use]
    pub fn table(self, head: &[&str], rows: &[Vec<String>]) -> String {
        if self.plain {
            return rows.iter().map(|row| row.join("\t") + "\n").collect();
        }
        let head_row: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
        let all = || std::iter::once(&head_row).chain(rows);
        let widths: Vec<usize> = (0..head.len())
            .map(|column| all().filter_map(|row| row.get(column)).map(|cell| width(cell)).max())
            .map(Option::unwrap_or_default)
            .collect();
        let mut text = String::new();
        for (number, row) in all().enumerate() {
            let mut line = String::new();
            for (cell, wanted) in row.iter().zip(&widths) {
                let gap = wanted.saturating_sub(width(cell)) + 2;
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', gap));
            }
            let line = line.trim_end();
            let line = if number == 0 { dim(line) } else { line.to_owned() };
            text.push_str(&line);
            text.push('\n');
        }
        text
    }

    /// Lays out names and values. A value of several lines goes on below its first one.
    #[must_use]
    pub fn pairs(self, pairs: &[(&str, String)]) -> String {
        if self.plain {
            let one = |(name, value): &(&str, String)| {
                value.lines().map(|line| format!("{name}\t{line}\n")).collect::<String>()
            };
            return pairs.iter().map(one).collect();
        }
        let longest = pairs.iter().map(|(name, _)| width(name)).max().unwrap_or_default();
        let mut text = String::new();
        for (name, value) in pairs {
            for (number, line) in value.lines().enumerate() {
                let label = if number == 0 { *name } else { "" };
                let gap: String = std::iter::repeat_n(' ', longest - width(label) + 2).collect();
                text.push_str(&format!("{}{gap}{line}\n", dim(label)));
            }
        }
        text
    }
}

/// Columns of a text without escape sequences, near enough: wide characters count once.
fn width(text: &str) -> usize {
    anstream::adapter::strip_str(text).to_string().chars().count()
}

/// Whether a person sits at standard input.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// Whether a person sits at standard output.
#[must_use]
pub fn stdout_is_terminal() -> bool {
    io::stdout().is_terminal()
}

pub(super) fn error_json(failure: &Failure) -> Value {
    let mut value = json!(failure.view());
    if let Some(object) = value.as_object_mut() {
        object.insert("schema".to_owned(), json!("peerloom/error/1"));
        object.insert("exit".to_owned(), json!(failure.exit().number()));
    }
    value
}

/// A failure as people read it: what happened and why, what to do, where to read on.
#[must_use]
pub fn error_text(failure: &Failure) -> String {
    let view = failure.view();
    let label = paint(Style::new().bold().fg_color(Some(AnsiColor::Red.into())), "error");
    let mut text = format!("{label}[{}]: {}\n", view.code, crate::text::lines(&view.message));
    let hint = crate::text::lines(&view.hint);
    for (number, line) in hint.lines().enumerate() {
        let label = if number == 0 { dim("  help: ") } else { "        ".to_owned() };
        text.push_str(&label);
        text.push_str(line);
        text.push('\n');
    }
    let docs = crate::text::one_line(&view.docs);
    // Writing to a String cannot fail.
    write!(text, "{}{docs}  (exit {})", dim("  more: "), failure.exit().number())
        .unwrap_or_default();
    text
}

/// Text in a style.
#[must_use]
pub fn paint(style: Style, text: &str) -> String {
    if text.is_empty() {
        return String::new();
    }
    format!("{style}{text}{style:#}")
}

/// Unimportant text.
#[must_use]
pub fn dim(text: &str) -> String {
    paint(Style::new().dimmed(), text)
}

/// Important text.
#[must_use]
pub fn bold(text: &str) -> String {
    paint(Style::new().bold(), text)
}

/// Text in a colour.
#[must_use]
pub fn coloured(colour: AnsiColor, text: &str) -> String {
    paint(Style::new().fg_color(Some(colour.into())), text)
}

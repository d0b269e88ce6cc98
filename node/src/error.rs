//! Failures as people see them: what happened, why, what to do, a stable code, an exit code.
//! Invariant: a code, once published, keeps its meaning; every failure shown anywhere has one.
//! Not here: the error enums of the areas; they name their code through [`Coded`].

use std::error::Error;
use std::fmt;

use serde::{Deserialize, Serialize};

pub mod codes;
pub mod document;
mod shared;

/// What the caller of a failed operation should do with it.
pub use peerloom_shared::pubsub::Kind;

/// The number a process ends with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Exit(u8);

impl Exit {
    /// Done.
    pub const DONE: Self = Self(0);
    /// Failure without a more exact number.
    pub const FAILURE: Self = Self(1);
    /// Wrong use of the command line.
    pub const USAGE: Self = Self(2);
    /// Bad configuration or policy.
    pub const CONFIG: Self = Self(3);
    /// The node does not run, or cannot be reached.
    pub const UNREACHABLE: Self = Self(4);
    /// Denied by policy or token.
    pub const DENIED: Self = Self(5);
    /// Not found.
    pub const NOT_FOUND: Self = Self(6);
    /// Timed out.
    pub const TIMED_OUT: Self = Self(7);
    /// A verification failed.
    pub const UNVERIFIED: Self = Self(8);
    /// Partly done.
    pub const PARTLY: Self = Self(9);
    /// Too many restarts in one window.
    pub const RESTARTS: Self = Self(70);
    /// Ended at once by an interrupt (Ctrl-C).
    pub const INTERRUPTED: Self = Self(130);
    /// Ended at once by a termination signal.
    pub const TERMINATED: Self = Self(143);

    /// The number itself.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.0)
    }
}

/// Why a node ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NodeEnd {
    /// Somebody asked for it: a signal, a command, the embedding program.
    Requested,
    /// Its parts failed too often within a minute.
    GaveUp,
}

/// One row of the code table.
#[derive(Debug)]
pub struct Code {
    /// The stable name, such as `NET-102`.
    pub id: &'static str,
    /// What happened, in a few words.
    pub title: &'static str,
    /// Why it happens.
    pub why: &'static str,
    /// What to do about it.
    pub hint: &'static str,
    /// The exit code of a command that fails with it.
    pub exit: Exit,
    /// The HTTP status of an answer that carries it.
    pub http: u16,
    /// What the caller should do.
    pub kind: Kind,
}

impl Code {
    /// Where to read on.
    #[must_use]
    pub fn docs(&self) -> String {
        docs_of(self.id)
    }
}

/// The row of a code's name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Code> {
    codes::ALL.iter().copied().find(|code| code.id == id)
}

fn docs_of(id: &str) -> String {
    format!("docs/errors.md#{}", id.to_ascii_lowercase())
}

/// An error that knows its row of the code table.
pub trait Coded: Error {
    /// The row.
    fn code(&self) -> &'static Code;

    /// What to do, where the case at hand allows something more exact than the row says.
    fn hint(&self) -> Option<String> {
        None
    }

    /// The exit code, where it differs from the row's.
    fn exit(&self) -> Exit {
        self.code().exit
    }
}

/// One failure, ready to be shown on a terminal, in an API answer or on a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    id: String,
    message: String,
    hint: String,
    docs: String,
    retryable: bool,
    http: u16,
    exit: Exit,
}

/// The published JSON form of a failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailureView {
    /// The stable code.
    pub code: String,
    /// What happened and why.
    pub message: String,
    /// What to do.
    pub hint: String,
    /// Where to read on.
    pub docs: String,
    /// Whether the same request may succeed later.
    pub retryable: bool,
}

impl Failure {
    /// A failure of `code` with `message` saying what happened and why.
    #[must_use]
    pub fn new(code: &'static Code, message: impl Into<String>) -> Self {
        Self {
            id: code.id.to_owned(),
            message: message.into(),
            hint: code.hint.to_owned(),
            docs: code.docs(),
            retryable: code.kind == Kind::Retry,
            http: code.http,
            exit: code.exit,
        }
    }

    /// The same with a more exact advice.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }

    /// A failure that another process reported. A code this program does not know, as a newer one
    /// may send, keeps what the other side said about it.
    #[must_use]
    pub fn reported(view: FailureView, http: u16) -> Self {
        let exit = find(&view.code).map_or(Exit::FAILURE, |code| code.exit);
        let FailureView { code: id, message, hint, docs, retryable } = view;
        Self { id, message, hint, docs, retryable, http, exit }
    }

    /// The stable code.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether the failure carries this code.
    #[must_use]
    pub fn is(&self, code: &Code) -> bool {
        self.id == code.id
    }

    /// What happened and why.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// Whether the same request may succeed later.
    #[must_use]
    pub const fn retryable(&self) -> bool {
        self.retryable
    }

    /// The exit code.
    #[must_use]
    pub const fn exit(&self) -> Exit {
        self.exit
    }

    /// The HTTP status.
    #[must_use]
    pub const fn http(&self) -> u16 {
        self.http
    }

    /// The JSON form.
    #[must_use]
    pub fn view(&self) -> FailureView {
        FailureView {
            code: self.id.clone(),
            message: self.message.clone(),
            hint: self.hint.clone(),
            docs: self.docs.clone(),
            retryable: self.retryable,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.id, self.message)
    }
}

impl Error for Failure {}

impl<E: Coded> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut failure = Self::new(error.code(), chain(&error));
        if let Some(hint) = error.hint() {
            failure.hint = hint;
        }
        failure.exit = error.exit();
        failure
    }
}

/// An error and its causes in one line.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests;

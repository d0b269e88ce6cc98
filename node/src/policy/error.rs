//! What can be wrong with the files of the policy folder.
//! Invariant: every message names the file, the place where there is one, and the policy.
//! Not here: the rules file's own errors (`rule_files`).

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::rule_files::RulesError;
use crate::error::{Code, Coded, codes};
use crate::toml_text::Place;

/// A place in the policy folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spot(Box<Where>);

/// Apart, so that an error with a place is not larger than what is returned without one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Where {
    /// The file; of the profile's own policies none.
    file: Option<PathBuf>,
    /// Where in it.
    place: Option<Place>,
    /// The id of the policy, or the name of the test.
    id: Option<String>,
}

impl Spot {
    /// The profile's own policies, which are in no file.
    #[must_use]
    pub fn profile() -> Self {
        Self(Box::default())
    }

    /// A place in a file.
    #[must_use]
    pub fn at(file: &Path, place: Place) -> Self {
        Self(Box::new(Where { file: Some(file.to_owned()), place: Some(place), id: None }))
    }

    /// A whole file.
    #[must_use]
    pub fn file(file: &Path) -> Self {
        Self(Box::new(Where { file: Some(file.to_owned()), ..Where::default() }))
    }

    /// The same place, with the id of what stands there.
    #[must_use]
    pub fn of(&self, id: &str) -> Self {
        let mut spot = self.clone();
        spot.0.id = Some(id.to_owned());
        spot
    }

    /// Another place in the same file.
    #[must_use]
    pub fn moved(mut self, place: Place) -> Self {
        self.0.place = Some(place);
        self
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.file {
            Some(file) => write!(f, "{}", file.display())?,
            None => write!(f, "the profile")?,
        }
        if let Some(Place { line, column }) = self.0.place {
            write!(f, ":{line}:{column}")?;
        }
        if let Some(id) = &self.0.id {
            write!(f, ": `{id}`")?;
        }
        Ok(())
    }
}

/// Something wrong with the policy folder.
#[derive(Debug, Error)]
pub enum PolicyError {
    /// The rules file.
    #[error(transparent)]
    Lists(#[from] RulesError),
    /// A text is no policy of Cedar.
    #[error("{spot}: {why}")]
    Syntax {
        /// Where.
        spot: Spot,
        /// How it breaks the rules of Cedar.
        why: String,
    },
    /// A policy does not fit the schema.
    #[error("{spot}: {why}")]
    Unfit {
        /// Where.
        spot: Spot,
        /// What does not fit.
        why: String,
    },
    /// A policy lacks its id or its reason, or has one that cannot be used.
    #[error("{spot}: `@{name}` {why}")]
    Annotation {
        /// Where the policy begins.
        spot: Spot,
        /// Which of the two.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// Two policies have one id.
    #[error("{spot}: the id is taken already, by {other}")]
    Twice {
        /// Where the second one stands.
        spot: Spot,
        /// Where the first one stands.
        other: Spot,
    },
    /// An entry of `entities.toml` or `tests.toml` cannot be used.
    #[error("{spot}: {why}")]
    Entry {
        /// Where.
        spot: Spot,
        /// Why not.
        why: String,
        /// What to do.
        hint: Option<String>,
    },
    /// There is more than a node can take.
    #[error("{spot}: {why}")]
    TooMuch {
        /// Where.
        spot: Spot,
        /// What there is too much of.
        why: String,
    },
    /// A policy names an action that no test allows, or none denies.
    #[error("{spot}: no test in {} expects {action} to be {missing}", tests.display())]
    Untested {
        /// The policy.
        spot: Spot,
        /// The file with the tests.
        tests: PathBuf,
        /// The action; `any action` where the policy leaves it open.
        action: &'static str,
        /// `allowed` or `denied`.
        missing: &'static str,
    },
    /// A test's answer is not the expected one.
    #[error("{spot}: expected {expected}, but {found}")]
    Failed {
        /// The test.
        spot: Spot,
        /// What it expects.
        expected: &'static str,
        /// What was decided, and by which policies.
        found: String,
    },
    /// The operator would be locked out.
    #[error("{spot}: could forbid {action} to the operator of this node")]
    LockOut {
        /// The policy that forbids it.
        spot: Spot,
        /// What would be forbidden.
        action: &'static str,
    },
    /// A file or the folder cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Cedar did not take what we made.
    #[error("the policies could not be put together: {0}")]
    Internal(String),
}

impl Coded for PolicyError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Lists(error) => error.code(),
            Self::Syntax { .. } => &codes::POL_005,
            Self::Unfit { .. } => &codes::POL_006,
            Self::Annotation { .. } => &codes::POL_007,
            Self::Twice { .. } => &codes::POL_008,
            Self::Entry { .. } => &codes::POL_009,
            Self::TooMuch { .. } => &codes::POL_010,
            Self::Untested { .. } => &codes::POL_011,
            Self::Failed { .. } => &codes::POL_012,
            Self::LockOut { .. } => &codes::POL_013,
            Self::Unreadable { .. } => &codes::POL_014,
            Self::Internal(_) => &codes::NODE_006,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Lists(error) => error.hint(),
            Self::Entry { hint, .. } => hint.clone(),
            Self::Syntax { .. }
            | Self::Unfit { .. }
            | Self::Annotation { .. }
            | Self::Twice { .. }
            | Self::TooMuch { .. }
            | Self::Untested { .. }
            | Self::Failed { .. }
            | Self::LockOut { .. }
            | Self::Unreadable { .. }
            | Self::Internal(_) => None,
        }
    }
}

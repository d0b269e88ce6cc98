//! Checks the whole audit log: `peerloom audit verify`.
//! Invariant: reads only, a line at a time; a changed, missing, moved or cut line is named.
//! Not here: mending anything.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::{Path, PathBuf};

use peerloom_shared::limits::AUDIT_LINE_BYTES_MAX;

use super::chain::{self, HEAD, Hash, Head, LineHead, LogFile};
use crate::error::{Code, Coded, codes};

/// What a whole log holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Whole {
    /// Files.
    pub files: u64,
    /// Lines.
    pub lines: u64,
    /// Number of the oldest line that is kept.
    pub first: u64,
    /// Number of the newest line.
    pub last: u64,
    /// When the oldest line was written, Unix time in ms.
    pub from_ms: u64,
    /// When the newest line was written, Unix time in ms.
    pub to_ms: u64,
    /// Lines of starts that found the end of the log damaged.
    pub recovered: u64,
    /// Lines that the log itself says are missing: lost in a crash, or never written.
    pub missing: u64,
    /// Bytes of half a line at the end: a node writes it now, or was killed while it did.
    pub torn: u64,
}

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// It is no line of the log.
    #[error("it is no line of the log")]
    Unreadable,
    /// It has another number than its place.
    #[error("its number is {found} where {wanted} comes next")]
    Number {
        /// What comes next.
        wanted: u64,
        /// What stands there.
        found: u64,
    },
    /// It is not as it was when the line after it was written.
    #[error("it was changed after it was written")]
    Changed,
    /// It does not go on from the line before it.
    #[error("it does not go on from the line before it")]
    Unlinked,
    /// Its end is missing.
    #[error("its end is missing")]
    Cut,
    /// Lines are missing here.
    #[error("the lines {from} to {to} are missing")]
    Missing {
        /// The first of them.
        from: u64,
        /// The last of them.
        to: u64,
    },
    /// The note of where the log ends is missing or damaged.
    #[error("the note of where the log ends is missing or damaged")]
    Head,
}

/// The first place where a log is broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The file.
    pub file: PathBuf,
    /// The line in it, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub wrong: Wrong,
}

/// Why a log is not known to be whole.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// There is none.
    #[error("there is no audit log in {}", folder.display())]
    None {
        /// Where it would be.
        folder: PathBuf,
    },
    /// It is broken.
    #[error("{}, line {}: {}", .0.file.display(), .0.line, .0.wrong)]
    Broken(Broken),
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Coded for CheckError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Broken(_) => &codes::AUD_001,
            Self::Io { .. } => &codes::AUD_002,
            Self::None { .. } => &codes::AUD_003,
        }
    }
}

/// Checks the log in a folder, also while a node writes it.
///
/// # Errors
/// [`CheckError`], with the first place where it is broken.
pub fn check(folder: &Path) -> Result<Whole, CheckError> {
    let mut checked = walk(folder);
    // The node may have removed its oldest file in between.
    for _ in 0..2 {
        if checked.is_ok() || !has_moved(folder, &checked) {
            break;
        }
        checked = walk(folder);
    }
    checked.map(|(whole, _)| whole).map_err(|(error, _)| error)
}

type Walked = Result<(Whole, Option<Head>), (CheckError, Option<Head>)>;

fn has_moved(folder: &Path, walked: &Walked) -> bool {
    let (Ok((_, then)) | Err((_, then))) = walked;
    let now = Head::read(folder).ok().flatten().flatten();
    now.map(|head| head.first) != then.map(|head| head.first)
}

fn walk(folder: &Path) -> Walked {
    let io = |source| (CheckError::Io { path: folder.to_owned(), source }, None);
    let none = || (CheckError::None { folder: folder.to_owned() }, None);
    if !folder.exists() {
        return Err(none());
    }
    // Before the files: lines that come in between are more than it says, never fewer.
    let noted = Head::read(folder).map_err(io)?;
    let files = chain::files(folder).map_err(io)?;
    if noted.is_none() && files.is_empty() {
        return Err(none());
    }
    let head = noted.flatten();
    let walked = Walker::new(folder, head).walk(&files);
    walked.map(|whole| (whole, head)).map_err(|error| (error, head))
}

/// A line that was read.
#[derive(Clone, Debug)]
struct Place {
    file: PathBuf,
    line: u64,
}

impl Place {
    fn broken(&self, wrong: Wrong) -> CheckError {
        CheckError::Broken(Broken { file: self.file.clone(), line: self.line, wrong })
    }
}

struct Seen {
    place: Place,
    n: u64,
    hash: Hash,
}

struct Walker<'a> {
    folder: &'a Path,
    head: Option<Head>,
    whole: Whole,
    last: Option<Seen>,
    /// Two lines of which one was changed: the line that comes next tells which.
    suspect: Option<Place>,
}

impl<'a> Walker<'a> {
    fn new(folder: &'a Path, head: Option<Head>) -> Self {
        Self { folder, head, whole: Whole::default(), last: None, suspect: None }
    }

    fn walk(mut self, files: &[LogFile]) -> Result<Whole, CheckError> {
        let Some(head) = self.head else {
            let place = Place { file: self.folder.join(HEAD), line: 1 };
            return Err(place.broken(Wrong::Head));
        };
        let mut rest: VecDeque<_> = files.iter().collect();
        while let Some(file) = rest.pop_front() {
            self.file(file, rest.is_empty())?;
        }
        self.end(head, files)
    }

    fn file(&mut self, file: &LogFile, newest: bool) -> Result<(), CheckError> {
        let io = |source| CheckError::Io { path: file.path.clone(), source };
        let mut reader = BufReader::new(File::open(&file.path).map_err(io)?);
        let wanted = self.last.as_ref().map_or(file.first, |last| last.n.saturating_add(1));
        let mut place = Place { file: file.path.clone(), line: 1 };
        if file.first > wanted {
            let to = file.first.saturating_sub(1);
            return Err(place.broken(Wrong::Missing { from: wanted, to }));
        }
        self.whole.files = self.whole.files.saturating_add(1);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            // One byte more than a line and its end have: a longer one is not ours.
            let mut part = reader.by_ref().take(AUDIT_LINE_BYTES_MAX as u64 + 2);
            if part.read_until(b'\n', &mut bytes).map_err(io)? == 0 {
                return Ok(());
            }
            if bytes.pop_if(|byte| *byte == b'\n').is_none() {
                if bytes.len() > AUDIT_LINE_BYTES_MAX {
                    return Err(place.broken(Wrong::Unreadable));
                }
                return self.torn(&place, newest, bytes.len() as u64);
            }
            self.line(&place, file, &bytes)?;
            place.line = place.line.saturating_add(1);
        }
    }

    /// Half a line at the end of a file. At the end of the log it is no fault, unless the line was
    /// whole before.
    fn torn(&mut self, place: &Place, newest: bool, bytes: u64) -> Result<(), CheckError> {
        let n = self.last.as_ref().map_or(0, |last| last.n).saturating_add(1);
        if !newest || self.head.is_some_and(|head| head.last >= n) {
            self.settle_suspect(None)?;
            return Err(place.broken(Wrong::Cut));
        }
        self.whole.torn = bytes;
        Ok(())
    }

    fn line(&mut self, place: &Place, file: &LogFile, bytes: &[u8]) -> Result<(), CheckError> {
        let Some(line) = LineHead::of(bytes) else {
            self.settle_suspect(None)?;
            return Err(place.broken(Wrong::Unreadable));
        };
        self.settle_suspect(Some(line.prev))?;
        let wanted = self.last.as_ref().map_or(file.first, |last| last.n.saturating_add(1));
        if line.n != wanted {
            return Err(place.broken(Wrong::Number { wanted, found: line.n }));
        }
        let before = self.last.as_ref().map(|last| last.hash);
        let begins = line.n == 1;
        if before.or(begins.then_some(Hash::NONE)).is_some_and(|before| before != line.prev) {
            let culprit = self.last.as_ref().map_or(place, |last| &last.place);
            self.suspect = Some(culprit.clone());
        }
        let hash = Hash::of(bytes);
        self.last = Some(Seen { place: place.clone(), n: line.n, hash });
        if self.head.is_some_and(|head| head.last == line.n) {
            let noted = self.head.map(|head| head.hash);
            self.settle_suspect(noted)?;
            if noted != Some(hash) {
                return Err(place.broken(Wrong::Changed));
            }
        }
        self.count(line);
        Ok(())
    }

    fn count(&mut self, line: LineHead) {
        let whole = &mut self.whole;
        if whole.lines == 0 {
            (whole.first, whole.from_ms) = (line.n, line.at_ms);
        }
        (whole.last, whole.to_ms) = (line.n, line.at_ms);
        whole.lines = whole.lines.saturating_add(1);
        whole.recovered = whole.recovered.saturating_add(u64::from(line.recovered));
        whole.missing = whole.missing.saturating_add(line.missing);
    }

    /// Of two lines that do not fit, the later one is the right one when what follows it names its
    /// hash.
    fn settle_suspect(&mut self, next_prev: Option<Hash>) -> Result<(), CheckError> {
        let (Some(earlier), Some(later)) = (self.suspect.take(), &self.last) else {
            return Ok(());
        };
        if next_prev == Some(later.hash) {
            return Err(earlier.broken(Wrong::Changed));
        }
        Err(later.place.broken(Wrong::Unlinked))
    }

    fn end(mut self, head: Head, files: &[LogFile]) -> Result<Whole, CheckError> {
        self.settle_suspect(None)?;
        let last = self.last.as_ref().map_or(head.first.saturating_sub(1), |last| last.n);
        if last < head.last {
            let place = match &self.last {
                Some(last) => {
                    Place { line: last.place.line.saturating_add(1), ..last.place.clone() }
                }
                None => Place { file: self.folder.join(HEAD), line: 1 },
            };
            let from = last.saturating_add(1);
            return Err(place.broken(Wrong::Missing { from, to: head.last }));
        }
        let oldest = files.first().filter(|oldest| oldest.first > head.first);
        if let Some(oldest) = oldest {
            let to = oldest.first.saturating_sub(1);
            let wrong = Wrong::Missing { from: head.first, to };
            return Err(Place { file: oldest.path.clone(), line: 1 }.broken(wrong));
        }
        // Files before it are those that a rotation had no time to remove.
        if !files.is_empty() && !files.iter().any(|file| file.first == head.first) {
            return Err(Place { file: self.folder.join(HEAD), line: 1 }.broken(Wrong::Head));
        }
        Ok(self.whole)
    }
}

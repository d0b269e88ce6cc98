//! How lines are tied together, and what is in the folder.
//! Invariant: a line names the hash of the one before and the next number; a file is named after the
//! number of its first line.
//! Not here: writing (`log`), checking (`check`).

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use peerloom_shared::limits::AUDIT_LINE_BYTES_MAX;
use serde::{Deserialize, Serialize};

use super::Entry;

/// The BLAKE3 hash of a line without its line end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hash([u8; 32]);

impl Hash {
    /// What stands before the first line.
    pub(super) const NONE: Self = Self([0; 32]);

    pub(super) fn of(line: &[u8]) -> Self {
        Self(*blake3::hash(line).as_bytes())
    }

    pub(super) fn hex(self) -> String {
        HEXLOWER.encode(&self.0)
    }

    fn from_hex(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok()?.try_into().ok().map(Self)
    }
}

#[derive(Serialize)]
struct Written<'a> {
    n: u64,
    #[serde(rename = "atMs")]
    at_ms: u64,
    prev: String,
    #[serde(flatten)]
    entry: &'a Entry,
}

#[derive(Deserialize)]
struct Found {
    n: u64,
    #[serde(rename = "atMs")]
    at_ms: u64,
    prev: String,
    kind: String,
    #[serde(default)]
    lost: u64,
    #[serde(default)]
    lines: u64,
}

/// A line, without its line end.
pub(super) fn line(n: u64, at_ms: u64, prev: Hash, entry: &Entry) -> io::Result<Vec<u8>> {
    let bytes = serde_json::to_vec(&Written { n, at_ms, prev: prev.hex(), entry })?;
    if bytes.len() > AUDIT_LINE_BYTES_MAX {
        return Err(io::Error::other("a line of the audit log is too long"));
    }
    Ok(bytes)
}

/// What the chain needs of a line. What it says in its own fields is no part of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LineHead {
    pub(super) n: u64,
    pub(super) at_ms: u64,
    pub(super) prev: Hash,
    /// Lines that it says are gone or were never written.
    pub(super) missing: u64,
    pub(super) recovered: bool,
}

impl LineHead {
    /// `None` when the bytes are no line of the log.
    pub(super) fn of(line: &[u8]) -> Option<Self> {
        let found: Found = serde_json::from_slice(line).ok()?;
        let (recovered, gap) = (found.kind == "recovered", found.kind == "gap");
        let lost = if recovered { found.lost } else { 0 };
        let lines = if gap { found.lines } else { 0 };
        let prev = Hash::from_hex(&found.prev)?;
        let missing = lost.saturating_add(lines);
        Some(Self { n: found.n, at_ms: found.at_ms, prev, missing, recovered })
    }
}

/// The note of where the log ends, beside it: without it nobody would miss the last lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// Number of the oldest line that is kept.
    pub(super) first: u64,
    /// Number of the newest line.
    pub(super) last: u64,
    /// Its hash.
    pub(super) hash: Hash,
}

#[derive(Serialize, Deserialize)]
struct HeadText {
    schema: String,
    first: u64,
    last: u64,
    hash: String,
}

/// Name of the file with the [`Head`].
pub(super) const HEAD: &str = "head.json";
const HEAD_SCHEMA: &str = "peerloom/audit-head/1";
/// Bytes of that file: always the same, so that writing it anew in its place never leaves a rest.
pub(super) const HEAD_BYTES: u64 = HEAD_TEXT_BYTES as u64 + 1;
const HEAD_TEXT_BYTES: usize = 255;

impl Head {
    /// The whole content of the file.
    fn text(self) -> io::Result<Vec<u8>> {
        let text = serde_json::to_string(&HeadText {
            schema: HEAD_SCHEMA.to_owned(),
            first: self.first,
            last: self.last,
            hash: self.hash.hex(),
        })?;
        let mut text = text.into_bytes();
        text.resize(HEAD_TEXT_BYTES, b' ');
        text.push(b'\n');
        Ok(text)
    }

    /// The head of the log in a folder: `None` when there is no such file, `Some(None)` when it does
    /// not hold what it should.
    pub(super) fn read(folder: &Path) -> io::Result<Option<Option<Self>>> {
        let file = match File::open(folder.join(HEAD)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut text = Vec::new();
        file.take(HEAD_BYTES + 1).read_to_end(&mut text)?;
        Ok(Some(Self::of(&text)))
    }

    fn of(text: &[u8]) -> Option<Self> {
        let found: HeadText = serde_json::from_slice(text).ok()?;
        let hash = Hash::from_hex(&found.hash)?;
        let head = Self { first: found.first, last: found.last, hash };
        // There is one spelling only, so a changed byte is never taken for a space.
        (head.text().ok()? == text).then_some(head)
    }

    /// Writes it over the old one, in one call: no death of the process leaves half of it.
    pub(super) fn write(self, file: &mut File) -> io::Result<()> {
        let text = self.text()?;
        file.seek(SeekFrom::Start(0))?;
        file.write_all(&text)
    }
}

/// A file of the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogFile {
    /// The number of its first line.
    pub(super) first: u64,
    /// Where it is.
    pub(super) path: PathBuf,
}

impl LogFile {
    pub(super) fn new(folder: &Path, first: u64) -> Self {
        Self { first, path: folder.join(format!("audit-{first:020}.jsonl")) }
    }
}

/// The files of the log, the oldest first.
pub(super) fn files(folder: &Path) -> io::Result<Vec<LogFile>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|name| {
            name.strip_prefix("audit-")?.strip_suffix(".jsonl")?.parse::<u64>().ok()
        });
        let file = number.map(|first| LogFile::new(folder, first));
        found.extend(file.filter(|file| file.path.file_name() == Some(name.as_os_str())));
    }
    found.sort_by_key(|file| file.first);
    Ok(found)
}

/// The end of a file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tail {
    /// Its last whole lines, the oldest first, without their ends.
    pub(super) lines: Vec<Vec<u8>>,
    /// Bytes before and with the last line end.
    pub(super) whole: u64,
    /// Bytes of the half line behind them.
    pub(super) torn: u64,
}

/// Reads the last `count` whole lines of a file.
pub(super) fn tail(file: &mut File, count: usize) -> io::Result<Tail> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut window = AUDIT_LINE_BYTES_MAX as u64;
    loop {
        window = window.saturating_mul(4).min(size);
        file.seek(SeekFrom::Start(size - window))?;
        let mut bytes = Vec::new();
        file.take(window).read_to_end(&mut bytes)?;
        let (lines, torn) = split(&bytes);
        // The first piece may have lost its beginning, unless the window begins with the file.
        let usable = if window == size { lines.len() } else { lines.len().saturating_sub(1) };
        if usable >= count || window == size {
            let skip = lines.len() - usable.min(count);
            let lines = lines.into_iter().skip(skip).map(<[u8]>::to_vec).collect();
            let torn = torn.len() as u64;
            return Ok(Tail { lines, whole: size - torn, torn });
        }
    }
}

/// Whole lines, and what comes after the last line end.
fn split(bytes: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut pieces: Vec<_> = bytes.split(|byte| *byte == b'\n').collect();
    let torn = pieces.pop().unwrap_or_default();
    (pieces, torn)
}

//! Reads the newest lines of the audit log, and those that come: `peerloom audit tail`.
//! Invariant: reads only; gives whole lines, in their order, over the ends of files.
//! Not here: checking them (`check`), showing them (`show`).

use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use peerloom_shared::limits::AUDIT_LINE_BYTES_MAX;

use super::chain::{self, LogFile};

/// Bytes that are read at once while following.
const CHUNK: u64 = 64 * 1024;

/// A reader at the end of a log.
#[derive(Debug)]
pub struct Tailing {
    folder: PathBuf,
    /// The file that is being read and how much of it was.
    at: Option<(LogFile, u64)>,
    half: Vec<u8>,
}

impl Tailing {
    /// The newest `count` lines of the log in a folder, the oldest first, and a reader that goes on
    /// behind them. A folder without a log has no lines yet.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn open(folder: &Path, count: usize) -> io::Result<(Self, Vec<Vec<u8>>)> {
        let mut tailing = Self { folder: folder.to_owned(), at: None, half: Vec::new() };
        let mut lines: Vec<Vec<u8>> = Vec::new();
        for file in tailing.files()?.into_iter().rev() {
            let wanted = count.saturating_sub(lines.len());
            if tailing.at.is_some() && wanted == 0 {
                break;
            }
            let found = match File::open(&file.path) {
                // The node has removed its oldest file in between.
                Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                opened => chain::tail(&mut opened?, wanted)?,
            };
            tailing.at.get_or_insert((file, found.whole));
            lines.splice(0..0, found.lines);
        }
        Ok((tailing, lines))
    }

    /// The line of a denial with this reference.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn find(folder: &Path, reference: &str) -> io::Result<Option<Vec<u8>>> {
        let mut tailing = Self { folder: folder.to_owned(), at: None, half: Vec::new() };
        loop {
            let lines = tailing.more()?;
            if lines.is_empty() {
                return Ok(None);
            }
            let is_it = |line: &[u8]| {
                let line: Option<serde_json::Value> = serde_json::from_slice(line).ok();
                line.is_some_and(|line| line.get("ref").is_some_and(|found| found == reference))
            };
            if let Some(line) = lines.into_iter().find(|line| is_it(line)) {
                return Ok(Some(line));
            }
        }
    }

    /// Lines that have come since; none when there are none yet.
    ///
    /// # Errors
    /// When a file cannot be read.
    pub fn more(&mut self) -> io::Result<Vec<Vec<u8>>> {
        loop {
            let lines = self.read()?;
            if !lines.is_empty() || !self.step()? {
                return Ok(lines);
            }
        }
    }

    fn read(&mut self) -> io::Result<Vec<Vec<u8>>> {
        let Some((file, place)) = &mut self.at else { return Ok(Vec::new()) };
        let mut opened = match File::open(&file.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            opened => opened?,
        };
        let mut lines = Vec::new();
        // Half a line is longer than a chunk only when it is none of ours.
        while lines.is_empty() && self.half.len() <= AUDIT_LINE_BYTES_MAX {
            opened.seek(SeekFrom::Start(*place))?;
            let before = self.half.len();
            (&mut opened).take(CHUNK).read_to_end(&mut self.half)?;
            let read = self.half.len().saturating_sub(before);
            if read == 0 {
                break;
            }
            *place = place.saturating_add(read as u64);
            let mut pieces: Vec<_> = self.half.split(|byte| *byte == b'\n').collect();
            let rest = pieces.pop().unwrap_or_default().to_vec();
            lines = pieces.into_iter().map(<[u8]>::to_vec).collect();
            self.half = rest;
        }
        Ok(lines)
    }

    /// Goes on with the next file. Whether there is one.
    fn step(&mut self) -> io::Result<bool> {
        let now = self.at.as_ref().map(|(file, _)| file.first);
        let next = self.files()?.into_iter().find(|file| now.is_none_or(|now| file.first > now));
        let Some(next) = next else { return Ok(false) };
        self.at = Some((next, 0));
        self.half.clear();
        Ok(true)
    }

    fn files(&self) -> io::Result<Vec<LogFile>> {
        match chain::files(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            files => files,
        }
    }
}

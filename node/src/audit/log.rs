//! The files of the audit log as their writer sees them: open, append, begin a new file.
//! Invariant: only whole lines stay in a file; what a crash left is set aside and told, never kept in
//! the chain and never the end of it.
//! Not here: what to write and when (`writer`), checking the whole (`check`).

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use peerloom_shared::limits::{
    AUDIT_FILE_BYTES_MAX, AUDIT_FILES_MAX, AUDIT_TORN_BYTES_MAX, AUDIT_TORN_MAX,
};

use super::Entry;
use super::chain::{self, HEAD, HEAD_BYTES, Hash, Head, LineHead, LogFile, Tail};

/// How much of the log is kept.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Bytes of one file.
    pub(super) file_bytes: u64,
    /// Files, the newest among them.
    pub(super) files: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { file_bytes: AUDIT_FILE_BYTES_MAX, files: AUDIT_FILES_MAX }
    }
}

/// What was found at the end of the log that should not be there, or was not there and should be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Recovery {
    pub(super) torn: u64,
    pub(super) aside: Option<String>,
    pub(super) lost: u64,
    pub(super) altered: bool,
    pub(super) headless: bool,
}

impl From<Recovery> for Entry {
    fn from(found: Recovery) -> Self {
        let Recovery { torn, aside, lost, altered, headless } = found;
        Self::Recovered { torn, aside, lost, altered, headless }
    }
}

/// The log, open for writing. One for a folder: whoever has it holds the lock of the data folder.
#[derive(Debug)]
pub(super) struct Log {
    folder: PathBuf,
    bounds: Bounds,
    pub(super) file: File,
    size: u64,
    head_file: File,
    head: Head,
    unmarked: bool,
    unsynced: bool,
}

impl Log {
    /// Opens the log of a folder, or begins one. `known` is where the log ended when this process had it
    /// open before. Says what a crash left there; whoever opens the log appends that first.
    pub(super) fn open(
        folder: &Path,
        bounds: Bounds,
        known: Option<Head>,
    ) -> io::Result<(Self, Option<Recovery>)> {
        make_folder(folder)?;
        let read = Head::read(folder)?;
        let headless = read.map_or(known.is_some(), |head| head.is_none());
        let noted_head = known.or(read.flatten());
        let mut found = Recovery::default();
        let end = end_of(folder, &mut found)?;
        drop_leftovers(folder, noted_head)?;
        let files = chain::files(folder)?;
        let oldest = files.first().map(|file| file.first);
        let mut head = of_end(end.as_ref(), noted_head, &mut found);
        if let Some(oldest) = oldest {
            head.first = oldest;
            let noted_first = noted_head.map_or(oldest, |head| head.first);
            found.lost = found.lost.saturating_add(oldest.saturating_sub(noted_first));
        }
        found.headless = headless || (read.is_none() && oldest.is_some());
        let newest = files.into_iter().next_back();
        let newest = newest.unwrap_or_else(|| LogFile::new(folder, head.last.saturating_add(1)));
        let (file, size) = open_append(&newest.path)?;
        let head_file = open_private(OpenOptions::new().write(true), &folder.join(HEAD))?;
        head_file.set_len(HEAD_BYTES)?;
        sync_folder(folder)?;
        let (unmarked, unsynced) = (true, false);
        let folder = folder.to_owned();
        let mut log = Self { folder, bounds, file, size, head_file, head, unmarked, unsynced };
        log.mark()?;
        Ok((log, (found != Recovery::default()).then_some(found)))
    }

    /// Appends one line. After an error nothing of it is left, and the log has to be opened again.
    pub(super) fn append(&mut self, at_ms: u64, entry: &Entry) -> io::Result<()> {
        let n = self.head.last.saturating_add(1);
        let mut bytes = chain::line(n, at_ms, self.head.hash, entry)?;
        let hash = Hash::of(&bytes);
        bytes.push(b'\n');
        let length = bytes.len() as u64;
        if self.size > 0 && self.size.saturating_add(length) > self.bounds.file_bytes {
            self.rotate(n)?;
        }
        if let Err(error) = self.file.write_all(&bytes) {
            // Where that fails too, the next start sets half a line aside.
            drop(self.file.set_len(self.size));
            return Err(error);
        }
        self.size = self.size.saturating_add(length);
        (self.head.last, self.head.hash) = (n, hash);
        (self.unmarked, self.unsynced) = (true, true);
        Ok(())
    }

    /// Notes where the log ends. After the lines, so that a crash in between leaves lines that are not
    /// noted yet, which is no fault, and never the other way round.
    pub(super) fn mark(&mut self) -> io::Result<()> {
        if self.unmarked {
            self.head.write(&mut self.head_file)?;
            self.unmarked = false;
        }
        Ok(())
    }

    /// Where the log ends.
    pub(super) const fn head(&self) -> Head {
        self.head
    }

    /// Brings everything to the disk itself.
    ///
    /// # Errors
    /// When that fails, and when somebody has removed the file: what is written then is nowhere.
    pub(super) fn sync(&mut self) -> io::Result<()> {
        #[cfg(unix)]
        if std::os::unix::fs::MetadataExt::nlink(&self.file.metadata()?) == 0 {
            return Err(io::Error::new(io::ErrorKind::NotFound, "the file was removed"));
        }
        if self.unsynced {
            self.file.sync_data()?;
            self.head_file.sync_data()?;
            self.unsynced = false;
        }
        Ok(())
    }

    /// Begins a new file with line `n`, and removes the oldest ones.
    fn rotate(&mut self, n: u64) -> io::Result<()> {
        self.file.sync_data()?;
        (self.file, self.size) = open_append(&LogFile::new(&self.folder, n).path)?;
        sync_folder(&self.folder)?;
        let files = chain::files(&self.folder)?;
        let surplus = files.len().saturating_sub(self.bounds.files);
        if let Some(oldest) = files.get(surplus).filter(|_| surplus > 0) {
            // Noted before they go: files that are missing without a note were removed by others.
            self.head.first = oldest.first;
            self.unmarked = true;
            self.mark()?;
            for file in files.iter().take(surplus) {
                fs::remove_file(&file.path)?;
            }
        }
        Ok(())
    }
}

/// The last line, as it is.
struct End {
    /// Its number, or that of its file where it has none.
    n: u64,
    readable: bool,
    hash: Hash,
}

/// Finds the last whole line, and puts aside what comes after it.
fn end_of(folder: &Path, found: &mut Recovery) -> io::Result<Option<End>> {
    for newest in chain::files(folder)?.into_iter().rev() {
        let mut file = File::open(&newest.path)?;
        let Tail { lines, whole, torn } = chain::tail(&mut file, 1)?;
        if torn > 0 {
            found.torn = found.torn.saturating_add(torn);
            found.aside = Some(set_aside(folder, &newest, &mut file, whole)?);
            OpenOptions::new().write(true).open(&newest.path)?.set_len(whole)?;
        }
        let Some(line) = lines.last() else {
            // A file that was begun and got no line.
            fs::remove_file(&newest.path)?;
            continue;
        };
        let n = LineHead::of(line).map(|line| line.n);
        let hash = Hash::of(line);
        return Ok(Some(End { n: n.unwrap_or(newest.first), readable: n.is_some(), hash }));
    }
    Ok(None)
}

/// Where the next line goes on, from the last line that is there and the one that was noted.
fn of_end(end: Option<&End>, noted: Option<Head>, found: &mut Recovery) -> Head {
    let Some(end) = end else {
        let Some(noted) = noted else {
            return Head { first: 1, last: 0, hash: Hash::NONE };
        };
        found.lost = noted.last.saturating_add(1).saturating_sub(noted.first);
        return Head { first: noted.last.saturating_add(1), ..noted };
    };
    let mut head = Head { first: end.n, last: end.n, hash: end.hash };
    found.altered = !end.readable;
    if let Some(noted) = noted {
        found.lost = if end.readable { noted.last.saturating_sub(end.n) } else { 0 };
        found.altered |= noted.last == end.n && noted.hash != end.hash;
        if found.altered {
            // On from what was written: going on from a changed line would make it a good one.
            (head.last, head.hash) = (noted.last.max(end.n), noted.hash);
        }
    }
    head
}

/// Removes old files that a rotation had given up when it was interrupted.
fn drop_leftovers(folder: &Path, noted: Option<Head>) -> io::Result<()> {
    let Some(noted) = noted else { return Ok(()) };
    let files = chain::files(folder)?;
    for (old, next) in files.iter().zip(files.iter().skip(1)) {
        if next.first <= noted.first {
            fs::remove_file(&old.path)?;
        }
    }
    Ok(())
}

/// Copies half a line into a file of its own and gives that one's name.
fn set_aside(folder: &Path, of: &LogFile, file: &mut File, from: u64) -> io::Result<String> {
    let mut old = torn_files(folder)?;
    while old.len() >= AUDIT_TORN_MAX {
        fs::remove_file(old.remove(0))?;
    }
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.take(AUDIT_TORN_BYTES_MAX as u64).read_to_end(&mut bytes)?;
    let name = format!("torn-{:020}-{from:012}.part", of.first);
    let mut aside =
        open_private(OpenOptions::new().write(true).truncate(true), &folder.join(&name))?;
    aside.write_all(&bytes)?;
    aside.sync_all()?;
    Ok(name)
}

fn torn_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("torn-") && name.ends_with(".part") {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    // One that existed may have been made by hand.
    #[cfg(unix)]
    fs::set_permissions(folder, std::os::unix::fs::PermissionsExt::from_mode(0o700))?;
    Ok(())
}

/// A new file is there after a power cut, too.
#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

/// Opens a file for this user only, and makes it where there is none.
pub(super) fn open_private(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    if file.metadata()?.is_file() {
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    }
    Ok(file)
}

fn open_append(path: &Path) -> io::Result<(File, u64)> {
    let mut file = open_private(OpenOptions::new().append(true), path)?;
    let size = file.seek(SeekFrom::End(0))?;
    Ok((file, size))
}

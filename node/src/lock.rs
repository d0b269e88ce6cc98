//! The lock on a data folder: one node at a time.
//! Invariant: the lock lives as long as its [`DataLock`]; the system frees it when a process dies.
//! Not here: making the folder.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::PathBuf;

use thiserror::Error;

use crate::error::{Code, Coded, codes};
use crate::paths::DataFiles;

/// Why a data folder cannot be locked.
#[derive(Debug, Error)]
pub enum LockError {
    /// Another process holds the lock.
    #[error("the data folder {} is used by another node{}", dir.display(),
        holder.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
    Held {
        /// The folder.
        dir: PathBuf,
        /// The process that holds it, when it said so.
        holder: Option<u32>,
    },
    /// The lock file cannot be used.
    #[error("cannot lock the data folder {}", dir.display())]
    Io {
        /// The folder.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Coded for LockError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Held { .. } => &codes::DATA_001,
            Self::Io { .. } => &codes::DATA_002,
        }
    }
}

/// The right to work in a data folder.
#[derive(Debug)]
pub struct DataLock {
    _file: File,
}

impl DataLock {
    /// Takes the lock of a folder that exists.
    ///
    /// # Errors
    /// When another process holds it, or the folder cannot be written.
    pub fn take(files: &DataFiles) -> Result<Self, LockError> {
        let io = |source| LockError::Io { dir: files.dir().to_owned(), source };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(files.lock()).map_err(io)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LockError::Held {
                    dir: files.dir().to_owned(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        // For the message above; the lock itself does not depend on it.
        file.set_len(0).map_err(io)?;
        writeln!(file, "{}", std::process::id()).map_err(io)?;
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_none_after_it_is_gone() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = DataFiles::of(dir.path());
        let lock = DataLock::take(&files).expect("free");
        let error = DataLock::take(&files).expect_err("held");
        let text = error.to_string();
        assert!(text.contains(&dir.path().display().to_string()), "{text}");
        assert!(text.contains(&format!("process {}", std::process::id())), "{text}");
        drop(lock);
        drop(DataLock::take(&files).expect("free again"));
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = DataLock::take(&DataFiles::of("/nowhere/at/all")).expect_err("no folder");
        assert!(matches!(error, LockError::Io { .. }) && error.to_string().contains("/nowhere"));
    }
}

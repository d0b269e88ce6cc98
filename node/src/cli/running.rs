//! The note that a running node leaves in its data folder, so that commands find its API.
//! Invariant: a stale note does no harm: commands just get no answer at its address.
//! Not here: the lock, which says whether a node really runs.

use std::fs;
use std::io;

use peerloom_shared::limits;
use serde::{Deserialize, Serialize};

use crate::identity::secret_file::{self, SecretError};
use crate::paths::DataFiles;

/// Where a running node is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// `peerloom/running/1`.
    pub schema: String,
    /// Its process.
    pub pid: u32,
    /// Address of its API.
    pub api: String,
}

impl Running {
    /// The note of this process, whose page is at `page`.
    #[must_use]
    pub fn here(page: &str) -> Self {
        Self {
            schema: "peerloom/running/1".to_owned(),
            pid: std::process::id(),
            api: page.trim_end_matches('/').to_owned(),
        }
    }

    /// Leaves the note. Only the holder of the folder's lock may call this.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn leave(&self, files: &DataFiles) -> Result<(), SecretError> {
        let path = files.running();
        remove(files).map_err(|source| SecretError::Io { path: path.clone(), source })?;
        let bytes = serde_json::to_vec(self)
            .map_err(|error| SecretError::Make { path: path.clone(), why: error.to_string() })?;
        secret_file::create(&path, &bytes)
    }

    /// Reads the note, if there is a readable one.
    #[must_use]
    pub fn read(files: &DataFiles) -> Option<Self> {
        let path = files.running();
        let small = fs::metadata(&path).ok()?.len() <= limits::SECRET_FILE_BYTES_MAX;
        serde_json::from_slice(&fs::read(path).ok().filter(|_| small)?).ok()
    }
}

/// Takes the note away.
///
/// # Errors
/// When the file exists and cannot be removed.
pub fn remove(files: &DataFiles) -> io::Result<()> {
    match fs::remove_file(files.running()) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_found_replaced_and_removed() {
        let dir = tempfile::tempdir().expect("a folder");
        let files = DataFiles::of(dir.path());
        assert_eq!(Running::read(&files), None);
        for port in [1, 2] {
            let note = Running::here(&format!("http://127.0.0.1:{port}/"));
            note.leave(&files).expect("written");
            assert_eq!(note.api, format!("http://127.0.0.1:{port}"));
            assert_eq!(Running::read(&files), Some(note));
        }
        remove(&files).expect("there");
        remove(&files).expect("gone already");
        assert_eq!(Running::read(&files), None);
        fs::write(files.running(), "rubbish").expect("writable");
        assert_eq!(Running::read(&files), None);
    }
}

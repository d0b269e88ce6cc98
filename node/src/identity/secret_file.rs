//! Secret files: made once, for this user only, and never written over.
//! Invariant: a file appears under its name whole or not at all, with mode 0600 from its first byte.
//! Not here: what the files hold.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use peerloom_shared::limits;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::error::{Code, Coded, codes};

/// What can be wrong with a secret file.
#[derive(Debug, Error)]
pub enum SecretError {
    /// It does not exist.
    #[error("there is no {}", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// Other users have rights on it.
    #[error("{} can be used by other users (its mode is {mode:04o})", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It does not hold what it should.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        why: String,
    },
    /// It is a folder, a pipe or the like.
    #[error("{} is not an ordinary file", path.display())]
    Odd {
        /// The file.
        path: PathBuf,
    },
    /// It exists already.
    #[error("{} exists already", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot use {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What belongs into it could not be made.
    #[error("cannot make the content of {}: {why}", path.display())]
    Make {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Coded for SecretError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Missing { .. } => &codes::KEY_001,
            Self::Open { .. } => &codes::KEY_002,
            Self::Damaged { .. } => &codes::KEY_003,
            Self::Odd { .. } | Self::Io { .. } | Self::Make { .. } => &codes::KEY_004,
            Self::Exists { .. } => &codes::KEY_006,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { path, .. } => {
                Some(format!("if nobody else had access: chmod 600 {}", path.display()))
            }
            Self::Damaged { path, .. } => Some(format!(
                "restore {0} from a backup, or move it away to have a new one made",
                path.display()
            )),
            Self::Missing { .. }
            | Self::Odd { .. }
            | Self::Exists { .. }
            | Self::Io { .. }
            | Self::Make { .. } => None,
        }
    }
}

/// Reads a secret file that only this user can use.
///
/// # Errors
/// When it is missing, open to others, larger than any secret, or not readable.
pub fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    let io = |source: io::Error| of_io(path, source);
    let mut file = File::open(path).map_err(io)?;
    // Of the open file, not of the path: nobody can exchange it in between.
    let meta = file.metadata().map_err(io)?;
    if !meta.is_file() {
        return Err(SecretError::Odd { path: path.to_owned() });
    }
    refuse_open(path, &meta)?;
    let damaged = |why: &str| SecretError::Damaged { path: path.to_owned(), why: why.to_owned() };
    if meta.len() > limits::SECRET_FILE_BYTES_MAX {
        return Err(damaged("it is too large"));
    }
    if meta.len() == 0 {
        return Err(damaged("it is empty"));
    }
    // Full size at once: a buffer that grows would leave copies of the secret behind.
    let size = usize::try_from(meta.len()).map_err(|_| damaged("it is too large"))?;
    let mut bytes = Zeroizing::new(vec![0; size]);
    file.read_exact(&mut bytes).map_err(io)?;
    Ok(bytes)
}

/// Writes a new secret file for this user only.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn create(path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
    let io = |source: io::Error| of_io(path, source);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    let draft = draft_of(path);
    // A draft is left over only when a process died while it wrote one.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    write_new(&draft, bytes).map_err(io)?;
    // A link, unlike a rename, never replaces a file that exists.
    let linked = fs::hard_link(&draft, path);
    let removed = fs::remove_file(&draft);
    match linked {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(SecretError::Exists { path: path.to_owned() });
        }
        // Some file systems know no links. Exclusive creation remains.
        Err(_) => write_new(path, bytes).map_err(io)?,
    }
    removed.map_err(io)?;
    sync_folder(folder).map_err(io)
}

/// Reads a secret file, or makes it when it is missing.
///
/// # Errors
/// As [`read`] and [`create`]; `make` tells in words why it cannot.
pub fn read_or_create(
    path: &Path,
    make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, String>,
) -> Result<Zeroizing<Vec<u8>>, SecretError> {
    match read(path) {
        Err(SecretError::Missing { .. }) => {}
        done => return done,
    }
    let bytes = make().map_err(|why| SecretError::Make { path: path.to_owned(), why })?;
    create(path, &bytes)?;
    Ok(bytes)
}

fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn refuse_open(path: &Path, meta: &fs::Metadata) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(SecretError::Open { path: path.to_owned(), mode })
}

// Elsewhere the folder of the user's profile protects its files.
#[cfg(not(unix))]
fn refuse_open(_path: &Path, _meta: &fs::Metadata) -> Result<(), SecretError> {
    Ok(())
}

fn of_io(path: &Path, source: io::Error) -> SecretError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        SecretError::Missing { path }
    } else if source.kind() == io::ErrorKind::AlreadyExists {
        SecretError::Exists { path }
    } else {
        SecretError::Io { path, source }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("exists").permissions().mode() & 0o7777
    }

    #[test]
    fn a_new_file_is_private_whole_and_alone() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        create(&path, b"value").expect("created");
        assert_eq!(mode(&path), 0o600);
        assert_eq!(read(&path).expect("readable").as_slice(), b"value");
        assert_eq!(fs::read_dir(dir.path()).expect("folder").count(), 1, "no draft stays");
    }

    #[test]
    fn an_existing_file_is_never_replaced() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        create(&path, b"first").expect("created");
        assert!(matches!(create(&path, b"second"), Err(SecretError::Exists { .. })));
        assert_eq!(read(&path).expect("readable").as_slice(), b"first");
        let again = read_or_create(&path, || Err("not called".into())).expect("read");
        assert_eq!(again.as_slice(), b"first");
    }

    #[test]
    fn a_draft_of_a_dead_process_is_no_obstacle() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        fs::write(draft_of(&path), b"hal").expect("writable");
        create(&path, b"whole").expect("created");
        assert_eq!(read(&path).expect("readable").as_slice(), b"whole");
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn every_permission_of_others_is_refused() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        create(&path, b"value").expect("created");
        for bit in 0..6 {
            let bad = 0o600 | 1 << bit;
            fs::set_permissions(&path, fs::Permissions::from_mode(bad)).expect("owner");
            let error = read(&path).expect_err("others have rights");
            assert!(matches!(error, SecretError::Open { mode, .. } if mode == bad), "{bad:o}");
            let hint = error.hint().expect("advice");
            assert!(hint.contains(&format!("chmod 600 {}", path.display())));
        }
        for good in [0o600, 0o400, 0o700] {
            fs::set_permissions(&path, fs::Permissions::from_mode(good)).expect("owner");
            read(&path).expect("only the owner has rights");
        }
    }

    #[test]
    fn odd_empty_and_large_files_are_refused_and_kept() {
        let dir = tempfile::tempdir().expect("a folder");
        assert!(matches!(read(dir.path()), Err(SecretError::Odd { .. })));
        let size = usize::try_from(limits::SECRET_FILE_BYTES_MAX).expect("small");
        for (name, bytes) in [("empty", vec![]), ("large", vec![0; size + 1])] {
            let path = dir.path().join(name);
            create(&path, &bytes).expect("created");
            assert!(matches!(read(&path), Err(SecretError::Damaged { .. })), "{name}");
            assert!(read_or_create(&path, || Err("not called".into())).is_err());
            assert_eq!(fs::read(&path).expect("still there"), bytes);
        }
        let missing = dir.path().join("missing");
        assert!(matches!(read(&missing), Err(SecretError::Missing { .. })));
    }
}

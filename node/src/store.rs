//! The database of a node: what it may forget only by choice.
//! Invariant: a commit is on disk when a call returns; a newer or damaged file is refused, never replaced.
//! Not here: what the entries mean; they are bytes of whoever stores them.

use std::fs::OpenOptions;
use std::io;
use std::path::{Path, PathBuf};

use peerloom_shared::limits;
use redb::backends::FileBackend;
use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use thiserror::Error;

use crate::error::{Code, Coded, codes};

/// Layout of the tables. It rises when an older program could no longer read them.
const SCHEMA: u64 = 1;
const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");
const SCHEMA_KEY: &str = "schema";

/// What can go wrong with the database.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The file is of a newer layout.
    #[error("{} has layout {found}; this program knows layouts up to {SCHEMA}", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u64,
    },
    /// The file is no database, or a broken one.
    #[error("{} is damaged: {why}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// How.
        why: String,
    },
    /// Another process has the file open.
    #[error("{} is open in another process", path.display())]
    Held {
        /// The file.
        path: PathBuf,
    },
    /// The operating system reported an error.
    #[error("cannot use the database {}: {why}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
}

impl Coded for StoreError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Held { .. } => &codes::DATA_001,
            Self::Newer { .. } => &codes::DATA_004,
            Self::Damaged { .. } => &codes::DATA_005,
            Self::Io { .. } => &codes::DATA_006,
        }
    }
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shelf {
    /// The address book, by peer.
    Book,
    /// Chains of grants that this node holds, by the id of the last link.
    Held,
    /// Grants and invites that this node made, by their id.
    Given,
    /// Uses of limited grants of ours, by grant and holder.
    Uses,
    /// Lists of revocations, by network and issuer.
    Lists,
    /// Keys of members' rooms, by network and name of the key.
    RoomKeys,
}

impl Shelf {
    const fn table(self) -> Table {
        TableDefinition::new(match self {
            Self::Book => "address_book",
            Self::Held => "grants_held",
            Self::Given => "grants_given",
            Self::Uses => "grant_uses",
            Self::Lists => "revocation_lists",
            Self::RoomKeys => "room_keys",
        })
    }

    /// How many rows are read.
    const fn rows_max(self) -> usize {
        match self {
            Self::Book => limits::BOOK_MAX,
            Self::Held => limits::GRANTS_HELD_MAX,
            Self::Given => limits::GRANTS_GIVEN_MAX,
            Self::Uses => limits::GRANT_USES_MAX,
            Self::Lists => limits::REVOCATION_ISSUERS_MAX,
            Self::RoomKeys => limits::ROOM_KEYS_STORED_MAX,
        }
    }
}

/// A change of one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// Where.
    pub shelf: Shelf,
    /// Which row.
    pub key: Vec<u8>,
    /// What it holds from now on; `None` removes it.
    pub value: Option<Vec<u8>>,
}

/// A row's key and value.
pub type Row = (Vec<u8>, Vec<u8>);

type Table = TableDefinition<'static, &'static [u8], &'static [u8]>;

/// The open database. Calls block for a disk write; keep them off the threads that carry packets.
#[derive(Debug)]
pub struct Store {
    db: Database,
    path: PathBuf,
}

impl Store {
    /// Opens the database, or makes it.
    ///
    /// # Errors
    /// When it is newer, damaged, in use, or not readable.
    pub fn open(path: &Path) -> Result<Self, StoreError> {
        // On some damage redb panics instead of failing.
        std::panic::catch_unwind(|| Self::open_checked(path)).unwrap_or_else(|_| {
            let why = "its pages contradict each other".to_owned();
            Err(StoreError::Damaged { path: path.to_owned(), why })
        })
    }

    fn open_checked(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(|error| of_io(path, &error))?;
        let mut builder = Database::builder();
        builder.set_cache_size(limits::STORE_CACHE_BYTES);
        let db = FileBackend::new(file)
            .and_then(|backend| builder.create_with_backend(backend))
            .map_err(|error| of_open(path, error))?;
        let mut store = Self { db, path: path.to_owned() };
        // The file is small, so all of it is looked at now rather than to fail in the middle of work.
        if !store.db.check_integrity().map_err(|error| of_open(path, error))? {
            tracing::warn!(path = %path.display(), "the database was damaged and has been repaired");
        }
        store.claim()?;
        store.rows(Shelf::Book)?;
        Ok(store)
    }

    /// All rows of a table, in the order of their keys, as many as its limit allows.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn rows(&self, shelf: Shelf) -> Result<Vec<Row>, StoreError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let table = match read.open_table(shelf.table()) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(Vec::new()),
            Err(error) => return Err(self.failed(error)),
        };
        let rows = table.iter().map_err(|error| self.failed(error))?;
        rows.take(shelf.rows_max())
            .map(|row| {
                let (key, value) = row.map_err(|error| self.failed(error))?;
                Ok((key.value().to_vec(), value.value().to_vec()))
            })
            .collect()
    }

    /// Carries out changes, all or none, in one disk write.
    ///
    /// # Errors
    /// When the file cannot be written; then nothing has changed.
    pub fn change(&self, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let write = self.db.begin_write().map_err(|error| self.failed(error))?;
        for Change { shelf, key, value } in changes {
            let mut table = write.open_table(shelf.table()).map_err(|error| self.failed(error))?;
            let done = match value {
                Some(value) => table.insert(key.as_slice(), value.as_slice()).map(drop),
                None => table.remove(key.as_slice()).map(drop),
            };
            done.map_err(|error| self.failed(error))?;
        }
        write.commit().map_err(|error| self.failed(error))
    }

    fn claim(&self) -> Result<(), StoreError> {
        let found = self.schema()?;
        match found {
            Some(found) if found > SCHEMA => {
                Err(StoreError::Newer { path: self.path.clone(), found })
            }
            Some(_) => Ok(()),
            None => {
                let write = self.db.begin_write().map_err(|error| self.failed(error))?;
                {
                    let mut meta = write.open_table(META).map_err(|error| self.failed(error))?;
                    meta.insert(SCHEMA_KEY, SCHEMA).map_err(|error| self.failed(error))?;
                    write.open_table(Shelf::Book.table()).map_err(|error| self.failed(error))?;
                }
                write.commit().map_err(|error| self.failed(error))
            }
        }
    }

    fn schema(&self) -> Result<Option<u64>, StoreError> {
        let read = self.db.begin_read().map_err(|error| self.failed(error))?;
        let meta = match read.open_table(META) {
            Ok(meta) => meta,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(self.failed(error)),
        };
        let found = meta.get(SCHEMA_KEY).map_err(|error| self.failed(error))?;
        Ok(found.map(|value| value.value()))
    }

    fn failed(&self, error: impl Into<redb::Error>) -> StoreError {
        of_error(&self.path, error.into())
    }
}

fn of_open(path: &Path, error: DatabaseError) -> StoreError {
    if let DatabaseError::UpgradeRequired(found) = error {
        return StoreError::Newer { path: path.to_owned(), found: u64::from(found) };
    }
    of_error(path, error.into())
}

fn of_error(path: &Path, error: redb::Error) -> StoreError {
    if let redb::Error::Io(source) = &error {
        return of_io(path, source);
    }
    let path = path.to_owned();
    if let redb::Error::DatabaseAlreadyOpen = error {
        StoreError::Held { path }
    } else if let redb::Error::Corrupted(why) = error {
        StoreError::Damaged { path, why }
    } else {
        StoreError::Io { path, why: error.to_string() }
    }
}

fn of_io(path: &Path, error: &io::Error) -> StoreError {
    let path = path.to_owned();
    // What redb reports for a file that does not begin like a database, or ends too early.
    if matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) {
        return StoreError::Damaged { path, why: error.to_string() };
    }
    StoreError::Io { path, why: error.to_string() }
}

#[cfg(test)]
mod tests;

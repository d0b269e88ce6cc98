//! The IndexedDB side of the keystore: database `peerloom`, store `identity`, key = name.
//! Invariant: one request per transaction, and an answer counts only when that has completed.
//! Not here: what a record contains.

use wasm_bindgen::JsValue;
use web_sys::IdbTransactionMode;

use super::{KeystoreError, Stop};
use crate::dom::describe;
use crate::idb::{OpenError, Place, Store};

const PLACE: Place = Place { database: "peerloom", version: 1, store: "identity" };

/// The open database.
pub(super) struct Database(Store);

/// What became of a new record.
pub(super) enum Added {
    Stored,
    /// There was one already; it was left alone.
    Exists,
}

impl Database {
    /// Opens the database and creates its store if this is the first time.
    pub(super) async fn open(name: &str) -> Result<Self, Stop> {
        match Store::open(PLACE).await {
            Ok(store) => Ok(Self(store)),
            Err(OpenError::Refused(reason)) => Err(Stop::NoStorage(reason)),
            Err(OpenError::Newer) => {
                Err(Stop::Report(KeystoreError::Newer { name: name.to_owned() }))
            }
        }
    }

    /// The record of that name, if there is one.
    pub(super) async fn get(&self, name: &str) -> Result<Option<JsValue>, Stop> {
        let unreadable = |detail: String| {
            Stop::Report(KeystoreError::Unreadable { name: name.to_owned(), detail })
        };
        let (_, record) = self
            .0
            .run(IdbTransactionMode::Readonly, |store| store.get(&name.into()))
            .await
            .map_err(|error| unreadable(describe(&error)))?;
        match record {
            Ok(value) if value.is_undefined() => Ok(None),
            Ok(value) => Ok(Some(value)),
            Err((_, text)) => Err(unreadable(text)),
        }
    }

    /// Stores a record under a name that must not exist yet.
    pub(super) async fn add(&self, name: &str, record: &JsValue) -> Result<Added, Stop> {
        let refused =
            |detail: &str| Stop::NoStorage(format!("the browser did not store the key ({detail})"));
        let (completed, outcome) = self
            .0
            .run(IdbTransactionMode::Readwrite, |store| store.add_with_key(record, &name.into()))
            .await
            .map_err(|error| refused(&describe(&error)))?;
        match outcome {
            Ok(_) if completed => Ok(Added::Stored),
            Ok(_) => Err(refused("the transaction was aborted")),
            Err((kind, _)) if kind == "ConstraintError" => Ok(Added::Exists),
            Err((_, text)) => Err(refused(&text)),
        }
    }
}

//! One object store of IndexedDB.
//! Invariant: an answer counts only when its transaction has completed.
//! Not here: what is stored (`keystore`, `peer_loop::book`).

use futures::channel::oneshot;
use js_sys::Reflect;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    EventTarget, IdbDatabase, IdbFactory, IdbObjectStore, IdbOpenDbRequest, IdbRequest,
    IdbTransactionMode,
};

use crate::dom::{Listener, describe};

/// Name and version of a database with one store.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// The database.
    pub(crate) database: &'static str,
    /// The version whose layout we know.
    pub(crate) version: u32,
    /// The store.
    pub(crate) store: &'static str,
}

/// Why a store cannot be used.
pub(crate) enum OpenError {
    /// The browser gives no storage; in words.
    Refused(String),
    /// A later version of Peerloom wrote the database.
    Newer,
}

/// Name and text of a failed request's error.
pub(crate) type Failure = (String, String);

/// An open store; closed on drop, so that a later version of the page can upgrade its database.
pub(crate) struct Store {
    database: IdbDatabase,
    name: &'static str,
}

impl Store {
    /// Opens the database and creates its store if this is the first time.
    pub(crate) async fn open(place: Place) -> Result<Self, OpenError> {
        let refused = |error: JsValue| {
            OpenError::Refused(format!("the browser refuses IndexedDB ({})", describe(&error)))
        };
        // Read by name because the property sits on window or worker, and may throw.
        let factory = Reflect::get(&js_sys::global(), &"indexedDB".into()).map_err(refused)?;
        let factory: IdbFactory = factory
            .dyn_into()
            .map_err(|_| OpenError::Refused("this browser has no IndexedDB".into()))?;
        let request = factory.open_with_u32(place.database, place.version).map_err(refused)?;
        let _upgrade = create_store_when_asked(&request, place.store).map_err(refused)?;
        first_of(&request, &["success", "error"]).await.map_err(refused)?;
        match failure(&request) {
            None => {}
            Some((kind, _)) if kind == "VersionError" => return Err(OpenError::Newer),
            Some((_, text)) => return Err(refused(text.into())),
        }
        let database = request.result().map_err(refused)?.unchecked_into();
        Ok(Self { database, name: place.store })
    }

    /// Makes requests in one transaction; tells whether that completed, and the result or error of
    /// the last request.
    pub(crate) async fn run(
        &self,
        mode: IdbTransactionMode,
        ask: impl FnOnce(&IdbObjectStore) -> Result<IdbRequest, JsValue>,
    ) -> Result<(bool, Result<JsValue, Failure>), JsValue> {
        let transaction = self.database.transaction_with_str_and_mode(self.name, mode)?;
        let request = ask(&transaction.object_store(self.name)?)?;
        let end = first_of(&transaction, &["complete", "abort"]).await?;
        let outcome = match failure(&request) {
            Some(error) => Err(error),
            None => Ok(request.result()?),
        };
        Ok((end == "complete", outcome))
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.database.close();
    }
}

/// Runs inside the browser's upgrade, the only moment when a store can be created.
fn create_store_when_asked(
    request: &IdbOpenDbRequest,
    store: &'static str,
) -> Result<Listener, JsValue> {
    let asked = request.clone();
    Listener::new(request, &["upgradeneeded"], move |_| {
        if let Ok(database) = asked.result() {
            // If it fails, the browser aborts the upgrade and the open request fails.
            drop(database.unchecked_into::<IdbDatabase>().create_object_store(store));
        }
    })
}

/// Waits for the first event of these types and tells its type.
async fn first_of(target: &EventTarget, types: &'static [&'static str]) -> Result<String, JsValue> {
    let (sender, first) = oneshot::channel();
    let mut sender = Some(sender);
    let _listener = Listener::new(target, types, move |event| {
        if let Some(sender) = sender.take() {
            // Nobody listens any more only when the waiting future was dropped.
            drop(sender.send(event.type_()));
        }
    })?;
    first.await.map_err(|_| JsValue::from_str("the listener was dropped"))
}

/// Name and text of a finished request's error, if it failed.
fn failure(request: &IdbRequest) -> Option<Failure> {
    let error = request.error().ok().flatten()?;
    Some((error.name(), describe(&error.into())))
}

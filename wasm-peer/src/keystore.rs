//! Keeps this browser's identity key in IndexedDB, sealed by a WebCrypto key.
//! Invariant: a stored record is never overwritten or deleted; what cannot be read is an error.
//! Not here: export, backup, and choosing the tab that uses the key.

mod database;
mod seal;

use std::{fmt, pin::pin, time::Duration};

use futures::future::{Either, select};
use futures_timer::Delay;
use libp2p::identity::Keypair;
use peerloom_shared::limits::{IDENTITY_NAME_BYTES_MAX, STORAGE_MS};

use self::{
    database::{Added, Database},
    seal::Vault,
};

/// An identity, and whether it will be the same after a reload.
pub struct Loaded {
    /// The Ed25519 key pair.
    pub keypair: Keypair,
    /// True if the key rests in IndexedDB; false if it dies with the page.
    pub persisted: bool,
    /// Why the key could not be kept, as one English sentence; `None` if it is kept.
    pub reason: Option<String>,
}

impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loaded")
            .field("id", &self.keypair.public().to_peer_id())
            .field("persisted", &self.persisted)
            .field("reason", &self.reason)
            .finish()
    }
}

/// Why no identity can be handed out, although the browser's storage works.
#[derive(Debug, thiserror::Error)]
pub enum KeystoreError {
    /// The name is empty or longer than 64 bytes.
    #[error("the name of an identity must have 1 to {IDENTITY_NAME_BYTES_MAX} bytes")]
    Name,
    /// A record exists but does not hold the key it claims to hold. It is left as it is.
    #[error("the stored identity {name:?} is damaged ({detail}); it was not changed")]
    Damaged {
        /// Name of the identity.
        name: String,
        /// What is wrong with the record.
        detail: String,
    },
    /// A later version of Peerloom wrote the database or the record.
    #[error("the stored identity {name:?} was written by a newer version of Peerloom")]
    Newer {
        /// Name of the identity.
        name: String,
    },
    /// The database opened, but reading the record failed, so nobody knows whether one exists.
    #[error("the stored identity {name:?} cannot be read: {detail}")]
    Unreadable {
        /// Name of the identity.
        name: String,
        /// What the browser said.
        detail: String,
    },
}

/// How a step ends early: with no storage (use a key in memory) or with an error to report.
enum Stop {
    NoStorage(String),
    Report(KeystoreError),
}

/// Loads the identity `name`, or creates and stores it if there is none.
///
/// Where the browser gives no lasting storage (insecure context, private mode, refusal, no
/// answer), the key lives in memory only and [`Loaded::reason`] says why. Two tabs that create
/// the same name at once get the same key.
///
/// # Errors
/// If a record exists and cannot be used: it is reported and never replaced.
pub async fn load_or_create(name: &str) -> Result<Loaded, KeystoreError> {
    if name.is_empty() || name.len() > IDENTITY_NAME_BYTES_MAX {
        return Err(KeystoreError::Name);
    }
    let stored = pin!(load_or_store(name));
    let outcome = match select(stored, Delay::new(Duration::from_millis(STORAGE_MS))).await {
        Either::Left((outcome, _)) => outcome,
        Either::Right(((), _)) => {
            let text = format!("the browser's storage did not answer in {} s", STORAGE_MS / 1000);
            Err(Stop::NoStorage(text))
        }
    };
    match outcome {
        Ok(keypair) => Ok(Loaded { keypair, persisted: true, reason: None }),
        Err(Stop::NoStorage(reason)) => Ok(ephemeral(reason)),
        Err(Stop::Report(error)) => Err(error),
    }
}

/// A fresh key that lives in memory only, with the reason for it.
#[must_use]
pub fn ephemeral(reason: String) -> Loaded {
    Loaded { keypair: Keypair::generate_ed25519(), persisted: false, reason: Some(reason) }
}

async fn load_or_store(name: &str) -> Result<Keypair, Stop> {
    let vault = Vault::of_this_page().map_err(Stop::NoStorage)?;
    let database = Database::open(name).await?;
    if let Some(record) = database.get(name).await? {
        return vault.unseal(name, &record).await.map_err(Stop::Report);
    }
    let keypair = Keypair::generate_ed25519();
    let record = vault.seal(name, &keypair).await.map_err(Stop::NoStorage)?;
    match database.add(name, &record).await? {
        Added::Stored => Ok(keypair),
        // Another tab was faster: its key is the identity, ours was never used.
        Added::Exists => match database.get(name).await? {
            Some(record) => vault.unseal(name, &record).await.map_err(Stop::Report),
            None => Err(Stop::NoStorage("the browser's storage was cleared meanwhile".into())),
        },
    }
}

//! What is in force: loads the folder and swaps the whole set, or keeps the old one.
//! Invariant: a set is in force whole, with an epoch higher than any before; a bad folder changes nothing.
//! Not here: what starts a reload (`actor`), the folder itself (`folder`).

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use peerloom_shared::net::clock::unix_ms;
use peerloom_shared::policy::{Engine, PolicySet};
use peerloom_shared::view::PeerEvent;
use tokio::sync::watch;

use super::engine::CedarEngine;
use super::error::PolicyError;
use super::folder::{self, Loaded, Wanted};
use super::observe::Observing;
use crate::admin::{EventLog, Metrics};
use crate::audit::Audit;
use crate::error::{Coded, chain};

/// What is in force, and how it is replaced.
#[derive(Debug)]
pub struct Keeper {
    folder: PathBuf,
    wanted: Wanted,
    observe_until_ms: Option<u64>,
    tellers: Tellers,
    snapshot: watch::Sender<Arc<PolicySet>>,
    print: Mutex<u64>,
}

/// Where a keeper's set comes from.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The policy folder.
    pub folder: PathBuf,
    /// Profile and own key.
    pub wanted: Wanted,
    /// Until when denials are observed only, Unix time in ms.
    pub observe_until_ms: Option<u64>,
}

/// Who is told about what becomes of the folder.
#[derive(Clone, Debug)]
pub struct Tellers {
    /// Counts reloads that failed and denials that were only observed.
    pub metrics: Metrics,
    /// Tells the pages.
    pub events: EventLog,
    /// Keeps what changed this node.
    pub audit: Audit,
}

impl Keeper {
    /// Loads the folder for the first time; the set has epoch 1.
    ///
    /// # Errors
    /// Whatever is wrong with the folder. Nothing else is put in force instead.
    pub fn start(settings: Settings, tellers: Tellers) -> Result<Self, PolicyError> {
        let Settings { folder, wanted, observe_until_ms } = settings;
        let loaded = folder::load(&folder, &wanted, unix_ms())?;
        let print = Mutex::new(loaded.print);
        let set = set(loaded, 1, observe_until_ms, &tellers.metrics);
        let (snapshot, _) = watch::channel(Arc::new(set));
        Ok(Self { folder, wanted, observe_until_ms, tellers, snapshot, print })
    }

    /// Follows what is in force.
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<Arc<PolicySet>> {
        self.snapshot.subscribe()
    }

    /// The policy folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Loads the folder and puts it in force if it differs. Gives the epoch in force. Takes as long as
    /// reading, validating and testing take: not for the actors' thread.
    ///
    /// # Errors
    /// What is wrong with the folder; what is in force stays.
    pub fn reload(&self) -> Result<u64, PolicyError> {
        // One reload at a time: two that overlap could put the older folder in force last.
        let mut print = self.print.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = folder::load(&self.folder, &self.wanted, unix_ms())
            .inspect_err(|error| self.failed(error))?;
        if loaded.print != *print {
            *print = loaded.print;
            self.snapshot.send_modify(|current| {
                let epoch = current.epoch().saturating_add(1);
                *current =
                    Arc::new(set(loaded, epoch, self.observe_until_ms, &self.tellers.metrics));
            });
            let epoch = self.epoch();
            self.tellers.audit.reloaded(epoch);
            self.tellers.events.publish(PeerEvent::PolicyReloaded { epoch });
        }
        Ok(self.epoch())
    }

    /// Counts and tells that a reload failed.
    pub fn failed(&self, error: &PolicyError) {
        self.tellers.metrics.count_reload_failed();
        self.tellers.audit.reload_failed(error.code().id, &chain(error));
        let event = PeerEvent::PolicyFailed {
            code: error.code().id.to_owned(),
            message: chain(error),
            epoch: self.epoch(),
        };
        self.tellers.events.publish(event);
    }

    /// The epoch in force.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.snapshot.borrow().epoch()
    }
}

fn set(loaded: Loaded, epoch: u64, observe_until_ms: Option<u64>, metrics: &Metrics) -> PolicySet {
    let trust = loaded.compiled.trust.clone();
    let engine: Arc<dyn Engine> = Arc::new(CedarEngine::new(loaded.compiled));
    let engine = match observe_until_ms {
        Some(until_ms) => Arc::new(Observing::new(engine, until_ms, metrics.clone())),
        None => engine,
    };
    PolicySet::from_rules(loaded.lists, epoch).trusting(trust).with_engine(engine)
}

#[cfg(test)]
mod tests;

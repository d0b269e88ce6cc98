//! What a node is made from, and what outlives a restart of its parts.
//! Invariant: a restart reads only from here.
//! Not here: the parts (`group`).

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use libp2p::identity::Keypair;
use peerloom_shared::net::clock::Clock;
use peerloom_shared::wire::RoomName;
use tokio::sync::mpsc;

use crate::actor::Death;
use crate::admin::{EventLog, Metrics};
use crate::audit::Audit;
use crate::book_writer::BookWriter;
use crate::config::CheckedConfig;
use crate::policy::keeper::Keeper;
use crate::pubsub::outlets::Inspect;
use crate::recent::Recent;
use crate::store::Store;
use crate::watcher::Watcher;

/// What outlives a restart.
pub struct Boot {
    /// The settings.
    pub config: CheckedConfig,
    /// Our key.
    pub keypair: Keypair,
    /// The certificate of the WebRTC listener.
    pub certificate: peerloom_webrtc::backend::native::Certificate,
    /// The database.
    pub store: Arc<Store>,
    /// The address book on disk.
    pub book: BookWriter,
    /// The policy in force.
    pub policy: Arc<Keeper>,
    /// What was denied, and what changed this node.
    pub audit: Audit,
    /// Everything that happens.
    pub events: EventLog,
    /// The newest messages.
    pub recent: Recent,
    /// Numbers.
    pub metrics: Metrics,
    /// libp2p's part of the numbers.
    pub watcher: Watcher,
    /// The rooms to be in.
    pub rooms: Arc<Mutex<BTreeSet<RoomName>>>,
    /// The name that others see.
    pub name: Arc<Mutex<Option<String>>>,
    /// Looks at every message.
    pub inspect: Option<Inspect>,
    /// The node's clock.
    pub clock: Clock,
    /// Where deaths are reported.
    pub notices: mpsc::Sender<Death>,
}

impl std::fmt::Debug for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Boot").field("data_dir", &self.config.data_dir).finish_non_exhaustive()
    }
}

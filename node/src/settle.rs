//! What a new life does first and an old one last: listen, keep links, be in rooms, say goodbye.
//! Invariant: the same for the first start and for every restart.
//! Not here: building the actors (`group`).

use std::io::ErrorKind;
use std::net::{Ipv6Addr, TcpListener};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use libp2p::Multiaddr;
use peerloom_shared::defence::book::BookEntry;
use peerloom_shared::limits::ASK_MS;
use peerloom_shared::wire::UC_DISCOVERY_TOPIC;

use crate::actor::AskError;
use crate::boot::Boot;
use crate::config::address::{Socket, socket};
use crate::discovery::messages::{AddBootstrap, Remember};
use crate::error::{Failure, codes};
use crate::group::Group;
use crate::pubsub::messages::{Subscribe, Unsubscribe};
use crate::store::Shelf;
use crate::transport::messages::Listen;

impl Boot {
    /// Makes a new life do what the node is for: listen, keep its links, be in its rooms.
    ///
    /// # Errors
    /// When an address that must be listened on cannot be.
    pub async fn settle(&self, group: &Group) -> Result<(), Failure> {
        let asked = |e: AskError| Failure::new(&codes::NODE_004, e.to_string());
        let addresses = &self.config.listen;
        addresses.iter().try_for_each(refuse_taken)?;
        group.discovery.ask(Remember(self.known().await?)).await.map_err(asked)?;
        group.transport.ask(Listen(addresses.clone())).await.map_err(asked)?;
        self.wait_for_listeners(group, addresses).await?;
        for address in &self.config.bootstrap {
            group.discovery.ask(AddBootstrap(address.clone())).await.map_err(asked)?;
        }
        group
            .net
            .subscribe(UC_DISCOVERY_TOPIC.to_owned())
            .await
            .map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))?;
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for room in rooms {
            group.ensure_key(&room).await?;
            group
                .pubsub
                .ask(Subscribe(room))
                .await
                .map_err(asked)?
                .map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))?;
        }
        Ok(())
    }

    /// The address book from disk. Entries that do not decode are left out: they are hints, not facts.
    async fn known(&self) -> Result<Vec<BookEntry>, Failure> {
        let store = Arc::clone(&self.store);
        let rows = tokio::task::spawn_blocking(move || store.rows(Shelf::Book)).await;
        let rows = rows.map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))??;
        Ok(rows.iter().filter_map(|(_, entry)| BookEntry::decode(entry).ok()).collect())
    }

    /// Waits until every address is bound or has failed. A port that is in use ends the start; a
    /// default address that this machine does not have is left out with a warning.
    async fn wait_for_listeners(&self, group: &Group, wanted: &[Multiaddr]) -> Result<(), Failure> {
        let mut listening = group.listening.clone();
        let settled = listening.wait_for(|now| now.up.len() + now.failed.len() >= wanted.len());
        let deadline = Duration::from_millis(ASK_MS);
        let shown = match tokio::time::timeout(deadline, settled).await {
            Ok(Ok(shown)) => Arc::clone(&shown),
            Ok(Err(_)) | Err(_) => {
                let why = "the listeners did not come up in time".to_owned();
                return Err(Failure::new(&codes::NODE_004, why));
            }
        };
        for (address, reason) in &shown.failed {
            let in_use = reason.contains("in use");
            if in_use || !self.config.listens_by_default() {
                let code = if in_use { &codes::NET_102 } else { &codes::NET_103 };
                return Err(Failure::new(code, format!("cannot listen on {address}: {reason}")));
            }
            tracing::warn!(%address, %reason, "this machine cannot listen here; going on without");
        }
        Ok(())
    }

    /// Leaves the rooms, so that others see us go.
    pub async fn say_goodbye(&self, group: &Group) {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for room in rooms {
            // A room that cannot be left in order is left by hanging up.
            drop(group.pubsub.ask(Unsubscribe(room)).await);
        }
    }
}

/// Our TCP listeners share their port with every listener that allows it too, so a second node would
/// come up on the first one's port and get half of its connections. A plain listener finds out.
fn refuse_taken(address: &Multiaddr) -> Result<(), Failure> {
    let Ok(Socket { mut ip, udp: false, port: port @ 1.. }) = socket(address) else {
        return Ok(());
    };
    if ip == Ipv6Addr::UNSPECIFIED {
        // "All of IPv6" would take in IPv4 here, and the listener will not.
        ip = Ipv6Addr::LOCALHOST.into();
    }
    match TcpListener::bind((ip, port)) {
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            Err(Failure::new(&codes::NET_102, format!("cannot listen on {address}: {error}")))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

//! A running node as others use it: the admin server and programs that embed a node.
//! Invariant: every call ends by a deadline, and between two lives it says so instead of waiting.
//! Not here: HTTP (`admin`), the actors' work.

pub mod invites;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use libp2p::PeerId;
use peerloom_shared::limits::{DIAL_ASK_MS, DIAL_SETTLE_MS, LOOKUP_ASK_MS};
use peerloom_shared::net::NetError;
use peerloom_shared::net::clock::Clock;
use peerloom_shared::net::picture::Picture;
use peerloom_shared::policy::PolicySet;
use peerloom_shared::routing::{Ask, Found};
use peerloom_shared::view::{Message, Status, Transport};
use peerloom_shared::wire::RoomName;
use peerloom_shared::{Multiaddr, defence};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::actor::AskError;
use crate::admin::{EventLog, Metrics, Reached};
use crate::audit::Audit;
use crate::config::CheckedConfig;
use crate::error::{Failure, codes};
use crate::gauges::Gauges;
use crate::group::Group;
use crate::policy::messages::Reload;
use crate::pubsub::messages::{Publish, SetName, Subscribe, Unsubscribe};
use crate::recent::Recent;
use crate::routing::messages::Lookup;
use crate::transport::messages::{Dial, HangUp, Ping};

/// A handle on a running node. Cheap to clone.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(crate) id: PeerId,
    pub(crate) public_key: Vec<u8>,
    pub(crate) config: Arc<CheckedConfig>,
    pub(crate) current: watch::Receiver<Option<Arc<Group>>>,
    pub(crate) policy: watch::Receiver<Arc<PolicySet>>,
    pub(crate) audit: Audit,
    pub(crate) events: EventLog,
    pub(crate) recent: Recent,
    pub(crate) metrics: Metrics,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) rooms: Arc<Mutex<BTreeSet<RoomName>>>,
    pub(crate) name: Arc<Mutex<Option<String>>>,
    pub(crate) clock: Clock,
    pub(crate) stop: CancellationToken,
}

impl NodeHandle {
    /// Our PeerId.
    #[must_use]
    pub fn id(&self) -> PeerId {
        self.id
    }

    /// Follows which group is in force; `None` while the node rebuilds itself.
    #[must_use]
    pub fn lives(&self) -> watch::Receiver<Option<Arc<Group>>> {
        self.current.clone()
    }

    /// The audit log.
    #[must_use]
    pub const fn audit(&self) -> &Audit {
        &self.audit
    }

    pub(crate) fn group(&self) -> Result<Arc<Group>, Failure> {
        self.current.borrow().clone().ok_or_else(|| of_ask(AskError::Gone))
    }

    /// The whole picture.
    ///
    /// # Errors
    /// Between two lives.
    pub fn picture(&self) -> Result<Status, Failure> {
        let group = self.group()?;
        let (state, reach) = (group.net.state(), group.reach.borrow().clone());
        let now = self.clock.now().mono.as_millis();
        let rooms = group.rooms.borrow().clone();
        let picture = Picture {
            net: &state,
            kind: "native",
            health: reach.health,
            reason: &reach.reason,
            links: &reach.links,
            links_age_ms: now.saturating_sub(reach.at_ms),
            rooms: &rooms,
            uptime_ms: now,
        };
        Ok(picture.status())
    }

    /// Joins a room, and again after a restart of the node's parts.
    ///
    /// # Errors
    /// When the name is no room's name, or pubsub refuses.
    pub async fn join_room(&self, room: &str, name: Option<String>) -> Result<(), Failure> {
        let room = room_name(room)?;
        let group = self.group()?;
        if let Some(name) = name {
            *self.name.lock().unwrap_or_else(PoisonError::into_inner) = Some(name.clone());
            group.pubsub.ask(SetName(Some(name))).await.map_err(of_ask)?;
        }
        group.ensure_key(&room).await?;
        let joined = group.pubsub.ask(Subscribe(room.clone())).await.map_err(of_ask)?;
        joined?;
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).insert(room);
        Ok(())
    }

    /// Leaves a room.
    ///
    /// # Errors
    /// When we are not in it.
    pub async fn leave_room(&self, room: &str) -> Result<(), Failure> {
        let room = room_name(room)?;
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner).remove(&room);
        let left = self.group()?.pubsub.ask(Unsubscribe(room)).await.map_err(of_ask)?;
        Ok(left?)
    }

    /// Says something in a room.
    ///
    /// # Errors
    /// When we are not in it, nobody is there, or the text is empty or too long.
    pub async fn say(&self, room: &str, text: String) -> Result<Message, Failure> {
        let room = room_name(room)?;
        let said = self.group()?.pubsub.ask(Publish { room, text }).await.map_err(of_ask)?;
        Ok(said?)
    }

    /// Connects to an address and gives the peer there. A peer that is connected already is not
    /// dialled once more, unless only relays connect it and the address leads to it directly.
    ///
    /// # Errors
    /// When no transport of ours knows the address, when nobody or somebody else answers, or when the
    /// peer closes the connection at once.
    pub async fn dial(&self, address: Multiaddr) -> Result<Reached, Failure> {
        let parts = defence::address::Parts::of(&address);
        let listed = matches!(parts.host, Some(defence::address::Host::AddressList(_)));
        // Said here, because below the resolver of names hides this reason in a text.
        let strange = matches!(parts.transport, Transport::Other | Transport::Memory);
        if (strange || !parts.plain) && !listed {
            return Err(of_net(NetError::Unsupported(address)));
        }
        let group = self.group()?;
        let named = defence::address::peer(&address);
        let state = group.net.state();
        let direct = parts.transport != Transport::Circuit;
        if let Some(peer) = named
            && let Some(over) = state.path_to(&peer, direct)
        {
            return Ok(Reached { peer, already: Some(over.clone()) });
        }
        let even_if_connected = named.is_some_and(|peer| state.is_connected(&peer));
        let dial = Dial { peer: named, addresses: vec![address], even_if_connected };
        let deadline = Duration::from_millis(DIAL_ASK_MS);
        let dialed = group.transport.ask_within(dial, deadline).await.map_err(of_ask)?;
        let peer = dialed.map_err(of_net)?;
        self.stays(&group, peer).await?;
        Ok(Reached { peer, already: None })
    }

    /// Waits until a peer that was just reached has introduced itself: one whose rules deny us hangs up
    /// instead. A peer that does neither in time is taken as it is.
    async fn stays(&self, group: &Group, peer: PeerId) -> Result<(), Failure> {
        let mut seen = group.net.watch();
        let mut known = false;
        let settled = seen.wait_for(|state| {
            let here = state.is_connected(&peer);
            let left = known && !here;
            known |= here;
            left || state.identities.contains_key(&peer)
        });
        // A peer that came and went between two looks is seen at the end only.
        drop(tokio::time::timeout(Duration::from_millis(DIAL_SETTLE_MS), settled).await);
        if !group.net.state().is_connected(&peer) {
            let text = format!("{peer} closed the connection at once");
            return Err(Failure::new(&codes::NET_111, text));
        }
        Ok(())
    }

    /// Closes all connections of a peer.
    ///
    /// # Errors
    /// When it is not connected.
    pub async fn hang_up(&self, peer: PeerId) -> Result<(), Failure> {
        self.group()?.transport.ask(HangUp(peer)).await.map_err(of_ask)?.map_err(of_net)
    }

    /// Measures one round trip.
    ///
    /// # Errors
    /// When the peer is not connected or does not answer.
    pub async fn round_trip(&self, peer: PeerId) -> Result<Duration, Failure> {
        let deadline = Duration::from_millis(DIAL_ASK_MS);
        let ping = self.group()?.transport.ask_within(Ping(peer), deadline).await;
        ping.map_err(of_ask)?.map_err(of_net)
    }

    /// Asks the distributed hash table.
    ///
    /// # Errors
    /// When nothing is found or nobody is there to ask.
    pub async fn look_up(&self, ask: Ask) -> Result<Found, Failure> {
        let deadline = Duration::from_millis(LOOKUP_ASK_MS);
        let found = self.group()?.routing.ask_within(Lookup(ask), deadline).await;
        Ok(found.map_err(of_ask)??)
    }

    /// Reads the rules again and gives the epoch of the set in force.
    ///
    /// # Errors
    /// When the file is bad; the rules in force stay.
    pub async fn reload_rules(&self) -> Result<u64, Failure> {
        Ok(self.group()?.policy.ask(Reload).await.map_err(of_ask)??)
    }
}

pub(crate) fn room_name(room: &str) -> Result<RoomName, Failure> {
    Ok(room.parse::<RoomName>()?)
}

pub(crate) fn of_ask(error: AskError) -> Failure {
    let code = match error {
        AskError::Busy => &codes::NODE_001,
        AskError::Timeout => &codes::NODE_002,
        AskError::Gone => &codes::NODE_003,
    };
    Failure::new(code, error.to_string())
}

fn of_net(error: NetError) -> Failure {
    let code = match &error {
        NetError::Denied(_) => &codes::POL_101,
        NetError::Permit(_) => &codes::NODE_006,
        NetError::Gone => &codes::NODE_003,
        NetError::Busy => &codes::NODE_001,
        NetError::NotConnected => &codes::NET_106,
        NetError::NobodyListens => &codes::ROOM_003,
        NetError::NotFound => &codes::DHT_004,
        NetError::Dial(_) => &codes::NET_110,
        NetError::WrongPeer(_) => &codes::NET_104,
        NetError::Unsupported(_) => &codes::NET_105,
        NetError::Listen(_) => &codes::NET_103,
        NetError::Ping(_) => &codes::NET_108,
        NetError::Gossip(_) => &codes::ROOM_011,
        NetError::Routing(_) => &codes::DHT_008,
    };
    Failure::new(code, error.to_string())
}

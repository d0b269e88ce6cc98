//! A running node as others use it: the admin server, the command line in the same process, and
//! programs that embed a node.
//! Invariant: every call ends by a deadline, and between two lives it says so instead of waiting.
//! Not here: HTTP (`admin`), the actors' work.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt as _;
use libp2p::PeerId;
use peerloom_shared::limits::{DIAL_ASK_MS, LOOKUP_ASK_MS};
use peerloom_shared::net::clock::Clock;
use peerloom_shared::net::picture::Picture;
use peerloom_shared::net::{NetError, agent};
use peerloom_shared::policy::{Action, PolicySet, Resource, Subject};
use peerloom_shared::routing::{Ask, Found};
use peerloom_shared::view::{Message, RoomInfo, Status, Transport};
use peerloom_shared::wire::RoomName;
use peerloom_shared::{Multiaddr, defence};
use serde_json::Value;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::actor::AskError;
use crate::admin::{
    Access, Answer, ApiError, Bootstrap, EventLog, FoundPeer, KeyInfo, Metrics, NodeApi, Reloaded,
};
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

    fn group(&self) -> Result<Arc<Group>, Failure> {
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

    /// Dials an address and gives the peer that answered.
    ///
    /// # Errors
    /// When no transport of ours knows the address, or nobody or somebody else answers.
    pub async fn dial(&self, address: Multiaddr) -> Result<PeerId, Failure> {
        let parts = defence::address::Parts::of(&address);
        let listed = matches!(parts.host, Some(defence::address::Host::AddressList(_)));
        // Said here, because below the resolver of names hides this reason in a text.
        if matches!(parts.transport, Transport::Other | Transport::Memory | Transport::Webrtc)
            && !listed
        {
            return Err(of_net(NetError::Unsupported(address)));
        }
        let peer = defence::address::peer(&address);
        let dial = Dial { peer, addresses: vec![address], even_if_connected: false };
        let deadline = Duration::from_millis(DIAL_ASK_MS);
        let dialed = self.group()?.transport.ask_within(dial, deadline).await.map_err(of_ask)?;
        dialed.map_err(of_net)
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

fn room_name(room: &str) -> Result<RoomName, Failure> {
    Ok(room.parse::<RoomName>()?)
}

fn of_ask(error: AskError) -> Failure {
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

/// Runs a call and gives its failure the API's form.
fn answer<'a, T: Send + 'a>(
    call: impl Future<Output = Result<T, Failure>> + Send + 'a,
) -> Answer<'a, T> {
    call.map(|result| result.map_err(ApiError::from)).boxed()
}

/// A lookup that found something of another kind than was asked for.
fn odd() -> Failure {
    Failure::new(&codes::NODE_006, "the lookup brought something that was not asked for")
}

impl NodeApi for NodeHandle {
    fn admit(&self, access: Access) -> Result<(), ApiError> {
        let action = match access {
            Access::Read => Action::AdminRead,
            Access::Write => Action::AdminWrite,
        };
        let verdict = self.policy.borrow().authorize(&Subject::Local, action, &Resource::Admin);
        let denied = |denial: peerloom_shared::policy::Denial| {
            Failure::new(&codes::POL_101, denial.to_string()).into()
        };
        verdict.permit().map(drop).map_err(denied)
    }

    fn bootstrap(&self, over_loopback: bool) -> Bootstrap {
        let state = self.group().map(|group| group.net.state()).ok();
        let listen = state.iter().flat_map(|state| &state.listen);
        let addresses = listen
            .filter(|address| {
                matches!(Transport::of(address), Transport::WebSocket | Transport::WebrtcDirect)
            })
            .filter(|address| {
                let scope = defence::scope::Scope::of(address);
                (scope == defence::scope::Scope::Loopback) == over_loopback
            })
            .map(|address| defence::address::with_peer(address.clone(), self.id).to_string())
            .collect();
        Bootstrap {
            schema: "peerloom/bootstrap/1".to_owned(),
            id: self.id.to_string(),
            agent: agent("native"),
            addresses,
            rooms: self.config.rooms.clone(),
        }
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        let Ok(group) = self.group() else {
            return Err(vec!["the node's parts are being rebuilt".to_owned()]);
        };
        if group.net.state().listen.is_empty() {
            return Err(vec!["no address is listened on".to_owned()]);
        }
        Ok(())
    }

    fn metrics_text(&self) -> String {
        if let Ok(group) = self.group() {
            self.gauges.sample(&self.metrics, &group);
        }
        self.metrics.encode()
    }

    fn events(&self) -> &EventLog {
        &self.events
    }

    fn key_public(&self) -> KeyInfo {
        KeyInfo {
            schema: "peerloom/key/1".to_owned(),
            id: self.id.to_string(),
            kind: "ed25519".to_owned(),
            public_key: self.public_key.iter().map(|byte| format!("{byte:02x}")).collect(),
        }
    }

    fn config_json(&self) -> Value {
        self.config.json()
    }

    fn shutdown(&self) {
        self.stop.cancel();
    }

    fn reload(&self) -> Answer<'_, Reloaded> {
        answer(async {
            let before = self.policy.borrow().epoch();
            let policy_epoch = self.reload_rules().await?;
            let changed = self.config.changed_since().map_err(|errors| {
                let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
                Failure::new(&codes::CFG_002, texts.join("; "))
            })?;
            let applied = (policy_epoch != before).then(|| "policy/rules.toml".to_owned());
            Ok(Reloaded {
                schema: "peerloom/reload/1".to_owned(),
                policy_epoch,
                applied: applied.into_iter().collect(),
                needs_restart: changed.iter().map(|key| key.name().to_owned()).collect(),
            })
        })
    }

    fn status(&self) -> Answer<'_, Status> {
        answer(async { self.picture() })
    }

    fn connect(&self, address: Multiaddr) -> Answer<'_, PeerId> {
        answer(self.dial(address))
    }

    fn disconnect(&self, peer: PeerId) -> Answer<'_, ()> {
        answer(self.hang_up(peer))
    }

    fn ping(&self, peer: PeerId) -> Answer<'_, Duration> {
        answer(self.round_trip(peer))
    }

    fn rooms(&self) -> Answer<'_, Vec<RoomInfo>> {
        answer(async { Ok(self.group()?.rooms.borrow().to_vec()) })
    }

    fn join(&self, room: String, name: Option<String>) -> Answer<'_, ()> {
        answer(async move { self.join_room(&room, name).await })
    }

    fn leave(&self, room: String) -> Answer<'_, ()> {
        answer(async move { self.leave_room(&room).await })
    }

    fn send(&self, room: String, text: String) -> Answer<'_, Message> {
        answer(async move { self.say(&room, text).await })
    }

    fn messages(&self, room: String, limit: usize) -> Answer<'_, Vec<Message>> {
        answer(async move {
            room_name(&room)?;
            Ok(self.recent.of(&room, limit))
        })
    }

    fn find_peer(&self, peer: PeerId) -> Answer<'_, FoundPeer> {
        answer(async move {
            let Found::Peer { peer, addrs } = self.look_up(Ask::FindPeer(peer)).await? else {
                return Err(odd());
            };
            let addresses = addrs.iter().map(ToString::to_string).collect();
            Ok(FoundPeer { id: peer.to_string(), addresses })
        })
    }

    fn get(&self, key: Vec<u8>) -> Answer<'_, Vec<u8>> {
        answer(async move {
            let Found::Value { value, .. } = self.look_up(Ask::Get(key)).await? else {
                return Err(odd());
            };
            Ok(value)
        })
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Answer<'_, ()> {
        answer(async move { self.look_up(Ask::Put { key, value }).await.map(drop) })
    }

    fn provide(&self, key: Vec<u8>) -> Answer<'_, ()> {
        answer(async move { self.look_up(Ask::Provide(key)).await.map(drop) })
    }

    fn providers(&self, key: Vec<u8>) -> Answer<'_, Vec<PeerId>> {
        answer(async move {
            let Found::Providers(peers) = self.look_up(Ask::FindProviders(key)).await? else {
                return Err(odd());
            };
            Ok(peers)
        })
    }
}

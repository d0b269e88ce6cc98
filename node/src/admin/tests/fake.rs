//! A node in memory: rooms, peers and records in maps, no network.
//! Invariant: it keeps what it is told, so tests see real effects of calls.
//! Not here: any rule of the mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::future::ready;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use peerloom_shared::view::{
    Health, Member, Message, Path, PeerEvent, PeerInfo, PeerKind, RoomInfo, Standing, Status,
};
use peerloom_shared::{Multiaddr, PeerId};
use serde_json::{Value, json};

use crate::admin::{
    Access, Answer, ApiError, Bootstrap, EventLog, FoundPeer, GrantsInfo, InviteMade, JoinedInfo,
    KeyInfo, Metrics, NodeApi, Reached, Reloaded,
};
use crate::error::codes;
use crate::identity::ledger::Removal;
use crate::node_handle::invites::Invitation;

pub(super) const LOCAL: &str = "12D3KooWGjMqSqRvh6iMwWbS8pFH6pE1s5JW3Zr9NmVJFLhJpXxM";

#[derive(Default)]
pub(super) struct Inner {
    pub(super) rooms: BTreeMap<String, Vec<Message>>,
    pub(super) peers: BTreeSet<PeerId>,
    records: BTreeMap<Vec<u8>, Vec<u8>>,
    provided: BTreeSet<Vec<u8>>,
    pub(super) not_ready: Vec<String>,
    pub(super) writes: Vec<String>,
}

pub(super) struct FakeNode {
    pub(super) inner: Mutex<Inner>,
    pub(super) log: EventLog,
    pub(super) metrics: Metrics,
    pub(super) stopping: AtomicBool,
    pub(super) read_only: AtomicBool,
}

/// A peer's id made from a number.
pub(super) fn peer(seed: u8) -> PeerId {
    let mut bytes = vec![0x12, 0x20];
    bytes.extend([seed; 32]);
    PeerId::from_bytes(&bytes).unwrap()
}

fn answer<'a, T: Send + 'a>(result: Result<T, ApiError>) -> Answer<'a, T> {
    ready(result).boxed()
}

impl FakeNode {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            inner: Mutex::default(),
            log: EventLog::new(0xb007),
            metrics: Metrics::new("0.1.0"),
            stopping: AtomicBool::new(false),
            read_only: AtomicBool::new(false),
        })
    }

    pub(super) fn picture(&self) -> Status {
        let inner = self.inner.lock().unwrap();
        let info = |id: &PeerId| PeerInfo {
            id: id.to_string(),
            agent: None,
            kind: PeerKind::Other,
            rtt_ms: Some(1.5),
            path: Path::Direct,
            connections: Vec::new(),
            standing: Standing::Full,
            allows: None,
        };
        let peers: Vec<PeerInfo> = inner.peers.iter().map(info).collect();
        Status {
            schema: "peerloom/status/1".to_owned(),
            id: LOCAL.to_owned(),
            agent: "peerloom/0.1.0 (native)".to_owned(),
            health: if peers.is_empty() { Health::Offline } else { Health::Connected },
            reason: "a test node".to_owned(),
            links: Vec::new(),
            rooms: inner.rooms.keys().map(|name| room_info(name)).collect(),
            peers,
            addresses: Vec::new(),
            listen: Vec::new(),
            uptime_ms: 7,
        }
    }

    pub(super) fn say(&self, room: &str, text: &str) -> Result<Message, ApiError> {
        let mut inner = self.inner.lock().unwrap();
        let messages = inner.rooms.get_mut(room).ok_or_else(|| not_in(room))?;
        let message = Message {
            room: room.to_owned(),
            id: format!("{:04}", messages.len()),
            author: LOCAL.to_owned(),
            text: text.to_owned(),
            sent_ms: Some(1),
            received_ms: 2,
            own: true,
        };
        messages.push(message.clone());
        self.log.publish(PeerEvent::Message { message: message.clone() });
        Ok(message)
    }
}

fn room_info(name: &str) -> RoomInfo {
    RoomInfo {
        name: name.to_owned(),
        topic: format!("peerloom/open/{name}"),
        members: vec![Member { id: peer(9).to_string(), name: None, last_seen_ms: 3 }],
    }
}

fn not_in(room: &str) -> ApiError {
    ApiError::new(&codes::ROOM_002, format!("this node is not in the room {room}"))
}

impl NodeApi for FakeNode {
    fn admit(&self, access: Access) -> Result<(), ApiError> {
        if access == Access::Write && self.read_only.load(Ordering::Relaxed) {
            return Err(ApiError::new(&codes::POL_101, "read only"));
        }
        Ok(())
    }

    fn wrote(&self, verb: &str, target: &str) {
        self.inner.lock().unwrap().writes.push(format!("{verb} {target}"));
    }

    fn bootstrap(&self, over_loopback: bool) -> Bootstrap {
        let host = if over_loopback { "127.0.0.1" } else { "192.0.2.7" };
        Bootstrap {
            schema: "peerloom/bootstrap/1".to_owned(),
            id: LOCAL.to_owned(),
            agent: "peerloom/0.1.0 (native)".to_owned(),
            addresses: vec![format!("/ip4/{host}/tcp/7073/ws/p2p/{LOCAL}")],
            rooms: vec!["lobby".to_owned()],
        }
    }

    fn ready(&self) -> Result<(), Vec<String>> {
        let reasons = self.inner.lock().unwrap().not_ready.clone();
        if reasons.is_empty() { Ok(()) } else { Err(reasons) }
    }

    fn metrics_text(&self) -> String {
        self.metrics.encode()
    }

    fn events(&self) -> &EventLog {
        &self.log
    }

    fn key_public(&self) -> KeyInfo {
        KeyInfo {
            schema: "peerloom/key/1".to_owned(),
            id: LOCAL.to_owned(),
            kind: "ed25519".to_owned(),
            public_key: "00".repeat(32),
        }
    }

    fn config_json(&self) -> Value {
        json!({ "schema": "peerloom/config/1", "http": "127.0.0.1:7070" })
    }

    fn shutdown(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    fn reload(&self) -> Answer<'_, Reloaded> {
        answer(Ok(Reloaded {
            schema: "peerloom/reload/1".to_owned(),
            policy_epoch: 2,
            applied: vec!["policy".to_owned()],
            needs_restart: Vec::new(),
        }))
    }

    fn status(&self) -> Answer<'_, Status> {
        answer(Ok(self.picture()))
    }

    fn connect(&self, address: Multiaddr) -> Answer<'_, Reached> {
        let text = address.to_string();
        let found = text.rsplit('/').next().and_then(|id| id.parse::<PeerId>().ok());
        let result = found
            .inspect(|id| assert!(self.inner.lock().unwrap().peers.insert(*id)))
            .ok_or_else(|| ApiError::new(&codes::NET_109, format!("no peer at {text}")));
        answer(result.map(|peer| Reached { peer, already: None }))
    }

    fn disconnect(&self, peer: PeerId) -> Answer<'_, ()> {
        let known = self.inner.lock().unwrap().peers.remove(&peer);
        let unknown = || ApiError::new(&codes::NET_106, "no such peer");
        answer(if known { Ok(()) } else { Err(unknown()) })
    }

    fn ping(&self, _peer: PeerId) -> Answer<'_, Duration> {
        answer(Ok(Duration::from_micros(1_500)))
    }

    fn rooms(&self) -> Answer<'_, Vec<RoomInfo>> {
        answer(Ok(self.picture().rooms))
    }

    fn join(&self, room: String, _name: Option<String>) -> Answer<'_, ()> {
        self.inner.lock().unwrap().rooms.entry(room).or_default();
        answer(Ok(()))
    }

    fn leave(&self, room: String) -> Answer<'_, ()> {
        let left = self.inner.lock().unwrap().rooms.remove(&room);
        answer(left.map(|_| ()).ok_or_else(|| not_in(&room)))
    }

    fn send(&self, room: String, text: String) -> Answer<'_, Message> {
        answer(self.say(&room, &text))
    }

    fn messages(&self, room: String, limit: usize) -> Answer<'_, Vec<Message>> {
        let inner = self.inner.lock().unwrap();
        let newest = |all: &Vec<Message>| all[all.len().saturating_sub(limit)..].to_vec();
        answer(inner.rooms.get(&room).map(newest).ok_or_else(|| not_in(&room)))
    }

    fn invite(&self, wanted: Invitation, page: Option<String>) -> Answer<'_, InviteMade> {
        answer(Ok(InviteMade {
            schema: "peerloom/invite/1".to_owned(),
            id: "ab".repeat(32),
            link: format!("{}#j=x", page.unwrap_or_default()),
            expires_ms: u64::try_from(wanted.life.as_millis()).unwrap(),
            max_uses: wanted.max_uses,
            role: wanted.role.name().to_owned(),
            about: wanted.room.unwrap_or_default(),
            addresses: Vec::new(),
        }))
    }

    fn grants(&self) -> Answer<'_, GrantsInfo> {
        answer(Ok(GrantsInfo {
            schema: "peerloom/grants/1".to_owned(),
            network: "00".repeat(32),
            policy: "open".to_owned(),
            roots: Vec::new(),
            held: Vec::new(),
            given: Vec::new(),
        }))
    }

    fn revoke(&self, _: Removal) -> Answer<'_, ()> {
        answer(Err(ApiError::new(&codes::INV_006, "nothing was given")))
    }

    fn accept(&self, link: String) -> Answer<'_, JoinedInfo> {
        answer(Err(ApiError::new(&codes::INV_001, link)))
    }

    fn find_peer(&self, peer: PeerId) -> Answer<'_, FoundPeer> {
        let addresses = vec!["/ip4/192.0.2.1/tcp/7072".to_owned()];
        answer(Ok(FoundPeer { id: peer.to_string(), addresses }))
    }

    fn get(&self, key: Vec<u8>) -> Answer<'_, Vec<u8>> {
        let value = self.inner.lock().unwrap().records.get(&key).cloned();
        answer(value.ok_or_else(|| ApiError::new(&codes::DHT_004, "no record")))
    }

    fn put(&self, key: Vec<u8>, value: Vec<u8>) -> Answer<'_, ()> {
        self.inner.lock().unwrap().records.insert(key, value);
        answer(Ok(()))
    }

    fn provide(&self, key: Vec<u8>) -> Answer<'_, ()> {
        self.inner.lock().unwrap().provided.insert(key);
        answer(Ok(()))
    }

    fn providers(&self, key: Vec<u8>) -> Answer<'_, Vec<PeerId>> {
        let ours = self.inner.lock().unwrap().provided.contains(&key);
        answer(Ok(if ours { vec![peer(1)] } else { Vec::new() }))
    }
}

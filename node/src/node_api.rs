//! A running node as its admin server sees it.
//! Invariant: every call goes through [`NodeHandle`], so HTTP and embedding programs see the same.
//! Not here: HTTP (`admin`).

use std::time::Duration;

use futures::FutureExt as _;
use libp2p::PeerId;
use peerloom_shared::net::{Auditor as _, agent};
use peerloom_shared::policy::{Action, Held, Question, Resource, Subject};
use peerloom_shared::routing::{Ask, Found};
use peerloom_shared::view::{Message, RoomInfo, Status, Transport};
use peerloom_shared::{Multiaddr, defence};
use serde_json::Value;

use crate::admin::{
    Access, Answer, ApiError, Bootstrap, EventLog, FoundPeer, GrantsInfo, InviteMade, JoinedInfo,
    KeyInfo, NodeApi, Reached, Reloaded,
};
use crate::error::{Failure, codes};
use crate::identity::ledger::{GrantsError, Removal};
use crate::node_handle::invites::Invitation;
use crate::node_handle::{NodeHandle, room_name};

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
        let question = Question {
            subject: &Subject::Local,
            action,
            resource: &Resource::Admin,
            held: &Held::default(),
            now_ms: self.clock.now().unix_ms,
        };
        let answer = self.policy.borrow().authorize(&question).permit();
        self.audit.decided(&question, answer.as_ref());
        let denied = |denial: peerloom_shared::policy::Denial| {
            Failure::new(&codes::POL_101, denial.to_string()).into()
        };
        answer.map(drop).map_err(denied)
    }

    fn wrote(&self, verb: &str, target: &str) {
        self.audit.admin(verb, target);
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
            let applied = (policy_epoch != before).then(|| "policy".to_owned());
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

    fn connect(&self, address: Multiaddr) -> Answer<'_, Reached> {
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

    fn invite(&self, wanted: Invitation, page: Option<String>) -> Answer<'_, InviteMade> {
        answer(async move {
            let role = wanted.role.name().to_owned();
            let invite = NodeHandle::invite(self, wanted).await?;
            let page = page.unwrap_or_else(|| format!("http://{}/", self.config.http));
            let link = invite.to_link(&page).map_err(GrantsError::from)?;
            let last = invite.chain().last();
            Ok(InviteMade {
                schema: "peerloom/invite/1".to_owned(),
                id: last.id().to_string(),
                link,
                expires_ms: last.terms().expires_ms,
                max_uses: last.terms().max_uses,
                role,
                about: last.terms().prefix.as_str().to_owned(),
                addresses: invite.addresses().iter().map(ToString::to_string).collect(),
            })
        })
    }

    fn grants(&self) -> Answer<'_, GrantsInfo> {
        answer(async { NodeHandle::grants(self).await.map(GrantsInfo::from) })
    }

    fn revoke(&self, removal: Removal) -> Answer<'_, ()> {
        answer(NodeHandle::revoke(self, removal))
    }

    fn accept(&self, link: String) -> Answer<'_, JoinedInfo> {
        answer(async move { NodeHandle::accept(self, &link).await.map(JoinedInfo::from) })
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

//! Connections, addresses and peers as JSON.
//! Invariant: the words are those of the other test peers.
//! Not here: when they are told (`node`).

use libp2p::core::ConnectedPoint;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, identify};
use serde_json::{Value, json};

use crate::streams::is_relayed;

/// Whether a connection is relayed, and what kind of connection it is.
pub(super) fn connection(peer: PeerId, endpoint: &ConnectedPoint) -> (bool, Value) {
    let (own, direction) = match endpoint {
        ConnectedPoint::Dialer { address, .. } => (address, "Outbound"),
        ConnectedPoint::Listener { local_addr, .. } => (local_addr, "Inbound"),
    };
    let relayed = is_relayed(own);
    let shown = json!({
        "peer": peer.to_string(),
        "remote": endpoint.get_remote_address().to_string(),
        "transport": transport(own),
        "direction": direction,
        "relayed": relayed,
    });
    (relayed, shown)
}

/// What carries a connection: behind `/webrtc` or `/p2p-circuit` the parts before only say how it came
/// about.
fn transport(address: &Multiaddr) -> &'static str {
    let has = |wanted: &str| address.iter().any(|part| part.tag() == wanted);
    let names =
        [("webrtc", "webrtc"), ("p2p-circuit", "circuit"), ("webrtc-direct", "webrtc-direct")];
    let streams = [("ws", "websocket"), ("wss", "websocket"), ("tcp", "tcp")];
    let found = names.iter().chain(&streams).find(|(tag, _)| has(tag));
    found.map_or("other", |(_, name)| name)
}

/// The same object as an event.
pub(super) fn event(name: &str, shown: &Value) -> Value {
    let mut event = shown.clone();
    if let Some(fields) = event.as_object_mut() {
        fields.insert("event".to_owned(), name.into());
    }
    event
}

/// What a peer said of itself.
pub(super) fn identity(peer: PeerId, info: &identify::Info) -> Value {
    let protocols: Vec<String> = info.protocols.iter().map(ToString::to_string).collect();
    json!({
        "peer": peer.to_string(),
        "agent": info.agent_version,
        "version": info.protocol_version,
        "protocols": protocols,
        "addrs": texts(&info.listen_addrs),
        "observed": info.observed_addr.to_string(),
    })
}

pub(super) fn texts(addresses: &[Multiaddr]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

/// An address of ours as others dial it: with our id behind it.
pub(super) fn dialled(address: &Multiaddr, id: PeerId) -> String {
    if address.iter().last() == Some(Protocol::P2p(id)) {
        return address.to_string();
    }
    address.clone().with(Protocol::P2p(id)).to_string()
}

//! `peerloom peers`: list, connect, disconnect.
//! Invariant: an id is shown whole, so that it can be copied into the next command.
//! Not here: how connections are made.

use clap::{Args, Subcommand};
use libp2p::PeerId;
use peerloom_shared::view::{Path, PeerInfo, PeerKind, Standing, Transport};
use serde_json::{Value, json};

use super::status::parse;
use super::{Outcome, Session};
use crate::config::address;
use crate::error::{Exit, Failure, codes};
use crate::text::one_line;

/// Arguments of `peers`.
#[derive(Debug, Args)]
pub struct PeersArgs {
    #[command(subcommand)]
    verb: Option<PeersVerb>,
}

#[derive(Debug, Subcommand)]
enum PeersVerb {
    /// List connected peers (the default)
    Ls,
    /// Connect to an address
    Connect {
        /// The address, such as /ip4/192.0.2.7/tcp/7072/p2p/12D3KooW...
        #[arg(value_name = "ADDRESS")]
        address: String,
    },
    /// Close all connections to a peer
    Disconnect {
        /// The peer's id
        #[arg(value_name = "PEER")]
        peer: String,
    },
}

/// Lists, connects or disconnects peers.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: PeersArgs) -> Outcome {
    match args.verb.unwrap_or(PeersVerb::Ls) {
        PeersVerb::Ls => ls(session),
        PeersVerb::Connect { address } => connect(session, &address),
        PeersVerb::Disconnect { peer } => disconnect(session, &peer),
    }
}

fn ls(session: &Session) -> Outcome {
    let value: Value = session.client()?.get("/api/v1/peers")?;
    let peers: Vec<PeerInfo> = parse(value.get("peers").unwrap_or(&Value::Null))?;
    if peers.is_empty() {
        session.out.note("no peer is connected; `peerloom peers connect ADDRESS` connects to one");
    }
    if !peers.is_empty() || session.out.is_json() {
        session.out.either(&value, || table(session, &peers))?;
    }
    Ok(Exit::DONE)
}

/// Peers as a table.
#[must_use]
pub fn table(session: &Session, peers: &[PeerInfo]) -> String {
    let rows: Vec<_> = peers
        .iter()
        .map(|peer| {
            let mut transports: Vec<_> =
                peer.connections.iter().map(|connection| transport(connection.transport)).collect();
            transports.dedup();
            vec![
                one_line(&peer.id),
                format!("{}{}", kind(peer.kind), standing(peer.standing)),
                path(peer.path).to_owned(),
                transports.join(","),
                peer.rtt_ms.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1} ms")),
                one_line(peer.agent.as_deref().unwrap_or("-")),
            ]
        })
        .collect();
    session.out.table(&["PEER", "KIND", "PATH", "TRANSPORT", "RTT", "AGENT"], &rows)
}

const fn kind(kind: PeerKind) -> &'static str {
    match kind {
        PeerKind::Native => "native",
        PeerKind::Browser => "browser",
        PeerKind::Other => "other",
    }
}

/// What keeps a peer and us apart, behind its kind.
const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Full => "",
        Standing::Stranger => ", stranger",
        Standing::Refuses => ", refuses us",
    }
}

/// The word for a path.
#[must_use]
pub const fn path(path: Path) -> &'static str {
    match path {
        Path::Direct => "direct",
        Path::Relayed => "relayed",
    }
}

/// The word for a transport.
#[must_use]
pub const fn transport(transport: Transport) -> &'static str {
    match transport {
        Transport::Tcp => "tcp",
        Transport::Quic => "quic",
        Transport::WebSocket => "websocket",
        Transport::WebrtcDirect => "webrtc-direct",
        Transport::Webrtc => "webrtc",
        Transport::Circuit => "circuit",
        Transport::Memory => "memory",
        Transport::Other => "other",
    }
}

fn connect(session: &Session, address: &str) -> Outcome {
    let address = address::parse_dial(address)
        .map_err(|why| Failure::new(&codes::NET_101, format!("`{}`: {why}", one_line(address))))?;
    let body = json!({ "address": address.to_string() });
    let answer: Value = session.client()?.post("/api/v1/peers/connect", &body)?;
    let id = answer.get("id").and_then(Value::as_str).unwrap_or_default();
    let already = answer.get("already").and_then(Value::as_str);
    let value = json!({ "schema": "peerloom/connect/1", "id": id, "already": already });
    session.out.either(&value, || match already {
        None => format!("connected to {}", one_line(id)),
        Some(over) => format!(
            "connected to {} already, over {}; the address was not tried",
            one_line(id),
            one_line(over)
        ),
    })?;
    Ok(Exit::DONE)
}

fn disconnect(session: &Session, peer: &str) -> Outcome {
    let id = peer_id(peer)?;
    let _answer: Value =
        session.client()?.post("/api/v1/peers/disconnect", &json!({ "id": id }))?;
    let value = json!({ "schema": "peerloom/disconnect/1", "id": id });
    session.out.either(&value, || format!("disconnected from {id}"))?;
    Ok(Exit::DONE)
}

/// Checks an id before anybody is asked about it.
///
/// # Errors
/// When it is none.
pub fn peer_id(text: &str) -> Result<String, Failure> {
    text.parse::<PeerId>().map(|id| id.to_string()).map_err(|error| {
        Failure::new(&codes::NET_107, format!("`{}` is no PeerId: {error}", one_line(text)))
    })
}

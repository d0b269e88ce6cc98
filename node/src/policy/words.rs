//! Resources and network groups in Cedar's words.
//! Invariant: two resources never have the same word.
//! Not here: the facts of a question (`facts`).

use data_encoding::HEXLOWER;
use peerloom_shared::PeerId;
use peerloom_shared::defence::group::Group;
use peerloom_shared::grant::Key;
use peerloom_shared::policy::{Resource, target_of};

use super::names::Kind;

/// Which entity a resource is. An address is the peer at its far end, if it names one.
pub(super) fn resource(resource: &Resource) -> (Kind, String) {
    const ITSELF: &str = "self";
    match resource {
        Resource::Node => (Kind::Node, ITSELF.to_owned()),
        Resource::Admin => (Kind::Admin, ITSELF.to_owned()),
        Resource::Peer(id) => (Kind::Peer, id.to_base58()),
        Resource::Relay(id) => (Kind::Relay, id.to_base58()),
        Resource::Mailbox(id) => (Kind::Mailbox, id.to_base58()),
        Resource::Route(id) => (Kind::Route, id.to_base58()),
        Resource::Protocol(name) => (Kind::Protocol, name.clone()),
        Resource::Topic(name) => (Kind::Topic, name.clone()),
        Resource::Content(name) => (Kind::Content, name.clone()),
        Resource::Key(key) => (Kind::DhtKey, key_text(key)),
        Resource::Address(address) => match target_of(address) {
            Some(peer) => (Kind::Peer, peer.to_base58()),
            None => (Kind::Node, "elsewhere".to_owned()),
        },
    }
}

pub(super) fn as_peer(resource: &Resource) -> Option<PeerId> {
    match resource {
        Resource::Peer(id) => Some(*id),
        Resource::Address(address) => target_of(address),
        Resource::Node
        | Resource::Protocol(_)
        | Resource::Topic(_)
        | Resource::Key(_)
        | Resource::Relay(_)
        | Resource::Content(_)
        | Resource::Mailbox(_)
        | Resource::Route(_)
        | Resource::Admin => None,
    }
}

/// The key of whoever owns a resource by its very name.
#[must_use]
pub(super) fn owner(resource: &Resource) -> Option<Key> {
    match resource {
        Resource::Mailbox(id) | Resource::Peer(id) | Resource::Route(id) => Key::of_peer(id),
        Resource::Node
        | Resource::Address(_)
        | Resource::Protocol(_)
        | Resource::Topic(_)
        | Resource::Key(_)
        | Resource::Relay(_)
        | Resource::Content(_)
        | Resource::Admin => None,
    }
}

/// A key of the DHT as text, in such a way that two keys never have the same.
pub(super) fn key_text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.starts_with("0x") => text.to_owned(),
        Ok(_) | Err(_) => format!("0x{}", HEXLOWER.encode(key)),
    }
}

pub(super) fn net_of(group: &Group) -> String {
    match group {
        Group::Loopback => "loopback".to_owned(),
        Group::V4([a, b, c]) => format!("{a}.{b}.{c}.0/24"),
        Group::V6(bytes) => {
            let [a, b, c, d, e, f] = *bytes;
            let part = |high, low| u16::from_be_bytes([high, low]);
            let ip = std::net::Ipv6Addr::new(part(a, b), part(c, d), part(e, f), 0, 0, 0, 0, 0);
            format!("{ip}/48")
        }
        Group::Relay(peer) => peer.to_string(),
        Group::Name(name) => name.clone(),
    }
}

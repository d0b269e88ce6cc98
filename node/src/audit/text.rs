//! What a line may say about addresses and resources.
//! Invariant: printable ASCII only, bounded, and never a whole IP address.
//! Not here: which fields a line has (`entry`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use data_encoding::HEXLOWER;
use libp2p::multiaddr::Protocol;
use peerloom_shared::grant::path_of;
use peerloom_shared::limits::{AUDIT_SENTENCE_CHARS_MAX, AUDIT_TEXT_CHARS_MAX};
use peerloom_shared::policy::Resource;
use peerloom_shared::{Multiaddr, PeerId};

/// What the name of an address of the kind 6to4 begins with: behind it stands a whole IPv4 address
/// (RFC 3056, section 2), so it is cut where that one would be.
const SIX_TO_FOUR: u16 = 0x2002;

/// The network of an address: /24 of IPv4, /48 of IPv6.
pub(super) fn net_of(ip: IpAddr) -> (IpAddr, u8) {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            (Ipv4Addr::new(a, b, c, 0).into(), 24)
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            if a == SIX_TO_FOUR {
                return (Ipv6Addr::new(a, b, c & 0xff00, 0, 0, 0, 0, 0).into(), 40);
            }
            (Ipv6Addr::new(a, b, c, 0, 0, 0, 0, 0).into(), 48)
        }
    }
}

/// Such as `203.0.113.0/24`.
pub(super) fn net_text(ip: IpAddr) -> String {
    let (net, bits) = net_of(ip);
    format!("{net}/{bits}")
}

/// The text of bytes: printable ASCII as it is, all else, spaces and `%` as `%` and two digits.
pub(super) fn escape(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for byte in bytes {
        if byte.is_ascii_graphic() && *byte != b'%' {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02x}"));
        }
    }
    text
}

/// The bytes of an escaped text. `None` when it is none.
fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let pair = [rest.next()?, rest.next()?];
            bytes.extend(HEXLOWER.decode(&pair).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

/// A text of printable ASCII, cut to what a line has room for.
fn cut(text: String, max: usize) -> String {
    let (shown, rest) = text.split_at_checked(max).unwrap_or((&text, ""));
    if rest.is_empty() { text } else { format!("{shown}...") }
}

/// Any words, such as the name of a rule, escaped and cut.
pub(super) fn words(text: &str) -> String {
    // Three characters stand for a byte at most, so nothing is lost by cutting before escaping.
    let bytes = text.as_bytes();
    cut(escape(bytes.get(..=AUDIT_TEXT_CHARS_MAX).unwrap_or(bytes)), AUDIT_TEXT_CHARS_MAX)
}

/// A sentence of our own, escaped and cut, in which spaces stay.
pub(super) fn sentence(text: &str) -> String {
    let words = text.split_whitespace().map(|word| escape(word.as_bytes()));
    cut(words.collect::<Vec<_>>().join(" "), AUDIT_SENTENCE_CHARS_MAX)
}

/// The path of a resource, such as `topic/lobby`, and whether its name was cut to `max` bytes. A DHT
/// key is hex; an address has its IP addresses and host names cut.
pub(super) fn resource(resource: &Resource, max: usize) -> (String, bool) {
    if let Resource::Key(key) = resource {
        let shown = key.get(..max).unwrap_or(key);
        return (format!("key/{}", HEXLOWER.encode(shown)), shown.len() < key.len());
    }
    let path = match (path_of(resource), resource) {
        (Some(path), _) => path,
        (None, Resource::Address(address)) => {
            format!("address{}", address_text(address)).into_bytes()
        }
        (None, _) => Vec::new(),
    };
    let name_at = path.iter().position(|byte| *byte == b'/').map_or(path.len(), |at| at + 1);
    let shown = path.get(..name_at.saturating_add(max)).unwrap_or(&path);
    (escape(shown), shown.len() < path.len())
}

/// As [`resource`], for people: cut where a line has no more room.
pub(super) fn resource_shown(of: &Resource) -> String {
    let (text, was_cut) = resource(of, AUDIT_TEXT_CHARS_MAX);
    let room = text.find('/').map_or(0, |at| at + 1).saturating_add(AUDIT_TEXT_CHARS_MAX);
    match text.split_at_checked(room) {
        Some((shown, rest)) if was_cut || !rest.is_empty() => format!("{shown}..."),
        Some(_) | None if was_cut => format!("{text}..."),
        Some(_) | None => text,
    }
}

/// The resource with this path, as [`resource`] wrote it uncut.
pub(super) fn resource_of(text: &str) -> Option<Resource> {
    let (kind, name) = match text.split_once('/') {
        None if text == "node" => return Some(Resource::Node),
        None if text == "admin" => return Some(Resource::Admin),
        None => return None,
        Some(parts) => parts,
    };
    let words = || String::from_utf8(unescape(name)?).ok();
    let peer = || name.parse::<PeerId>().ok();
    match kind {
        "peer" => peer().map(Resource::Peer),
        "relay" => peer().map(Resource::Relay),
        "mailbox" => peer().map(Resource::Mailbox),
        "route" => peer().map(Resource::Route),
        "protocol" => words().map(Resource::Protocol),
        "topic" => words().map(Resource::Topic),
        "content" => words().map(Resource::Content),
        "key" => HEXLOWER.decode(name.as_bytes()).ok().map(Resource::Key),
        "address" => format!("/{}", words()?).parse().ok().map(Resource::Address),
        _ => None,
    }
}

/// An address without what tells one computer from its neighbours.
fn address_text(address: &Multiaddr) -> String {
    address.iter().map(|part| cut_part(part).to_string()).collect()
}

fn cut_part(part: Protocol<'_>) -> Protocol<'_> {
    let of_ip = |ip: IpAddr| match net_of(ip).0 {
        IpAddr::V4(ip) => Protocol::Ip4(ip),
        IpAddr::V6(ip) => Protocol::Ip6(ip),
    };
    if let Protocol::Ip4(ip) = part {
        of_ip(ip.into())
    } else if let Protocol::Ip6(ip) = part {
        of_ip(ip.into())
    } else if let Protocol::Dns(name) = part {
        Protocol::Dns(host(&name).into())
    } else if let Protocol::Dns4(name) = part {
        Protocol::Dns4(host(&name).into())
    } else if let Protocol::Dns6(name) = part {
        Protocol::Dns6(host(&name).into())
    } else if let Protocol::Dnsaddr(name) = part {
        Protocol::Dnsaddr(host(&name).into())
    } else if let Protocol::Sni(name) = part {
        Protocol::Sni(host(&name).into())
    } else {
        part
    }
}

/// A host's name: its last two labels, because the others may spell an IP address out.
fn host(name: &str) -> String {
    let name = name.trim_end_matches('.');
    if let Ok(ip) = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return net_of(ip).0.to_string();
    }
    let labels: Vec<_> = name.rsplitn(3, '.').collect();
    match labels.as_slice() {
        [top, second, _] => format!("*.{second}.{top}"),
        _ => name.to_owned(),
    }
}

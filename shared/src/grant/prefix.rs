//! What a grant is about: resources as paths, and the prefix of a path.
//! Invariant: a prefix covers whole segments only, and two resources never share a path.
//! Not here: which resources exist (`policy::Resource`).

use std::fmt;

use libp2p_identity::PeerId;

use crate::limits::GRANT_PREFIX_BYTES_MAX;
use crate::policy::Resource;

/// The beginning of the paths that a grant covers: text of at most 128 bytes, without control
/// characters, without a slash at either end. The empty prefix covers everything.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

/// Why a text cannot be a prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrefixError {
    /// Over the limit.
    #[error("a prefix of {bytes} bytes is over the limit of {GRANT_PREFIX_BYTES_MAX}")]
    TooLong {
        /// Its size.
        bytes: usize,
    },
    /// No UTF-8.
    #[error("a prefix is text")]
    NotText,
    /// A control character, which no name of a resource has.
    #[error("a prefix has no control characters")]
    Control,
    /// A slash at an end: the same prefix would have two spellings.
    #[error("a prefix neither begins nor ends with a slash")]
    Slash,
}

impl Prefix {
    /// The prefix of everything.
    #[must_use]
    pub const fn all() -> Self {
        Self(String::new())
    }

    /// The prefix with this text, such as `topic/garden`.
    ///
    /// # Errors
    /// [`PrefixError`], which says what is wrong with it.
    pub fn new(text: &str) -> Result<Self, PrefixError> {
        if text.len() > GRANT_PREFIX_BYTES_MAX {
            return Err(PrefixError::TooLong { bytes: text.len() });
        }
        if text.chars().any(char::is_control) {
            return Err(PrefixError::Control);
        }
        if text.starts_with('/') || text.ends_with('/') {
            return Err(PrefixError::Slash);
        }
        Ok(Self(text.to_owned()))
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, PrefixError> {
        if bytes.len() > GRANT_PREFIX_BYTES_MAX {
            return Err(PrefixError::TooLong { bytes: bytes.len() });
        }
        std::str::from_utf8(bytes).map_err(|_| PrefixError::NotText).and_then(Self::new)
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether the path is this one, or goes on from it with a new segment: `topic/a` covers `topic/a/b`
    /// and never `topic/ab`.
    #[must_use]
    pub fn covers(&self, path: &[u8]) -> bool {
        self.0.is_empty()
            || path
                .strip_prefix(self.0.as_bytes())
                .is_some_and(|rest| matches!(rest, [] | [b'/', ..]))
    }

    /// Whether everything that this prefix covers is covered by the other one too.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        other.covers(self.0.as_bytes())
    }
}

impl Prefix {
    /// The resource of which this prefix is the path; `None` for one that covers several kinds or
    /// nothing that has a name.
    #[must_use]
    pub fn resource(&self) -> Option<Resource> {
        let peer = |id: &str| id.parse::<PeerId>().ok();
        match self.0.split_once('/') {
            None => match self.as_str() {
                "node" => Some(Resource::Node),
                "admin" => Some(Resource::Admin),
                _ => None,
            },
            Some(("topic", name)) => Some(Resource::Topic(name.to_owned())),
            Some(("protocol", id)) => Some(Resource::Protocol(id.to_owned())),
            Some(("content", id)) => Some(Resource::Content(id.to_owned())),
            Some(("key", key)) => Some(Resource::Key(key.as_bytes().to_vec())),
            Some(("peer", id)) => peer(id).map(Resource::Peer),
            Some(("relay", id)) => peer(id).map(Resource::Relay),
            Some(("mailbox", id)) => peer(id).map(Resource::Mailbox),
            Some(("route", id)) => peer(id).map(Resource::Route),
            Some(_) => None,
        }
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The path of a resource: its kind and, behind a slash, its name as it is. `None` for an address,
/// which is this peer's own business and needs no grant.
#[must_use]
pub fn path_of(resource: &Resource) -> Option<Vec<u8>> {
    let named = |kind: &str, name: &[u8]| Some([kind.as_bytes(), b"/", name].concat());
    match resource {
        Resource::Node => Some(b"node".to_vec()),
        Resource::Admin => Some(b"admin".to_vec()),
        Resource::Peer(id) => named("peer", id.to_base58().as_bytes()),
        Resource::Relay(id) => named("relay", id.to_base58().as_bytes()),
        Resource::Protocol(id) => named("protocol", id.as_bytes()),
        Resource::Topic(name) => named("topic", name.as_bytes()),
        Resource::Key(key) => named("key", key),
        Resource::Content(id) => named("content", id.as_bytes()),
        Resource::Mailbox(id) => named("mailbox", id.to_base58().as_bytes()),
        Resource::Route(id) => named("route", id.to_base58().as_bytes()),
        Resource::Address(_) => None,
    }
}

/// The resource with this path, as people write it: [`path_of`] backwards. A key is what its bytes say
/// as UTF-8. `None` for a path that no resource has.
#[must_use]
pub fn resource_of(path: &str) -> Option<Resource> {
    let peer = |name: &str| name.parse().ok();
    match path.split_once('/') {
        None => match path {
            "node" => Some(Resource::Node),
            "admin" => Some(Resource::Admin),
            _ => None,
        },
        Some((_, "")) => None,
        Some(("peer", id)) => peer(id).map(Resource::Peer),
        Some(("relay", id)) => peer(id).map(Resource::Relay),
        Some(("mailbox", id)) => peer(id).map(Resource::Mailbox),
        Some(("route", id)) => peer(id).map(Resource::Route),
        Some(("protocol", id)) => Some(Resource::Protocol(id.to_owned())),
        Some(("topic", name)) => Some(Resource::Topic(name.to_owned())),
        Some(("key", key)) => Some(Resource::Key(key.as_bytes().to_vec())),
        Some(("content", id)) => Some(Resource::Content(id.to_owned())),
        Some((_, _)) => None,
    }
}

//! One entry of the address book and its stored form.
//! Invariant: what decodes is within its bounds.
//! Not here: when to try whom, and who is forgotten (`book`).

use prost::Message;

use crate::defence::scope::Scope;
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, BOOK_ENTRY_BYTES_MAX};
use crate::{Multiaddr, PeerId};

/// How we heard of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// Multicast on the local network. Anybody there may have said it.
    Mdns,
    /// The peer's own signed announcement.
    Announcement,
    /// The peer itself, over a connection.
    Identify,
    /// Other peers, answering a DHT query.
    Routing,
    /// An invitation that a person handed us.
    Invite,
}

impl Source {
    /// Whether the peer itself spoke.
    #[must_use]
    pub const fn is_own_word(self) -> bool {
        match self {
            Self::Announcement | Self::Identify => true,
            Self::Mdns | Self::Routing | Self::Invite => false,
        }
    }

    const fn number(self) -> u32 {
        match self {
            Self::Mdns => 1,
            Self::Announcement => 2,
            Self::Identify => 3,
            Self::Routing => 4,
            Self::Invite => 5,
        }
    }

    const fn from_number(number: u32) -> Option<Self> {
        match number {
            1 => Some(Self::Mdns),
            2 => Some(Self::Announcement),
            3 => Some(Self::Identify),
            4 => Some(Self::Routing),
            5 => Some(Self::Invite),
            _ => None,
        }
    }
}

/// What is kept of one peer, also over a restart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookEntry {
    /// The peer.
    pub peer: PeerId,
    /// Its addresses without the peer at their end, the most trusted first; at most
    /// [`ADDRESSES_MAX`].
    pub addrs: Vec<Multiaddr>,
    /// How we heard of it last.
    pub source: Source,
    /// When we last heard of it: Unix time in ms.
    pub last_seen_unix_ms: u64,
    /// When a dial of ours last reached it: Unix time in ms; 0 when none ever did.
    pub reached_unix_ms: u64,
    /// Tries that failed in a row.
    pub failures: u32,
}

/// Why bytes are no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an entry of the address book")]
pub struct BadEntry;

#[derive(Clone, PartialEq, Message)]
struct EntryWire {
    #[prost(bytes = "vec", tag = "1")]
    peer: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    addrs: Vec<Vec<u8>>,
    #[prost(uint32, tag = "3")]
    source: u32,
    #[prost(uint64, tag = "4")]
    last_seen_unix_ms: u64,
    #[prost(uint64, tag = "5")]
    reached_unix_ms: u64,
    #[prost(uint32, tag = "6")]
    failures: u32,
}

impl BookEntry {
    /// The bytes to store; protobuf, so that later versions can add fields.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        EntryWire {
            peer: self.peer.to_bytes(),
            addrs: self.addrs.iter().map(Multiaddr::to_vec).collect(),
            source: self.source.number(),
            last_seen_unix_ms: self.last_seen_unix_ms,
            reached_unix_ms: self.reached_unix_ms,
            failures: self.failures,
        }
        .encode_to_vec()
    }

    /// Reads stored bytes.
    ///
    /// # Errors
    /// [`BadEntry`] when they are too many, no protobuf, or hold something that is out of its bounds.
    pub fn decode(bytes: &[u8]) -> Result<Self, BadEntry> {
        if bytes.len() > BOOK_ENTRY_BYTES_MAX {
            return Err(BadEntry);
        }
        let wire = EntryWire::decode(bytes).map_err(|_| BadEntry)?;
        if wire.addrs.len() > ADDRESSES_MAX {
            return Err(BadEntry);
        }
        let mut addrs = Vec::with_capacity(wire.addrs.len());
        for address in wire.addrs {
            if address.len() > ADDRESS_BYTES_MAX {
                return Err(BadEntry);
            }
            addrs.push(Multiaddr::try_from(address).map_err(|_| BadEntry)?);
        }
        Ok(Self {
            peer: PeerId::from_bytes(&wire.peer).map_err(|_| BadEntry)?,
            addrs,
            source: Source::from_number(wire.source).ok_or(BadEntry)?,
            last_seen_unix_ms: wire.last_seen_unix_ms,
            reached_unix_ms: wire.reached_unix_ms,
            failures: wire.failures,
        })
    }

    /// Takes in addresses that were told over a path of reach `over`. What the peer says itself
    /// replaces all it could have said over that path; what others say only fills free places.
    pub(super) fn learn(&mut self, told: &[Multiaddr], source: Source, over: Scope) {
        let mut addrs: Vec<Multiaddr> = Vec::with_capacity(ADDRESSES_MAX);
        let mut add = |address: &Multiaddr| {
            if addrs.len() < ADDRESSES_MAX && !addrs.contains(address) {
                addrs.push(address.clone());
            }
        };
        if source.is_own_word() {
            told.iter().for_each(&mut add);
            self.addrs.iter().filter(|old| Scope::of(old) < over).for_each(&mut add);
        } else {
            self.addrs.iter().chain(told).for_each(&mut add);
        }
        self.addrs = addrs;
        self.source = source;
    }
}

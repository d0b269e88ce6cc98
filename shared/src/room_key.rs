//! The keys of members' rooms: who made one, how it travels, what is sealed with it. See `docs/grants.md`.
//! Invariant: pure. Only a root of the network makes keys; only whoever has one can read what it seals.
//! Not here: who may have a key (`policy`), handing it over (`net::auth`), when a new one is made.

mod ring;
mod seal;

use std::fmt;

use crate::grant::{Key, NetworkId, Reader, Signer, sign};
use crate::limits::{ROOM_KEY_BYTES_MAX, TOPIC_BYTES_MAX};
use crate::wire::{WireError, is_members_topic};

pub use ring::KeyRing;
pub use seal::{key_of, open, seal};

/// What stands before the signed bytes of a key.
pub(crate) const DOMAIN: &[u8] = b"peerloom-room-key-v1:";
/// The version of the bytes.
const VERSION: u8 = 1;
/// The bytes of a signature.
const SIGNATURE: usize = 64;

/// What names a key: the first bytes of the BLAKE3 hash of its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub [u8; 8]);

/// The key of one members' room, until the next one.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomKey {
    /// The network that the room is in.
    pub network: NetworkId,
    /// The root that made it.
    pub issuer: Key,
    /// Rises with every key of the room: the highest is the one to seal with.
    pub generation: u64,
    /// When it was made, Unix time in ms.
    pub made_ms: u64,
    /// The room's topic.
    pub topic: String,
    secret: [u8; 32],
}

impl fmt::Debug for RoomKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RoomKey")
            .field("topic", &self.topic)
            .field("generation", &self.generation)
            .finish_non_exhaustive()
    }
}

/// A key as it travels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedRoomKey {
    key: RoomKey,
    signature: [u8; SIGNATURE],
}

impl RoomKey {
    /// The first key of a room.
    #[must_use]
    pub fn first(network: NetworkId, issuer: Key, topic: &str, made: (u64, [u8; 32])) -> Self {
        let (made_ms, secret) = made;
        Self { network, issuer, generation: 1, made_ms, topic: topic.to_owned(), secret }
    }

    /// The key after this one, made by `issuer`.
    #[must_use]
    pub fn next(&self, issuer: Key, made: (u64, [u8; 32])) -> Self {
        let (made_ms, secret) = made;
        let generation = self.generation.saturating_add(1);
        Self { issuer, generation, made_ms, secret, ..self.clone() }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = blake3::hash(&self.encode());
        KeyId(hash.as_bytes().first_chunk().copied().unwrap_or_default())
    }

    /// Signs it for others. A signer that is not the issuer makes something that counts nowhere.
    #[must_use]
    pub fn sign(self, signer: &Signer) -> SignedRoomKey {
        let signature = sign(signer, DOMAIN, &self.encode());
        SignedRoomKey { key: self, signature }
    }

    /// Of two keys of one room, the one to seal with has the higher rank; the same for everybody.
    fn rank(&self) -> (u64, u64, KeyId) {
        (self.generation, self.made_ms, self.id())
    }

    fn encode(&self) -> Vec<u8> {
        let length = u8::try_from(self.topic.len()).unwrap_or(u8::MAX);
        let parts: [&[u8]; 8] = [
            &[VERSION],
            &self.network,
            self.issuer.as_bytes(),
            &self.generation.to_be_bytes(),
            &self.made_ms.to_be_bytes(),
            &self.secret,
            &[length],
            self.topic.as_bytes(),
        ];
        parts.concat()
    }
}

impl SignedRoomKey {
    /// The key, whether or not it counts.
    #[must_use]
    pub const fn key(&self) -> &RoomKey {
        &self.key
    }

    /// Whether a root of the network made it.
    #[must_use]
    pub fn counts(&self, network: &NetworkId, roots: &[Key]) -> bool {
        self.key.network == *network
            && roots.contains(&self.key.issuer)
            && self.key.issuer.signed(&[DOMAIN, &self.key.encode()].concat(), &self.signature)
    }

    /// The bytes on the wire and on disk.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        [&self.key.encode()[..], &self.signature].concat()
    }

    /// Reads a key. There is one encoding: what is read encodes to the same bytes.
    ///
    /// # Errors
    /// [`WireError::TooLarge`]; [`WireError::Unsupported`] for another version; [`WireError::Malformed`]
    /// for the rest, also for a topic that is no members' room.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        const CUT: WireError = WireError::Malformed("room key is cut off");
        if bytes.len() > ROOM_KEY_BYTES_MAX {
            let (what, bytes, max) = ("room key", bytes.len(), ROOM_KEY_BYTES_MAX);
            return Err(WireError::TooLarge { what, bytes, max });
        }
        let mut reader = Reader::new(bytes);
        let version = reader.u8().ok_or(CUT)?;
        if version != VERSION {
            let value = u64::from(version);
            return Err(WireError::Unsupported { what: "version of room key", value });
        }
        let network = reader.array().ok_or(CUT)?;
        let issuer = Key::from_bytes(reader.array().ok_or(CUT)?);
        let generation = reader.u64().ok_or(CUT)?;
        let made_ms = reader.u64().ok_or(CUT)?;
        let secret = reader.array().ok_or(CUT)?;
        let length = usize::from(reader.u8().ok_or(CUT)?);
        let topic = std::str::from_utf8(reader.slice(length).ok_or(CUT)?)
            .ok()
            .filter(|topic| topic.len() <= TOPIC_BYTES_MAX && is_members_topic(topic))
            .ok_or(WireError::Malformed("room key for no members' room"))?
            .to_owned();
        let signature = reader.array().ok_or(CUT)?;
        if !reader.is_empty() {
            return Err(WireError::Malformed("bytes after a room key"));
        }
        Ok(Self { key: RoomKey { network, issuer, generation, made_ms, topic, secret }, signature })
    }
}

#[cfg(test)]
mod tests;

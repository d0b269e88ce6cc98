//! What peers say about themselves on universal-connectivity's discovery topic; see
//! `proto/announcement.proto`.
//! Invariant: the key is one we can verify; every address is well-formed and within its size.
//! Not here: whether the key is the message's author, whether an address may be dialled.

use libp2p_identity::{PeerId, PublicKey};
use multiaddr::Multiaddr;
use prost::Message;

use super::{WireError, within};
use crate::limits::{
    ADDRESS_BYTES_MAX, ADDRESSES_MAX, ANNOUNCEMENT_ADDRESSES_MAX, ANNOUNCEMENT_BYTES_MAX,
};

/// A peer's key and the addresses it can be reached at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The announced peer's key. It must be the author's, or the announcement is void.
    pub public_key: PublicKey,
    /// Its addresses.
    pub addrs: Vec<Multiaddr>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnnouncementWire {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) public_key: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) addrs: Vec<Vec<u8>>,
}

impl Announcement {
    /// The bytes on the wire, with the first 8 addresses that fit the limits.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut wire =
            AnnouncementWire { public_key: self.public_key.encode_protobuf(), addrs: Vec::new() };
        let fitting = self.addrs.iter().filter(|address| address.len() <= ADDRESS_BYTES_MAX);
        for address in fitting.take(ADDRESSES_MAX) {
            wire.addrs.push(address.to_vec());
            if wire.encoded_len() > ANNOUNCEMENT_BYTES_MAX {
                wire.addrs.pop();
            }
        }
        wire.encode_to_vec()
    }

    /// Reads an announcement. A bad address is skipped, and so is every one beyond the sixteenth good
    /// one.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] before anything is allocated; [`WireError::Malformed`] when it is no
    /// protobuf or the key is of no known kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        within("announcement", bytes.len(), ANNOUNCEMENT_BYTES_MAX)?;
        let wire = AnnouncementWire::decode(bytes)
            .map_err(|_| WireError::Malformed("announcement is no protobuf"))?;
        let public_key = PublicKey::try_decode_protobuf(&wire.public_key)
            .map_err(|_| WireError::Malformed("announcement without a key of a known kind"))?;
        let addrs = wire
            .addrs
            .into_iter()
            .filter(|address| (1..=ADDRESS_BYTES_MAX).contains(&address.len()))
            .filter_map(|address| Multiaddr::try_from(address).ok())
            .take(ANNOUNCEMENT_ADDRESSES_MAX)
            .collect();
        Ok(Self { public_key, addrs })
    }

    /// The announced peer.
    #[must_use]
    pub fn peer(&self) -> PeerId {
        self.public_key.to_peer_id()
    }
}

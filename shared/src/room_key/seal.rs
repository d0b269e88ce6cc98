//! Sealing what is said in a members' room: XChaCha20-Poly1305 under the room's key.
//! Invariant: what opens was sealed for this room, by this author, under this counter.
//! Not here: the author's signature, which gossip carries; replays (`pubsub`).

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use libp2p_identity::PeerId;

use super::{KeyId, RoomKey};
use crate::limits::{POST_BODY_BYTES_MAX, ROOM_SEAL_BYTES};

/// The bytes of a nonce.
const NONCE: usize = 24;
/// The bytes of a key's name.
const ID: usize = 8;

/// Which uses of a room's secret there are; the texts keep them apart (BLAKE3, key derivation).
const TO_SEAL: &str = "peerloom room key v1: sealing posts";
const TO_NUMBER: &str = "peerloom room key v1: nonces of posts";

impl RoomKey {
    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&blake3::derive_key(TO_SEAL, &self.secret).into())
    }

    /// A nonce that is the same only for the same text of the same author under the same counter, so that
    /// no random numbers are needed, and weak ones cannot hurt.
    fn nonce(&self, bound: &[u8], text: &[u8]) -> [u8; NONCE] {
        let mut hasher = blake3::Hasher::new_keyed(&blake3::derive_key(TO_NUMBER, &self.secret));
        hasher.update(bound).update(text);
        hasher.finalize().as_bytes().first_chunk().copied().unwrap_or_default()
    }

    /// What is bound to a text: nobody can say another's words as their own, or in another room.
    fn bound(&self, author: &PeerId, counter: u64) -> Vec<u8> {
        let author = author.to_bytes();
        let length = u16::try_from(author.len()).unwrap_or(u16::MAX);
        let parts: [&[u8]; 4] =
            [&length.to_be_bytes(), &author, &counter.to_be_bytes(), self.topic.as_bytes()];
        parts.concat()
    }
}

/// Seals a text of `author`: the key's name, the nonce, the sealed text. `None` for a text beyond all
/// limits.
#[must_use]
pub fn seal(key: &RoomKey, author: &PeerId, counter: u64, text: &[u8]) -> Option<Vec<u8>> {
    if text.len().saturating_add(ROOM_SEAL_BYTES) > POST_BODY_BYTES_MAX {
        return None;
    }
    let bound = key.bound(author, counter);
    let nonce = key.nonce(&bound, text);
    let sealed = key.cipher().encrypt(&nonce.into(), Payload { msg: text, aad: &bound }).ok()?;
    Some([&key.id().0[..], &nonce, &sealed].concat())
}

/// The name of the key that something was sealed with.
#[must_use]
pub fn key_of(sealed: &[u8]) -> Option<KeyId> {
    sealed.first_chunk::<ID>().map(|id| KeyId(*id))
}

/// Opens what `author` sealed. `None` where it was made, or changed, by somebody without the key, or is
/// another's, of another room, or of another counter.
#[must_use]
pub fn open(key: &RoomKey, author: &PeerId, counter: u64, sealed: &[u8]) -> Option<Vec<u8>> {
    let (_, rest) = sealed.split_first_chunk::<ID>()?;
    let (nonce, text) = rest.split_first_chunk::<NONCE>()?;
    let bound = key.bound(author, counter);
    key.cipher().decrypt(&(*nonce).into(), Payload { msg: text, aad: &bound }).ok()
}

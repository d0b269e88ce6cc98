//! Ed25519 keys as grants name them, and the strict check of signatures.
//! Invariant: what [`Key::check`] accepts no verifier that follows RFC 8032 to the letter refuses.
//! Not here: key files, other kinds of keys (their peers connect, but hold no grants).

use std::fmt;

use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, VerifyingKey};
use libp2p_identity::{PeerId, PublicKey, ed25519};

/// What signs grants and lists.
pub type Signer = ed25519::Keypair;

/// An Ed25519 public key, as 32 bytes (RFC 8032, section 5.1.2). Not every value is a good key; that
/// is found out where a signature is checked.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key([u8; 32]);

/// Why a signature does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyFault {
    /// No point of the curve, a second spelling of one, or of small order: then a signature under it
    /// proves nothing.
    Key,
    /// The key is good, the signature is not.
    Signature,
}

impl Key {
    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public half of a signer.
    #[must_use]
    pub fn of(signer: &Signer) -> Self {
        Self(signer.public().to_bytes())
    }

    /// The key that a PeerId spells out; `None` for other kinds of keys.
    #[must_use]
    pub fn of_peer(peer: &PeerId) -> Option<Self> {
        let hash = peer.as_ref();
        if hash.code() != IDENTITY_HASH {
            return None;
        }
        let public = PublicKey::try_decode_protobuf(hash.digest()).ok()?;
        // One key, one PeerId: a PeerId around another spelling of the key is not that key's.
        if public.to_peer_id() != *peer {
            return None;
        }
        Some(Self(public.try_into_ed25519().ok()?.to_bytes()))
    }

    /// The PeerId of this key; `None` when the bytes are no point of the curve.
    #[must_use]
    pub fn peer(&self) -> Option<PeerId> {
        let key = ed25519::PublicKey::try_from_bytes(&self.0).ok()?;
        Some(PublicKey::from(key).to_peer_id())
    }

    /// The point, where the key is fit for strict checks.
    fn point(&self) -> Option<VerifyingKey> {
        let point = VerifyingKey::from_bytes(&self.0).ok()?;
        (self.is_canonical() && !point.is_weak()).then_some(point)
    }

    /// Whether signatures under this key prove anything.
    pub(super) fn is_strong(&self) -> bool {
        self.point().is_some()
    }

    /// Checks a signature strictly: S below the group's order, key and R canonical and of large order.
    pub(super) fn check(&self, message: &[u8], signature: &[u8; 64]) -> Result<(), KeyFault> {
        let point = self.point().ok_or(KeyFault::Key)?;
        point
            .verify_strict(message, &Signature::from_bytes(signature))
            .map_err(|_| KeyFault::Signature)
    }

    /// Whether a signature of the message under this key counts, checked as strictly as those of grants.
    pub(crate) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.check(message, signature).is_ok()
    }

    /// Whether the y coordinate is below the field's prime, 2^255 - 19, which decoders do not insist on.
    fn is_canonical(&self) -> bool {
        let [lowest, middle @ .., highest] = self.0;
        highest & 0x7f != 0x7f || middle.iter().any(|byte| *byte != 0xff) || lowest < 0xed
    }
}

/// The multihash code of a digest that is the value itself.
const IDENTITY_HASH: u64 = 0;

/// Signs `domain` and `body`, one after the other.
pub(crate) fn sign(signer: &Signer, domain: &[u8], body: &[u8]) -> [u8; 64] {
    let signature = signer.sign(&message(domain, body));
    // Always 64 bytes; a signature of zeros would verify nowhere.
    <[u8; 64]>::try_from(signature.as_slice()).unwrap_or([0; 64])
}

/// What is signed.
pub(super) fn message(domain: &[u8], body: &[u8]) -> Vec<u8> {
    [domain, body].concat()
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

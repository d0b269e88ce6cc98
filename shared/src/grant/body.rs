//! One link of a chain: what is granted, by whom, to whom; version 1 of the bytes.
//! Invariant: a link has one encoding: decoding and encoding again gives the same bytes.
//! Not here: whether the link counts (`verify`).

use std::fmt;

use data_encoding::HEXLOWER;
use libp2p_identity::PeerId;

use super::key::{message, sign};
use super::read::Reader;
use super::{ActionSet, Fault, Field, GrantError, Key, Prefix, Signer};
use crate::limits::{GRANT_LIFE_MS_MAX, GRANT_PREFIX_BYTES_MAX};

/// What stands before the signed bytes of a link.
pub(super) const DOMAIN: &[u8] = b"peerloom-grant-v1:";
/// The version of the bytes.
pub(super) const VERSION: u8 = 1;
/// Bytes of a body without its prefix.
const BODY_BYTES_MIN: usize = 166;

/// The network that a grant is for.
pub type NetworkId = [u8; 32];

/// The name of a link: the BLAKE3-256 hash of its body. The signature is no part of it, so a second
/// signature does not make a second link that a revocation would miss.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GrantId([u8; 32]);

impl GrantId {
    /// The id in the place of a parent where there is none.
    pub const NONE: Self = Self([0; 32]);

    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for GrantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// Who receives a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Audience {
    /// The peer with this key.
    Peer(Key),
    /// Whoever has the seed of this key: an invite. Such a grant is passed on to a peer before it is
    /// used, and allows nothing by itself.
    Invite(Key),
}

impl Audience {
    /// A peer, by its PeerId; `None` when its key is not Ed25519.
    #[must_use]
    pub fn of_peer(peer: &PeerId) -> Option<Self> {
        Key::of_peer(peer).map(Self::Peer)
    }

    /// Its key.
    #[must_use]
    pub const fn key(self) -> Key {
        match self {
            Self::Peer(key) | Self::Invite(key) => key,
        }
    }

    const fn kind(self) -> u8 {
        match self {
            Self::Peer(_) => 1,
            Self::Invite(_) => 2,
        }
    }
}

/// What an issuer decides about a link. All times are Unix times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Who receives it.
    pub audience: Audience,
    /// What it allows.
    pub actions: ActionSet,
    /// When it begins.
    pub not_before_ms: u64,
    /// When it ends; at most 90 days later.
    pub expires_ms: u64,
    /// How many links may follow it.
    pub depth: u8,
    /// How often it may be used; 0 is without limit.
    pub max_uses: u16,
    /// Chance, so that no two links have the same id.
    pub nonce: [u8; 8],
    /// What it is about.
    pub prefix: Prefix,
}

/// All of a link that is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Body {
    /// The network it counts in.
    pub network: NetworkId,
    /// The link it hangs on; [`GrantId::NONE`] for a root.
    pub parent: GrantId,
    /// Who signs it.
    pub issuer: Key,
    /// What its issuer decided.
    pub terms: Terms,
}

impl Body {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(BODY_BYTES_MIN + GRANT_PREFIX_BYTES_MAX);
        self.encode_into(&mut bytes);
        bytes
    }

    fn encode_into(&self, bytes: &mut Vec<u8>) {
        let terms = &self.terms;
        let prefix = terms.prefix.as_str().as_bytes();
        bytes.push(VERSION);
        bytes.extend_from_slice(&self.network);
        bytes.extend_from_slice(&self.parent.0);
        bytes.extend_from_slice(self.issuer.as_bytes());
        bytes.push(terms.audience.kind());
        bytes.extend_from_slice(terms.audience.key().as_bytes());
        bytes.extend_from_slice(&terms.actions.bits().to_be_bytes());
        bytes.extend_from_slice(&terms.not_before_ms.to_be_bytes());
        bytes.extend_from_slice(&terms.expires_ms.to_be_bytes());
        bytes.push(terms.depth);
        bytes.extend_from_slice(&terms.max_uses.to_be_bytes());
        bytes.extend_from_slice(&terms.nonce);
        // A prefix has at most 128 bytes.
        bytes.push(u8::try_from(prefix.len()).unwrap_or(u8::MAX));
        bytes.extend_from_slice(prefix);
    }

    /// Reads one body off the front.
    fn read(reader: &mut Reader<'_>) -> Result<Self, (Field, Fault)> {
        const CUT: (Field, Fault) = (Field::Length, Fault::CutOff);
        let version = reader.u8().ok_or(CUT)?;
        if version != VERSION {
            return Err((Field::Version, Fault::Unknown(version)));
        }
        let network = reader.array().ok_or(CUT)?;
        let parent = GrantId(reader.array().ok_or(CUT)?);
        let issuer = Key::from_bytes(reader.array().ok_or(CUT)?);
        let kind = reader.u8().ok_or(CUT)?;
        let key = Key::from_bytes(reader.array().ok_or(CUT)?);
        let audience = match kind {
            1 => Audience::Peer(key),
            2 => Audience::Invite(key),
            other => return Err((Field::Audience, Fault::Unknown(other))),
        };
        let actions = ActionSet::from_bits(reader.u64().ok_or(CUT)?);
        let not_before_ms = reader.u64().ok_or(CUT)?;
        let expires_ms = reader.u64().ok_or(CUT)?;
        let depth = reader.u8().ok_or(CUT)?;
        let max_uses = reader.u16().ok_or(CUT)?;
        let nonce = reader.array().ok_or(CUT)?;
        let length = usize::from(reader.u8().ok_or(CUT)?);
        if length > GRANT_PREFIX_BYTES_MAX {
            let fault = Fault::TooMuch { size: length, max: GRANT_PREFIX_BYTES_MAX };
            return Err((Field::Prefix, fault));
        }
        let prefix = Prefix::from_bytes(reader.slice(length).ok_or(CUT)?)
            .map_err(|e| (Field::Prefix, Fault::Prefix(e)))?;
        let terms =
            Terms { audience, actions, not_before_ms, expires_ms, depth, max_uses, nonce, prefix };
        Ok(Self { network, parent, issuer, terms })
    }

    /// The link's name.
    #[must_use]
    pub fn id(&self) -> GrantId {
        GrantId(*blake3::hash(&self.encode()).as_bytes())
    }

    /// The rules that a link obeys whatever hangs around it.
    pub(super) fn check_window(&self) -> Result<(), (Field, Fault)> {
        let Terms { not_before_ms, expires_ms, .. } = self.terms;
        let ms = expires_ms.saturating_sub(not_before_ms);
        if ms == 0 {
            return Err((Field::Expiry, Fault::EmptyWindow));
        }
        if ms > GRANT_LIFE_MS_MAX {
            return Err((Field::Expiry, Fault::TooLongLived { ms }));
        }
        Ok(())
    }
}

/// A body and its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    body: Body,
    signature: [u8; 64],
}

impl Link {
    /// Signs a body. A signer that is not the body's issuer makes a link that nobody believes.
    pub(super) fn sign(body: Body, signer: &Signer) -> Self {
        let signature = sign(signer, DOMAIN, &body.encode());
        Self { body, signature }
    }

    /// Reads one link off the front; `link` is its place, for the error.
    pub(super) fn read(reader: &mut Reader<'_>, link: usize) -> Result<Self, GrantError> {
        let body =
            Body::read(reader).map_err(|(field, fault)| GrantError { link, field, fault })?;
        let cut = GrantError::new(link, Field::Length, Fault::CutOff);
        let signature = reader.array().ok_or(cut)?;
        Ok(Self { body, signature })
    }

    pub(super) fn encode_into(&self, bytes: &mut Vec<u8>) {
        self.body.encode_into(bytes);
        bytes.extend_from_slice(&self.signature);
    }

    /// What is signed.
    #[must_use]
    pub const fn body(&self) -> &Body {
        &self.body
    }

    /// What its issuer decided.
    #[must_use]
    pub const fn terms(&self) -> &Terms {
        &self.body.terms
    }

    /// The link's name.
    #[must_use]
    pub fn id(&self) -> GrantId {
        self.body.id()
    }

    /// Whether the issuer signed it.
    pub(super) fn check_signature(&self) -> Result<(), super::key::KeyFault> {
        self.body.issuer.check(&message(DOMAIN, &self.body.encode()), &self.signature)
    }
}

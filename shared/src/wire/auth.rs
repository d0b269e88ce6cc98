//! What peers say to each other about their rights: `/peerloom/auth/1`, see `proto/auth.proto`.
//! Invariant: decoded messages hold bounded numbers of bounded chains and lists; an answer's text is safe.
//! Not here: whether a chain counts (`grant`), framing (the stream's handler).

use prost::Message;

use super::text::clean_label;
use super::{WireError, within};
use crate::grant::{ActionSet, Key, NetworkId};
use crate::limits::{
    AUTH_ANSWER_BYTES_MAX, AUTH_CHAINS_MAX, AUTH_LISTS_MAX, AUTH_REASON_CHARS_MAX,
    AUTH_REQUEST_BYTES_MAX, GRANT_CHAIN_BYTES_MAX, REVOCATION_ISSUERS_MAX,
    REVOCATION_LIST_BYTES_MAX, ROOM_KEY_BYTES_MAX, ROOM_KEYS_ROOMS_MAX,
};
use crate::policy::{Access, Class};

/// A peer shows its grants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthRequest {
    /// The network it is in.
    pub network: NetworkId,
    /// The bytes of chains that name it.
    pub grants: Vec<Vec<u8>>,
    /// What it is.
    pub class: Class,
    /// The bytes of chains that name the receiver.
    pub issued: Vec<Vec<u8>>,
    /// The bytes of lists of revocations that are new to the sender.
    pub lists: Vec<Vec<u8>>,
    /// The newest lists that the sender knows: issuer and version.
    pub known: Vec<(Key, u64)>,
    /// The bytes of keys of members' rooms that the receiver may have.
    pub keys: Vec<Vec<u8>>,
}

/// How showing grants ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AuthStatus {
    /// All grants count.
    Ok,
    /// Not looked at: too much is shown at the moment.
    Busy,
    /// A grant does not count.
    Denied,
    /// The request breaks the format.
    Malformed,
    /// The request is newer than the answerer.
    Unsupported,
    /// A grant has ended, or one of the two clocks is wrong.
    Expired,
}

/// The answer to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthAnswer {
    /// How it ended.
    pub status: AuthStatus,
    /// The actions that are allowed on something.
    pub allowed: ActionSet,
    /// When the first of the grants that count ends, Unix time in ms.
    pub expires_ms: Option<u64>,
    /// The number of the answerer's rule set.
    pub epoch: u64,
    /// What strangers get there.
    pub access: Access,
    /// Which grant does not count and why, for the person. Safe to show.
    pub reason: Option<String>,
    /// The bytes of lists of revocations that the asker did not know.
    pub lists: Vec<Vec<u8>>,
    /// The bytes of chains that name the asker.
    pub issued: Vec<Vec<u8>>,
    /// The bytes of keys of members' rooms that the asker may have.
    pub keys: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct RequestWire {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) network: Vec<u8>,
    #[prost(bytes = "vec", repeated, tag = "2")]
    pub(super) grants: Vec<Vec<u8>>,
    #[prost(uint64, tag = "3")]
    pub(super) features: u64,
    #[prost(uint32, tag = "4")]
    pub(super) class: u32,
    #[prost(bytes = "vec", repeated, tag = "5")]
    pub(super) issued: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "6")]
    pub(super) lists: Vec<Vec<u8>>,
    #[prost(message, repeated, tag = "7")]
    pub(super) known: Vec<KnownWire>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(super) keys: Vec<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct KnownWire {
    #[prost(bytes = "vec", tag = "1")]
    pub(super) issuer: Vec<u8>,
    #[prost(uint64, tag = "2")]
    pub(super) version: u64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct AnswerWire {
    #[prost(uint32, tag = "1")]
    pub(super) status: u32,
    #[prost(uint64, tag = "2")]
    pub(super) allowed: u64,
    #[prost(uint64, tag = "3")]
    pub(super) expires_ms: u64,
    #[prost(uint64, tag = "4")]
    pub(super) epoch: u64,
    #[prost(uint32, tag = "5")]
    pub(super) access: u32,
    #[prost(string, tag = "6")]
    pub(super) reason: String,
    #[prost(bytes = "vec", repeated, tag = "7")]
    pub(super) lists: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "8")]
    pub(super) issued: Vec<Vec<u8>>,
    #[prost(bytes = "vec", repeated, tag = "9")]
    pub(super) keys: Vec<Vec<u8>>,
}

impl AuthRequest {
    /// The bytes on the wire. One beyond its limits encodes too, and no peer will decode it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let class = match self.class {
            Class::Unknown => 0,
            Class::Native => 1,
            Class::Browser => 2,
        };
        RequestWire {
            network: self.network.to_vec(),
            grants: self.grants.clone(),
            features: 0,
            class,
            issued: self.issued.clone(),
            lists: self.lists.clone(),
            known: self
                .known
                .iter()
                .map(|(issuer, version)| KnownWire {
                    issuer: issuer.as_bytes().to_vec(),
                    version: *version,
                })
                .collect(),
            keys: self.keys.clone(),
        }
        .encode_to_vec()
    }

    /// Reads a request.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] before anything is allocated; [`WireError::Malformed`] when it is no
    /// protobuf, a field has a wrong size, or there are too many of one kind.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        within("auth request", bytes.len(), AUTH_REQUEST_BYTES_MAX)?;
        let wire = RequestWire::decode(bytes)
            .map_err(|_| WireError::Malformed("auth request is no protobuf"))?;
        let network = wire
            .network
            .try_into()
            .map_err(|_| WireError::Malformed("network id is not 32 bytes long"))?;
        check_chains(&wire.grants)?;
        check_chains(&wire.issued)?;
        check_lists(&wire.lists)?;
        check_keys(&wire.keys)?;
        within("number of known lists", wire.known.len(), REVOCATION_ISSUERS_MAX)?;
        let known = wire.known.into_iter().map(|known| {
            let issuer = known.issuer.try_into();
            let issuer = issuer.map_err(|_| WireError::Malformed("issuer is not 32 bytes long"))?;
            Ok((Key::from_bytes(issuer), known.version))
        });
        let known = known.collect::<Result<_, WireError>>()?;
        // What a newer peer says it is does not matter for anything.
        let class = match wire.class {
            1 => Class::Native,
            2 => Class::Browser,
            _ => Class::Unknown,
        };
        let RequestWire { grants, issued, lists, keys, .. } = wire;
        Ok(Self { network, grants, class, issued, lists, known, keys })
    }
}

fn check_chains(chains: &[Vec<u8>]) -> Result<(), WireError> {
    within("number of grants", chains.len(), AUTH_CHAINS_MAX)?;
    chains.iter().try_for_each(|chain| within("grant", chain.len(), GRANT_CHAIN_BYTES_MAX))
}

fn check_lists(lists: &[Vec<u8>]) -> Result<(), WireError> {
    within("number of lists of revocations", lists.len(), AUTH_LISTS_MAX)?;
    lists
        .iter()
        .try_for_each(|list| within("list of revocations", list.len(), REVOCATION_LIST_BYTES_MAX))
}

fn check_keys(keys: &[Vec<u8>]) -> Result<(), WireError> {
    within("number of room keys", keys.len(), ROOM_KEYS_ROOMS_MAX)?;
    keys.iter().try_for_each(|key| within("room key", key.len(), ROOM_KEY_BYTES_MAX))
}

impl AuthStatus {
    const fn number(self) -> u32 {
        match self {
            Self::Ok => 1,
            Self::Busy => 2,
            Self::Denied => 3,
            Self::Malformed => 5,
            Self::Unsupported => 7,
            Self::Expired => 8,
        }
    }

    const fn from_number(number: u32) -> Self {
        match number {
            1 => Self::Ok,
            2 => Self::Busy,
            3 => Self::Denied,
            7 => Self::Unsupported,
            8 => Self::Expired,
            // 0 is unset. What a newer peer may say is no success either.
            _ => Self::Malformed,
        }
    }
}

impl AuthAnswer {
    /// The bytes on the wire.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let access = match self.access {
            Access::Open => 1,
            Access::Friends => 2,
            Access::Closed => 3,
        };
        let reason = self.reason.as_deref().unwrap_or_default();
        AnswerWire {
            status: self.status.number(),
            allowed: self.allowed.bits(),
            expires_ms: self.expires_ms.unwrap_or_default(),
            epoch: self.epoch,
            access,
            reason: clean_label(reason, AUTH_REASON_CHARS_MAX),
            lists: self.lists.clone(),
            issued: self.issued.clone(),
            keys: self.keys.clone(),
        }
        .encode_to_vec()
    }

    /// Reads an answer.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] before anything is allocated; [`WireError::Malformed`] when it is no
    /// protobuf or has too much of one kind; [`WireError::Unsupported`] for an access that this version does not know.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        within("auth answer", bytes.len(), AUTH_ANSWER_BYTES_MAX)?;
        let wire = AnswerWire::decode(bytes)
            .map_err(|_| WireError::Malformed("auth answer is no protobuf"))?;
        let access = match wire.access {
            1 => Access::Open,
            2 => Access::Friends,
            3 => Access::Closed,
            other => {
                return Err(WireError::Unsupported { what: "access", value: u64::from(other) });
            }
        };
        check_lists(&wire.lists)?;
        check_chains(&wire.issued)?;
        check_keys(&wire.keys)?;
        let reason = clean_label(&wire.reason, AUTH_REASON_CHARS_MAX);
        Ok(Self {
            status: AuthStatus::from_number(wire.status),
            allowed: ActionSet::from_bits(wire.allowed),
            expires_ms: (wire.expires_ms > 0).then_some(wire.expires_ms),
            epoch: wire.epoch,
            access,
            reason: (!reason.is_empty()).then_some(reason),
            lists: wire.lists,
            issued: wire.issued,
            keys: wire.keys,
        })
    }
}

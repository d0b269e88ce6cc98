//! The payload of our gossip rooms, `Post` of protocols section 6; see `proto/post.proto`.
//! Invariant: a decoded post is within its limits and its body fits its kind.
//! Not here: author and sequence number (the signed gossip envelope has them), replay windows.

use prost::Message;

use super::{WireError, within};
use crate::limits::{NAME_BYTES_MAX, POST_BODY_BYTES_MAX, POST_BYTES_MAX, REPLY_TO_BYTES_MAX};

/// The version of the format that we speak.
const VERSION: u32 = 1;

/// What a post is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PostKind {
    /// Chat. The body is UTF-8 text.
    Text,
    /// "I am here." The body is the author's display name in UTF-8, or empty.
    Presence,
    /// "I am going." The body is empty.
    Leave,
    /// One of the others, sealed with the key of a members' room. The body is as `room_key::seal` makes it.
    Sealed,
}

impl PostKind {
    const fn number(self) -> i32 {
        match self {
            Self::Text => 1,
            Self::Presence => 2,
            Self::Leave => 3,
            Self::Sealed => 4,
        }
    }

    fn from_number(number: i32) -> Result<Self, WireError> {
        match number {
            0 => Err(WireError::Malformed("post without a kind")),
            1 => Ok(Self::Text),
            2 => Ok(Self::Presence),
            3 => Ok(Self::Leave),
            4 => Ok(Self::Sealed),
            other => {
                let value = u64::from(other.cast_unsigned());
                Err(WireError::Unsupported { what: "kind of post", value })
            }
        }
    }
}

impl PostKind {
    fn check(self, body: &[u8]) -> Result<(), WireError> {
        let body_max = match self {
            Self::Text | Self::Sealed => POST_BODY_BYTES_MAX,
            Self::Presence => NAME_BYTES_MAX,
            Self::Leave => 0,
        };
        within("post body", body.len(), body_max)?;
        if self != Self::Sealed && std::str::from_utf8(body).is_err() {
            return Err(WireError::Malformed("post body is not UTF-8"));
        }
        Ok(())
    }

    /// What is sealed for a post of this kind: the kind and the body.
    #[must_use]
    pub fn to_seal(self, body: &str) -> Vec<u8> {
        let kind = u8::try_from(self.number()).unwrap_or_default();
        [&[kind], body.as_bytes()].concat()
    }
}

/// One post in a room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Post {
    /// Rises by one with every post of an author on a topic.
    pub counter: u64,
    /// The author's clock: Unix time in ms.
    pub created_ms: u64,
    /// What it is.
    pub kind: PostKind,
    /// Its content, by kind. UTF-8 in every kind but [`PostKind::Sealed`].
    pub body: Vec<u8>,
    /// The id of the message that this one answers; empty for none.
    pub reply_to: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct PostWire {
    #[prost(uint32, tag = "1")]
    pub(super) v: u32,
    #[prost(uint64, tag = "2")]
    pub(super) counter: u64,
    #[prost(uint64, tag = "3")]
    pub(super) created_ms: u64,
    #[prost(int32, tag = "4")]
    pub(super) kind: i32,
    #[prost(bytes = "vec", tag = "5")]
    pub(super) body: Vec<u8>,
    #[prost(bytes = "vec", tag = "6")]
    pub(super) reply_to: Vec<u8>,
}

impl Post {
    /// The bytes on the wire. A post beyond its limits encodes too, and no peer will decode it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        PostWire {
            v: VERSION,
            counter: self.counter,
            created_ms: self.created_ms,
            kind: self.kind.number(),
            body: self.body.clone(),
            reply_to: self.reply_to.clone(),
        }
        .encode_to_vec()
    }

    /// Reads a post.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] before anything is allocated; [`WireError::Unsupported`] for a newer
    /// version or kind; [`WireError::Malformed`] for the rest.
    pub fn decode(bytes: &[u8]) -> Result<Self, WireError> {
        within("post", bytes.len(), POST_BYTES_MAX)?;
        let wire =
            PostWire::decode(bytes).map_err(|_| WireError::Malformed("post is no protobuf"))?;
        match wire.v {
            VERSION => {}
            0 => return Err(WireError::Malformed("post without a version")),
            newer => {
                return Err(WireError::Unsupported {
                    what: "version of post",
                    value: newer.into(),
                });
            }
        }
        let kind = PostKind::from_number(wire.kind)?;
        within("reply reference", wire.reply_to.len(), REPLY_TO_BYTES_MAX)?;
        kind.check(&wire.body)?;
        Ok(Self {
            counter: wire.counter,
            created_ms: wire.created_ms,
            kind,
            body: wire.body,
            reply_to: wire.reply_to,
        })
    }

    /// The post inside a sealed one of this counter and time, from what the seal held.
    ///
    /// # Errors
    /// As [`Self::decode`]; [`WireError::Malformed`] too for a seal in a seal.
    pub fn unsealed(counter: u64, created_ms: u64, text: &[u8]) -> Result<Self, WireError> {
        let (kind, body) =
            text.split_first().ok_or(WireError::Malformed("sealed post holds nothing"))?;
        let kind = PostKind::from_number((*kind).into())?;
        if kind == PostKind::Sealed {
            return Err(WireError::Malformed("seal in a seal"));
        }
        kind.check(body)?;
        Ok(Self { counter, created_ms, kind, body: body.to_vec(), reply_to: Vec::new() })
    }

    /// The body as text: the chat text or the display name. Empty where a hand-made post holds no
    /// UTF-8; a decoded one always does.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

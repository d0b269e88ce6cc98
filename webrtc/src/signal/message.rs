//! The messages of `/webrtc-signaling/0.0.1` and how they stand on the stream.
//! Invariant: the decoder holds at most one message, of at most the bytes it was made for.
//! Not here: which message may come when (`signal`).

use bytes::Bytes;
use prost::Message as _;

use super::SignalError;

/// Bytes of a message beside its data: two field keys, the type, the length of the data, and room for
/// a small field that we do not know.
const ENVELOPE_BYTES: usize = 64;
/// Bytes of the longest length prefix that is read; five hold 32 bits.
const PREFIX_BYTES: u32 = 5;

/// What a message carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MessageKind {
    /// The SDP of an offer.
    Offer,
    /// The SDP of an answer.
    Answer,
    /// The JSON of a candidate.
    Candidate,
}

impl MessageKind {
    /// The number on the wire.
    fn number(self) -> i32 {
        match self {
            Self::Offer => 0,
            Self::Answer => 1,
            Self::Candidate => 2,
        }
    }
}

/// `proto/signal.proto`. The data is read as bytes, so that text that is none has its own error.
#[derive(Clone, PartialEq, prost::Message)]
struct Wire {
    #[prost(int32, optional, tag = "1")]
    kind: Option<i32>,
    #[prost(bytes = "vec", optional, tag = "2")]
    data: Option<Vec<u8>>,
}

/// A message with its length prefix.
pub(super) fn encode(kind: MessageKind, data: &str) -> Bytes {
    let wire = Wire { kind: Some(kind.number()), data: Some(data.as_bytes().to_vec()) };
    wire.encode_length_delimited_to_vec().into()
}

/// A message without its length prefix. Data that is missing is empty.
fn decode(bytes: &[u8]) -> Result<(MessageKind, String), SignalError> {
    let wire = Wire::decode(bytes).map_err(|_| SignalError::Malformed)?;
    let kind = match wire.kind {
        Some(0) => MessageKind::Offer,
        Some(1) => MessageKind::Answer,
        Some(2) => MessageKind::Candidate,
        Some(_) | None => return Err(SignalError::Malformed),
    };
    let data = wire.data.unwrap_or_default();
    Ok((kind, String::from_utf8(data).map_err(|_| SignalError::NotText)?))
}

/// Takes messages out of a stream that comes in pieces of any size.
#[derive(Debug)]
pub(super) struct Decoder {
    limit: usize,
    prefix: u64,
    prefix_bytes: u32,
    /// The length of the message, once its prefix is whole.
    length: Option<usize>,
    body: Vec<u8>,
}

impl Decoder {
    /// For messages of at most `data` bytes of data.
    pub(super) fn new(data: usize) -> Self {
        let limit = data.saturating_add(ENVELOPE_BYTES);
        Self { limit, prefix: 0, prefix_bytes: 0, length: None, body: Vec::new() }
    }

    /// Bytes that are held for the message that is not whole yet.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.body.capacity()
    }

    /// Takes what belongs to the next message off the front of `bytes`. `None` means that all of it
    /// was taken and the message is not whole. After an error the stream has no meaning any more.
    pub(super) fn next(
        &mut self,
        bytes: &mut &[u8],
    ) -> Result<Option<(MessageKind, String)>, SignalError> {
        let length = match self.length {
            Some(length) => length,
            None => match self.prefix(bytes)? {
                Some(length) => *self.length.insert(length),
                None => return Ok(None),
            },
        };
        let missing = length.saturating_sub(self.body.len());
        let (taken, rest) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        *bytes = rest;
        // Room comes with the bytes, never with what the prefix promises.
        self.body.extend_from_slice(taken);
        if self.body.len() < length {
            return Ok(None);
        }
        self.length = None;
        decode(&std::mem::take(&mut self.body)).map(Some)
    }

    fn prefix(&mut self, bytes: &mut &[u8]) -> Result<Option<usize>, SignalError> {
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.prefix |= u64::from(byte & 0x7f) << (7 * self.prefix_bytes);
            self.prefix_bytes += 1;
            let length = usize::try_from(self.prefix).unwrap_or(usize::MAX);
            if length > self.limit {
                return Err(SignalError::TooLarge { limit: self.limit });
            }
            if byte & 0x80 == 0 {
                // A zero at the end says the same as no byte: only the shortest form is one.
                if *byte == 0 && self.prefix_bytes > 1 {
                    return Err(SignalError::Malformed);
                }
                (self.prefix, self.prefix_bytes) = (0, 0);
                return Ok(Some(length));
            }
            if self.prefix_bytes == PREFIX_BYTES {
                return Err(SignalError::Malformed);
            }
        }
        Ok(None)
    }
}

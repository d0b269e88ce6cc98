//! The frame of a stream on a data channel (libp2p's specification of WebRTC, "Multiplexing").
//! Invariant: a decoder never keeps more bytes than its limit, whatever comes.
//! Not here: what flags do to a stream (`stream`).

use bytes::{Buf, Bytes};
use prost::Message as _;

#[cfg(test)]
mod tests;

/// What a frame says about the stream, apart from its data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, prost::Enumeration)]
#[repr(i32)]
pub enum Flag {
    /// The sender writes nothing more.
    Fin = 0,
    /// The sender reads nothing more.
    StopSending = 1,
    /// The stream failed, in both directions.
    Reset = 2,
    /// FIN has come, and so has everything before it.
    FinAck = 3,
}

/// One frame. Its data comes before its flag.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// The flag, if any. One that we do not know counts as none, as for any proto2 enum.
    pub flag: Option<Flag>,
    /// The data. Empty means nothing at all, above all not the end of the stream.
    pub data: Bytes,
}

/// The frame as protobuf has it; `webrtc/proto/frame.proto`.
#[derive(Clone, PartialEq, Eq, prost::Message)]
struct Wire {
    #[prost(enumeration = "Flag", optional, tag = "1")]
    flag: Option<i32>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    message: Option<Bytes>,
}

/// Why received bytes are no frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// The length prefix announces a frame above the limit.
    #[error("a frame of more than {limit} bytes")]
    TooLong {
        /// Bytes of the largest frame, its prefix included.
        limit: usize,
    },
    /// The length prefix is no unsigned varint, or not in its shortest form.
    #[error("a malformed length prefix")]
    Prefix,
    /// The body is no protobuf of a frame.
    #[error("a malformed frame")]
    Malformed(#[source] prost::DecodeError),
    /// More bytes at once than the decoder keeps. What it has must be taken first.
    #[error("more than {limit} bytes at once")]
    Backlog {
        /// Bytes that the decoder keeps.
        limit: usize,
    },
}

/// The frame with its length prefix: what a data channel carries, in one message or in several.
#[must_use]
pub fn encode(frame: &Frame) -> Bytes {
    let wire = Wire {
        flag: frame.flag.map(i32::from),
        message: (!frame.data.is_empty()).then(|| frame.data.clone()),
    };
    Bytes::from(wire.encode_length_delimited_to_vec())
}

/// How many bytes at the beginning of an encoded frame are its length prefix.
#[must_use]
pub fn prefix_len(frame: &[u8]) -> usize {
    let more = frame.iter().take_while(|byte| **byte >= 0x80).count();
    more.saturating_add(1).min(frame.len())
}

/// How many bytes of data fit a frame of `frame_bytes` that also has a flag; at least one.
#[must_use]
pub fn data_room(frame_bytes: usize) -> usize {
    // The body is shorter than the frame by a prefix of at least one byte, which bounds both varints.
    let body = frame_bytes.saturating_sub(varint_len(frame_bytes.saturating_sub(1)));
    let flag = 2;
    let tag = 1;
    body.saturating_sub(flag + tag + varint_len(body)).max(1)
}

/// Bytes of `value` as an unsigned varint.
fn varint_len(value: usize) -> usize {
    prost::length_delimiter_len(value)
}

/// Makes frames of the messages of a data channel, however the other side cut them.
#[derive(Debug)]
pub struct Decoder {
    limit: usize,
    /// The beginning of one frame, never a whole one between two calls. A copy, so that it does not
    /// keep the larger message alive of which it is the tail.
    partial: Vec<u8>,
    /// What came last and is not looked at yet.
    fresh: Bytes,
}

impl Decoder {
    /// A decoder for frames of at most `limit` bytes, prefix included; at least one byte.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { limit: limit.max(1), partial: Vec::new(), fresh: Bytes::new() }
    }

    /// How many bytes it keeps.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.partial.len().saturating_add(self.fresh.len())
    }

    /// How many bytes [`Decoder::push`] takes now. Not zero once [`Decoder::next`] said `None`.
    #[must_use]
    pub fn room(&self) -> usize {
        self.limit.saturating_sub(self.buffered())
    }

    /// Takes a message of the channel, or a part of one.
    ///
    /// # Errors
    /// [`FrameError::Backlog`] when it is larger than [`Decoder::room`]; then nothing is taken.
    pub fn push(&mut self, message: Bytes) -> Result<(), FrameError> {
        if message.len() > self.room() {
            return Err(FrameError::Backlog { limit: self.limit });
        }
        if self.fresh.is_empty() {
            self.fresh = message;
        } else if !message.is_empty() {
            let mut joined = Vec::with_capacity(self.fresh.len().saturating_add(message.len()));
            joined.extend_from_slice(&self.fresh);
            joined.extend_from_slice(&message);
            self.fresh = Bytes::from(joined);
        }
        Ok(())
    }

    /// The next whole frame, or `None` until more is pushed.
    ///
    /// # Errors
    /// When the bytes are no frame. The decoder is of no use afterwards: it has lost the boundaries.
    // Not an iterator: it goes on after `None`.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.partial.is_empty() {
            let whole = prefix(&self.fresh, self.limit)?
                .filter(|prefix| prefix.frame_len <= self.fresh.len());
            if let Some(prefix) = whole {
                let mut body = self.fresh.split_to(prefix.frame_len);
                body.advance(prefix.len);
                return decode(body).map(Some);
            }
        }
        self.next_in_pieces()
    }

    fn next_in_pieces(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            match prefix(&self.partial, self.limit)? {
                Some(prefix) => {
                    self.take_up_to(prefix.frame_len);
                    if self.partial.len() < prefix.frame_len {
                        return Ok(None);
                    }
                    let mut body = Bytes::from(std::mem::take(&mut self.partial));
                    body.advance(prefix.len);
                    return decode(body).map(Some);
                }
                None if self.fresh.is_empty() => return Ok(None),
                None => self.take_up_to(self.partial.len().saturating_add(1)),
            }
        }
    }

    /// Moves fresh bytes to the partial frame until that has `len`, as far as they go.
    fn take_up_to(&mut self, len: usize) {
        let missing = len.saturating_sub(self.partial.len());
        let taken = self.fresh.split_to(missing.min(self.fresh.len()));
        let wanted = self.partial.len().saturating_add(taken.len());
        if wanted > self.partial.capacity() {
            // Doubles as usual, but neither beyond the frame nor ahead of what really came: the
            // prefix alone makes us allocate nothing.
            let grown = self.partial.capacity().saturating_mul(2).min(len);
            let more = grown.max(wanted).saturating_sub(self.partial.len());
            self.partial.reserve_exact(more);
        }
        self.partial.extend_from_slice(&taken);
    }
}

struct Prefix {
    /// Bytes of the prefix itself.
    len: usize,
    /// Bytes of the frame, prefix included.
    frame_len: usize,
}

/// Reads the length prefix at the start of `bytes`; `None` when it is not complete.
fn prefix(bytes: &[u8], limit: usize) -> Result<Option<Prefix>, FrameError> {
    let longest = varint_len(limit);
    let mut body_len = 0_u64;
    for (index, byte) in bytes.iter().enumerate() {
        let len = index.saturating_add(1);
        // Seven bits at a time, and no more bytes than the limit takes: nothing is shifted out.
        let shift = u32::try_from(index.saturating_mul(7)).map_err(|_| FrameError::Prefix)?;
        let bits = u64::from(byte & 0x7f);
        body_len |= bits.checked_shl(shift).ok_or(FrameError::Prefix)?;
        if byte & 0x80 == 0 {
            if *byte == 0 && index > 0 {
                return Err(FrameError::Prefix);
            }
            let frame_len = usize::try_from(body_len)
                .ok()
                .and_then(|body| body.checked_add(len))
                .filter(|frame| *frame <= limit)
                .ok_or(FrameError::TooLong { limit })?;
            return Ok(Some(Prefix { len, frame_len }));
        }
        if len >= longest {
            return Err(FrameError::TooLong { limit });
        }
    }
    Ok(None)
}

fn decode(body: Bytes) -> Result<Frame, FrameError> {
    let wire = Wire::decode(body).map_err(FrameError::Malformed)?;
    Ok(Frame {
        flag: wire.flag.and_then(|flag| Flag::try_from(flag).ok()),
        data: wire.message.unwrap_or_default(),
    })
}

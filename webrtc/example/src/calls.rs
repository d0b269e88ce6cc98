//! What runs over streams: echo, request and answer, sink, and ping; both sides of each.
//! Invariant: success means that every byte was compared or counted and the other side ended its half.
//! Not here: how streams come about (`streams`).

use std::io;

use futures::future::try_join;
use futures::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use libp2p::swarm::StreamProtocol;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use web_time::Instant;

use crate::limits::{ANSWER_BYTES_MAX, PIECE_BYTES, PING_BYTES};

/// What comes in goes out again until the caller ends its half; then the server ends its own.
pub const ECHO: StreamProtocol = StreamProtocol::new("/peerloom-test/echo/1");
/// A request is a length, four bytes, big-endian, and the end of the half; the answer is so many bytes
/// and the end.
pub const RR: StreamProtocol = StreamProtocol::new("/peerloom-test/rr/1");
/// The caller sends and ends its half; the answer is the count of bytes (eight bytes, big-endian), their
/// SHA-256, and the end.
pub const SINK: StreamProtocol = StreamProtocol::new("/peerloom-test/sink/1");
/// libp2p's ping; `libp2p::ping` serves it.
pub const PING: StreamProtocol = StreamProtocol::new("/ipfs/ping/1.0.0");

/// What this peer serves.
pub const SERVED: &[StreamProtocol] = &[ECHO, RR, SINK];

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The stream, or the connection below it, broke.
    #[error("the stream broke after {at} bytes: {error}")]
    Broken {
        /// Bytes of the direction that broke.
        at: u64,
        /// What the stream says.
        error: io::Error,
    },
    /// The stream ended at another place than it should.
    #[error("{got} bytes came, {wanted} were due")]
    Length {
        /// What came.
        got: u64,
        /// What was due.
        wanted: u64,
    },
    /// Other bytes came than were sent.
    #[error("other bytes came than were sent")]
    Content,
    /// A request of another form.
    #[error("a request of {0} bytes, or for too many")]
    Request(usize),
}

fn broken(at: u64) -> impl FnOnce(io::Error) -> CallError {
    move |error| CallError::Broken { at, error }
}

/// Bytes that repeat late and cost little (xorshift): misplaced ones do not go unnoticed.
#[derive(Debug)]
struct Bytes(u64);

impl Bytes {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(2).wrapping_add(1))
    }

    fn fill(&mut self, piece: &mut [u8]) {
        for eight in piece.chunks_mut(8) {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            let bytes = self.0.to_le_bytes();
            eight.iter_mut().zip(bytes).for_each(|(to, from)| *to = from);
        }
    }
}

/// Sends so many bytes and ends the half; gives their hash.
async fn send<W: AsyncWrite + Unpin>(to: &mut W, size: u64) -> Result<[u8; 32], CallError> {
    let (mut bytes, mut hash) = (Bytes::new(size), Sha256::new());
    let mut piece = vec![0; PIECE_BYTES];
    let mut sent = 0_u64;
    while sent < size {
        bytes.fill(&mut piece);
        let left = usize::try_from(size - sent).unwrap_or(usize::MAX);
        let now = piece.get(..left.min(PIECE_BYTES)).unwrap_or_default();
        to.write_all(now).await.map_err(broken(sent))?;
        hash.update(now);
        sent = sent.saturating_add(now.len() as u64);
    }
    to.close().await.map_err(broken(sent))?;
    Ok(hash.finalize().into())
}

/// Reads to the end of the other half; gives count and hash.
async fn receive<R: AsyncRead + Unpin>(from: &mut R) -> Result<(u64, [u8; 32]), CallError> {
    let (mut count, mut hash) = (0_u64, Sha256::new());
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let read = from.read(&mut piece).await.map_err(broken(count))?;
        if read == 0 {
            return Ok((count, hash.finalize().into()));
        }
        hash.update(piece.get(..read).unwrap_or_default());
        count = count.saturating_add(read as u64);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a call tells: bytes, their hash, and how fast they were.
fn told(size: u64, hash: &[u8], start: Instant) -> Value {
    let seconds = start.elapsed().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "for people to read")]
    let speed = size as f64 / f64::from(1 << 20) / seconds;
    json!({ "bytes": size, "sha256": hex(hash), "mibPerSecond": speed })
}

/// Sends bytes, ends the half, and compares what comes back.
///
/// # Errors
/// See [`CallError`].
pub async fn echo<S>(stream: S, size: u64) -> Result<Value, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let start = Instant::now();
    let (mut from, mut to) = stream.split();
    let (sent, (got, came)) = try_join(send(&mut to, size), receive(&mut from)).await?;
    if got != size {
        return Err(CallError::Length { got, wanted: size });
    }
    if sent == came { Ok(told(size, &sent, start)) } else { Err(CallError::Content) }
}

/// Asks for so many bytes by a request that ends our half.
///
/// # Errors
/// See [`CallError`].
pub async fn request<S>(mut stream: S, wanted: u32) -> Result<u64, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    stream.write_all(&wanted.to_be_bytes()).await.map_err(broken(0))?;
    stream.close().await.map_err(broken(4))?;
    let (got, _) = receive(&mut stream).await?;
    let wanted = u64::from(wanted);
    if got == wanted { Ok(got) } else { Err(CallError::Length { got, wanted }) }
}

/// Sends bytes one way; the other side says what came.
///
/// # Errors
/// See [`CallError`].
pub async fn sink<S>(mut stream: S, size: u64) -> Result<Value, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let start = Instant::now();
    let sent = send(&mut stream, size).await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.map_err(broken(size))?;
    let due = [&size.to_be_bytes()[..], &sent].concat();
    if answer == due { Ok(told(size, &sent, start)) } else { Err(CallError::Content) }
}

/// Pings one after the other on one stream; gives the round-trip times in ms.
///
/// # Errors
/// See [`CallError`].
pub async fn pings<S>(mut stream: S, count: u64) -> Result<Value, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut bytes = Bytes::new(count);
    let mut times = Vec::new();
    for at in 0..count {
        let (mut sent, mut back) = ([0; PING_BYTES], [0; PING_BYTES]);
        bytes.fill(&mut sent);
        let start = Instant::now();
        stream.write_all(&sent).await.map_err(broken(at))?;
        stream.flush().await.map_err(broken(at))?;
        stream.read_exact(&mut back).await.map_err(broken(at))?;
        if sent != back {
            return Err(CallError::Content);
        }
        times.push(start.elapsed().as_secs_f64() * 1000.0);
    }
    stream.close().await.map_err(broken(count))?;
    Ok(json!({ "rtts": times }))
}

/// Serves a stream of one of [`SERVED`]; gives how many bytes of it were sent or taken.
///
/// # Errors
/// See [`CallError`]; the stream is then reset.
pub async fn serve<S>(mut stream: S, protocol: &StreamProtocol) -> Result<u64, CallError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    if *protocol == ECHO {
        serve_echo(stream).await
    } else if *protocol == RR {
        serve_request(stream).await
    } else {
        let (count, hash) = receive(&mut stream).await?;
        let answer = [&count.to_be_bytes()[..], &hash].concat();
        stream.write_all(&answer).await.map_err(broken(count))?;
        stream.close().await.map_err(broken(count))?;
        Ok(count)
    }
}

async fn serve_echo<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<u64, CallError> {
    let mut piece = vec![0; PIECE_BYTES];
    let mut count = 0_u64;
    loop {
        let read = stream.read(&mut piece).await.map_err(broken(count))?;
        if read == 0 {
            stream.close().await.map_err(broken(count))?;
            return Ok(count);
        }
        let back = piece.get(..read).unwrap_or_default();
        stream.write_all(back).await.map_err(broken(count))?;
        count = count.saturating_add(read as u64);
        // A caller that waits for its bytes before it goes on must get them.
        stream.flush().await.map_err(broken(count))?;
    }
}

async fn serve_request<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S) -> Result<u64, CallError> {
    let mut request = Vec::new();
    // One more than there may be: what is too long is seen to be, and no more is kept.
    (&mut stream).take(5).read_to_end(&mut request).await.map_err(broken(0))?;
    let wanted = <[u8; 4]>::try_from(request.as_slice()).ok().map(u32::from_be_bytes);
    let wanted = wanted.filter(|wanted| *wanted <= ANSWER_BYTES_MAX);
    let wanted = u64::from(wanted.ok_or(CallError::Request(request.len()))?);
    send(&mut stream, wanted).await?;
    Ok(wanted)
}

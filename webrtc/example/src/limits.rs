//! Every size, count and time of the example, each with its reason.
//! Invariant: no other file of the example has a number of its own for these.
//! Not here: the limits of WebRTC itself (`peerloom_webrtc::limits`).

use std::time::Duration;

/// The longest that one command or one served stream may take: 1 GiB at 10 MB/s.
pub const CALL: Duration = Duration::from_secs(120);
/// Bytes read and written at a time: four frames.
pub const PIECE_BYTES: usize = 64 * 1024;
/// The most that one call moves.
pub const CALL_BYTES_MAX: u64 = 1 << 30;
/// The longest answer that a request may ask for, as in the Go peer.
pub const ANSWER_BYTES_MAX: u32 = 16 << 20;
/// Requests that one command makes at once.
pub const REQUESTS_MAX: u64 = 1000;
/// Request i asks for `i * ANSWER_STEP % ANSWER_SPAN` bytes: from none to four messages.
pub const ANSWER_STEP: u64 = 4099;
/// See [`ANSWER_STEP`].
pub const ANSWER_SPAN: u64 = (64 << 10) + 1;
/// Pings that one command sends.
pub const PINGS_MAX: u64 = 10_000;
/// Bytes of one ping (libp2p specification ping).
pub const PING_BYTES: usize = 32;
/// Streams served and called at once; one more is reset.
pub const TASKS_MAX: usize = 1024;
/// Commands waiting for the loop.
pub const COMMANDS: usize = 64;
/// Longer than any test is silent.
pub const IDLE: Duration = Duration::from_secs(600);
/// Bytes of one line of input.
pub const LINE_BYTES_MAX: usize = 4096;

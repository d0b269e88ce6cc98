//! Numbers of the native platform: sockets, DTLS records, SCTP packets.
//! Invariant: what a stranger can make a socket or a connection keep is bounded by these and by
//! [`super::DirectLimits`].
//! Not here: what callers may change.

use std::time::Duration;

/// Bytes of the largest datagram that we take. Ours are smaller; others' may fill an Ethernet frame.
pub(crate) const DATAGRAM_BYTES: usize = 2048;
/// Bytes that one read of a socket may give for one sender: the kernel joins a run of datagrams (GRO)
/// up to the largest UDP payload.
pub(crate) const RUN_BYTES: usize = 64 * 1024;
/// Such reads in one system call, where the system has `recvmmsg`. The memory is touched only as far as
/// datagrams really came together.
pub(crate) const RUNS_AT_ONCE: usize = 8;
/// System calls for reading in one go, before other tasks get their turn: 64 datagrams that came alone.
pub(crate) const READS_AT_ONCE: usize = 8;
/// Asked of the system for each direction: a receive window of each of several busy connections. It
/// gives less where its own limit is lower.
pub(crate) const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Errors in a row after which a socket is broken. A few are normal: each "port unreachable" that comes
/// back for something we sent is one.
pub(crate) const ERRORS_MAX: usize = 256;
/// A session from which nothing came for so long has lost its address. Browsers check their path at
/// least every five seconds (RFC 7675, section 5.1).
pub(crate) const SILENT: Duration = Duration::from_secs(10);

/// Bytes of one burst, which the kernel (GSO) cuts into datagrams. With the headers of Ethernet, IPv6 and
/// UDP less than 64 KiB: interfaces of Linux take no more whole, and loopback then cuts it into datagrams
/// that the receiver gets one by one.
pub(crate) const BURST_BYTES: usize = 65_000;
/// A connection whose burst the socket did not take tries again after this, for a socket that many
/// connections share wakes only the last one that waits.
pub(crate) const BLOCKED: Duration = Duration::from_millis(2);
/// Datagrams taken before answers are sent: acknowledgements then cover several. About one run.
pub(crate) const RECEIVE_AT_ONCE: usize = 64;
/// Rounds before other connections of the task get their turn.
pub(crate) const ROUNDS_AT_ONCE: usize = 16;

/// Bytes of the largest datagram that DTLS makes by itself; see [`SCTP_PAYLOAD_BYTES`] for data.
pub(crate) const DTLS_BYTES: usize = 1200;
/// Room for one decrypted record.
pub(crate) const RECORD_BYTES: usize = 17 * 1024;
/// Bytes of one SCTP packet's payload. With the headers of SCTP and DTLS a datagram has at most 1,232
/// bytes then, which any IPv6 path carries whole (RFC 8200, section 5). Only a bundle of very small
/// messages, whose padding sctp-proto does not count, may be larger; it still fits Ethernet's 1,500.
/// A multiple of four needs no padding.
pub(crate) const SCTP_PAYLOAD_BYTES: u32 = 1148;
/// Bytes of the largest frame we send. Its length prefix is a message of its own: 3 bytes in a chunk of 20,
/// which shares the last packet. Without a flag, which takes two, prefix and body fill 14 packets then, so
/// that all have one size and leave in one system call.
pub(crate) const FRAME_BYTES: usize = 14 * SCTP_PAYLOAD_BYTES as usize - 20 + 3 + 2;
/// Bytes that wait to be sent and are worth a system call of their own, without the task that drives the
/// connection: one frame. Smaller messages wait for that task, which sends several together.
pub(crate) const SEND_AT_ONCE_BYTES: usize = 16_000;
/// Refused channels that still wait for their RESET to get through. Beyond, they are closed at once,
/// which the other side sees as well.
pub(crate) const REFUSED_MAX: usize = 64;
/// Streams whose closing is left to the other side at a time. Beyond, they are closed at once.
pub(crate) const LEFT_MAX: usize = 256;

/// How long version 2 of WebRTC-direct is tried alone.
pub(crate) const V2_ALONE: Duration = Duration::from_secs(1);

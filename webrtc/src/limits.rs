//! Every size, count and time of this crate, each with its reason; callers may change them.
//! Invariant: no other file of this crate has a number of its own for these.

use std::time::Duration;

#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub(crate) mod native;

/// Limits of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes of the largest frame we send, its length prefix included. libp2p's specification of
    /// WebRTC fixes 16 KiB, because more is not sure to pass all browsers.
    pub send_frame_bytes: usize,
    /// Frames above this go out as two messages: the length prefix, then the body. go-libp2p 0.51
    /// reads the prefix through a buffer of this size, and a message that is longer breaks the stream.
    pub send_whole_bytes: usize,
    /// Bytes of the largest frame we accept, its length prefix included: 256 KiB are proposed
    /// upstream, and go takes them; 1 KiB for the envelope.
    pub receive_frame_bytes: usize,
    /// Sending stops above this: 100 Mbit/s times 20 ms is 250 KB.
    pub send_high_bytes: usize,
    /// Sending goes on below this.
    pub send_low_bytes: usize,
    /// Above this many unread bytes the channel is held, where the platform can.
    pub receive_high_bytes: usize,
    /// Above this many unread bytes the stream is reset: its reader or its sender is broken.
    pub receive_max_bytes: usize,
    /// How long the end of our sending waits for its acknowledgement. js and go wait as long.
    pub fin_ack: Duration,
    /// How long a stream that its user dropped stays when its channel takes nothing of what is
    /// still to be sent. Much longer than any pause of a path that is alive.
    pub abandoned: Duration,
}

impl StreamLimits {
    /// The values that libp2p's implementations work with.
    pub const DEFAULT: Self = Self {
        send_frame_bytes: 16 * 1024,
        send_whole_bytes: 4096,
        receive_frame_bytes: 257 * 1024,
        send_high_bytes: 256 * 1024,
        send_low_bytes: 64 * 1024,
        receive_high_bytes: 1024 * 1024,
        receive_max_bytes: 4 * 1024 * 1024,
        fin_ack: Duration::from_secs(10),
        abandoned: Duration::from_secs(60),
    };
}

impl Default for StreamLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits of one connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Each stream's own limits.
    pub stream: StreamLimits,
    /// Open streams, of both sides together. What the other side opens beyond is refused with RESET.
    pub streams: usize,
    /// Streams that end by [`StreamLimits::abandoned`] before the connection does: what they leave
    /// with the platform is no longer counted, and another side that takes nothing is of no use.
    pub cut_streams: usize,
    /// Channels of a browser that are done with and not closed yet, beside the open ones. How long that
    /// takes is up to the other side; SCTP resets one batch after the other.
    pub closing: usize,
    /// Channels that the other side may open before the connection is ready for streams; as js.
    pub early_channels: usize,
    /// Unread bytes of each such channel.
    pub early_channel_bytes: usize,
}

impl ConnectionLimits {
    /// Room for a busy peer: 256 streams are four times what yamux allows in our node.
    pub const DEFAULT: Self = Self {
        stream: StreamLimits::DEFAULT,
        streams: 256,
        cut_streams: 16,
        closing: 1024,
        early_channels: 10,
        early_channel_bytes: 16 * 1024,
    };
}

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits of `/webrtc` signalling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignalLimits {
    /// Bytes of one SDP. Browsers' data-only descriptions have about 500.
    pub sdp_bytes: usize,
    /// Bytes of one candidate.
    pub candidate_bytes: usize,
    /// Candidates taken from the other side.
    pub candidates: usize,
    /// Of those, candidates at private addresses, or behind names of the local network: a machine
    /// has a few interfaces, each with two families.
    pub near_candidates: usize,
    /// Bytes in all, both directions together; fits a relayed connection of 128 KiB that counts both.
    pub total_bytes: usize,
    /// From the first byte to a connection; longer than a person waits.
    pub total: Duration,
    /// Sessions with one peer at a time: retries, and both sides dialling.
    pub sessions_per_peer: usize,
    /// Sessions at a time.
    pub sessions: usize,
}

impl SignalLimits {
    /// See the fields.
    pub const DEFAULT: Self = Self {
        sdp_bytes: 16 * 1024,
        candidate_bytes: 1024,
        candidates: 64,
        near_candidates: 16,
        total_bytes: 64 * 1024,
        total: Duration::from_secs(20),
        sessions_per_peer: 8,
        sessions: 64,
    };
}

impl Default for SignalLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// Limits of a WebRTC-direct listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DirectLimits {
    /// Handshakes at a time; as go.
    pub handshakes: usize,
    /// Handshakes at a time from one network (an IPv4 /24, an IPv6 /48; loopback and private ranges
    /// are exempt, since a whole household or test shares them).
    pub handshakes_per_network: usize,
    /// Remote addresses that may use one STUN user name; as go.
    pub addresses_per_name: usize,
    /// From the first packet to an authenticated peer.
    pub handshake: Duration,
    /// Datagrams waiting for one connection; a burst of 1.2 KB packets of one receive window of 1 MiB
    /// fits about.
    pub queue: usize,
}

impl DirectLimits {
    /// See the fields.
    pub const DEFAULT: Self = Self {
        handshakes: 128,
        handshakes_per_network: 8,
        addresses_per_name: 32,
        handshake: Duration::from_secs(10),
        queue: 1024,
    };
}

impl Default for DirectLimits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// How often within [`StreamLimits::fin_ack`] the owner of a stream looks whether the channel is empty.
/// Platforms tell of the low mark, not of an empty channel.
pub(crate) const BUFFER_LOOKS: u32 = 100;

/// Never more often than this, however short that time is.
pub(crate) const BUFFER_PAUSE: Duration = Duration::from_millis(1);

/// Members of a candidate's JSON object. More are no candidate; it bounds the search for names that
/// came before.
pub(crate) const JSON_MEMBERS: usize = 16;

/// Events of a connection taken in one go, before other connections get their turn: about a receive
/// window of small messages.
#[cfg(feature = "libp2p")]
pub(crate) const EVENTS_AT_ONCE: usize = 64;

/// Bytes of signalling read at a time; a description has about 500.
#[cfg(feature = "libp2p")]
pub(crate) const SIGNAL_READ_BYTES: usize = 1024;

#[cfg(all(feature = "browser", target_arch = "wasm32"))]
pub(crate) use self::browser::*;

/// Times and sizes of the browser's side.
#[cfg(all(feature = "browser", target_arch = "wasm32"))]
mod browser {
    use std::time::Duration;

    /// How long a new connection waits for its channel `init` to be closed by both sides. A peer
    /// that does not answer the closing costs no more than this; one that does needs two round
    /// trips.
    pub(crate) const BROWSER_INIT_PATIENCE: Duration = Duration::from_secs(2);

    /// How long version 2 of webrtc-direct is tried alone. Longer than any round trip, shorter than
    /// a person notices, since servers that know version 1 only never answer.
    pub(crate) const BROWSER_HEAD_START: Duration = Duration::from_secs(1);

    /// How often channels that were refused are closed; each stays for one to two of it. Longer
    /// than a browser needs to report to its page that a channel is open.
    pub(crate) const BROWSER_REFUSED_LINGER: Duration = Duration::from_millis(250);

    /// Characters of a browser's own words about an error that are kept.
    pub(crate) const BROWSER_WORDS: usize = 200;
}

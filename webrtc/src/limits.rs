//! Every size, count and time of this crate, each with its reason; callers may change them.
//! Invariant: no other file of this crate has a number of its own for these.

use std::time::Duration;

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

//! How SCTP is set up.
//! Invariant: what it may keep for the other side is bounded by the connection's limits.
//! Not here: the numbers.

use sctp_proto::TransportConfig;

use crate::limits::ConnectionLimits;

/// SCTP never gives up by itself: whether the path is alive is for ICE to say.
pub(super) fn transport(limits: &ConnectionLimits) -> TransportConfig {
    let message = u32::try_from(limits.stream.receive_frame_bytes).unwrap_or(u32::MAX);
    let window = u32::try_from(limits.stream.receive_high_bytes).unwrap_or(u32::MAX);
    TransportConfig::default()
        .with_max_init_retransmits(None)
        .with_max_data_retransmits(None)
        .with_max_receive_message_size(message)
        .with_max_receive_buffer_size(window.max(message))
}

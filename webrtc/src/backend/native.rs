//! Native WebRTC: the sans-IO parts of str0m (ICE, DTLS, SCTP) on tokio's sockets.
//! Invariant: what comes from the network is bounded before it is kept, and can only end the
//! connection that it belongs to.
//! Not here: streams and libp2p (`stream`, `connection`, `transport`).

mod certificate;
mod channels;
mod dcep;
mod direct;
mod dropped;
mod link;
mod network;
mod peering;
mod plan;
mod socket;
mod udp;
mod wire;

pub use certificate::{Certificate, CertificateError};
pub use direct::DirectError;
pub use dropped::Dropped;
pub use peering::{NativePlatform, Peering};
pub use wire::Native;

pub(crate) use direct::{Endpoint, loopback};
pub(crate) use socket::{Caller, Port};

#[cfg(test)]
mod tests;

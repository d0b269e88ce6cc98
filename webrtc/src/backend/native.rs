//! Native WebRTC: the sans-IO parts of str0m (ICE, DTLS, SCTP) on tokio's sockets.
//! Invariant: what comes from the network is bounded before it is kept, and can only end the
//! connection that it belongs to.
//! Not here: streams and libp2p (`stream`, `connection`, `transport`).

mod certificate;
mod channels;
mod dcep;
mod link;

pub use certificate::{Certificate, CertificateError};

#[cfg(test)]
mod tests;

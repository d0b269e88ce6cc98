//! What a link has to know when it starts.
//! Invariant: it does not change afterwards.
//! Not here: the link (`link`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use dimpl::DtlsCertificate;
use is::IceCreds;

use crate::limits::ConnectionLimits;

/// See the module's text.
#[derive(Debug)]
pub(super) struct Plan {
    /// Of this side.
    pub(super) certificate: DtlsCertificate,
    /// Whether this side begins the DTLS handshake.
    pub(super) dtls_client: bool,
    /// Whether this side leads ICE.
    pub(super) controlling: bool,
    /// Whether this side only answers checks; for servers whose address is known.
    pub(super) lite: bool,
    /// Of this side.
    pub(super) local: IceCreds,
    /// Where datagrams leave from, as ICE sees it: one for each family. The kernel chooses the real
    /// address for each destination; nobody is told these.
    pub(super) bases: Vec<SocketAddr>,
    pub(super) limits: ConnectionLimits,
}

impl Plan {
    /// Bases of a socket for both families.
    pub(super) fn bases(port: u16) -> Vec<SocketAddr> {
        [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]
            .map(|ip: IpAddr| SocketAddr::new(ip, port))
            .into()
    }
}

//! Which network an address belongs to, for limits that are shared by a network.
//! Invariant: pure.
//! Not here: the limits.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Who shares the blame for too many handshakes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Network {
    /// Loopback and private ranges: a household or a test.
    Near,
    /// A /24.
    V4([u8; 3]),
    /// A /48.
    V6([u16; 3]),
}

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or_else(|| Self::of_v6(v6), Self::of_v4),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        if address.is_loopback() || address.is_private() || address.is_link_local() {
            return Self::Near;
        }
        let [a, b, c, _] = address.octets();
        Self::V4([a, b, c])
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        let near =
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local();
        if near {
            return Self::Near;
        }
        let [a, b, c, ..] = address.segments();
        Self::V6([a, b, c])
    }
}

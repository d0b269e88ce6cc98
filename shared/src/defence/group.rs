//! Which addresses are likely to be in one hand.
//! Invariant: equal groups cost one attacker about the same; the group never depends on the peer id.
//! Not here: how many of one group are let in (each table says so with its own limit).

use std::net::IpAddr;

use crate::defence::address::{Host, Parts};
use crate::{Multiaddr, PeerId};

/// One hand, as far as an address can tell.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// This machine.
    Loopback,
    /// The /24 of an IPv4 address: the smallest block that is routed alone.
    V4([u8; 3]),
    /// The /48 of an IPv6 address: what one customer gets.
    V6([u8; 6]),
    /// Everybody behind one relay, which can make up as many peers as it likes.
    Relay(PeerId),
    /// The last two labels of a DNS name: one registration.
    Name(String),
}

impl Group {
    /// The group of an IP address.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) => {
                let [a, b, c, _] = ip.octets();
                Self::V4([a, b, c])
            }
            IpAddr::V6(ip) => {
                let [a, b, c, d, e, f, ..] = ip.octets();
                Self::V6([a, b, c, d, e, f])
            }
        }
    }

    /// The group of an address: for a circuit the relay, else the host. `None` when it names neither.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Option<Self> {
        let parts = Parts::of(address);
        if parts.circuit {
            return parts.relay.map(Self::Relay);
        }
        Some(match parts.host? {
            Host::Ip(ip) => Self::of_ip(ip),
            Host::Memory => Self::Loopback,
            Host::Name(name) | Host::AddressList(name) => Self::of_name(&name),
        })
    }

    fn of_name(name: &str) -> Self {
        let name = name.trim_end_matches('.');
        let mut labels = name.rsplit('.');
        match (labels.next(), labels.next()) {
            (Some("localhost"), _) => Self::Loopback,
            (Some(top), Some(second)) => Self::Name(format!("{second}.{top}")),
            _ => Self::Name(name.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests;

//! How far an address reaches, and which addresses we take on somebody's word.
//! Invariant: nobody can make us dial a place narrower than the path over which we heard of it.
//! Not here: rules of the operator (policy); addresses that the operator gave (taken as they are).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::defence::address::{Host, Parts};
use crate::limits::ADDRESS_BYTES_MAX;
use crate::{Multiaddr, PeerId};

/// How far an address reaches, the narrowest first. Of a circuit it is the relay's reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// This machine.
    Loopback,
    /// A private network, or one link.
    Private,
    /// The internet.
    Global,
}

/// Why an address was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than any real address.
    #[error("longer than {ADDRESS_BYTES_MAX} bytes")]
    TooLong,
    /// A part is unknown, missing or out of place.
    #[error("not an address that can be dialled")]
    Odd,
    /// The host is unspecified, multicast, broadcast or reserved, or a zone of the teller's.
    #[error("no peer can be at that host")]
    NoHost,
    /// The port is 0 or missing.
    #[error("no port")]
    NoPort,
    /// It names another peer than the one it is told of.
    #[error("it names another peer")]
    OtherPeer,
    /// A circuit without a relay, through ourselves, or through the peer itself.
    #[error("a circuit that leads nowhere")]
    BadRelay,
    /// It leads to ourselves.
    #[error("it names this peer itself")]
    Ourselves,
    /// It reaches less far than the path over which it was told.
    #[error("it reaches less far than the path over which it was told")]
    TooNarrow,
}

impl Scope {
    /// The reach of an address. What cannot be told counts as the internet: least trusted.
    #[must_use]
    pub fn of(address: &Multiaddr) -> Self {
        Parts::of(address).host.map_or(Self::Global, |host| Self::of_host(&host))
    }

    /// The reach of an IP address.
    #[must_use]
    pub fn of_ip(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) if is_private_v4(ip) => Self::Private,
            IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => Self::Private,
            IpAddr::V4(_) | IpAddr::V6(_) => Self::Global,
        }
    }

    fn of_host(host: &Host) -> Self {
        match host {
            Host::Ip(ip) => Self::of_ip(*ip),
            Host::Memory => Self::Loopback,
            Host::Name(name) | Host::AddressList(name) => Self::of_name(name),
        }
    }

    /// Names that by their form are never answered by the public DNS reach less far (RFC 6761, 6762,
    /// 8375 and the reserved top-level name `internal`).
    fn of_name(name: &str) -> Self {
        let name = name.trim_end_matches('.');
        let last = name.rsplit('.').next().unwrap_or(name);
        if last == "localhost" {
            Self::Loopback
        } else if matches!(last, "local" | "internal" | "lan")
            || !name.contains('.')
            || name.ends_with(".home.arpa")
        {
            Self::Private
        } else {
            Self::Global
        }
    }
}

/// Whether `address`, told of `peer` over a path that reaches `over`, may be kept. `local` is our own
/// id. Returns the reach of the address.
///
/// # Errors
/// The first rule that it breaks.
pub fn acceptable(
    address: &Multiaddr,
    peer: &PeerId,
    local: &PeerId,
    over: Scope,
) -> Result<Scope, Refusal> {
    if address.len() > ADDRESS_BYTES_MAX {
        return Err(Refusal::TooLong);
    }
    if peer == local {
        return Err(Refusal::Ourselves);
    }
    let parts = Parts::of(address);
    let Some(host) = parts.host.as_ref().filter(|_| parts.plain) else {
        return Err(Refusal::Odd);
    };
    match host {
        Host::Ip(ip) if !is_host(*ip) => return Err(Refusal::NoHost),
        // One such name may stand for any number of dials: only the operator may give it.
        Host::AddressList(_) => return Err(Refusal::Odd),
        Host::Ip(_) | Host::Name(_) if parts.port.is_none_or(|port| port == 0) => {
            return Err(Refusal::NoPort);
        }
        Host::Ip(_) | Host::Name(_) | Host::Memory => {}
    }
    if parts.peer.is_some_and(|named| named != *peer) {
        return Err(Refusal::OtherPeer);
    }
    if parts.circuit && parts.relay.is_none_or(|relay| relay == *local || relay == *peer) {
        return Err(Refusal::BadRelay);
    }
    let scope = Scope::of_host(host);
    if scope < over { Err(Refusal::TooNarrow) } else { Ok(scope) }
}

/// Whether one peer can be at this IP address, and be dialled there by us.
fn is_host(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [first, ..] = ip.octets();
            // 0/8 is "this network", 224/4 multicast, 240/4 reserved and broadcast.
            first != 0 && first < 224
        }
        // A link-local address needs a zone, which has a meaning on its own host only.
        IpAddr::V6(ip) => {
            ip != Ipv6Addr::UNSPECIFIED && !ip.is_multicast() && !ip.is_unicast_link_local()
        }
    }
}

fn is_private_v4(ip: Ipv4Addr) -> bool {
    let [a, b, ..] = ip.octets();
    // Besides RFC 1918 and link-local: 100.64/10 behind a provider's NAT, 198.18/15 test networks.
    ip.is_private()
        || ip.is_link_local()
        || (a == 100 && (64..128).contains(&b))
        || (a == 198 && (18..20).contains(&b))
}

#[cfg(test)]
mod tests;

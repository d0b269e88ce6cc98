//! Which candidates of the other side are tried.
//! Invariant: a filter only looks at the parsed line and keeps nothing.
//! Not here: names, which only the platform can resolve.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sdp::{Address, CandidateLine};

/// Decides whether a candidate of the other side is tried.
pub type CandidateFilter = fn(&CandidateLine) -> bool;

/// Takes every candidate.
#[must_use]
pub fn any_candidate(_: &CandidateLine) -> bool {
    true
}

/// Takes candidates at public addresses, and names: for peers that should not make us knock at doors
/// of our own network. Names are the platform's business, since only it knows what they stand for.
#[must_use]
pub fn public_candidate(line: &CandidateLine) -> bool {
    match &line.address {
        Address::Ip(ip) => match ip.to_canonical() {
            IpAddr::V4(ip) => is_public_v4(ip),
            IpAddr::V6(ip) => is_public_v6(ip),
        },
        Address::Name(_) => true,
    }
}

/// Not one of the special networks of RFC 6890, nor multicast.
fn is_public_v4(ip: Ipv4Addr) -> bool {
    let special = match ip.octets() {
        [0, ..] | [192, 0, 0, _] | [198, 18 | 19, ..] | [224..=255, ..] => true,
        // Shared by the customers of one network (RFC 6598).
        [100, second, ..] => second & 0xc0 == 64,
        [_, ..] => false,
    };
    let local = ip.is_private() || ip.is_loopback() || ip.is_link_local();
    !(special || local || ip.is_documentation())
}

/// Within the global unicast addresses, 2000::/3 (RFC 4291, section 2.4), but not for documentation.
fn is_public_v6(ip: Ipv6Addr) -> bool {
    let [first, second, ..] = ip.segments();
    first & 0xe000 == 0x2000 && !(first == 0x2001 && second == 0x0db8)
}

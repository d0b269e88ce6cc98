//! Which candidates of the other side are tried.
//! Invariant: nobody can make us knock at a door that is nearer than the relay over which it asks,
//! except at doors of networks that we are in ourselves.
//! Not here: how near a relay is, and which networks are ours (whoever starts a session).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::sdp::{Address, CandidateLine, Protocol};

/// No private network has a shorter prefix (RFC 1918): an interface that claims one, as tunnels do
/// that carry everything, says nothing about what is near.
const SHORTEST_PREFIX: u8 = 8;
/// What TCP candidates say that only dial: nobody connects to it (RFC 6544, section 4.5).
const DIALS_ONLY: u16 = 9;

/// How far away something is that we have a connection to, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// On this machine.
    Machine,
    /// In a private network.
    Site,
    /// On the internet, or unknown.
    World,
}

impl Reach {
    /// The reach of an address.
    #[must_use]
    pub fn of(ip: IpAddr) -> Self {
        match Place::of(ip) {
            Place::Loopback => Self::Machine,
            Place::Private | Place::Link => Self::Site,
            Place::Public | Place::Nowhere => Self::World,
        }
    }
}

/// A network that an interface of this machine is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Any address in it.
    pub address: IpAddr,
    /// How many bits at its beginning all its addresses share.
    pub prefix: u8,
}

impl Network {
    fn contains(&self, ip: IpAddr) -> bool {
        let shared = |equal: u32| self.prefix >= SHORTEST_PREFIX && equal >= u32::from(self.prefix);
        match (self.address, ip) {
            (IpAddr::V4(own), IpAddr::V4(ip)) => {
                shared((own.to_bits() ^ ip.to_bits()).leading_zeros())
            }
            (IpAddr::V6(own), IpAddr::V6(ip)) => {
                shared((own.to_bits() ^ ip.to_bits()).leading_zeros())
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }
}

/// Whether a candidate is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is.
    Try,
    /// It is, if not too many near ones are tried already.
    TryNear,
    /// It is not.
    Refuse,
}

/// Whether a candidate is tried of a peer that came through a relay of this reach, by a machine in
/// these networks.
///
/// Names are tried where they are of the form that browsers hide their own addresses behind
/// (multicast DNS, RFC 6762): those only the local network answers. Any other name could stand for
/// any address.
#[must_use]
pub fn judge_candidate(line: &CandidateLine, relay: Reach, networks: &[Network]) -> Verdict {
    let near = match &line.address {
        Address::Name(_) => line.is_mdns(),
        Address::Ip(ip) => {
            let ip = ip.to_canonical();
            match Place::of(ip) {
                Place::Public => return Verdict::Try,
                Place::Loopback => relay == Reach::Machine,
                Place::Private => {
                    relay < Reach::World || networks.iter().any(|own| own.contains(ip))
                }
                Place::Link | Place::Nowhere => false,
            }
        }
    };
    match (near, line.protocol, line.port) {
        (false, _, _) => Verdict::Refuse,
        (true, Protocol::Tcp, DIALS_ONLY) => Verdict::Try,
        // A browser would open a connection, to a port of the other side's choice.
        (true, Protocol::Tcp, _) if relay > Reach::Machine => Verdict::Refuse,
        (true, Protocol::Udp | Protocol::Tcp, _) => Verdict::TryNear,
    }
}

/// What a session tries of the other side's candidates.
#[derive(Clone, Debug)]
pub struct CandidateFilter {
    relay: Reach,
    networks: Vec<Network>,
    near_left: usize,
}

impl CandidateFilter {
    /// See [`judge_candidate`]; of near candidates at most `near_max` are tried.
    #[must_use]
    pub fn new(relay: Reach, networks: Vec<Network>, near_max: usize) -> Self {
        Self { relay, networks, near_left: near_max }
    }

    /// Judges the next candidate.
    pub fn takes(&mut self, line: &CandidateLine) -> bool {
        match judge_candidate(line, self.relay, &self.networks) {
            Verdict::Try => true,
            Verdict::TryNear => match self.near_left.checked_sub(1) {
                Some(left) => {
                    self.near_left = left;
                    true
                }
                None => false,
            },
            Verdict::Refuse => false,
        }
    }
}

/// What kind of place an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Loopback,
    /// Also what is for documentation and for benchmarks: who uses those uses them so.
    Private,
    /// One link only (RFC 3927; RFC 4291, section 2.5.6).
    Link,
    Public,
    /// Multicast, unspecified, reserved; and what lies among the private addresses and tells cloud
    /// machines about themselves. The best known of these, 169.254.169.254, is link-local.
    Nowhere,
}

impl Place {
    fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() => Self::Loopback,
            IpAddr::V4(ip) => Self::of_v4(ip),
            IpAddr::V6(ip) => Self::of_v6(ip),
        }
    }

    /// The special networks are those of RFC 6890; 100.64.0.0/10 is shared by the customers of one
    /// network (RFC 6598) and used for private ones over the internet.
    fn of_v4(ip: Ipv4Addr) -> Self {
        match ip.octets() {
            [100, 100, 100, 200] => Self::Nowhere,
            _ if ip.is_private() || ip.is_documentation() => Self::Private,
            [198, 18 | 19, ..] => Self::Private,
            [100, second, ..] if second & 0xc0 == 64 => Self::Private,
            _ if ip.is_link_local() => Self::Link,
            [0, ..] | [192, 0, 0, _] | [224..=255, ..] => Self::Nowhere,
            [_, ..] => Self::Public,
        }
    }

    /// Public are the global unicast addresses, 2000::/3 (RFC 4291, section 2.4), but those for
    /// documentation (RFC 3849).
    fn of_v6(ip: Ipv6Addr) -> Self {
        let [first, second, .., last] = ip.segments();
        if (first, second, last) == (0xfd00, 0x0ec2, 0x0254) {
            Self::Nowhere
        } else if ip.is_unique_local() || (first == 0x2001 && second == 0x0db8) {
            Self::Private
        } else if ip.is_unicast_link_local() {
            Self::Link
        } else if first & 0xe000 == 0x2000 {
            Self::Public
        } else {
            Self::Nowhere
        }
    }
}

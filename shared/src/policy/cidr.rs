//! Ranges of IP addresses.
//! Invariant: a range has no bits beyond its prefix, and IPv4 inside IPv6 counts as IPv4.
//! Not here: names; policy resolves nothing.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Length in bits of the prefix that holds all of IPv4 inside IPv6, `::ffff:0:0/96`.
const MAPPED_BITS: u8 = 96;

/// A range of IP addresses in CIDR notation (RFC 4632), such as `10.0.0.0/8` or `2001:db8::/32`.
/// A range of one family holds no address of the other; `::ffff:10.1.2.3` counts as `10.1.2.3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cidr {
    base: IpAddr,
    bits: u8,
}

impl Cidr {
    /// The range of the addresses that share the first `bits` bits with `base`.
    ///
    /// # Errors
    /// When the prefix is longer than the address, or `base` has bits set behind it.
    pub fn new(base: IpAddr, bits: u8) -> Result<Self, CidrError> {
        let (base, bits) = match (base, base.to_canonical()) {
            (IpAddr::V6(_), v4 @ IpAddr::V4(_)) if bits >= MAPPED_BITS => (v4, bits - MAPPED_BITS),
            _ => (base, bits),
        };
        if bits > width(base) {
            return Err(CidrError::TooLong { bits, max: width(base) });
        }
        let network = masked(base, bits);
        if network == base {
            Ok(Self { base, bits })
        } else {
            Err(CidrError::HostBits { suggestion: format!("{network}/{bits}") })
        }
    }

    /// The range of one address.
    #[must_use]
    pub fn host(address: IpAddr) -> Self {
        let base = address.to_canonical();
        Self { base, bits: width(base) }
    }

    /// Whether the address lies in the range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        address.is_ipv4() == self.base.is_ipv4() && masked(address, self.bits) == self.base
    }

    /// Length of the prefix, in bits.
    #[must_use]
    pub const fn bits(&self) -> u8 {
        self.bits
    }
}

const fn width(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

fn masked(address: IpAddr, bits: u8) -> IpAddr {
    // A shift by the whole width is no shift in Rust: it is the empty prefix here.
    match address {
        IpAddr::V4(ip) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
    }
}

impl FromStr for Cidr {
    type Err = CidrError;

    /// Reads `address/bits`, or an address alone for the range of one.
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let malformed = || CidrError::Malformed { text: text.chars().take(64).collect() };
        let Some((address, bits)) = text.split_once('/') else {
            return text.parse().map(Self::host).map_err(|_| malformed());
        };
        // `parse` alone would take `+8` too.
        if !bits.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(malformed());
        }
        let address = address.parse().map_err(|_| malformed())?;
        let bits = bits.parse().map_err(|_| malformed())?;
        Self::new(address, bits)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.bits)
    }
}

/// Why a text is no range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CidrError {
    /// Not an address, or not an address and a number.
    #[error("`{text}` is no IP range; write one like 10.0.0.0/8 or 2001:db8::/32")]
    Malformed {
        /// The beginning of what was given.
        text: String,
    },
    /// The prefix is longer than the address.
    #[error("a prefix of {bits} bits is longer than the address, which has {max}")]
    TooLong {
        /// The prefix that was given.
        bits: u8,
        /// The length of the address.
        max: u8,
    },
    /// The address has bits behind the prefix: a slip in one of the two.
    #[error("the address has bits behind its prefix; did you mean {suggestion}?")]
    HostBits {
        /// The range that holds the address.
        suggestion: String,
    },
}

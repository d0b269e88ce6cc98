//! Which multiaddrs a native node can listen on and dial, and which of them collide.
//! Invariant: what passes here is understood by a transport of this program.
//! Not here: the transports; whether a port is free.

use std::net::IpAddr;

use libp2p::multiaddr::Protocol;
use peerloom_shared::{Multiaddr, limits};

/// What an address asks of the operating system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Socket {
    /// The interface.
    pub ip: IpAddr,
    /// UDP, or else TCP.
    pub udp: bool,
    /// The port; 0 lets the system choose.
    pub port: u16,
}

impl Socket {
    /// Whether both cannot be open at once. An unspecified interface stands for all of its family;
    /// the families do not meet, because listeners on IPv6 are for IPv6 only.
    #[must_use]
    pub fn collides(&self, other: &Self) -> bool {
        let same_ip = self.ip == other.ip
            || (self.ip.is_ipv4() == other.ip.is_ipv4()
                && (self.ip.is_unspecified() || other.ip.is_unspecified()));
        same_ip && self.udp == other.udp && self.port == other.port && self.port != 0
    }

    /// `7071/udp`, as people write it.
    #[must_use]
    pub fn short(&self) -> String {
        format!("{}/{}", self.port, if self.udp { "udp" } else { "tcp" })
    }
}

/// Parses any multiaddr within the bound on size.
///
/// # Errors
/// Why it is none.
pub fn parse(text: &str) -> Result<Multiaddr, String> {
    if text.len() > limits::ADDRESS_BYTES_MAX {
        return Err(format!("it is longer than {} bytes", limits::ADDRESS_BYTES_MAX));
    }
    if !text.starts_with('/') {
        return Err("it is no multiaddr: those begin with `/`".to_owned());
    }
    text.parse().map_err(|error| format!("it is no multiaddr: {error}"))
}

/// Parses an address to listen on.
///
/// # Errors
/// Why it cannot be listened on.
pub fn parse_listen(text: &str) -> Result<Multiaddr, String> {
    let address = parse(text)?;
    socket(&address).map(|_| address)
}

/// The socket behind an address to listen on.
///
/// # Errors
/// Why it cannot be listened on.
pub fn socket(address: &Multiaddr) -> Result<Socket, String> {
    let parts: Vec<_> = address.iter().collect();
    let (first, rest) = parts.split_first().ok_or("it is empty")?;
    let ip = if let Protocol::Ip4(ip) = first {
        IpAddr::V4(*ip)
    } else if let Protocol::Ip6(ip) = first {
        IpAddr::V6(*ip)
    } else {
        return Err("it must begin with /ip4/ or /ip6/ and an address of this computer".into());
    };
    match rest {
        [Protocol::Tcp(port)] | [Protocol::Tcp(port), Protocol::Ws(_)] => {
            Ok(Socket { ip, udp: false, port: *port })
        }
        [Protocol::Udp(port), Protocol::QuicV1 | Protocol::WebRTCDirect] => {
            Ok(Socket { ip, udp: true, port: *port })
        }
        _ => Err("after the IP address it must go on with /tcp/PORT, /tcp/PORT/ws, \
                  /udp/PORT/quic-v1 or /udp/PORT/webrtc-direct"
            .to_owned()),
    }
}

/// Parses an address to dial.
///
/// # Errors
/// Why it cannot be dialled.
pub fn parse_dial(text: &str) -> Result<Multiaddr, String> {
    let address = parse(text)?;
    let mut parts = address.iter();
    let first = parts.next();
    match first {
        Some(Protocol::Ip4(ip)) if ip.is_unspecified() => return Err(UNSPECIFIED.to_owned()),
        Some(Protocol::Ip6(ip)) if ip.is_unspecified() => return Err(UNSPECIFIED.to_owned()),
        Some(
            Protocol::Ip4(_)
            | Protocol::Ip6(_)
            | Protocol::Dns(_)
            | Protocol::Dns4(_)
            | Protocol::Dns6(_)
            | Protocol::Dnsaddr(_),
        ) => {}
        _ => {
            return Err(
                "it must begin with /ip4/, /ip6/, /dns/, /dns4/, /dns6/ or /dnsaddr/".into()
            );
        }
    }
    let second = parts.next();
    match (&first, &second) {
        (Some(Protocol::Dnsaddr(_)), _) => Ok(address),
        (_, Some(Protocol::Tcp(0) | Protocol::Udp(0))) => {
            Err("port 0 cannot be dialled".to_owned())
        }
        (_, Some(Protocol::Tcp(_))) => Ok(address),
        (_, Some(Protocol::Udp(_))) => match parts.next() {
            Some(Protocol::QuicV1 | Protocol::WebRTCDirect) => Ok(address),
            _ => Err("after the UDP port it must go on with /quic-v1 or /webrtc-direct".to_owned()),
        },
        _ => Err("after the host it must go on with /tcp/PORT or /udp/PORT".to_owned()),
    }
}

const UNSPECIFIED: &str = "the unspecified address can be listened on, but not dialled: name the other computer's address";

/// The addresses listened on by default: every transport, on IPv4 and IPv6.
#[must_use]
pub fn default_listen() -> Vec<Multiaddr> {
    let hosts = [
        Protocol::Ip4(std::net::Ipv4Addr::UNSPECIFIED),
        Protocol::Ip6(std::net::Ipv6Addr::UNSPECIFIED),
    ];
    let ends = [
        vec![Protocol::Tcp(limits::PORT_PEERS)],
        vec![Protocol::Udp(limits::PORT_PEERS), Protocol::QuicV1],
        vec![Protocol::Udp(limits::PORT_WEBRTC), Protocol::WebRTCDirect],
        vec![Protocol::Tcp(limits::PORT_WEBSOCKET), Protocol::Ws("/".into())],
    ];
    let of = |host: &Protocol<'static>, end: &[Protocol<'static>]| {
        std::iter::once(host.clone()).chain(end.iter().cloned()).collect()
    };
    ends.iter().flat_map(|end| hosts.iter().map(move |host| of(host, end))).collect()
}

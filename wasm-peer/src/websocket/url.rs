//! From a multiaddr to the URL a browser can open.
//! Invariant: a URL comes out only if the whole address was understood, up to its last part.
//! Not here: whether the page may open it, which the browser decides (mixed content, local network).

use libp2p::{Multiaddr, multiaddr::Protocol};
use peerloom_shared::limits::DNS_NAME_BYTES_MAX;

/// The `ws:` or `wss:` URL of an address, or `None` if this transport does not dial it.
///
/// Understood are `/ip4|ip6|dns|dns4|dns6/H/tcp/P` followed by `/ws`, `/wss`, `/tls/ws` or
/// `/tls/sni/N/ws`, and then at most one `/p2p/ID`. With `sni` the name N takes the place of H,
/// because a browser can state no other name than the one it resolves. All else is `None`:
/// a `/p2p-circuit` behind the socket must not be dialled as the relay itself.
#[must_use]
pub fn socket_url(address: &Multiaddr) -> Option<String> {
    let parts: Vec<Protocol<'_>> = address.iter().collect();
    let parts = match parts.as_slice() {
        [rest @ .., Protocol::P2p(_)] => rest,
        all => all,
    };
    let [host, Protocol::Tcp(port @ 1..), layers @ ..] = parts else {
        return None;
    };
    let host = host_text(host)?;
    let (scheme, host, path) = match layers {
        [Protocol::Ws(path)] => ("ws", host, path),
        [Protocol::Wss(path)] | [Protocol::Tls, Protocol::Ws(path)] => ("wss", host, path),
        [Protocol::Tls, Protocol::Sni(name), Protocol::Ws(path)] => {
            ("wss", checked_name(name)?, path)
        }
        _ => return None,
    };
    (path == "/").then(|| format!("{scheme}://{host}:{port}/"))
}

fn host_text(host: &Protocol<'_>) -> Option<String> {
    if let Protocol::Ip4(ip) = host {
        (!ip.is_unspecified()).then(|| ip.to_string())
    } else if let Protocol::Ip6(ip) = host {
        (!ip.is_unspecified()).then(|| format!("[{ip}]"))
    } else if let Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) = host {
        checked_name(name)
    } else {
        None
    }
}

/// A multiaddr may carry any text as a name; in a URL `@`, `?` or `#` would change its meaning.
fn checked_name(name: &str) -> Option<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    let fits = (1..=DNS_NAME_BYTES_MAX).contains(&name.len());
    (fits && name.bytes().all(plain)).then(|| name.to_owned())
}

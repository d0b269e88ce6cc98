//! What JavaScript hands in, checked.
//! Invariant: an error names the value that is wrong.
//! Not here: whether anything answers at an address.

use js_sys::{Array, Reflect};
use libp2p::multiaddr::Protocol;
use peerloom_shared::{Multiaddr, PeerId};
use wasm_bindgen::{JsCast as _, JsValue};

use super::Failure;
use crate::websocket::socket_url;

/// What a peer starts with.
#[derive(Debug)]
pub(super) struct Options {
    /// Name of the key; `None` makes one that is forgotten.
    pub(super) identity: Option<String>,
    /// The addresses to keep connected, as they were given and as they were read.
    pub(super) relays: Vec<(String, Multiaddr)>,
    /// The name that others see.
    pub(super) name: Option<String>,
}

impl Options {
    /// Reads the object that [`super::Peer::start`] is given.
    pub(super) fn read(value: &JsValue) -> Result<Self, Failure> {
        let get = |name: &str| {
            Reflect::get(value, &name.into())
                .map_err(|_| Failure::bad_option("the options are no object"))
        };
        let relays = get("relays")?;
        let relays = if relays.is_null() || relays.is_undefined() {
            Array::new()
        } else {
            relays.dyn_into().map_err(|_| Failure::bad_option("`relays` is no array"))?
        };
        let relays = relays.iter().map(|value| {
            let text = value
                .as_string()
                .ok_or_else(|| Failure::bad_option("`relays` holds something that is no string"))?;
            let address = relay(&text)?;
            Ok((text, address))
        });
        Ok(Self {
            identity: optional(&get("identity")?, "identity")?,
            relays: relays.collect::<Result<_, Failure>>()?,
            name: optional(&get("name")?, "name")?,
        })
    }
}

fn optional(value: &JsValue, name: &str) -> Result<Option<String>, Failure> {
    if value.is_null() || value.is_undefined() {
        return Ok(None);
    }
    let wrong = || Failure::bad_option(format!("`{name}` is neither a string nor null"));
    value.as_string().map(Some).ok_or_else(wrong)
}

/// An address that a browser can dial.
pub(super) fn address(text: &str) -> Result<Multiaddr, Failure> {
    let address: Multiaddr =
        text.parse().map_err(|e| Failure::no_address(format!("{text:?} is no address: {e}")))?;
    if can_dial(&address) {
        return Ok(address);
    }
    Err(Failure::no_transport(format!("a browser cannot dial {text}")))
}

/// Whether a browser has a transport for the address.
pub(crate) fn can_dial(address: &Multiaddr) -> bool {
    let has = |wanted| address.iter().any(|part| part == wanted);
    has(Protocol::P2pCircuit) || has(Protocol::WebRTCDirect) || socket_url(address).is_some()
}

/// An address to keep connected.
fn relay(text: &str) -> Result<Multiaddr, Failure> {
    let address = address(text)?;
    if let Some(Protocol::P2p(_)) = address.iter().last() {
        return Ok(address);
    }
    Err(Failure::no_address(format!("{text} does not end in /p2p/ and a PeerId")))
}

/// A PeerId.
pub(super) fn peer(text: &str) -> Result<PeerId, Failure> {
    text.parse().map_err(|e| Failure::no_peer_id(format!("{text:?} is no PeerId: {e}")))
}

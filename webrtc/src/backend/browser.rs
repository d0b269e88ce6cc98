//! The browser's WebRTC as a backend, by way of web-sys.
//! Invariant: every handler is taken off its JavaScript object before its closure is freed.
//! Not here: streams, signalling rules, SDP; all of them are this crate's pure parts.

mod connection;
mod core;
mod direct;
mod inbox;
mod js;
mod peering;
mod wire;

use js_sys::Array;
use send_wrapper::SendWrapper;
use wasm_bindgen::JsValue;
use web_sys::{RtcConfiguration, RtcIceServer};

use self::core::Core;
use super::{Failure, Platform, Role};
use crate::limits::ConnectionLimits;

pub use connection::Connection;
pub use direct::{DirectConnection, DirectError, dial_direct, dial_direct_any};
pub use peering::Peering;

/// What a channel that we refuse gets: a frame of two bytes with the flag RESET.
const RESET_FRAME: [u8; 3] = [0x02, 0x08, 0x02];
/// The label of the channel that the initiator of `/webrtc` creates to have something to offer.
const INIT_LABEL: &str = "init";

/// A STUN or TURN server that the browser asks for candidates.
#[derive(Clone, PartialEq, Eq)]
pub struct IceServer {
    /// Its addresses, such as `stun:stun.example.org:3478`.
    pub urls: Vec<String>,
    /// User name, for TURN.
    pub username: Option<String>,
    /// Password, for TURN.
    pub credential: Option<String>,
}

// By hand, so that no password gets into a log.
impl std::fmt::Debug for IceServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IceServer").field("urls", &self.urls).finish_non_exhaustive()
    }
}

/// Makes peer connections of the browser for `/webrtc`.
#[derive(Clone, Debug, Default)]
pub struct Browser {
    /// STUN and TURN servers. None by default: nobody is asked who was not configured.
    pub ice_servers: Vec<IceServer>,
    /// The limits of each connection.
    pub limits: ConnectionLimits,
}

impl Browser {
    fn configuration(&self) -> RtcConfiguration {
        let configuration = RtcConfiguration::new();
        let servers = Array::new();
        for server in &self.ice_servers {
            let entry = RtcIceServer::new();
            entry.set_urls(&server.urls.iter().map(JsValue::from).collect::<Array>());
            if let Some(username) = &server.username {
                entry.set_username(username);
            }
            if let Some(credential) = &server.credential {
                entry.set_credential(credential);
            }
            servers.push(&entry);
        }
        configuration.set_ice_servers(&servers);
        configuration
    }
}

/// Whether this page can make peer connections at all. Workers cannot, and hardened browsers hide it.
#[must_use]
pub fn is_available() -> bool {
    js_sys::Reflect::get(&js_sys::global(), &"RTCPeerConnection".into())
        .is_ok_and(|constructor| constructor.is_function())
}

impl Platform for Browser {
    type Negotiation = Peering;

    fn start(&self, role: Role) -> Result<Peering, Failure> {
        let core = Core::new(&self.configuration(), self.limits)?;
        if role == Role::Responder {
            core.ignore_init();
        }
        Ok(Peering::new(SendWrapper::new(core), role))
    }
}

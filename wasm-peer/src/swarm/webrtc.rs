//! The library's WebRTC-direct transport behind a door that lets only its own addresses in.
//! Invariant: without WebRTC, in a worker or a hardened browser, such an address is an error with
//! that reason; the library itself would panic there, and on a local page in Firefox it would
//! refuse the addresses of all other transports as well.
//! Not here: the handshake (libp2p-webrtc-websys).

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures::future::{BoxFuture, Either, select};
use futures_timer::Delay;
use js_sys::{Function, Reflect};
use libp2p::core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId, Transport};
use libp2p_webrtc_websys as websys;
use peerloom_shared::limits::DIAL_MS;
use wasm_bindgen::JsCast;

/// Why a WebRTC dial failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebRtcError {
    #[error("this browser offers no WebRTC to this page")]
    Absent,
    #[error("no answer over WebRTC within {} s", DIAL_MS / 1_000)]
    NoAnswer,
    #[error(transparent)]
    Library(#[from] websys::Error),
}

/// See the module's text.
pub(super) struct WebRtc(Option<websys::Transport>);

impl WebRtc {
    /// WebRTC as far as this page has it.
    pub(super) fn of_this_page(keypair: &Keypair) -> Self {
        Self(available().then(|| websys::Transport::new(websys::Config::new(keypair))))
    }
}

/// The library needs the window and its document, and a constructor that hardened browsers hide.
fn available() -> bool {
    let Some(window) = web_sys::window() else {
        return false;
    };
    let constructor = Reflect::get(&window, &"RTCPeerConnection".into());
    constructor.is_ok_and(|value| value.is_instance_of::<Function>())
}

fn is_ours(address: &Multiaddr) -> bool {
    let has = |wanted| address.iter().any(|part| part == wanted);
    has(Protocol::WebRTCDirect) && !has(Protocol::P2pCircuit)
}

impl Transport for WebRtc {
    type Output = (PeerId, websys::Connection);
    type Error = WebRtcError;
    type ListenerUpgrade = BoxFuture<'static, Result<Self::Output, WebRtcError>>;
    type Dial = BoxFuture<'static, Result<Self::Output, WebRtcError>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<WebRtcError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<WebRtcError>> {
        if !is_ours(&address) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        let Some(library) = &mut self.0 else {
            return Err(TransportError::Other(WebRtcError::Absent));
        };
        let dial = library.dial(address, options).map_err(|e| e.map(WebRtcError::Library))?;
        // The library waits for as long as the browser does, which is too long.
        let deadline = Delay::new(Duration::from_millis(DIAL_MS));
        Ok(select(dial, deadline)
            .map(|first| match first {
                Either::Left((dialled, _)) => dialled.map_err(WebRtcError::Library),
                Either::Right(_) => Err(WebRtcError::NoAnswer),
            })
            .boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, WebRtcError>> {
        Poll::Pending
    }
}

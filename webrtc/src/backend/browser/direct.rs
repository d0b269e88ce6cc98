//! Dialling a webrtc-direct server from a browser, versions 1 and 2.
//! Invariant: channel 0 exists before the offer; whatever is not handed over is closed.
//! Not here: Noise on that channel, the texts of SDP (`sdp`) and names (`direct`).

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures::future::{Either, select};
use futures_timer::Delay;
use js_sys::{Array, Object, Promise};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RtcConfiguration, RtcPeerConnection, RtcSdpType, RtcSessionDescriptionInit};

use super::connection::Connection;
use super::core::{Core, Health};
use super::js;
use crate::backend::{ChannelId, Failure, Kind};
use crate::direct::{NameError, Version, v1_ufrag, v2_server_ufrag};
use crate::limits::{BROWSER_HEAD_START, ConnectionLimits, DirectLimits};
use crate::sdp::{Description, SdpError, direct_answer, ice_pwd_of, munge_offer};

/// The channel that both sides know of beforehand, for Noise.
const NOISE_CHANNEL: u16 = 0;

/// Whether this browser refuses other ICE credentials in its offer. It will not change its mind
/// before the page is loaded anew.
static V1_REFUSED: AtomicBool = AtomicBool::new(false);

/// Why a webrtc-direct server was not reached.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// The browser lets nobody replace the ICE credentials of its offer, as version 1 has to.
    #[error("this browser does not allow version 1 of webrtc-direct")]
    Refused,
    /// The server did not answer in time.
    #[error("no connection in time")]
    Timeout,
    /// The connection failed.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The browser's own offer is not what we expect, or the answer to it cannot be written.
    #[error(transparent)]
    Sdp(#[from] SdpError),
    /// The browser's own password is too long to be told to the server.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The browser has no source of chance.
    #[error("no random bytes")]
    Random,
}

/// A webrtc-direct connection that is up and knows nothing yet of who is at the other end.
#[derive(Debug)]
#[non_exhaustive]
pub struct DirectConnection {
    /// The connection. Channels that the server opens before Noise is done come as events, too.
    pub connection: Connection,
    /// The channel for Noise; its events come from `connection`.
    pub noise: ChannelId,
    /// SHA-256 of the certificate that this side used, for the prologue of Noise.
    pub client_fingerprint: [u8; 32],
    /// The version that connected.
    pub version: Version,
}

/// Connects to a webrtc-direct server by one version, within [`DirectLimits::handshake`].
///
/// Dropping the future closes whatever it has begun.
///
/// # Errors
/// Names what failed. [`DirectError::Refused`] holds until the page is loaded anew.
pub fn dial_direct(
    server: SocketAddr,
    server_fingerprint: [u8; 32],
    limits: ConnectionLimits,
    version: Version,
) -> impl Future<Output = Result<DirectConnection, DirectError>> + Send {
    SendWrapper::new(async move {
        let work = pin!(dial(server, server_fingerprint, limits, version));
        match select(work, Delay::new(DirectLimits::DEFAULT.handshake)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(DirectError::Timeout),
        }
    })
}

/// Connects to a webrtc-direct server by version 2; if that has not succeeded after a second, by
/// version 1 beside it. The first to succeed wins, the other one is closed.
///
/// # Errors
/// The error of version 2, when both fail.
pub async fn dial_direct_any(
    server: SocketAddr,
    server_fingerprint: [u8; 32],
    limits: ConnectionLimits,
) -> Result<DirectConnection, DirectError> {
    let begin = |version| dial_direct(server, server_fingerprint, limits, version);
    let v2 = pin!(begin(Version::V2));
    let v2 = match select(v2, Delay::new(BROWSER_HEAD_START)).await {
        Either::Left((Ok(connection), _)) => return Ok(connection),
        Either::Left((Err(why), _)) => {
            return if V1_REFUSED.load(Ordering::Relaxed) {
                Err(why)
            } else {
                begin(Version::V1).await.map_err(|_| why)
            };
        }
        Either::Right(((), v2)) => v2,
    };
    if V1_REFUSED.load(Ordering::Relaxed) {
        return v2.await;
    }
    match select(v2, pin!(begin(Version::V1))).await {
        Either::Left((Ok(connection), _)) | Either::Right((Ok(connection), _)) => Ok(connection),
        Either::Left((Err(why), v1)) => v1.await.map_err(|_| why),
        Either::Right((Err(_), v2)) => v2.await,
    }
}

async fn dial(
    server: SocketAddr,
    server_fingerprint: [u8; 32],
    limits: ConnectionLimits,
    version: Version,
) -> Result<DirectConnection, DirectError> {
    let mut core = Core::new(&own_certificate().await?, limits)?;
    // Before the offer: it gives the offer its data section and the server's Noise a place to go.
    let noise = core.open(Kind::Negotiated(NOISE_CHANNEL))?;
    let offer: RtcSessionDescriptionInit = wait(core.pc.create_offer()).await?.unchecked_into();
    let sdp = offer.get_sdp().unwrap_or_default();
    // The offer is the browser's own, so its fingerprint is that of the certificate.
    let client_fingerprint = Description::parse(&sdp)?.fingerprint;
    let server_ufrag = match version {
        Version::V1 => {
            let mut random = [0; 32];
            getrandom::fill(&mut random).map_err(|_| DirectError::Random)?;
            let ufrag = v1_ufrag(random);
            offer.set_sdp(&munge_offer(&sdp, &ufrag, &ufrag)?);
            ufrag
        }
        Version::V2 => v2_server_ufrag(ice_pwd_of(&sdp)?)?,
    };
    apply_offer(&core, &offer, version).await?;
    let answer = RtcSessionDescriptionInit::new(RtcSdpType::Answer);
    answer.set_sdp(&direct_answer(server, &server_fingerprint, &server_ufrag, &server_ufrag)?);
    wait(core.pc.set_remote_description(&answer)).await?;
    poll_fn(|cx| match core.health() {
        Health::Up => Poll::Ready(Ok(())),
        Health::Down(why) => Poll::Ready(Err(why)),
        Health::Waiting => {
            core.wait(cx);
            Poll::Pending
        }
    })
    .await?;
    let connection = Connection::new(SendWrapper::new(core));
    Ok(DirectConnection { connection, noise, client_fingerprint, version })
}

/// Applies our offer. A browser that forbids the credentials of version 1 says so here.
async fn apply_offer(
    core: &Core,
    offer: &RtcSessionDescriptionInit,
    version: Version,
) -> Result<(), DirectError> {
    let applied = JsFuture::from(core.pc.set_local_description(offer)).await;
    let Err(error) = applied else { return Ok(()) };
    if version == Version::V1 && js::error_name(&error) == "InvalidModificationError" {
        V1_REFUSED.store(true, Ordering::Relaxed);
        return Err(DirectError::Refused);
    }
    Err(js::failure(&error).into())
}

/// A configuration with a certificate of its own, so that servers cannot tell that two connections
/// come from one browser.
async fn own_certificate() -> Result<RtcConfiguration, Failure> {
    let kind = Object::new();
    js::set(&kind, "name", &JsValue::from_str("ECDSA"));
    js::set(&kind, "namedCurve", &JsValue::from_str("P-256"));
    let promise = RtcPeerConnection::generate_certificate_with_object(&kind)
        .map_err(|error| js::failure(&error))?;
    let certificate = wait(promise).await?;
    let configuration = RtcConfiguration::new();
    configuration.set_certificates(&Array::of1(&certificate));
    Ok(configuration)
}

async fn wait(promise: Promise) -> Result<JsValue, Failure> {
    JsFuture::from(promise).await.map_err(|error| js::failure(&error))
}

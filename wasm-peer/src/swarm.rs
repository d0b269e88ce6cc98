//! Browser transports composed into a swarm: the only place that names them.
//! Invariant: an address that this browser cannot dial is refused with the reason, never with a panic.
//! Not here: which addresses to dial; listening, which a browser does only through relays.

use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::{PeerId, Swarm, Transport, noise, relay, swarm, yamux};
use peerloom_shared::limits;
use peerloom_shared::net::behaviour::{Halves, SetupError};
use peerloom_shared::net::{Behaviour, Judge, Settings};
use peerloom_webrtc::backend::browser::{Browser, is_available};
use peerloom_webrtc::transport::browser::DirectTransport;
use peerloom_webrtc::transport::signalled::{self, SignalledConfig};

use crate::websocket;

/// The swarm could not be built.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SwarmError {
    /// The Noise keys could not be derived from the identity.
    #[error("the identity key cannot be used for encryption: {0}")]
    Noise(#[from] noise::Error),
    /// `/webrtc` has a listener already.
    #[error("the swarm cannot listen for introductions: {0}")]
    Listen(#[from] libp2p::TransportError<std::io::Error>),
    /// A protocol refused its settings.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

/// Builds a swarm with all browser transports: WebRTC-direct, relayed and WebSocket.
///
/// # Errors
/// See [`SwarmError`].
pub(crate) fn build(settings: &Settings, judge: &Judge) -> Result<Swarm<Behaviour>, SwarmError> {
    let keypair = &settings.keypair;
    let local = keypair.public().to_peer_id();
    let (relay_transport, relay_client) = relay::client::new(local);
    let (transport, webrtc) = transport(keypair, relay_transport)?;
    let behaviour = Behaviour::new(settings, Halves { relay_client, webrtc }, judge)?;
    let config = swarm::Config::with_wasm_executor()
        .with_idle_connection_timeout(Duration::from_millis(limits::IDLE_MS))
        .with_max_negotiating_inbound_streams(limits::NEGOTIATING_STREAMS_MAX);
    let mut swarm = Swarm::new(transport, behaviour, local, config);
    if is_available() {
        swarm.listen_on(Multiaddr::empty().with(Protocol::WebRTC))?;
    }
    Ok(swarm)
}

type Peers = Boxed<(PeerId, StreamMuxerBox)>;

/// A connection's bytes before encryption, whichever transport they come from: with one type for
/// all, the code above them is compiled once, which saves a page 20 KB to load.
trait Bytes: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Bytes for T {}

/// The first that knows an address takes it, so the order matters: a `/webrtc` address contains a
/// relayed one, and that the one of its relay, which another transport would dial instead.
fn transport(
    keypair: &Keypair,
    relay: relay::client::Transport,
) -> Result<(Peers, peerloom_webrtc::behaviour::Behaviour), SwarmError> {
    let (signalled, behaviour) = signalled::new(Browser::default(), SignalledConfig::default());
    let signalled = signalled.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let direct = DirectTransport::new(keypair.clone())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let streams = secured(either(bytes(relay), bytes(websocket::Transport::new())), keypair)?;
    let direct = either(signalled.boxed(), direct.boxed());
    Ok((either(direct, streams), behaviour))
}

fn either<T: Send + 'static>(first: Boxed<T>, second: Boxed<T>) -> Boxed<T> {
    first.or_transport(second).map(|output, _| output.into_inner()).boxed()
}

fn bytes<T>(transport: T) -> Boxed<Box<dyn Bytes>>
where
    T: Transport<Output: Bytes + 'static, Error: Send + Sync> + Send + Unpin + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    transport.map(|connection, _| Box::new(connection) as Box<dyn Bytes>).boxed()
}

/// Noise for who it is, yamux for many streams.
fn secured(transport: Boxed<Box<dyn Bytes>>, keypair: &Keypair) -> Result<Peers, SwarmError> {
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(limits::YAMUX_STREAMS_MAX);
    Ok(transport
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(yamux)
        .timeout(Duration::from_millis(limits::DIAL_MS))
        .boxed())
}

//! Native transports composed into a swarm: the only place that names them.
//! Invariant: every limit is set by hand, because the libraries' defaults are made for servers.
//! Not here: which addresses to listen on or dial.

use std::sync::Arc;
use std::time::Duration;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::transport::dummy::DummyTransport;
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::multiaddr::{Multiaddr, Protocol};
use libp2p::{PeerId, Swarm, Transport, dns, noise, quic, relay, swarm, tcp, yamux};
use peerloom_shared::limits;
use peerloom_shared::net::behaviour::Halves;
use peerloom_shared::net::{Behaviour, Judge, Settings};
use peerloom_shared::view::Transport as Path;
use peerloom_webrtc::backend::native::{Certificate, Dropped, NativePlatform};
use peerloom_webrtc::limits::ConnectionLimits;
#[cfg(not(feature = "libp2p-webrtc"))]
use peerloom_webrtc::transport::native::DirectTransport;
use peerloom_webrtc::transport::signalled::{self, Outcomes, SignalledConfig};

use crate::traffic::{Meter, Traffic};

/// The swarm could not be built.
#[derive(Debug, thiserror::Error)]
pub enum SwarmError {
    /// The Noise keys could not be derived from the identity.
    #[error("the identity key cannot be used for encryption: {0}")]
    Noise(#[from] noise::Error),
    /// The system's settings for resolving names could not be read.
    #[error("the system's settings for resolving names cannot be read: {0}")]
    Names(#[from] std::io::Error),
    /// `/webrtc` has a listener already.
    #[error("the swarm cannot listen for introductions: {0}")]
    Listen(#[from] libp2p::TransportError<std::io::Error>),
    /// libp2p-webrtc could not make its certificate.
    #[cfg(feature = "libp2p-webrtc")]
    #[error("libp2p-webrtc cannot make a certificate: {0}")]
    Libp2pWebRtc(#[from] libp2p_webrtc::tokio::certificate::Error),
    /// A protocol refused its settings.
    #[error(transparent)]
    Setup(#[from] peerloom_shared::net::behaviour::SetupError),
}

/// What the transports count.
#[derive(Clone, Debug)]
pub struct Counts {
    /// How `/webrtc` sessions ended.
    pub upgrades: Outcomes,
    /// Datagrams that listeners dropped.
    pub dropped: Arc<Dropped>,
    /// Bytes by the kind of path.
    pub traffic: Traffic,
}

/// Builds a swarm with all native transports: `/webrtc`, WebRTC-direct, relayed, QUIC, WebSocket and
/// TCP.
///
/// # Errors
/// See [`SwarmError`].
pub fn build(
    settings: &Settings,
    certificate: Certificate,
    judge: &Judge,
) -> Result<(Swarm<Behaviour>, Counts), SwarmError> {
    let keypair = &settings.keypair;
    let local = keypair.public().to_peer_id();
    let (relay_transport, relay_client) = relay::client::new(local);
    let (transport, webrtc, counts) = transport(keypair, certificate, relay_transport)?;
    let behaviour = Behaviour::new(settings, Halves { relay_client, webrtc }, judge)?;
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_millis(limits::IDLE_MS))
        .with_max_negotiating_inbound_streams(limits::NEGOTIATING_STREAMS_MAX);
    let mut swarm = Swarm::new(transport, behaviour, local, config);
    swarm.listen_on(Multiaddr::empty().with(Protocol::WebRTC))?;
    Ok((swarm, counts))
}

/// The first that knows an address takes it, so the order matters: `/webrtc` contains a relayed
/// address, and that one parts that other transports would accept.
fn transport(
    keypair: &Keypair,
    certificate: Certificate,
    relay: relay::client::Transport,
) -> Result<(Peers, peerloom_webrtc::behaviour::Behaviour, Counts), SwarmError> {
    let limits = ConnectionLimits::DEFAULT;
    let platform = NativePlatform { certificate: certificate.clone(), limits };
    let (signalled, behaviour) = signalled::new(platform, SignalledConfig::default());
    let traffic = Traffic::default();
    let metered = |peers: Peers, kind| metered(peers, traffic.of(kind));
    let upgrades = signalled.outcomes();
    let signalled =
        signalled.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection))).boxed();
    let signalled = metered(signalled, Path::Webrtc);
    let (direct, dropped) = direct(keypair, certificate)?;
    let direct = metered(direct, Path::WebrtcDirect);
    let quic = quic::tokio::Transport::new(quic_config(keypair))
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed();
    let quic = metered(quic, Path::Quic);
    let tcp = metered(secured(plain_tcp(), keypair)?, Path::Tcp);
    let mut websocket = libp2p_websocket::Config::new(resolving(plain_tcp())?);
    websocket.set_max_data_size(limits::WEBSOCKET_MESSAGE_BYTES_MAX);
    let by_address = resolving(either(either(direct, quic), tcp))?.boxed();
    let websocket = metered(secured(websocket, keypair)?, Path::WebSocket);
    let relayed = metered(secured(relay, keypair)?, Path::Circuit);
    let streams = either(relayed, either(websocket, by_address));
    Ok((either(signalled, streams), behaviour, Counts { upgrades, dropped, traffic }))
}

type Peers = Boxed<(PeerId, StreamMuxerBox)>;

/// Counts the bytes of all streams.
fn metered(peers: Peers, meter: Meter) -> Peers {
    peers.map(move |(peer, connection), _| (peer, meter.on(connection))).boxed()
}

/// WebRTC-direct, and what its listeners drop.
#[cfg(not(feature = "libp2p-webrtc"))]
fn direct(
    keypair: &Keypair,
    certificate: Certificate,
) -> Result<(Peers, Arc<Dropped>), SwarmError> {
    let direct = DirectTransport::new(keypair.clone(), certificate);
    let dropped = direct.dropped();
    let direct = direct.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    Ok((direct.boxed(), dropped))
}

/// libp2p-webrtc's WebRTC-direct, for comparison. It has a certificate of its own, new each time, and
/// counts nothing.
#[cfg(feature = "libp2p-webrtc")]
fn direct(keypair: &Keypair, _ours: Certificate) -> Result<(Peers, Arc<Dropped>), SwarmError> {
    let certificate = libp2p_webrtc::tokio::Certificate::generate(&mut rand::rng())?;
    let direct = libp2p_webrtc::tokio::Transport::new(keypair.clone(), certificate)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    Ok((direct.boxed(), Arc::default()))
}

fn either(first: Peers, second: Peers) -> Peers {
    first.or_transport(second).map(|output, _| output.into_inner()).boxed()
}

/// Noise for who it is, yamux for many streams.
fn secured<T>(transport: T, keypair: &Keypair) -> Result<Peers, SwarmError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    let mut yamux = yamux::Config::default();
    yamux.set_max_num_streams(limits::YAMUX_STREAMS_MAX);
    Ok(transport
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(yamux)
        .timeout(Duration::from_millis(limits::DIAL_MS))
        .boxed())
}

fn plain_tcp() -> tcp::tokio::Transport {
    tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
}

fn quic_config(keypair: &Keypair) -> quic::Config {
    let mut config = quic::Config::new(keypair);
    config.max_concurrent_stream_limit = limits::QUIC_STREAMS_MAX;
    config.max_stream_data = limits::QUIC_STREAM_BYTES_MAX;
    config.max_connection_data = limits::QUIC_CONNECTION_BYTES_MAX;
    config.handshake_timeout = Duration::from_millis(limits::DIAL_MS);
    config
}

/// Resolves names as the system does. Where the system has no settings a node still has to work by
/// address, so it gets an empty list of servers, which fails names only. No public resolver is asked
/// behind the operator's back.
fn resolving<T>(inner: T) -> Result<dns::tokio::Transport<T>, SwarmError>
where
    T: Transport + Send + Unpin + 'static,
{
    if dns::tokio::Transport::system(DummyTransport::<()>::new()).is_err() {
        let nobody = dns::ResolverConfig::from_parts(None, Vec::new(), Vec::new());
        let options = dns::ResolverOpts::default();
        return Ok(dns::tokio::Transport::custom(inner, nobody, options));
    }
    Ok(dns::tokio::Transport::system(inner)?)
}

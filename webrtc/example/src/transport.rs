//! The transports of each target: how this crate's are put together with libp2p's own.
//! Invariant: `/webrtc` comes before the relay's transport, which would take its addresses.
//! Not here: listening and dialling (`node`).

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::{PeerId, Transport, noise, relay, yamux};
use peerloom_webrtc::behaviour::Behaviour;
use peerloom_webrtc::direct::Version;
use peerloom_webrtc::transport::signalled::{self, SignalledConfig};

/// The peer could not be built.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The Noise keys could not be derived from the identity.
    #[error("the identity key cannot be used for encryption: {0}")]
    Noise(#[from] noise::Error),
    /// No certificate could be made.
    #[error("no certificate: {0}")]
    Certificate(String),
    /// An address cannot be listened on.
    #[error("cannot listen: {0}")]
    Listen(String),
}

/// Connections of proven peers that carry streams.
pub type Peers = Boxed<(PeerId, StreamMuxerBox)>;

/// All transports, and the behaviour that `/webrtc` needs in the swarm. `only`: dials WebRTC-direct
/// with this version; without it, with version 2 and then version 1.
///
/// # Errors
/// See [`SetupError`].
#[cfg(not(target_arch = "wasm32"))]
pub fn build(
    keypair: &Keypair,
    relayed: relay::client::Transport,
    only: Option<Version>,
) -> Result<(Peers, Behaviour), SetupError> {
    use libp2p::tcp;
    use peerloom_webrtc::backend::native::{Certificate, NativePlatform};
    use peerloom_webrtc::limits::ConnectionLimits;
    use peerloom_webrtc::transport::native::DirectTransport;

    // A peer that wants to keep its address keeps the certificate too: its hash is a part of it.
    let certificate =
        Certificate::generate().map_err(|error| SetupError::Certificate(error.to_string()))?;
    let direct = DirectTransport::new(keypair.clone(), certificate.clone());
    let direct = match only {
        Some(version) => direct.only(version),
        None => direct,
    };
    let direct = direct.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let platform = NativePlatform { certificate, limits: ConnectionLimits::DEFAULT };
    let (introduced, behaviour) = signalled::new(platform, SignalledConfig::default());
    let introduced =
        introduced.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let tcp = || tcp::tokio::Transport::new(tcp::Config::default().nodelay(true));
    let websocket = secured(libp2p_websocket::Config::new(tcp()), keypair)?;
    let streams = either(websocket, secured(tcp(), keypair)?);
    let streams = either(secured(relayed, keypair)?, streams);
    Ok((either(introduced.boxed(), either(direct.boxed(), streams)), behaviour))
}

/// All transports, and the behaviour that `/webrtc` needs in the swarm.
///
/// # Errors
/// See [`SetupError`].
#[cfg(target_arch = "wasm32")]
pub fn build(
    keypair: &Keypair,
    relayed: relay::client::Transport,
    _: Option<Version>,
) -> Result<(Peers, Behaviour), SetupError> {
    use peerloom_webrtc::backend::browser::Browser;
    use peerloom_webrtc::transport::browser::DirectTransport;

    let direct = DirectTransport::new(keypair.clone())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let (introduced, behaviour) = signalled::new(Browser::default(), SignalledConfig::default());
    let introduced =
        introduced.map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let websocket = secured(libp2p::websocket_websys::Transport::default(), keypair)?;
    let streams = either(secured(relayed, keypair)?, websocket);
    Ok((either(introduced.boxed(), either(direct.boxed(), streams)), behaviour))
}

fn either(first: Peers, second: Peers) -> Peers {
    first.or_transport(second).map(|output, _| output.into_inner()).boxed()
}

/// Noise for who it is, yamux for many streams; WebRTC has both of its own.
fn secured<T>(transport: T, keypair: &Keypair) -> Result<Peers, SetupError>
where
    T: Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    Ok(transport
        .upgrade(upgrade::Version::V1Lazy)
        .authenticate(noise::Config::new(keypair)?)
        .multiplex(yamux::Config::default())
        .boxed())
}

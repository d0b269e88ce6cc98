use libp2p_core::Transport as _;
use libp2p_core::muxing::StreamMuxerBox;
use libp2p_core::transport::Boxed;
use libp2p_identity::{Keypair, PeerId};
use peerloom_webrtc::backend::native::{Certificate, CertificateError, NativePlatform};
use peerloom_webrtc::behaviour::Behaviour;
use peerloom_webrtc::limits::ConnectionLimits;
use peerloom_webrtc::transport::{native::DirectTransport, signalled};

/// The WebRTC of a native peer: the transports, in the order in which they are to be asked, and the
/// behaviour for the swarm.
pub fn webrtc(
    keypair: &Keypair,
) -> Result<(Boxed<(PeerId, StreamMuxerBox)>, Behaviour), CertificateError> {
    // Keep its PEM text: the hash of the certificate is a part of the address.
    let certificate = Certificate::generate()?;
    let direct = DirectTransport::new(keypair.clone(), certificate.clone())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let platform = NativePlatform { certificate, limits: ConnectionLimits::DEFAULT };
    let config = signalled::SignalledConfig::default();
    let (introduced, behaviour) = signalled::new(platform, config);
    let transport = introduced
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .or_transport(direct)
        .map(|either, _| either.into_inner())
        .boxed();
    Ok((transport, behaviour))
}

use libp2p_core::Transport as _;
use libp2p_core::muxing::StreamMuxerBox;
use libp2p_core::transport::Boxed;
use libp2p_identity::{Keypair, PeerId};
use peerloom_webrtc::backend::browser::Browser;
use peerloom_webrtc::behaviour::Behaviour;
use peerloom_webrtc::transport::{browser::DirectTransport, signalled};

/// The WebRTC of a page: the transports, in the order in which they are to be asked, and the
/// behaviour for the swarm.
pub fn webrtc(keypair: &Keypair) -> (Boxed<(PeerId, StreamMuxerBox)>, Behaviour) {
    let direct = DirectTransport::new(keypair.clone())
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)));
    let config = signalled::SignalledConfig::default();
    let (introduced, behaviour) = signalled::new(Browser::default(), config);
    let transport = introduced
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .or_transport(direct)
        .map(|either, _| either.into_inner())
        .boxed();
    (transport, behaviour)
}

//! WebRTC-direct in a browser: dials, which is all that a browser can.
//! Invariant: where a page has no WebRTC, every dial says so, and nothing else happens.
//! Not here: the peer connections (`backend::browser`).

use std::pin::Pin;
use std::task::{Context, Poll};

use futures::future::BoxFuture;
use libp2p_core::Transport;
use libp2p_core::multiaddr::Multiaddr;
use libp2p_core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p_identity::{Keypair, PeerId};
use libp2p_webrtc_utils::{Fingerprint, noise};
use send_wrapper::SendWrapper;

use crate::address::Direct;
use crate::backend::Failure;
use crate::backend::browser::{self, dial_direct_any};
use crate::connection::Connection;
use crate::limits::ConnectionLimits;

/// Why a browser could not connect.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// There is no `RTCPeerConnection`: a worker, or a browser that hides it.
    #[error("this browser offers no WebRTC to this page")]
    Absent,
    /// The connection did not come about.
    #[error(transparent)]
    Dial(#[from] browser::DirectError),
    /// The connection ended during the handshake.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The other side did not prove who it is.
    #[error("the other side did not prove who it is: {0}")]
    Noise(#[from] noise::Error),
}

/// The WebRTC-direct transport of a page.
#[derive(Clone, Debug)]
pub struct DirectTransport {
    keypair: Keypair,
    limits: ConnectionLimits,
}

type Output = (PeerId, Connection<browser::Connection>);
type Dial = BoxFuture<'static, Result<Output, DirectError>>;

impl DirectTransport {
    /// A transport with the default limits.
    #[must_use]
    pub fn new(keypair: Keypair) -> Self {
        Self { keypair, limits: ConnectionLimits::DEFAULT }
    }

    async fn call(self, direct: Direct, server: Fingerprint) -> Result<Output, DirectError> {
        let hash = server.to_multihash();
        let digest = hash.digest().try_into().map_err(|_| Failure::Closed)?;
        let made = dial_direct_any(direct.socket, digest, self.limits).await?;
        let client = Fingerprint::raw(made.client_fingerprint);
        let mut connection = Connection::early(made.connection, self.limits);
        let stream = connection.adopt(made.noise);
        let proof = noise::outbound(self.keypair, stream, server, client);
        let peer = connection.drive(proof).await??;
        connection.other_side_is_known();
        Ok((peer, connection))
    }
}

impl Transport for DirectTransport {
    type Output = Output;
    type Error = DirectError;
    type ListenerUpgrade = Dial;
    type Dial = Dial;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<DirectError>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        _: DialOpts,
    ) -> Result<Dial, TransportError<DirectError>> {
        let direct = Direct::parse(&address);
        let Some((direct, server)) = direct.and_then(|direct| Some((direct, direct.fingerprint?)))
        else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        if !browser::is_available() {
            return Err(TransportError::Other(DirectError::Absent));
        }
        Ok(Box::pin(SendWrapper::new(self.clone().call(direct, server))))
    }

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<TransportEvent<Dial, DirectError>> {
        Poll::Pending
    }
}

//! Both ends of WebRTC-direct, up to an authenticated connection.
//! Invariant: a connection that comes out of here has proven its PeerId with Noise, over the very
//! DTLS session it runs on.
//! Not here: listening and dialling by multiaddress (`transport`).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::pin;
use std::time::Instant;

use futures::future::{Either, select};
use is::IceCreds;
use libp2p_identity::{Keypair, PeerId};
use libp2p_webrtc_utils::{Fingerprint, noise};

use super::certificate::Certificate;
use super::link::Link;
use super::plan::Plan;
use super::socket::{Caller, Port, Session};
use super::wire::Native;
use crate::backend::Failure;
use crate::connection::Connection;
use crate::direct::{Version, random_token, v1_ufrag, v2_server_ufrag};
use crate::limits::native::V2_ALONE;
use crate::limits::{ConnectionLimits, DirectLimits};

/// The SCTP stream that carries Noise (libp2p's specification of WebRTC-direct).
const NOISE_STREAM: u16 = 0;

/// Why no connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DirectError {
    /// No path, no encryption, or the other side ended it.
    #[error(transparent)]
    Failed(#[from] Failure),
    /// The other side did not prove who it is.
    #[error("the other side did not prove who it is: {0}")]
    Noise(#[from] noise::Error),
    /// It took too long.
    #[error("the handshake took too long")]
    Timeout,
    /// The system refused a socket.
    #[error("no socket: {0}")]
    Socket(#[from] std::io::Error),
    /// The system has no chance to offer.
    #[error("the system offers no random numbers: {0}")]
    Random(String),
}

/// What both ends need.
#[derive(Clone, Debug)]
pub(crate) struct Endpoint {
    pub(crate) keypair: Keypair,
    pub(crate) certificate: Certificate,
    pub(crate) direct: DirectLimits,
    pub(crate) limits: ConnectionLimits,
    /// The only version to dial with.
    pub(crate) only: Option<Version>,
}

/// An authenticated connection.
pub(crate) type Connected = (PeerId, Connection<Native>);

impl Endpoint {
    /// The server's side: answers a caller.
    ///
    /// # Errors
    /// See [`DirectError`].
    pub(crate) async fn answer(
        self,
        caller: Caller,
        base: SocketAddr,
    ) -> Result<Connected, DirectError> {
        let limit = self.direct.handshake;
        let names = caller.names;
        let local =
            IceCreds { ufrag: names.server_ufrag.clone(), pass: names.server_pwd().to_owned() };
        let remote =
            IceCreds { ufrag: names.client_ufrag.clone(), pass: names.client_pwd().to_owned() };
        let work = async move {
            let mut link = Link::new(self.plan(false, local, base), Instant::now())?;
            link.set_remote(remote, None);
            let mut native = Native::new(link, caller.session);
            let client = native.secured().await?;
            let mut connection = Connection::early(native, self.limits);
            let stream = connection.negotiated(NOISE_STREAM)?;
            let own = self.certificate.fingerprint();
            let proof = noise::inbound(self.keypair, stream, client, own);
            let peer = connection.drive(proof).await??;
            connection.other_side_is_known();
            connection.with_backend(|native| native.established());
            Ok((peer, connection))
        };
        tokio::time::timeout(limit, work).await.map_err(|_| DirectError::Timeout)?
    }

    /// The client's side: version 2, and if that takes long version 1 beside it.
    ///
    /// # Errors
    /// See [`DirectError`]; of version 2, if both fail.
    pub(crate) async fn call(
        self,
        to: SocketAddr,
        server: Fingerprint,
    ) -> Result<Connected, DirectError> {
        let limit = self.direct.handshake;
        let work = async move {
            if let Some(version) = self.only {
                return self.try_version(version, to, server).await;
            }
            let mut v2 = pin!(self.clone().try_version(Version::V2, to, server));
            match tokio::time::timeout(V2_ALONE, v2.as_mut()).await {
                Ok(Ok(connected)) => return Ok(connected),
                Ok(Err(why)) => {
                    return self.try_version(Version::V1, to, server).await.map_err(|_| why);
                }
                Err(_) => {}
            }
            let v1 = pin!(self.try_version(Version::V1, to, server));
            match select(v2, v1).await {
                Either::Left((Ok(connected), _)) | Either::Right((Ok(connected), _)) => {
                    Ok(connected)
                }
                Either::Left((Err(why), v1)) => v1.await.map_err(|_| why),
                Either::Right((Err(_), v2)) => v2.await,
            }
        };
        tokio::time::timeout(limit, work).await.map_err(|_| DirectError::Timeout)?
    }

    /// The client's side with one version.
    ///
    /// # Errors
    /// See [`DirectError`].
    async fn try_version(
        self,
        version: Version,
        to: SocketAddr,
        server: Fingerprint,
    ) -> Result<Connected, DirectError> {
        let (local, remote) = credentials(version)?;
        let session = own_port(to.ip())?;
        let base = SocketAddr::new(loopback(to.ip()), session.socket().local_addr()?.port());
        let mut link = Link::new(self.plan(true, local, base), Instant::now())?;
        link.set_remote(remote, Some(server));
        link.add_remote_address(to)?;
        let mut native = Native::new(link, session);
        native.secured().await?;
        let mut connection = Connection::early(native, self.limits);
        let stream = connection.negotiated(NOISE_STREAM)?;
        let own = self.certificate.fingerprint();
        let proof = noise::outbound(self.keypair, stream, server, own);
        let peer = connection.drive(proof).await??;
        connection.other_side_is_known();
        Ok((peer, connection))
    }

    fn plan(&self, client: bool, local: IceCreds, base: SocketAddr) -> Plan {
        Plan {
            certificate: self.certificate.dtls(),
            dtls_client: client,
            controlling: client,
            lite: !client,
            local,
            bases: vec![base],
            limits: self.limits,
        }
    }
}

/// The address that ICE knows a socket by; see [`Plan::bases`].
pub(crate) fn loopback(like: IpAddr) -> IpAddr {
    match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

fn own_port(like: IpAddr) -> Result<Session, DirectError> {
    let any = match like {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    Ok(Port::own(SocketAddr::new(any, 0))?)
}

/// Ours and the server's.
fn credentials(version: Version) -> Result<(IceCreds, IceCreds), DirectError> {
    match version {
        Version::V1 => {
            let name = v1_ufrag(random()?);
            let both = IceCreds { ufrag: name.clone(), pass: name };
            Ok((both.clone(), both))
        }
        Version::V2 => {
            let (ufrag, pass) = (random_token(&random()?), random_token(&random()?));
            let server = v2_server_ufrag(&pass)
                .map_err(|e| DirectError::Failed(Failure::Platform(e.to_string())))?;
            let remote = IceCreds { ufrag: server.clone(), pass: server };
            Ok((IceCreds { ufrag, pass }, remote))
        }
    }
}

fn random() -> Result<[u8; 32], DirectError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|e| DirectError::Random(e.to_string()))?;
    Ok(bytes)
}

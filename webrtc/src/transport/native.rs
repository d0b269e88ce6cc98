//! WebRTC-direct on native peers: listens and dials by multiaddress.
//! Invariant: a listener never ends because of what came from the network.
//! Not here: the handshakes (`backend::native`).

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::StreamExt as _;
use futures::future::BoxFuture;
use if_watch::IfEvent;
use if_watch::tokio::IfWatcher;
use libp2p_core::multiaddr::Multiaddr;
use libp2p_core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p_core::{Endpoint as Role, Transport};
use libp2p_identity::{Keypair, PeerId};
use tokio::sync::mpsc;

use crate::address::Direct;
use crate::backend::native::{
    Caller, Certificate, DirectError, Dropped, Endpoint, Native, Port, loopback,
};
use crate::connection::Connection;
use crate::direct::Version;
use crate::limits::{ConnectionLimits, DirectLimits};

/// The WebRTC-direct transport of a native peer: versions 1 and 2, both as server and as client.
#[derive(Debug)]
pub struct DirectTransport {
    endpoint: Endpoint,
    listeners: Vec<Listener>,
    dropped: Arc<Dropped>,
    waker: Option<std::task::Waker>,
}

#[derive(Debug)]
struct Listener {
    id: ListenerId,
    /// Held, because it reads.
    _port: Port,
    callers: mpsc::Receiver<Caller>,
    address: SocketAddr,
    /// Tells the machine's addresses, where the listener is on all of them.
    watcher: Option<IfWatcher>,
    told: Vec<IpAddr>,
    events: VecDeque<Event>,
    closed: bool,
}

type Output = (PeerId, Connection<Native>);
type Upgrade = BoxFuture<'static, Result<Output, DirectError>>;
type Event = TransportEvent<Upgrade, DirectError>;

impl DirectTransport {
    /// A transport with the default limits.
    #[must_use]
    pub fn new(keypair: Keypair, certificate: Certificate) -> Self {
        Self::with_limits(keypair, certificate, DirectLimits::DEFAULT, ConnectionLimits::DEFAULT)
    }

    /// A transport with other limits.
    #[must_use]
    pub fn with_limits(
        keypair: Keypair,
        certificate: Certificate,
        direct: DirectLimits,
        limits: ConnectionLimits,
    ) -> Self {
        let endpoint = Endpoint { keypair, certificate, direct, limits, only: None };
        Self { endpoint, listeners: Vec::new(), dropped: Arc::default(), waker: None }
    }

    /// Dials with this version only, instead of version 2 and then version 1. Listeners always take
    /// both.
    #[must_use]
    pub fn only(mut self, version: Version) -> Self {
        self.endpoint.only = Some(version);
        self
    }

    /// What the listeners dropped; keeps counting.
    #[must_use]
    pub fn dropped(&self) -> Arc<Dropped> {
        Arc::clone(&self.dropped)
    }

    fn bind(&self, id: ListenerId, address: SocketAddr) -> io::Result<Listener> {
        let limits = self.endpoint.direct;
        let (port, callers) = Port::listen(address, limits, Arc::clone(&self.dropped))?;
        let address = port.address()?;
        let all = address.ip().is_unspecified();
        let watcher = if all { Some(IfWatcher::new()?) } else { None };
        let mut listener = Listener {
            id,
            _port: port,
            callers,
            address,
            watcher,
            told: Vec::new(),
            events: VecDeque::new(),
            closed: false,
        };
        if !all {
            listener.tell(address.ip(), &self.endpoint);
        }
        Ok(listener)
    }
}

impl Listener {
    fn multiaddr(&self, ip: IpAddr, endpoint: &Endpoint) -> Multiaddr {
        let socket = SocketAddr::new(ip, self.address.port());
        let fingerprint = Some(endpoint.certificate.fingerprint());
        Direct { socket, fingerprint, peer: None }.to_multiaddr()
    }

    fn tell(&mut self, ip: IpAddr, endpoint: &Endpoint) {
        if !self.told.contains(&ip) {
            self.told.push(ip);
            let listen_addr = self.multiaddr(ip, endpoint);
            self.events.push_back(TransportEvent::NewAddress { listener_id: self.id, listen_addr });
        }
    }

    fn untell(&mut self, ip: IpAddr, endpoint: &Endpoint) {
        if let Some(at) = self.told.iter().position(|told| *told == ip) {
            self.told.swap_remove(at);
            let listen_addr = self.multiaddr(ip, endpoint);
            let listener_id = self.id;
            self.events.push_back(TransportEvent::AddressExpired { listener_id, listen_addr });
        }
    }

    /// A link-local IPv6 address needs a zone, which no multiaddress can carry to a browser.
    fn is_for_us(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(_) => self.address.is_ipv4(),
            IpAddr::V6(v6) => self.address.is_ipv6() && !v6.is_unicast_link_local(),
        }
    }

    fn poll(&mut self, cx: &mut Context<'_>, endpoint: &Endpoint) -> Poll<Event> {
        while let Some(watcher) = &mut self.watcher {
            match watcher.poll_next_unpin(cx) {
                Poll::Ready(Some(Ok(IfEvent::Up(net)))) if self.is_for_us(net.addr()) => {
                    self.tell(net.addr(), endpoint);
                }
                Poll::Ready(Some(Ok(IfEvent::Down(net)))) => self.untell(net.addr(), endpoint),
                Poll::Ready(Some(Ok(IfEvent::Up(_)))) => {}
                // The addresses known so far stay.
                Poll::Ready(Some(Err(_)) | None) => self.watcher = None,
                Poll::Pending => break,
            }
        }
        if let Some(event) = self.events.pop_front() {
            return Poll::Ready(event);
        }
        match self.callers.poll_recv(cx) {
            Poll::Ready(Some(caller)) => Poll::Ready(self.incoming(caller, endpoint)),
            Poll::Ready(None) if !self.closed => {
                self.closed = true;
                let reason = Err(io::Error::from(io::ErrorKind::NotConnected).into());
                Poll::Ready(TransportEvent::ListenerClosed { listener_id: self.id, reason })
            }
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }

    fn incoming(&self, caller: Caller, endpoint: &Endpoint) -> Event {
        let back = Direct { socket: caller.address, fingerprint: None, peer: None };
        let base = SocketAddr::new(loopback(self.address.ip()), self.address.port());
        TransportEvent::Incoming {
            listener_id: self.id,
            local_addr: self.multiaddr(self.address.ip(), endpoint),
            send_back_addr: back.to_multiaddr(),
            upgrade: Box::pin(endpoint.clone().answer(caller, base)),
        }
    }
}

impl Transport for DirectTransport {
    type Output = Output;
    type Error = DirectError;
    type ListenerUpgrade = Upgrade;
    type Dial = Upgrade;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<DirectError>> {
        let direct = Direct::parse(&address)
            .filter(|direct| direct.fingerprint.is_none())
            .ok_or(TransportError::MultiaddrNotSupported(address))?;
        let listener = self
            .bind(id, direct.socket)
            .map_err(|error| TransportError::Other(DirectError::Socket(error)))?;
        self.listeners.push(listener);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let before = self.listeners.len();
        self.listeners.retain(|listener| listener.id != id);
        self.listeners.len() < before
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<DirectError>> {
        let known = Direct::parse(&address).filter(|direct| direct.socket.port() != 0);
        let known = known.filter(|direct| !direct.socket.ip().is_unspecified());
        let Some((direct, server)) = known.and_then(|direct| Some((direct, direct.fingerprint?)))
        else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        // Both sides at once is for hole punching, which WebRTC does by itself.
        if opts.role != Role::Dialer {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        Ok(Box::pin(self.endpoint.clone().call(direct.socket, server)))
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event> {
        let this = self.get_mut();
        for listener in &mut this.listeners {
            if let Poll::Ready(event) = listener.poll(cx, &this.endpoint) {
                return Poll::Ready(event);
            }
        }
        this.listeners.retain(|listener| !listener.closed);
        this.waker = Some(cx.waker().clone());
        Poll::Pending
    }
}

//! `/webrtc`: dials and listens for peers that a relay introduces.
//! Invariant: what comes out is a direct connection whose other side the relayed one has proven.
//! Not here: signalling streams (`behaviour`), sessions (`negotiate`).

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::StreamExt as _;
use futures::channel::{mpsc, oneshot};
use futures::future::BoxFuture;
use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_core::transport::{DialOpts, ListenerId, TransportError, TransportEvent};
use libp2p_core::{Endpoint, Transport};
use libp2p_identity::PeerId;

use crate::address::Signalled;
use crate::backend::{Negotiation, Platform, Role};
use crate::behaviour::{Behaviour, News, NoStream, Wish};
use crate::connection::Connection;
use crate::limits::{ConnectionLimits, SignalLimits};
use crate::negotiate::{Terms, negotiate};
use crate::signal::{CandidateFilter, Full, Reach, SessionId, Sessions, SignalError};

/// How sessions end with peers that we may not be introduced to.
const DENIED: &str = "denied";

/// Why no `/webrtc` connection came about.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignalledError {
    /// There is no stream to the other side.
    #[error(transparent)]
    NoStream(#[from] NoStream),
    /// The two sides did not agree, or found no path.
    #[error(transparent)]
    Signal(#[from] SignalError),
    /// There are too many sessions already.
    #[error(transparent)]
    Full(#[from] Full),
    /// The behaviour is gone, or overloaded.
    #[error("signalling is not available now")]
    Unavailable,
    /// A second listener, which would have the same addresses.
    #[error("there is a listener for /webrtc already")]
    Listening,
}

/// Settings of `/webrtc`.
#[derive(Clone, Copy, Debug, Default)]
pub struct SignalledConfig {
    /// Limits of signalling.
    pub signal: SignalLimits,
    /// Limits of the connections that come about.
    pub connection: ConnectionLimits,
}

/// How sessions ended, since the start. The words are fixed.
#[derive(Clone, Debug, Default)]
pub struct Outcomes(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    ends: Mutex<Vec<(&'static str, u64)>>,
    refused_candidates: AtomicU64,
}

impl Outcomes {
    fn count(&self, outcome: &'static str) {
        let mut counts = self.0.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.iter_mut().find(|(known, _)| *known == outcome) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => counts.push((outcome, 1)),
        }
    }

    /// Every outcome so far with its count: `connected`, or the name of an error.
    #[must_use]
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.0.ends.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many candidates of other sides were not tried, because of where they are
    /// ([`crate::signal::judge_candidate`]) or because there were too many near ones.
    #[must_use]
    pub fn refused_candidates(&self) -> u64 {
        self.0.refused_candidates.load(Ordering::Relaxed)
    }

    fn refuse_candidates(&self, more: usize) {
        let more = u64::try_from(more).unwrap_or(u64::MAX);
        self.0.refused_candidates.fetch_add(more, Ordering::Relaxed);
    }
}

/// Makes the two halves of `/webrtc`: the transport goes to the swarm's transports, before the
/// relay's own, which would take its addresses; the behaviour to the swarm's behaviours.
#[must_use]
pub fn new<P: Platform + Clone>(
    platform: P,
    config: SignalledConfig,
) -> (SignalledTransport<P>, Behaviour) {
    let (wish, wishes) = mpsc::channel(config.signal.sessions);
    let (tell, news) = mpsc::channel(config.signal.sessions);
    let behaviour = Behaviour::new(wishes, tell, config.signal);
    let transport = SignalledTransport {
        platform,
        config,
        wish,
        news,
        listener: None,
        listen: Vec::new(),
        events: VecDeque::new(),
        sessions: Arc::new(Mutex::new(Sessions::new(config.signal))),
        outcomes: Outcomes::default(),
        waker: None,
    };
    (transport, behaviour)
}

/// See the module's text. It listens at `/webrtc`, and then on the `/webrtc` twin of each relayed
/// address that we can be reached at.
#[derive(Debug)]
pub struct SignalledTransport<P: Platform> {
    platform: P,
    config: SignalledConfig,
    wish: mpsc::Sender<Wish>,
    news: mpsc::Receiver<News>,
    listener: Option<ListenerId>,
    listen: Vec<Multiaddr>,
    events: VecDeque<Event<P>>,
    sessions: Arc<Mutex<Sessions>>,
    outcomes: Outcomes,
    waker: Option<Waker>,
}

type Backend<P> = <<P as Platform>::Negotiation as Negotiation>::Backend;
type Output<P> = (PeerId, Connection<Backend<P>>);
type Upgrade<P> = BoxFuture<'static, Result<Output<P>, SignalledError>>;
type Event<P> = TransportEvent<Upgrade<P>, SignalledError>;

/// A place for a session; frees it when dropped.
struct Place(Arc<Mutex<Sessions>>, SessionId);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).release(self.1);
    }
}

impl<P: Platform + Clone> SignalledTransport<P> {
    /// How sessions ended; keeps counting.
    #[must_use]
    pub fn outcomes(&self) -> Outcomes {
        self.outcomes.clone()
    }

    fn place(&self, peer: &PeerId) -> Result<Place, Full> {
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        match sessions.admit(&peer.to_bytes()) {
            Ok(id) => Ok(Place(Arc::clone(&self.sessions), id)),
            Err(full) => {
                self.outcomes.count(full.name());
                Err(full)
            }
        }
    }

    fn session<F>(&self, place: Place, peer: PeerId, role: Role, stream: F) -> Upgrade<P>
    where
        F: Future<Output = Result<(libp2p_swarm::Stream, Reach), SignalledError>> + Send + 'static,
    {
        let (platform, outcomes) = (self.platform.clone(), self.outcomes.clone());
        let SignalledConfig { signal: limits, connection } = self.config;
        Box::pin(async move {
            let (stream, relay) = match stream.await {
                Ok(stream) => stream,
                Err(why) => {
                    let denied = matches!(why, SignalledError::NoStream(NoStream::Denied));
                    outcomes.count(if denied { DENIED } else { "no_stream" });
                    return Err(why);
                }
            };
            let networks = platform.networks();
            let filter = CandidateFilter::new(relay, networks, limits.near_candidates);
            let terms = Terms { limits, filter };
            let (made, counts) = negotiate(platform, role, stream, terms).await;
            drop(place);
            outcomes.refuse_candidates(counts.filtered);
            match made {
                Ok(backend) => {
                    outcomes.count("connected");
                    Ok((peer, Connection::new(backend, connection)))
                }
                Err(why) => {
                    outcomes.count(why.name());
                    Err(why.into())
                }
            }
        })
    }

    fn take(&mut self, news: News) {
        match news {
            News::Caller(peer, stream, relay) => {
                // Without a listener, or without room, the stream is reset.
                let Some(listener_id) = self.listener else { return };
                let Ok(place) = self.place(&peer) else { return };
                let stream = std::future::ready(Ok((stream, relay)));
                let upgrade = self.session(place, peer, Role::Responder, stream);
                let webrtc = Multiaddr::empty().with(Protocol::WebRTC);
                let local_addr = self.listen.first().cloned().unwrap_or_else(|| webrtc.clone());
                let send_back_addr = webrtc.with(Protocol::P2p(peer));
                self.events.push_back(TransportEvent::Incoming {
                    listener_id,
                    upgrade,
                    local_addr,
                    send_back_addr,
                });
            }
            News::Denied => self.outcomes.count(DENIED),
            News::Listen(address, true) => {
                if !self.listen.contains(&address) {
                    self.listen.push(address.clone());
                    self.tell(address, true);
                }
            }
            News::Listen(address, false) => {
                self.listen.retain(|known| *known != address);
                self.tell(address, false);
            }
        }
    }

    fn tell(&mut self, listen_addr: Multiaddr, here: bool) {
        let Some(listener_id) = self.listener else { return };
        self.events.push_back(if here {
            TransportEvent::NewAddress { listener_id, listen_addr }
        } else {
            TransportEvent::AddressExpired { listener_id, listen_addr }
        });
    }
}

impl<P: Platform + Clone> Transport for SignalledTransport<P> {
    type Output = Output<P>;
    type Error = SignalledError;
    type ListenerUpgrade = Upgrade<P>;
    type Dial = Upgrade<P>;

    fn listen_on(
        &mut self,
        id: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<SignalledError>> {
        if address != Multiaddr::empty().with(Protocol::WebRTC) {
            return Err(TransportError::MultiaddrNotSupported(address));
        }
        if self.listener.is_some() {
            return Err(TransportError::Other(SignalledError::Listening));
        }
        self.listener = Some(id);
        for known in self.listen.clone() {
            self.tell(known, true);
        }
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
        Ok(())
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        let ours = self.listener == Some(id);
        if ours {
            self.listener = None;
            self.events.clear();
        }
        ours
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        opts: DialOpts,
    ) -> Result<Self::Dial, TransportError<SignalledError>> {
        let Some(target) = Signalled::parse(&address).filter(|_| opts.role == Endpoint::Dialer)
        else {
            return Err(TransportError::MultiaddrNotSupported(address));
        };
        let peer = target.peer;
        let place = self.place(&peer).map_err(|full| TransportError::Other(full.into()))?;
        let (reply, stream) = oneshot::channel();
        self.wish
            .try_send(Wish { target, reply })
            .map_err(|_| TransportError::Other(SignalledError::Unavailable))?;
        let stream = async move { Ok(stream.await.map_err(|_| NoStream::Broken)??) };
        Ok(self.session(place, peer, Role::Initiator, stream))
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Event<P>> {
        let this = self.get_mut();
        loop {
            if let Some(event) = this.events.pop_front() {
                return Poll::Ready(event);
            }
            match this.news.poll_next_unpin(cx) {
                Poll::Ready(Some(news)) => this.take(news),
                Poll::Ready(None) | Poll::Pending => {
                    this.waker = Some(cx.waker().clone());
                    return Poll::Pending;
                }
            }
        }
    }
}

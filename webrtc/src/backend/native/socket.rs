//! A UDP port that many connections share: who gets which datagram.
//! Invariant: nothing is kept for a datagram that does not prove itself, and what is kept is bounded;
//! a full place makes room by dropping the handshake that is most likely nobody's.
//! Not here: what datagrams mean to a connection (`link`).

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use is::stun::StunMessage;
use is::{DefaultSha1HmacProvider, Sha1HmacProvider as _};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::network::Network;
use crate::direct::{Names, is_stun, parse_username, username_of};
use crate::limits::DirectLimits;

/// Bytes of the largest datagram that we read. Ours are smaller; others' may fill an Ethernet frame.
const DATAGRAM_BYTES: usize = 2048;
/// Datagrams read in one go, before other tasks get their turn.
const READ_AT_ONCE: usize = 64;
/// Asked of the system for each direction: a receive window of each of several busy connections. It
/// gives less where its own limit is lower.
const SOCKET_BUFFER_BYTES: usize = 4 * 1024 * 1024;
/// Errors in a row after which a socket is broken. A few are normal: each "port unreachable" that comes
/// back for something we sent is one.
const ERRORS_MAX: usize = 256;
/// A session from which nothing came for so long has lost its address. Browsers check their path at
/// least every five seconds (RFC 7675, section 5.1).
const SILENT: Duration = Duration::from_secs(10);

/// Datagrams that were dropped, by reason, since the start.
#[derive(Debug, Default)]
pub struct Dropped(Mutex<BTreeMap<&'static str, u64>>);

impl Dropped {
    fn count(&self, reason: &'static str) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(reason).or_default();
        *count = count.saturating_add(1);
    }

    /// All reasons seen so far, each with its count. The reasons are fixed words.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// See the module's text. Dropping it ends the reading, and with it all its sessions.
#[derive(Debug)]
pub(crate) struct Port {
    pub(super) socket: Arc<UdpSocket>,
    routes: Arc<Mutex<Routes>>,
    /// Owns the task that reads.
    _reader: JoinSet<()>,
}

/// One connection's share of a port. Dropping it frees its place.
#[derive(Debug)]
pub(crate) struct Session {
    id: u64,
    socket: Arc<UdpSocket>,
    routes: Arc<Mutex<Routes>>,
    inbox: mpsc::Receiver<(SocketAddr, Bytes)>,
    /// A port of this session's own.
    _port: Option<Port>,
}

/// Somebody who wants to connect.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(super) names: Names,
    pub(crate) address: SocketAddr,
    pub(super) session: Session,
}

#[derive(Debug)]
struct Entry {
    inbox: mpsc::Sender<(SocketAddr, Bytes)>,
    addresses: Vec<SocketAddr>,
    name: String,
    /// `Some` until the other side is known; the network that it calls from.
    shaking: Option<Network>,
    /// When its last datagram came.
    heard: Instant,
}

#[derive(Debug)]
struct Routes {
    limits: DirectLimits,
    /// In the order in which they came.
    sessions: BTreeMap<u64, Entry>,
    by_address: HashMap<SocketAddr, u64>,
    by_name: HashMap<String, u64>,
    next: u64,
    /// Where new callers go; `None`: the port has one session that gets everything.
    callers: Option<mpsc::Sender<Caller>>,
    dropped: Arc<Dropped>,
}

impl Port {
    /// A port that takes callers.
    ///
    /// # Errors
    /// The system's, when the port cannot be bound.
    pub(crate) fn listen(
        address: SocketAddr,
        limits: DirectLimits,
        dropped: Arc<Dropped>,
    ) -> io::Result<(Self, mpsc::Receiver<Caller>)> {
        let (sender, callers) = mpsc::channel(limits.handshakes);
        Ok((Self::open(bind(address, true)?, Routes::new(limits, Some(sender), dropped)), callers))
    }

    /// A port of one session's own.
    ///
    /// # Errors
    /// The system's, when no port is free.
    pub(super) fn own(address: SocketAddr, limits: DirectLimits) -> io::Result<Session> {
        let (sender, inbox) = mpsc::channel(limits.queue);
        let mut routes = Routes::new(limits, None, Arc::default());
        let id = routes.add(sender, String::new(), None);
        let port = Self::open(bind(address, false)?, routes);
        let (socket, routes) = (Arc::clone(&port.socket), Arc::clone(&port.routes));
        Ok(Session { id, socket, routes, inbox, _port: Some(port) })
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn open(socket: UdpSocket, routes: Routes) -> Self {
        let socket = Arc::new(socket);
        let routes = Arc::new(Mutex::new(routes));
        let mut reader = JoinSet::new();
        reader.spawn(read(Arc::clone(&socket), Arc::clone(&routes)));
        Self { socket, routes, _reader: reader }
    }
}

impl Session {
    /// The next datagram; `None` once the port is gone or this session had to make room.
    pub(super) fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<(SocketAddr, Bytes)>> {
        self.inbox.poll_recv(cx)
    }

    /// The other side is known: this session does not make room any more.
    pub(super) fn established(&self) {
        if let Some(entry) = lock(&self.routes).sessions.get_mut(&self.id) {
            entry.shaking = None;
        }
    }

    pub(super) fn socket(&self) -> &UdpSocket {
        &self.socket
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        lock(&self.routes).remove(self.id);
    }
}

fn lock(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Listeners of IPv6 take no IPv4, so that both families can have the same port; other sockets take
/// both.
fn bind(address: SocketAddr, listens: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(listens)?;
    }
    // Only wishes: the system's own limits are enough to work with.
    socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES).unwrap_or_default();
    socket.set_send_buffer_size(SOCKET_BUFFER_BYTES).unwrap_or_default();
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    UdpSocket::from_std(socket.into())
}

async fn read(socket: Arc<UdpSocket>, routes: Arc<Mutex<Routes>>) {
    let mut buffer = vec![0; DATAGRAM_BYTES];
    let mut errors = 0_usize;
    while errors < ERRORS_MAX && socket.readable().await.is_ok() {
        for _ in 0..READ_AT_ONCE {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, from)) => {
                    errors = 0;
                    let datagram = buffer.get(..length).unwrap_or_default();
                    Routes::take(&routes, &socket, from, datagram);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => errors = errors.saturating_add(1),
            }
        }
        tokio::task::yield_now().await;
    }
    // Nobody waits for a port that is broken.
    let mut routes = lock(&routes);
    routes.callers = None;
    routes.sessions.clear();
}

impl Routes {
    fn new(
        limits: DirectLimits,
        callers: Option<mpsc::Sender<Caller>>,
        dropped: Arc<Dropped>,
    ) -> Self {
        Self {
            limits,
            sessions: BTreeMap::new(),
            by_address: HashMap::new(),
            by_name: HashMap::new(),
            next: 0,
            callers,
            dropped,
        }
    }

    fn take(this: &Arc<Mutex<Self>>, socket: &Arc<UdpSocket>, from: SocketAddr, datagram: &[u8]) {
        let mut routes = lock(this);
        let known = match &routes.callers {
            None => routes.sessions.keys().next().copied(),
            Some(_) => routes.by_address.get(&from).copied(),
        };
        if let Some(id) = known
            && !routes.is_somebody_else(id, datagram)
        {
            return routes.deliver(id, from, datagram);
        }
        let names = match prove(datagram) {
            Ok(names) => names,
            Err(reason) => return routes.dropped.count(reason),
        };
        let name = format!("{}:{}", names.server_ufrag, names.client_ufrag);
        if let Some(&id) = routes.by_name.get(&name) {
            return routes.call_again(id, from, datagram);
        }
        let Some(callers) = routes.callers.clone() else { return };
        let Ok(place) = callers.try_reserve() else { return routes.dropped.count("busy") };
        routes.make_room(Network::of(from.ip()));
        let (sender, inbox) = mpsc::channel(routes.limits.queue);
        let id = routes.add(sender, name, Some(Network::of(from.ip())));
        routes.call_again(id, from, datagram);
        let session = Session {
            id,
            socket: Arc::clone(socket),
            routes: Arc::clone(this),
            inbox,
            _port: None,
        };
        drop(routes);
        place.send(Caller { names, address: from, session });
    }

    fn add(
        &mut self,
        inbox: mpsc::Sender<(SocketAddr, Bytes)>,
        name: String,
        shaking: Option<Network>,
    ) -> u64 {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        if shaking.is_some() {
            self.by_name.insert(name.clone(), id);
        }
        let entry = Entry { inbox, addresses: Vec::new(), name, shaking, heard: Instant::now() };
        self.sessions.insert(id, entry);
        id
    }

    /// A proven datagram from a new address of a session.
    fn call_again(&mut self, id: u64, from: SocketAddr, datagram: &[u8]) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        if entry.addresses.len() >= self.limits.addresses_per_name {
            return self.dropped.count("addresses");
        }
        entry.addresses.push(from);
        self.by_address.insert(from, id);
        self.deliver(id, from, datagram);
    }

    /// Whether a datagram from a session's address begins another session: the address has a new
    /// owner. A session that is alive keeps its address, or one forged datagram could end it.
    fn is_somebody_else(&self, id: u64, datagram: &[u8]) -> bool {
        let Some(entry) = self.sessions.get(&id) else { return true };
        let alive = entry.shaking.is_none() && entry.heard.elapsed() < SILENT;
        self.callers.is_some()
            && !alive
            && username_of(datagram).is_ok_and(|name| name != entry.name)
    }

    fn deliver(&mut self, id: u64, from: SocketAddr, datagram: &[u8]) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        entry.heard = Instant::now();
        if entry.inbox.try_send((from, Bytes::copy_from_slice(datagram))).is_err() {
            self.dropped.count("queue");
        }
    }

    /// Drops a handshake when there are too many, of this network or in all: the oldest of the
    /// network that has most, because an honest one is over soon.
    fn make_room(&mut self, network: Network) {
        let mut shaking: BTreeMap<Network, Vec<u64>> = BTreeMap::new();
        for (id, entry) in &self.sessions {
            if let Some(network) = entry.shaking {
                shaking.entry(network).or_default().push(*id);
            }
        }
        let all: usize = shaking.values().map(Vec::len).sum();
        let own = shaking.get(&network).map_or(0, Vec::len);
        let crowd = if network != Network::Near && own >= self.limits.handshakes_per_network {
            shaking.get(&network)
        } else if all >= self.limits.handshakes {
            shaking.values().max_by_key(|ids| ids.len())
        } else {
            None
        };
        if let Some(&oldest) = crowd.and_then(|ids| ids.first()) {
            self.dropped.count("handshakes");
            self.remove(oldest);
        }
    }

    fn remove(&mut self, id: u64) {
        let Some(entry) = self.sessions.remove(&id) else { return };
        self.by_name.remove(&entry.name);
        for address in entry.addresses {
            if self.by_address.get(&address) == Some(&id) {
                self.by_address.remove(&address);
            }
        }
    }
}

/// Whether a datagram is a check of somebody who knows its own name: costs no memory, and keeps out
/// what was not meant for us. It does not prove that the sender's address is real.
fn prove(datagram: &[u8]) -> Result<Names, &'static str> {
    if !is_stun(datagram) {
        return Err("not_stun");
    }
    let names = username_of(datagram)
        .map_err(|error| error.name())
        .and_then(|name| parse_username(name).map_err(|error| error.name()))?;
    let message = StunMessage::parse(datagram).map_err(|_| "malformed")?;
    let password = names.server_pwd().as_bytes();
    let good = message.verify(password, |key, parts| DefaultSha1HmacProvider.sha1_hmac(key, parts));
    if good { Ok(names) } else { Err("integrity") }
}

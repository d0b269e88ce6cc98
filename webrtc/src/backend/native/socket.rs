//! A UDP port that many connections share: who gets which datagram.
//! Invariant: nothing is kept for a datagram that does not prove itself, and what is kept is bounded;
//! a full place makes room by dropping the handshake that is most likely nobody's.
//! Not here: what datagrams mean to a connection (`link`).

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use is::stun::StunMessage;
use is::{DefaultSha1HmacProvider, Sha1HmacProvider as _};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::dropped::Dropped;
use super::network::Network;
use super::udp::{Buffers, Run, Udp};
use crate::direct::{Names, is_stun, parse_username, username_of};
use crate::limits::DirectLimits;
use crate::limits::native::{ERRORS_MAX, READS_AT_ONCE, SILENT};

/// See the module's text. Dropping it ends the reading, and with it all its sessions.
#[derive(Debug)]
pub(crate) struct Port {
    socket: Arc<Udp>,
    /// Owns the task that reads.
    _reader: JoinSet<()>,
}

/// One connection's share of a port, or a port of its own.
#[derive(Debug)]
pub(crate) struct Session {
    socket: Arc<Udp>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Shared(Share),
    /// Read by the connection itself, which saves a task and its wake-ups.
    Own {
        buffers: Buffers,
        /// Read and not yet taken: of one read.
        ready: VecDeque<Run>,
        errors: usize,
    },
}

/// Dropping it frees its place.
#[derive(Debug)]
struct Share {
    id: u64,
    routes: Arc<Mutex<Routes>>,
    inbox: mpsc::Receiver<Run>,
    /// Datagrams in the inbox.
    waiting: Arc<AtomicUsize>,
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
    inbox: mpsc::Sender<Run>,
    /// Datagrams in the inbox.
    waiting: Arc<AtomicUsize>,
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
    /// Where new callers go; `None`: the port is broken.
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
        Ok((
            Self::open(Udp::bind(address, true)?, Routes::new(limits, Some(sender), dropped)),
            callers,
        ))
    }

    /// A port of one session's own.
    ///
    /// # Errors
    /// The system's, when no port is free.
    pub(super) fn own(address: SocketAddr) -> io::Result<Session> {
        let socket = Arc::new(Udp::bind(address, false)?);
        let source = Source::Own { buffers: Buffers::default(), ready: VecDeque::new(), errors: 0 };
        Ok(Session { socket, source })
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn open(socket: Udp, routes: Routes) -> Self {
        let socket = Arc::new(socket);
        let routes = Arc::new(Mutex::new(routes));
        let mut reader = JoinSet::new();
        reader.spawn(read(Arc::clone(&socket), routes));
        Self { socket, _reader: reader }
    }
}

impl Session {
    /// The next datagrams; `None` once the port is gone or this session had to make room.
    pub(super) fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Option<Run>> {
        match &mut self.source {
            Source::Shared(share) => {
                let next = share.inbox.poll_recv(cx);
                if let Poll::Ready(Some(run)) = &next {
                    share.waiting.fetch_sub(run.len(), Ordering::Relaxed);
                }
                next
            }
            Source::Own { buffers, ready, errors } => loop {
                if let Some(run) = ready.pop_front() {
                    return Poll::Ready(Some(run));
                }
                if *errors >= ERRORS_MAX || ready!(self.socket.poll_readable(cx)).is_err() {
                    return Poll::Ready(None);
                }
                match self.socket.read(buffers, |run| ready.push_back(run)) {
                    Ok(()) => *errors = 0,
                    // Then it asks again, and is woken.
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    Err(_) => *errors = errors.saturating_add(1),
                }
            },
        }
    }

    /// The other side is known: this session does not make room any more.
    pub(super) fn established(&self) {
        if let Source::Shared(share) = &self.source
            && let Some(entry) = lock(&share.routes).sessions.get_mut(&share.id)
        {
            entry.shaking = None;
        }
    }

    pub(super) fn socket(&self) -> &Udp {
        &self.socket
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        lock(&self.routes).remove(self.id);
    }
}

fn lock(routes: &Mutex<Routes>) -> MutexGuard<'_, Routes> {
    routes.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(socket: Arc<Udp>, routes: Arc<Mutex<Routes>>) {
    let mut buffers = Buffers::default();
    let mut errors = 0_usize;
    while errors < ERRORS_MAX && socket.readable().await.is_ok() {
        let mut reads = 0_usize;
        while reads < READS_AT_ONCE {
            reads = reads.saturating_add(1);
            match socket.read(&mut buffers, |run| Routes::take(&routes, &socket, run)) {
                Ok(()) => errors = 0,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => errors = errors.saturating_add(1),
            }
        }
        if reads == READS_AT_ONCE {
            tokio::task::yield_now().await;
        }
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

    /// Gives datagrams to whom they are for: a live session those of its address, all others one by
    /// one.
    fn take(this: &Arc<Mutex<Self>>, socket: &Arc<Udp>, run: Run) {
        {
            let mut routes = lock(this);
            let known = routes.by_address.get(&run.from).copied();
            if let Some(id) = known.filter(|id| routes.is_alive(*id)) {
                return routes.deliver(id, run);
            }
        }
        for datagram in run.datagrams() {
            Self::take_one(this, socket, run.from, datagram);
        }
    }

    fn take_one(this: &Arc<Mutex<Self>>, socket: &Arc<Udp>, from: SocketAddr, datagram: &[u8]) {
        let mut routes = lock(this);
        if let Some(id) = routes.by_address.get(&from).copied()
            && !routes.is_somebody_else(id, datagram)
        {
            return routes.deliver(id, Run::one(from, datagram));
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
        let waiting = Arc::new(AtomicUsize::new(0));
        let id = routes.add(sender, Arc::clone(&waiting), name, Network::of(from.ip()));
        routes.call_again(id, from, datagram);
        let share = Share { id, routes: Arc::clone(this), inbox, waiting };
        let session = Session { socket: Arc::clone(socket), source: Source::Shared(share) };
        drop(routes);
        place.send(Caller { names, address: from, session });
    }

    fn add(
        &mut self,
        inbox: mpsc::Sender<Run>,
        waiting: Arc<AtomicUsize>,
        name: String,
        network: Network,
    ) -> u64 {
        let id = self.next;
        self.next = self.next.saturating_add(1);
        self.by_name.insert(name.clone(), id);
        let entry = Entry {
            inbox,
            waiting,
            addresses: Vec::new(),
            name,
            shaking: Some(network),
            heard: Instant::now(),
        };
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
        self.deliver(id, Run::one(from, datagram));
    }

    /// A session that is alive keeps its address, or one forged datagram could end it.
    fn is_alive(&self, id: u64) -> bool {
        self.sessions
            .get(&id)
            .is_some_and(|entry| entry.shaking.is_none() && entry.heard.elapsed() < SILENT)
    }

    /// Whether a datagram from a session's address begins another session: the address has a new
    /// owner.
    fn is_somebody_else(&self, id: u64, datagram: &[u8]) -> bool {
        let Some(entry) = self.sessions.get(&id) else { return true };
        !self.is_alive(id) && username_of(datagram).is_ok_and(|name| name != entry.name)
    }

    /// Puts datagrams into a session's inbox, as many as there is room for.
    fn deliver(&mut self, id: u64, mut run: Run) {
        let Some(entry) = self.sessions.get_mut(&id) else { return };
        entry.heard = Instant::now();
        let all = run.len();
        let room = self.limits.queue.saturating_sub(entry.waiting.load(Ordering::Relaxed));
        run.truncate(room);
        let kept = run.len();
        // Before it can be taken out again.
        entry.waiting.fetch_add(kept, Ordering::Relaxed);
        if kept > 0 && entry.inbox.try_send(run).is_err() {
            entry.waiting.fetch_sub(kept, Ordering::Relaxed);
            self.dropped.count("queue");
        } else if kept < all {
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

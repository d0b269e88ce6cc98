//! The one task of a browser peer: it drives all machines, as the actors of a node do.
//! Invariant: after every input all outputs of that machine are carried out before the next input,
//! and JavaScript is called with nothing borrowed, so it may call back.
//! Not here: decisions (machines), the swarm (the Driver's own task), JavaScript's types (`js`).

mod book;
mod carry;
mod granted;
mod machines;
mod outbox;
mod timer;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{LocalBoxFuture, join_all, select};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use futures_timer::Delay;
use peerloom_shared::grant::InviteError;
use peerloom_shared::limits::{ASK_SLOTS_MAX, DRIVER_DRAIN_MS, STOP_MS};
use peerloom_shared::machine::Machine;
use peerloom_shared::net::clock::Clock;
use peerloom_shared::net::state::{Change, NetState, changes};
use peerloom_shared::net::work::{IdentityWork, PubsubWork, RoutingWork};
use peerloom_shared::net::{NetHandle, Works, perceive};
use peerloom_shared::ordered::{BTreeMap, BTreeSet};
use peerloom_shared::pubsub::{Answer, PubsubError};
use peerloom_shared::wire::{RoomName, UC_DISCOVERY_TOPIC};
use peerloom_shared::{discovery, pubsub, routing, transport};
use tokio::sync::{mpsc, oneshot, watch};

pub(crate) use self::book::Book;
pub(crate) use self::machines::{Machines, Plan};
use self::outbox::Outbox;
use self::timer::Timer;
use crate::grants::{GrantView, Grants, Rules};

/// What kind of program this is, for agent strings and the page.
pub(crate) const KIND: &str = "browser";

/// Something JavaScript wants from the machines.
pub(crate) enum Request {
    /// A room is joined, left, or written to.
    Room {
        /// The input, once it has its ticket.
        input: RoomCall,
        /// Where the answer goes. Dropped without one when the peer stops.
        reply: oneshot::Sender<Result<Answer, PubsubError>>,
    },
    /// The name that others see.
    SetName(Option<String>),
    /// An invitation was opened.
    Accept {
        /// Its text.
        text: String,
        /// What it gives.
        reply: oneshot::Sender<Result<GrantView, InviteError>>,
    },
    /// What was granted is to be shown, or forgotten.
    Grants {
        /// Whether to forget it.
        forget: bool,
        /// What is left.
        reply: oneshot::Sender<Vec<GrantView>>,
    },
    /// The browser is online again.
    RetryNow,
}

/// A call about a room.
pub(crate) enum RoomCall {
    Join(RoomName),
    Leave(RoomName),
    Say(RoomName, String),
}

impl RoomCall {
    fn input(self, ticket: u64) -> pubsub::Input {
        match self {
            Self::Join(room) => pubsub::Input::Join { ticket, room },
            Self::Leave(room) => pubsub::Input::Leave { ticket, room },
            Self::Say(room, text) => pubsub::Input::Say { ticket, room, text },
        }
    }
}

/// The Driver's task, seen from here.
pub(crate) struct DriverTask {
    /// Dropped to make it say goodbye and end.
    pub(crate) stop: oneshot::Sender<Infallible>,
    /// Closed when it has ended.
    pub(crate) ended: oneshot::Receiver<Infallible>,
}

/// Everything that the loop listens to.
pub(crate) struct Inlets {
    /// Requests. When all senders are gone the peer stops.
    pub(crate) requests: mpsc::Receiver<Request>,
    /// Closed when the peer shall stop.
    pub(crate) stop: oneshot::Receiver<Infallible>,
    /// Work from the Driver.
    pub(crate) works: Works,
}

/// A channel for requests: as many as can be under way.
pub(crate) fn requests() -> (mpsc::Sender<Request>, mpsc::Receiver<Request>) {
    mpsc::channel(ASK_SLOTS_MAX)
}

/// One input for one machine.
enum Fed {
    Transport(transport::Input),
    Discovery(discovery::Input),
    Routing(routing::Input),
    Pubsub(pubsub::Input),
    /// The address book was written.
    BookWritten,
    /// The network was told of grants, and they were written.
    GrantsTold,
}

/// What woke the loop.
enum Event {
    Request(Option<Request>),
    Stop,
    State,
    Fed(Fed),
    Offered(RoutingWork),
    Identity(IdentityWork),
    Due,
}

/// What outlives the page, and what follows from it.
pub(crate) struct Kept {
    /// The address book.
    pub(crate) book: Option<Book>,
    /// What was granted.
    pub(crate) grants: Grants,
    /// The rules, which name the network that the grants are of.
    pub(crate) rules: Rules,
}

/// See the module's text.
pub(crate) struct PeerLoop {
    machines: Rc<RefCell<Machines>>,
    net: NetHandle,
    clock: Clock,
    states: watch::Receiver<Arc<NetState>>,
    seen: Arc<NetState>,
    inbox: VecDeque<Fed>,
    follows: FuturesUnordered<LocalBoxFuture<'static, Fed>>,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Answer, PubsubError>>>,
    next_ticket: u64,
    book: Option<Book>,
    grants: Grants,
    rules: Rules,
    outbox: Outbox,
    timer: Timer,
}

impl PeerLoop {
    /// A loop around machines that have seen nothing yet. Events go to `listener`, in batches.
    pub(crate) fn new(
        machines: Rc<RefCell<Machines>>,
        kept: Kept,
        listener: js_sys::Function,
    ) -> Self {
        let Kept { book, grants, rules } = kept;
        let (net, clock) = {
            let machines = machines.borrow();
            (machines.net.clone(), machines.clock)
        };
        Self {
            states: net.watch(),
            seen: Arc::new(NetState::new(net.state().local)),
            machines,
            net,
            clock,
            inbox: VecDeque::new(),
            follows: FuturesUnordered::new(),
            waiting: BTreeMap::new(),
            next_ticket: 0,
            book,
            grants,
            rules,
            outbox: Outbox::new(listener),
            timer: Timer::default(),
        }
    }

    /// Runs until the peer is told to stop, then leaves all rooms and closes all connections.
    pub(crate) async fn run(
        mut self,
        first: Vec<discovery::Input>,
        inlets: Inlets,
        driver: DriverTask,
    ) {
        let Inlets { mut requests, mut stop, mut works } = inlets;
        self.begin(first).await;
        loop {
            self.settle().await;
            self.show();
            let event = tokio::select! {
                _ = &mut stop => Event::Stop,
                request = requests.recv() => Event::Request(request),
                Ok(()) = self.states.changed() => Event::State,
                Some(fed) = self.follows.next(), if !self.follows.is_empty() => Event::Fed(fed),
                Some(work) = works.transport.receiver.recv() => {
                    Event::Fed(Fed::Transport(perceive::transport_work(work)))
                }
                Some(work) = works.discovery.receiver.recv() => {
                    Event::Fed(Fed::Discovery(perceive::discovery_work(&self.net.state(), work)))
                }
                Some(PubsubWork::GossipArrived(arrival)) = works.pubsub.receiver.recv() => {
                    Event::Fed(Fed::Pubsub(pubsub::Input::Arrived(arrival)))
                }
                Some(work) = works.routing.receiver.recv() => Event::Offered(work),
                Some(work) = works.identity.receiver.recv() => Event::Identity(work),
                () = self.timer.fired() => Event::Due,
            };
            match event {
                Event::Stop | Event::Request(None) => break,
                Event::Request(Some(request)) => self.request(request),
                Event::State => self.see(),
                Event::Fed(fed) => self.inbox.push_back(fed),
                // A denial is counted where it is decided.
                Event::Offered(RoutingWork::RecordOffered { from, offer }) => {
                    drop(self.net.store(from, offer).await);
                }
                // A page judges nobody, so nothing else comes.
                Event::Identity(IdentityWork::Received(chain)) => {
                    self.grants.keep(self.clock.now().unix_ms, chain);
                    self.grants_changed();
                }
                Event::Identity(
                    IdentityWork::Counted { .. }
                    | IdentityWork::Arrived { .. }
                    | IdentityWork::RoomKey(_)
                    | IdentityWork::Listed(_),
                ) => {}
                Event::Due => self.tick().await,
            }
        }
        drop(requests);
        self.end(driver).await;
    }

    async fn begin(&mut self, first: Vec<discovery::Input>) {
        // A failure means that the Driver has ended, which the state shows.
        drop(self.net.subscribe(UC_DISCOVERY_TOPIC.to_owned()).await);
        if let Some(book) = &self.book {
            let load = book.load();
            let loaded = load.map(|entries| Fed::Discovery(discovery::Input::Loaded(entries)));
            self.follows.push(loaded.boxed_local());
        }
        let wanted = peerloom_shared::limits::RELAYS_WANTED;
        self.inbox.push_back(Fed::Transport(transport::Input::WantRelays(wanted)));
        self.inbox.extend(first.into_iter().map(Fed::Discovery));
        if !self.grants.views().is_empty() {
            self.keep_addresses();
            self.tell_grants();
        }
    }

    fn request(&mut self, request: Request) {
        let fed = match request {
            Request::Room { input, reply } => {
                self.next_ticket = self.next_ticket.saturating_add(1);
                self.waiting.insert(self.next_ticket, reply);
                Fed::Pubsub(input.input(self.next_ticket))
            }
            Request::SetName(name) => Fed::Pubsub(pubsub::Input::SetName(name)),
            Request::Accept { text, reply } => return drop(reply.send(self.accept(&text))),
            Request::Grants { forget, reply } => {
                if forget {
                    self.grants.clear();
                    self.grants_changed();
                }
                return drop(reply.send(self.grants.views()));
            }
            Request::RetryNow => Fed::Discovery(discovery::Input::RetryNow),
        };
        self.inbox.push_back(fed);
    }

    /// Feeds what changed in the network since the last look.
    fn see(&mut self) {
        let state = Arc::clone(&self.states.borrow_and_update());
        let before = std::mem::replace(&mut self.seen, Arc::clone(&state));
        for change in changes(&before, &state) {
            self.perceive(&state, &change);
        }
        self.outbox.touch();
    }

    fn perceive(&mut self, state: &NetState, change: &Change) {
        let inputs = [
            perceive::by_transport(state, change).map(Fed::Transport),
            perceive::by_discovery(state, change).map(Fed::Discovery),
            perceive::by_routing(state, change).map(Fed::Routing),
            perceive::by_pubsub(change).map(Fed::Pubsub),
        ];
        self.inbox.extend(inputs.into_iter().flatten());
    }

    /// Feeds everything that waits, and what follows from it.
    async fn settle(&mut self) {
        while let Some(fed) = self.inbox.pop_front() {
            let now = self.clock.now();
            // One borrow for one call: nothing may be borrowed while JavaScript can run.
            match fed {
                Fed::Transport(input) => {
                    self.machines.borrow_mut().transport.handle(now, input);
                    self.after_transport().await;
                }
                Fed::Discovery(input) => {
                    self.machines.borrow_mut().discovery.handle(now, input);
                    self.after_discovery().await;
                }
                Fed::Routing(input) => {
                    self.machines.borrow_mut().routing.handle(now, input);
                    self.after_routing().await;
                }
                Fed::Pubsub(input) => {
                    self.machines.borrow_mut().pubsub.handle(now, input);
                    self.after_pubsub().await;
                }
                Fed::GrantsTold => {}
                Fed::BookWritten => {
                    let next = self.book.as_mut().and_then(Book::written);
                    self.write_book(next);
                }
            }
        }
    }

    /// Lets every machine do what has become due.
    async fn tick(&mut self) {
        let now = self.clock.now();
        self.machines.borrow_mut().transport.tick(now);
        self.after_transport().await;
        self.machines.borrow_mut().discovery.tick(now);
        self.after_discovery().await;
        self.machines.borrow_mut().routing.tick(now);
        self.after_routing().await;
        self.machines.borrow_mut().pubsub.tick(now);
        self.after_pubsub().await;
    }

    /// Tells the page what is new, and sets the timer for what is due next.
    fn show(&mut self) {
        let now = self.clock.now().mono;
        let machines = &self.machines;
        self.outbox.turn(now, || machines.borrow().status());
        let machines = self.machines.borrow().next_wake();
        let due = machines.into_iter().chain(self.outbox.due()).min();
        self.timer.set(due, now);
    }

    async fn end(mut self, driver: DriverTask) {
        let goodbye = async {
            self.leave_rooms().await;
            drop(driver.stop);
            drop(driver.ended.await);
        };
        let deadline = Delay::new(Duration::from_millis(STOP_MS));
        drop(select(std::pin::pin!(goodbye), deadline).await);
        self.outbox.flush(self.clock.now().mono);
    }

    /// Leaves all rooms, and waits until the neighbours have had time to hear of it.
    async fn leave_rooms(&mut self) {
        let rooms = self.machines.borrow().pubsub.rooms();
        for name in rooms.iter().filter_map(|room| room.name.parse().ok()) {
            self.next_ticket = self.next_ticket.saturating_add(1);
            let leave = RoomCall::Leave(name).input(self.next_ticket);
            self.inbox.push_back(Fed::Pubsub(leave));
        }
        if self.inbox.is_empty() {
            return;
        }
        self.settle().await;
        // Closing drops what a connection has not sent yet. Who answers a ping that went out after
        // the goodbyes has those too.
        let state = self.net.state();
        let direct = state.connections.values().filter(|c| !c.relayed()).map(|c| c.peer);
        let direct: BTreeSet<_> = direct.collect();
        let pings = direct.into_iter().map(|peer| self.net.ping(peer));
        let deadline = Delay::new(Duration::from_millis(DRIVER_DRAIN_MS));
        drop(select(join_all(pings.map(Box::pin)), deadline).await);
    }
}

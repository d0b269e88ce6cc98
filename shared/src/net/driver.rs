//! The one loop that owns the swarm, on native nodes and in browsers.
//! Invariant: `apply` and `lift` are plain functions; nothing here waits but the loop itself, and its
//! three outputs (reply, state, work) cannot block.
//! Not here: decisions (machines), permission (`NetHandle` and the gate), transports (shells).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use futures_timer::Delay;
use libp2p::core::transport::ListenerId;
use libp2p::kad::QueryId;
use libp2p::swarm::{ConnectionId, SwarmEvent};
use libp2p::{Multiaddr, PeerId, Swarm};
use tokio::sync::{mpsc, watch};
#[cfg(target_arch = "wasm32")]
use web_time::Instant;

use super::auth;
use super::behaviour::{Behaviour, BehaviourEvent};
use super::clock::instant;
use super::command::{AuthCommand, GateCommand, NetCommand, Reply};
use super::handle::{NetError, NetHandle};
use super::judge::Judge;
use super::routing::Query;
use super::state::{Connection, NetState};
use super::work::{Lanes, Works, lanes};
use crate::limits::{COMMANDS_MAX, DRIVER_DRAIN_MS};
use crate::ordered::BTreeMap;
use crate::policy::{Action, Permit, Resource};

/// Why the Driver ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It was told to stop, and has said goodbye.
    Stopped,
    /// All handles are gone.
    Orphaned,
}

/// Sees what passes through the Driver, for metrics.
pub trait Observer: Send {
    /// Every event of the swarm, before it is lifted.
    fn event(&mut self, event: &SwarmEvent<BehaviourEvent>);
    /// How long lifting one event took.
    fn lifted(&mut self, took: Duration);
}

/// Answers that are still owed.
#[derive(Default)]
pub(super) struct Owed {
    pub(super) dials: BTreeMap<ConnectionId, Reply<PeerId>>,
    pub(super) listens: Vec<(ListenerId, Reply<Multiaddr>)>,
    pub(super) pings: BTreeMap<PeerId, Vec<Reply<Duration>>>,
    pub(super) queries: HashMap<QueryId, Query>,
    pub(super) query_numbers: BTreeMap<u64, QueryId>,
}

/// The loop. See the module's text.
pub struct Driver {
    pub(super) swarm: Swarm<Behaviour>,
    pub(super) lanes: Lanes,
    pub(super) state: NetState,
    pub(super) owed: Owed,
    pub(super) judge: Judge,
    pub(super) numbers: BTreeMap<ConnectionId, u64>,
    pub(super) confirm_listen: bool,
    pub(super) circuits: BTreeMap<PeerId, ListenerId>,
    #[cfg(not(target_arch = "wasm32"))]
    pub(super) carried: crate::ordered::BTreeSet<(PeerId, PeerId)>,
    next_number: u64,
    commands: mpsc::Receiver<NetCommand>,
    published: watch::Sender<Arc<NetState>>,
    observer: Option<Box<dyn Observer>>,
}

impl std::fmt::Debug for Driver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Driver").field("local", &self.state.local).finish_non_exhaustive()
    }
}

/// A Driver with everything that talks to it.
#[derive(Debug)]
pub struct Parts {
    /// The loop, to be spawned.
    pub driver: Driver,
    /// How to command it.
    pub handle: NetHandle,
    /// What it hands out.
    pub works: Works,
    /// Connections the gate refused.
    pub refused: Arc<AtomicU64>,
}

impl Driver {
    /// Takes ownership of a swarm. `confirm_listen` counts our own listen addresses as reachable:
    /// a node must, or it neither gives relay slots nor answers lookups on a machine or network
    /// where nobody outside can confirm them.
    #[must_use]
    pub fn parts(
        swarm: Swarm<Behaviour>,
        judge: Judge,
        confirm_listen: bool,
        observer: Option<Box<dyn Observer>>,
    ) -> Parts {
        let local = *swarm.local_peer_id();
        let (to_driver, commands) = mpsc::channel(COMMANDS_MAX);
        let (lanes, works) = lanes();
        let state = NetState::new(local);
        let (published, watched) = watch::channel(Arc::new(state.clone()));
        let refused = swarm.behaviour().gate.refused();
        let handle = NetHandle::new(to_driver, watched, judge.clone());
        let driver = Self {
            swarm,
            lanes,
            state,
            owed: Owed::default(),
            judge,
            numbers: BTreeMap::new(),
            confirm_listen,
            circuits: BTreeMap::new(),
            #[cfg(not(target_arch = "wasm32"))]
            carried: crate::ordered::BTreeSet::new(),
            next_number: 0,
            commands,
            published,
            observer,
        };
        Parts { driver, handle, works, refused }
    }

    /// Runs until `stop` resolves or nobody can command it any more.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Exit {
        let stop = stop.fuse();
        futures::pin_mut!(stop);
        let mut rules = self.judge.clone();
        let mut slice = Slice::new();
        loop {
            tokio::select! {
                () = &mut stop => return self.drain().await,
                command = self.commands.recv() => match command {
                    Some(command) => self.apply(command),
                    None => return Exit::Orphaned,
                },
                event = self.swarm.select_next_some() => self.observe(event),
                () = rules.changed() => self.rules_changed(),
            }
            self.publish();
            slice.pause().await;
        }
    }

    /// Carries out one command, if its permit covers it.
    fn apply(&mut self, command: NetCommand) {
        match command {
            NetCommand::Transport(command) => self.apply_transport(command),
            NetCommand::Routing(command) => self.apply_routing(command),
            NetCommand::Pubsub(command) => self.apply_pubsub(command),
            NetCommand::Gate(GateCommand::Quarantine { permit, peer, for_ms }) => {
                if redeem(permit, Action::AdminWrite, &Resource::Admin).is_ok() {
                    self.swarm.behaviour_mut().gate.quarantine(peer, for_ms);
                    self.hang_up(peer);
                }
            }
            NetCommand::Auth(AuthCommand::Tell { permit, told }) => {
                if redeem(permit, Action::AdminWrite, &Resource::Admin).is_ok() {
                    self.swarm.behaviour_mut().auth.tell(*told);
                }
            }
        }
    }

    fn observe(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let Some(observer) = &mut self.observer else { return self.lift(event) };
        observer.event(&event);
        let start = instant();
        self.lift(event);
        if let Some(observer) = &mut self.observer {
            observer.lifted(start.elapsed());
        }
    }

    /// Turns one event into replies, state and work.
    fn lift(&mut self, event: SwarmEvent<BehaviourEvent>) {
        let SwarmEvent::Behaviour(event) = event else { return self.lift_connection(event) };
        match event {
            BehaviourEvent::Identify(event) => self.lift_identify(event),
            BehaviourEvent::Ping(event) => self.lift_ping(event),
            BehaviourEvent::Auth(event) => self.lift_auth(event),
            BehaviourEvent::Gossip(event) | BehaviourEvent::Members(event) => {
                self.lift_pubsub(event);
            }
            BehaviourEvent::Kad(event) => self.lift_routing(event),
            BehaviourEvent::RelayClient(event) => self.lift_relay_client(event),
            #[cfg(not(target_arch = "wasm32"))]
            BehaviourEvent::Relay(event) => self.lift_relay(event),
            #[cfg(not(target_arch = "wasm32"))]
            BehaviourEvent::Mdns(event) => self.lift_mdns(event),
            // The address that a test proved reaches us as `ExternalAddrConfirmed`, an upgraded
            // connection as `ConnectionEstablished`.
            #[cfg(not(target_arch = "wasm32"))]
            BehaviourEvent::Dcutr(_)
            | BehaviourEvent::AutonatClient(_)
            | BehaviourEvent::AutonatServer(_) => {}
            BehaviourEvent::Webrtc(()) => {}
            BehaviourEvent::Gate(never) | BehaviourEvent::Limits(never) => match never {},
        }
    }

    /// What peers have proven, or what they allow us, has changed.
    fn lift_auth(&mut self, event: auth::Event) {
        let behaviour = self.swarm.behaviour_mut();
        match event {
            auth::Event::Proven(peer) => {
                behaviour.gate.settle(&peer);
                behaviour.rejudge(&peer);
                let is_unwanted =
                    |one: &Connection| one.peer == peer && behaviour.gate.is_unwanted(one);
                if self.state.connections.values().any(is_unwanted) {
                    self.hang_up(peer);
                }
                #[cfg(not(target_arch = "wasm32"))]
                self.replace(Some(peer));
            }
            auth::Event::Keep(work) => {
                // What is lost here is told again when the peer shows its grants again.
                if self.lanes.identity.offer(*work).is_err() {
                    tracing::debug!("grants come faster than they can be kept");
                }
            }
            auth::Event::RoomKeys => self.state.room_keys = Arc::clone(behaviour.auth.room_keys()),
            auth::Event::Allowed(peer) => {
                if let Some(identity) = self.state.identities.get_mut(&peer) {
                    let allowance = behaviour.auth.allowance(&peer).cloned();
                    Arc::make_mut(identity).allowance = allowance;
                }
            }
        }
    }

    /// New rules are in force: closes what they no longer allow, opens what they allow now.
    fn rules_changed(&mut self) {
        let peers: crate::ordered::BTreeSet<_> =
            self.state.connections.values().map(|open| open.peer).collect();
        let behaviour = self.swarm.behaviour_mut();
        behaviour.auth.policy_changed();
        for peer in peers {
            behaviour.gate.settle(&peer);
            behaviour.rejudge(&peer);
        }
        self.rejudge();
        #[cfg(not(target_arch = "wasm32"))]
        self.replace(None);
    }

    /// Closes what is no longer allowed.
    fn rejudge(&mut self) {
        for peer in self.swarm.behaviour().gate.unwanted(&self.state) {
            self.hang_up(peer);
        }
    }

    pub(super) fn hang_up(&mut self, peer: PeerId) {
        if self.swarm.disconnect_peer_id(peer).is_err() {
            tracing::debug!(%peer, "gone already");
        }
    }

    pub(super) fn number(&mut self, id: ConnectionId) -> u64 {
        self.next_number = self.next_number.saturating_add(1);
        self.numbers.insert(id, self.next_number);
        self.next_number
    }

    fn publish(&mut self) {
        let strangers = self.swarm.behaviour().gate.strangers();
        // Whoever is on its way out waits no more.
        self.state.strangers =
            strangers.into_iter().filter(|peer| self.state.is_connected(peer)).collect();
        self.published.send_if_modified(|current| {
            let changed = **current != self.state;
            if changed {
                *current = Arc::new(self.state.clone());
            }
            changed
        });
    }

    /// Closes every connection and waits until the peers know, at most [`DRIVER_DRAIN_MS`].
    async fn drain(mut self) -> Exit {
        let peers: Vec<_> = self.swarm.connected_peers().copied().collect();
        for peer in peers {
            self.hang_up(peer);
        }
        let mut deadline = Delay::new(Duration::from_millis(DRIVER_DRAIN_MS)).fuse();
        while self.swarm.network_info().num_peers() > 0 {
            futures::select! {
                () = deadline => break,
                _ = self.swarm.select_next_some() => {}
            }
        }
        Exit::Stopped
    }
}

/// Redeems a permit, or says what is wrong with it.
pub(super) fn redeem(permit: Permit, action: Action, on: &Resource) -> Result<(), NetError> {
    permit.redeem(action, on).map_err(|mismatch| NetError::Permit(mismatch.to_string()))
}

/// The Driver's share of a thread that it has for itself: all of it.
#[cfg(not(target_arch = "wasm32"))]
struct Slice;

#[cfg(not(target_arch = "wasm32"))]
impl Slice {
    fn new() -> Self {
        Self
    }

    #[expect(clippy::unused_async, reason = "the browser's twin waits")]
    async fn pause(&mut self) {}
}

/// The Driver's share of the page's thread: after a few milliseconds the page must be able to paint.
#[cfg(target_arch = "wasm32")]
struct Slice(Instant);

#[cfg(target_arch = "wasm32")]
impl Slice {
    fn new() -> Self {
        Self(instant())
    }

    async fn pause(&mut self) {
        if self.0.elapsed() >= Duration::from_millis(crate::limits::DRIVER_SLICE_MS) {
            // A timer, because a microtask would run before the next frame.
            Delay::new(Duration::ZERO).await;
            self.0 = instant();
        }
    }
}

//! `/peerloom/auth/1` on connections: the shell of the auth machine inside the swarm.
//! Invariant: what is verified is in the judge's holdings before anybody is told of it.
//! Not here: verifying (`crate::auth`), what follows from it for connections (`driver`), judging what
//! others show (`answering`), which only nodes do.

#[cfg(not(target_arch = "wasm32"))]
mod answering;
mod handler;
mod keys;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::FutureExt as _;
use futures_timer::Delay;
use libp2p::core::Endpoint;
use libp2p::core::transport::PortUse;
use libp2p::swarm::{
    ConnectionDenied, ConnectionId, FromSwarm, NetworkBehaviour, NotifyHandler, StreamProtocol,
    THandler, THandlerInEvent, THandlerOutEvent, ToSwarm,
};
use libp2p::{Multiaddr, PeerId};

pub use self::handler::{Handler, Order, Said};
use super::address;
use super::clock::Clock;
use super::judge::Judge;
use super::table::Table;
use super::work::IdentityWork;
#[cfg(not(target_arch = "wasm32"))]
use crate::auth::judging;
use crate::auth::{Allowance, Failure, Showing, showing};
use crate::grant::Chain;
use crate::machine::Machine as _;
use crate::policy::Class;
use crate::room_key::KeyRing;
#[cfg(not(target_arch = "wasm32"))]
use crate::room_key::SignedRoomKey;
use crate::time::Mono;
use crate::wire::{AuthAnswer, AuthRequest};

/// The protocol's id.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerloom/auth/1");

/// What concerns others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What a peer has proven is not what it was: whatever was decided about it is to be decided again.
    Proven(PeerId),
    /// What a peer allows us has changed.
    Allowed(PeerId),
    /// The keys of members' rooms that we have are others now.
    RoomKeys,
    /// For whoever keeps grants, invites and lists on disk.
    Keep(Box<IdentityWork>),
}

/// What the shells tell.
#[derive(Debug)]
pub enum Told {
    /// The chains that we hold, and show from now on.
    Credentials(Vec<Chain>),
    /// A key is missing here: ask all peers again.
    WantKeys,
    /// The keys of members' rooms that we have, and hand to whoever may have them.
    #[cfg(not(target_arch = "wasm32"))]
    RoomKeys(Vec<SignedRoomKey>),
    /// A chain for a connected peer to keep, which we issued to it.
    #[cfg(not(target_arch = "wasm32"))]
    Issue {
        /// To whom.
        peer: PeerId,
        /// Which.
        chain: Box<Chain>,
    },
    /// For the side that judges.
    #[cfg(not(target_arch = "wasm32"))]
    Judging(Box<judging::Input>),
}

#[derive(Debug)]
struct Connection {
    peer: PeerId,
    remote: Multiaddr,
    /// A question of ours is under way on it.
    asking: bool,
}

/// The behaviour. See the module's text.
#[derive(Debug)]
pub struct Behaviour {
    showing: Showing,
    #[cfg(not(target_arch = "wasm32"))]
    answering: answering::Answering,
    judge: Judge,
    keys: Arc<KeyRing>,
    clock: Clock,
    connections: Table<Connection>,
    queue: VecDeque<ToSwarm<Event, Order>>,
    timer: Option<(Mono, Delay)>,
}

impl Behaviour {
    /// A behaviour for the peer `local`, which is a `class`.
    #[must_use]
    pub fn new(local: PeerId, class: Class, judge: Judge) -> Self {
        let mut behaviour = Self {
            showing: Showing::new(local, class),
            #[cfg(not(target_arch = "wasm32"))]
            answering: answering::Answering::new(local),
            judge,
            keys: Arc::default(),
            clock: Clock::default(),
            connections: Table::default(),
            queue: VecDeque::new(),
            timer: None,
        };
        behaviour.policy_changed();
        behaviour
    }

    /// The rule set in force may be another one.
    pub fn policy_changed(&mut self) {
        let policy = self.judge.policy();
        let trust = policy.trust().clone();
        self.show(showing::Input::Network(trust.network));
        #[cfg(not(target_arch = "wasm32"))]
        self.judge(judging::Input::Policy { trust, access: policy.access() });
    }

    /// A connected peer speaks the protocol.
    pub fn speaks(&mut self, peer: PeerId) {
        if self.of(peer).next().is_some() {
            self.show(showing::Input::Speaks(peer));
        }
    }

    /// Learns something from outside the swarm.
    pub fn tell(&mut self, told: Told) {
        match told {
            Told::Credentials(chains) => {
                #[cfg(not(target_arch = "wasm32"))]
                self.judge(judging::Input::Credentials(chains.clone()));
                self.show(showing::Input::Credentials(chains));
            }
            Told::WantKeys => self.show(showing::Input::Again),
            #[cfg(not(target_arch = "wasm32"))]
            Told::RoomKeys(keys) => {
                let keys = KeyRing::of(keys);
                if *self.keys != keys {
                    self.set_keys(keys);
                    self.show(showing::Input::Again);
                }
            }
            #[cfg(not(target_arch = "wasm32"))]
            Told::Issue { peer, chain } => {
                // Whoever cannot be asked gets it with the next answer.
                if self.showing.knows(&peer) {
                    self.show(showing::Input::Issue { peer, chain });
                } else if self.of(peer).next().is_some() {
                    self.answering.issue(peer, &chain);
                }
            }
            #[cfg(not(target_arch = "wasm32"))]
            Told::Judging(input) => {
                if let judging::Input::Revoked(list) = input.as_ref() {
                    let (issuer, version) = (list.list().issuer(), list.list().version());
                    let bytes = Arc::new(list.encode());
                    self.show(showing::Input::List { issuer, version, bytes });
                }
                self.judge(*input);
            }
        }
    }

    /// What a connected peer allows us, as it said last.
    #[must_use]
    pub fn allowance(&self, peer: &PeerId) -> Option<&Allowance> {
        self.showing.allowance(peer)
    }

    fn show(&mut self, input: showing::Input) {
        self.showing.handle(self.clock.now(), input);
        self.settle();
    }

    fn settle(&mut self) {
        #[cfg(not(target_arch = "wasm32"))]
        self.settle_judging();
        while let Some(output) = self.showing.poll_output() {
            match output {
                showing::Output::Ask { peer, mut request } => {
                    request.keys = self.keys_for(peer);
                    self.ask(peer, &request);
                }
                showing::Output::Allowed(peer) => self.event(Event::Allowed(peer)),
                showing::Output::Received(chain) => {
                    self.event(Event::Keep(Box::new(IdentityWork::Received(chain))));
                }
            }
        }
        let wake = self.showing.next_wake();
        #[cfg(not(target_arch = "wasm32"))]
        let wake = wake.into_iter().chain(self.answering.next_wake()).min();
        if self.timer.as_ref().map(|(at, _)| *at) != wake {
            let now = self.clock.now().mono;
            self.timer =
                wake.map(|at| (at, Delay::new(Duration::from_millis(at.since(now).max(1)))));
        }
    }

    fn event(&mut self, event: Event) {
        self.queue.push_back(ToSwarm::GenerateEvent(event));
    }

    fn ask(&mut self, peer: PeerId, request: &AuthRequest) {
        let direct = self.of(peer).find(|(_, one)| !address::is_relayed(&one.remote));
        let Some((id, _)) = direct.or_else(|| self.of(peer).next()) else { return };
        if let Some(connection) = self.connections.get_mut(id) {
            connection.asking = true;
        }
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(id),
            event: Order::Ask(request.encode()),
        });
    }

    fn answered(&mut self, peer: PeerId, answer: Result<AuthAnswer, Failure>) {
        if let Ok(answer) = &answer {
            #[cfg(not(target_arch = "wasm32"))]
            self.take_lists(peer, &answer.lists);
            self.take_keys(peer, &answer.keys);
        }
        self.show(showing::Input::Answered { peer, answer });
    }

    fn opened(&mut self, peer: PeerId, connection: ConnectionId, remote: Multiaddr) {
        self.connections.insert(connection, Connection { peer, remote, asking: false });
    }

    fn of(&self, peer: PeerId) -> impl Iterator<Item = (ConnectionId, &Connection)> {
        let all = self.connections.iter();
        all.filter(move |(_, one)| one.peer == peer)
    }
}

impl NetworkBehaviour for Behaviour {
    type ConnectionHandler = Handler;
    type ToSwarm = Event;

    fn handle_established_inbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        local: &Multiaddr,
        remote: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.opened(peer, connection, address::inbound(local, remote));
        Ok(Handler::new())
    }

    fn handle_established_outbound_connection(
        &mut self,
        connection: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.opened(peer, connection, remote.clone());
        Ok(Handler::new())
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others concern no connection")]
        let id = match event {
            FromSwarm::ConnectionClosed(closed) => closed.connection_id,
            // Another behaviour refused what this one had taken.
            FromSwarm::DialFailure(failed) => failed.connection_id,
            FromSwarm::ListenFailure(failed) => failed.connection_id,
            _ => return,
        };
        let Some(Connection { peer, asking, .. }) = self.connections.remove(id) else { return };
        #[cfg(not(target_arch = "wasm32"))]
        self.answering.forget(id);
        if self.of(peer).next().is_none() {
            #[cfg(not(target_arch = "wasm32"))]
            drop(self.answering.take_issued(&peer));
            self.show(showing::Input::Gone(peer));
        } else if asking {
            self.answered(peer, Err(Failure::Broken));
        }
    }

    fn on_connection_handler_event(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        said: THandlerOutEvent<Self>,
    ) {
        match said {
            #[cfg(not(target_arch = "wasm32"))]
            Said::Asked(number, request) => self.asked(peer, connection, number, request),
            Said::Answered(answer) => {
                if let Some(connection) = self.connections.get_mut(connection) {
                    connection.asking = false;
                }
                self.answered(peer, answer);
            }
        }
    }

    fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        while let Some((_, timer)) = &mut self.timer
            && timer.poll_unpin(cx).is_ready()
        {
            self.timer = None;
            self.showing.tick(self.clock.now());
            #[cfg(not(target_arch = "wasm32"))]
            self.answering.tick(self.clock.now());
            self.settle();
        }
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

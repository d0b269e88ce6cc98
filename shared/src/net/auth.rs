//! `/peerloom/auth/1` on connections: the shell of the auth machine inside the swarm.
//! Invariant: what is verified is in the judge's holdings before anybody is told of it.
//! Not here: verifying (`crate::auth`), what follows from it for connections (`driver`), pages: they hold
//! no grants yet.

mod allowed;
mod handler;

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
use crate::auth::{Allowance, Failure, Showing, showing};
use crate::auth::{Judging, judging};
use crate::defence::group::Group;
use crate::grant::{ActionSet, Chain};
use crate::machine::Machine as _;
use crate::policy::Class;
use crate::time::Mono;
use crate::wire::{AuthAnswer, AuthRequest, AuthStatus, WireError};

/// The protocol's id.
pub const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerloom/auth/1");

/// What concerns others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// What a peer has proven is not what it was: whatever was decided about it is to be decided again.
    Proven(PeerId),
    /// What a peer allows us has changed.
    Allowed(PeerId),
    /// For whoever keeps grants, invites and lists on disk.
    Keep(Box<IdentityWork>),
}

/// What the shells tell.
#[derive(Debug)]
pub enum Told {
    /// The chains that we hold, and show from now on.
    Credentials(Vec<Chain>),
    /// A chain for a connected peer to keep, which we issued to it.
    Issue {
        /// To whom.
        peer: PeerId,
        /// Which.
        chain: Box<Chain>,
    },
    /// For the side that judges.
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
    local: PeerId,
    showing: Showing,
    judging: Judging,
    judge: Judge,
    clock: Clock,
    connections: Table<Connection>,
    /// Questions that are being judged: the machine's ticket, the connection, its number there.
    asked: VecDeque<(u64, ConnectionId, u64)>,
    next_ticket: u64,
    queue: VecDeque<ToSwarm<Event, Order>>,
    timer: Option<(Mono, Delay)>,
}

impl Behaviour {
    /// A behaviour for the peer `local`, which is a `class`.
    #[must_use]
    pub fn new(local: PeerId, class: Class, judge: Judge) -> Self {
        let mut behaviour = Self {
            local,
            showing: Showing::new(class),
            judging: Judging::new(local),
            judge,
            clock: Clock::default(),
            connections: Table::default(),
            asked: VecDeque::new(),
            next_ticket: 0,
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
                self.judge(judging::Input::Credentials(chains.clone()));
                self.show(showing::Input::Credentials(chains));
            }
            Told::Issue { peer, chain } => self.show(showing::Input::Issue { peer, chain }),
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

    fn judge(&mut self, input: judging::Input) {
        self.judging.handle(self.clock.now(), input);
        self.settle();
    }

    fn settle(&mut self) {
        self.settle_judging();
        while let Some(output) = self.showing.poll_output() {
            match output {
                showing::Output::Ask { peer, request } => self.ask(peer, &request),
                showing::Output::Allowed(peer) => self.event(Event::Allowed(peer)),
            }
        }
        let wake = self.showing.next_wake();
        let wake = wake.into_iter().chain(self.judging.next_wake()).min();
        if self.timer.as_ref().map(|(at, _)| *at) != wake {
            let now = self.clock.now().mono;
            self.timer =
                wake.map(|at| (at, Delay::new(Duration::from_millis(at.since(now).max(1)))));
        }
    }

    fn settle_judging(&mut self) {
        while let Some(output) = self.judging.poll_output() {
            match output {
                judging::Output::Hold { peer, held } => {
                    self.judge.holdings().put(peer, held);
                    self.event(Event::Proven(peer));
                }
                judging::Output::Answer { ticket, peer, status, reason, expires_ms, lists } => {
                    self.answer(ticket, peer, |allowed, epoch, access| AuthAnswer {
                        lists,
                        status,
                        allowed,
                        expires_ms,
                        epoch,
                        access,
                        reason,
                    });
                }
                judging::Output::Count { id, holder } => {
                    self.event(Event::Keep(Box::new(IdentityWork::Counted { id, holder })));
                }
                judging::Output::Arrived { peer, chain, rights } => {
                    let work = IdentityWork::Arrived { peer, chain, rights };
                    self.event(Event::Keep(Box::new(work)));
                }
                judging::Output::Received(chain) => {
                    self.event(Event::Keep(Box::new(IdentityWork::Received(chain))));
                }
                judging::Output::Listed(list) => {
                    self.event(Event::Keep(Box::new(IdentityWork::Listed(*list))));
                }
            }
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

    fn answer(
        &mut self,
        ticket: u64,
        peer: PeerId,
        complete: impl FnOnce(ActionSet, u64, crate::policy::Access) -> AuthAnswer,
    ) {
        let Some(at) = self.asked.iter().position(|(known, ..)| *known == ticket) else { return };
        let Some((_, connection, number)) = self.asked.remove(at) else { return };
        let policy = self.judge.policy();
        let allowed = self.allowed(peer, connection);
        let answer = complete(allowed, policy.epoch(), policy.access()).encode();
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Order::Answer(number, answer),
        });
    }

    fn answered(&mut self, peer: PeerId, answer: Result<AuthAnswer, Failure>) {
        let connection = self.of(peer).next().map(|(id, _)| id);
        if let (Ok(answer), Some(connection)) = (&answer, connection)
            && !answer.lists.is_empty()
        {
            let (source, lists) = (self.source(peer, connection), answer.lists.clone());
            self.judge(judging::Input::Offered { source, lists });
        }
        self.show(showing::Input::Answered { peer, answer });
    }

    fn asked(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        number: u64,
        request: Result<AuthRequest, WireError>,
    ) {
        self.next_ticket = self.next_ticket.wrapping_add(1);
        let ticket = self.next_ticket;
        self.asked.push_back((ticket, connection, number));
        let status = match request {
            Ok(request) => {
                let source = self.source(peer, connection);
                return self.judge(judging::Input::Asked {
                    ticket,
                    peer,
                    source,
                    request: Box::new(request),
                });
            }
            Err(WireError::Unsupported { .. }) => AuthStatus::Unsupported,
            Err(WireError::TooLarge { .. } | WireError::Malformed(_)) => AuthStatus::Malformed,
        };
        self.answer(ticket, peer, |allowed, epoch, access| AuthAnswer {
            status,
            allowed,
            expires_ms: None,
            epoch,
            access,
            reason: None,
            lists: Vec::new(),
        });
    }

    /// In whose hand the other end is, as far as its address tells. One that a relay introduced has no
    /// address that anybody proved: it counts as the relay's.
    fn source(&self, peer: PeerId, connection: ConnectionId) -> Group {
        let known = self.connections.get(connection);
        known.and_then(|one| Group::of(&one.remote)).unwrap_or(Group::Relay(peer))
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
        self.asked.retain(|(_, asked, _)| *asked != id);
        if self.of(peer).next().is_none() {
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
            self.judging.tick(self.clock.now());
            self.settle();
        }
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

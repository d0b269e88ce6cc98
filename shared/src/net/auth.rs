//! `/peerloom/auth/1` on connections: the shell of the auth machine inside the swarm.
//! Invariant: what is verified is in the judge's holdings before anybody is told of it.
//! Not here: verifying (`crate::auth`), what follows from it for connections (`driver`).

mod handler;

use std::collections::{BTreeMap, VecDeque};
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
use super::clock::Clock;
use super::judge::Judge;
use super::{GOSSIP_PROTOCOL, KAD_PROTOCOL, address};
use crate::auth::{Allowance, Auth, Failure, Input, Output};
use crate::defence::group::Group;
use crate::grant::{ActionSet, Prefix};
use crate::machine::Machine as _;
use crate::policy::{Action, Class, Held, Resource, Subject};
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
}

/// The behaviour. See the module's text.
#[derive(Debug)]
pub struct Behaviour {
    local: PeerId,
    machine: Auth,
    judge: Judge,
    clock: Clock,
    connections: BTreeMap<PeerId, BTreeMap<ConnectionId, Multiaddr>>,
    /// Questions that are being judged, by the machine's ticket.
    asked: BTreeMap<u64, (ConnectionId, u64)>,
    next_ticket: u64,
    /// Over which connection a peer is being asked.
    asking: BTreeMap<PeerId, ConnectionId>,
    queue: VecDeque<ToSwarm<Event, Order>>,
    timer: Option<(Mono, Delay)>,
}

impl Behaviour {
    /// A behaviour for the peer `local`, which is a `class`.
    #[must_use]
    pub fn new(local: PeerId, class: Class, judge: Judge) -> Self {
        let mut behaviour = Self {
            local,
            machine: Auth::new(local, class),
            judge,
            clock: Clock::default(),
            connections: BTreeMap::new(),
            asked: BTreeMap::new(),
            next_ticket: 0,
            asking: BTreeMap::new(),
            queue: VecDeque::new(),
            timer: None,
        };
        behaviour.policy_changed();
        behaviour
    }

    /// The rule set in force may be another one.
    pub fn policy_changed(&mut self) {
        let policy = self.judge.policy();
        let (trust, access) = (policy.trust().clone(), policy.access());
        self.feed(Input::Policy { trust, access });
    }

    /// A connected peer speaks the protocol.
    pub fn speaks(&mut self, peer: PeerId) {
        if self.connections.contains_key(&peer) {
            self.feed(Input::Speaks(peer));
        }
    }

    /// Tells the machine something from outside the swarm.
    pub fn tell(&mut self, input: Input) {
        self.feed(input);
    }

    /// What a connected peer allows us, as it said last.
    #[must_use]
    pub fn allowance(&self, peer: &PeerId) -> Option<&Allowance> {
        self.machine.allowance(peer)
    }

    fn feed(&mut self, input: Input) {
        self.machine.handle(self.clock.now(), input);
        self.settle();
    }

    fn settle(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                Output::Hold { peer, held } => {
                    self.judge.holdings().put(peer, held);
                    self.event(Event::Proven(peer));
                }
                Output::Answer { ticket, peer, status, reason, expires_ms } => {
                    self.answer(ticket, peer, |allowed, epoch, access| AuthAnswer {
                        status,
                        allowed,
                        expires_ms,
                        epoch,
                        access,
                        reason,
                    });
                }
                Output::Ask { peer, request } => self.ask(peer, &request),
                Output::Allowed(peer) => self.event(Event::Allowed(peer)),
                // For who keeps grants and invites on disk.
                Output::Count { .. } | Output::Arrived { .. } | Output::Received(_) => {}
            }
        }
        let wake = self.machine.next_wake();
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
        let open = self.connections.get(&peer).into_iter().flatten();
        let direct = open.clone().find(|(_, remote)| !address::is_relayed(remote));
        let Some((connection, _)) = direct.or_else(|| open.clone().next()) else { return };
        self.asking.insert(peer, *connection);
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(*connection),
            event: Order::Ask(request.encode()),
        });
    }

    fn answer(
        &mut self,
        ticket: u64,
        peer: PeerId,
        complete: impl FnOnce(ActionSet, u64, crate::policy::Access) -> AuthAnswer,
    ) {
        let Some((connection, number)) = self.asked.remove(&ticket) else { return };
        let policy = self.judge.policy();
        let allowed = self.allowed(peer, connection);
        let answer = complete(allowed, policy.epoch(), policy.access()).encode();
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Order::Answer(number, answer),
        });
    }

    /// The actions that the peer may do to something.
    fn allowed(&self, peer: PeerId, connection: ConnectionId) -> ActionSet {
        let remote = self.connections.get(&peer).and_then(|open| open.get(&connection));
        let who =
            remote.map_or_else(|| Subject::author(peer), |remote| Subject::connected(peer, remote));
        let held = self.judge.holdings().of(&peer);
        let things = things(self.local, &held);
        Action::ALL
            .into_iter()
            .filter(|action| {
                things.iter().any(|thing| self.judge.would_allow(&who, *action, thing))
            })
            .collect()
    }

    fn answered(&mut self, peer: PeerId, answer: Result<AuthAnswer, Failure>) {
        self.asking.remove(&peer);
        self.feed(Input::Answered { peer, answer });
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
        self.asked.insert(ticket, (connection, number));
        match request {
            Ok(request) => {
                let source = self.source(peer, connection);
                self.feed(Input::Asked { ticket, peer, source, request });
            }
            Err(error) => {
                let status = match error {
                    WireError::Unsupported { .. } => AuthStatus::Unsupported,
                    WireError::TooLarge { .. } | WireError::Malformed(_) => AuthStatus::Malformed,
                };
                self.answer(ticket, peer, |allowed, epoch, access| AuthAnswer {
                    status,
                    allowed,
                    expires_ms: None,
                    epoch,
                    access,
                    reason: None,
                });
            }
        }
    }

    /// In whose hand the other end is, as far as its address tells. One that a relay introduced has no
    /// address that anybody proved: it counts as the relay's.
    fn source(&self, peer: PeerId, connection: ConnectionId) -> Group {
        let remote = self.connections.get(&peer).and_then(|open| open.get(&connection));
        remote.and_then(Group::of).unwrap_or(Group::Relay(peer))
    }

    fn opened(&mut self, peer: PeerId, connection: ConnectionId, remote: Multiaddr) {
        self.connections.entry(peer).or_default().insert(connection, remote);
    }
}

/// Things to ask the judge about: one of each kind, and what the peer's grants are about.
fn things(local: PeerId, held: &Held) -> Vec<Resource> {
    let mut things = vec![
        Resource::Node,
        Resource::Protocol(GOSSIP_PROTOCOL.to_owned()),
        Resource::Protocol(KAD_PROTOCOL.to_owned()),
        Resource::Relay(local),
        Resource::Key(Vec::new()),
        Resource::Topic(String::new()),
        Resource::Content(String::new()),
        Resource::Mailbox(local),
        Resource::Route(local),
        Resource::Admin,
    ];
    let named = held.rights.iter().map(|rights| rights.prefix()).filter_map(Prefix::resource);
    things.extend(named);
    things
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
        let (peer, connection) = match event {
            FromSwarm::ConnectionClosed(closed) => (closed.peer_id, closed.connection_id),
            // Another behaviour refused what this one had taken.
            FromSwarm::DialFailure(failed) => match failed.peer_id {
                Some(peer) => (peer, failed.connection_id),
                None => return,
            },
            FromSwarm::ListenFailure(failed) => match failed.peer_id {
                Some(peer) => (peer, failed.connection_id),
                None => return,
            },
            _ => return,
        };
        let Some(open) = self.connections.get_mut(&peer) else { return };
        if open.remove(&connection).is_none() {
            return;
        }
        self.asked.retain(|_, (asked, _)| *asked != connection);
        if self.connections.get(&peer).is_some_and(BTreeMap::is_empty) {
            self.connections.remove(&peer);
            self.asking.remove(&peer);
            self.feed(Input::Gone(peer));
        } else if self.asking.get(&peer) == Some(&connection) {
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
            Said::Answered(answer) => self.answered(peer, answer),
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
            self.machine.tick(self.clock.now());
            self.settle();
        }
        self.queue.pop_front().map_or(Poll::Pending, Poll::Ready)
    }
}

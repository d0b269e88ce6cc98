//! The side of `/peerloom/auth/1` that judges what peers show, and answers them. Nodes only.
//! Invariant: each question gets one answer, on the connection that it came from.
//! Not here: verifying (`crate::auth::judging`), showing our own grants (`net::auth`).

use std::collections::VecDeque;

use libp2p::PeerId;
use libp2p::swarm::{ConnectionId, NotifyHandler, ToSwarm};

use super::{Behaviour, Event, Order};
use crate::auth::{Judging, judging};
use crate::defence::group::Group;
use crate::grant::{ActionSet, Chain, Prefix};
use crate::limits::AUTH_CHAINS_MAX;
use crate::machine::Machine as _;
use crate::net::work::IdentityWork;
use crate::net::{GOSSIP_PROTOCOL, KAD_PROTOCOL};
use crate::policy::{Action, Held, Resource, Subject};
use crate::time::{Mono, Now};
use crate::wire::{AuthAnswer, AuthRequest, AuthStatus, WireError};

/// What the judging side keeps.
#[derive(Debug)]
pub(super) struct Answering {
    local: PeerId,
    judging: Judging,
    /// Questions that are being judged: the machine's ticket, the connection, its number there.
    asked: VecDeque<(u64, ConnectionId, u64)>,
    next_ticket: u64,
    /// Chains for connected peers that cannot be asked.
    issued: Vec<(PeerId, Vec<u8>)>,
}

impl Answering {
    pub(super) fn new(local: PeerId) -> Self {
        let judging = Judging::new(local);
        Self { local, judging, asked: VecDeque::new(), next_ticket: 0, issued: Vec::new() }
    }

    pub(super) fn next_wake(&self) -> Option<Mono> {
        self.judging.next_wake()
    }

    pub(super) fn tick(&mut self, now: Now) {
        self.judging.tick(now);
    }

    /// A chain for a connected peer to keep.
    pub(super) fn issue(&mut self, peer: PeerId, chain: &Chain) {
        let waiting = self.issued.iter().filter(|(to, _)| *to == peer).count();
        if waiting < AUTH_CHAINS_MAX {
            self.issued.push((peer, chain.encode()));
        }
    }

    /// The chains that wait for a peer.
    pub(super) fn take_issued(&mut self, peer: &PeerId) -> Vec<Vec<u8>> {
        self.issued.extract_if(.., |(to, _)| to == peer).map(|(_, bytes)| bytes).collect()
    }

    /// A connection has ended: nobody waits for answers there.
    pub(super) fn forget(&mut self, connection: ConnectionId) {
        self.asked.retain(|(_, asked, _)| *asked != connection);
    }
}

impl Behaviour {
    pub(super) fn judge(&mut self, input: judging::Input) {
        self.answering.judging.handle(self.clock.now(), input);
        self.settle();
    }

    pub(super) fn settle_judging(&mut self) {
        while let Some(output) = self.answering.judging.poll_output() {
            match output {
                judging::Output::Hold { peer, held } => {
                    self.judge.holdings().put(peer, held);
                    self.event(Event::Proven(peer));
                }
                judging::Output::Answer { ticket, peer, status, reason, expires_ms, lists } => {
                    let issued = self.answering.take_issued(&peer);
                    let keys = self.keys_for(peer);
                    self.answer(ticket, peer, |allowed, epoch, access| AuthAnswer {
                        status,
                        allowed,
                        expires_ms,
                        epoch,
                        access,
                        reason,
                        lists,
                        issued,
                        keys,
                    });
                }
                judging::Output::Count { id, holder } => {
                    self.keep(IdentityWork::Counted { id, holder });
                }
                judging::Output::Arrived { peer, chain, rights } => {
                    self.keep(IdentityWork::Arrived { peer, chain, rights });
                }
                judging::Output::Received(chain) => self.keep(IdentityWork::Received(chain)),
                judging::Output::RoomKey(key) => self.keep(IdentityWork::RoomKey(*key)),
                judging::Output::Listed(list) => self.keep(IdentityWork::Listed(*list)),
            }
        }
    }

    fn answer(
        &mut self,
        ticket: u64,
        peer: PeerId,
        complete: impl FnOnce(ActionSet, u64, crate::policy::Access) -> AuthAnswer,
    ) {
        let Some(at) = self.answering.asked.iter().position(|(known, ..)| *known == ticket) else {
            return;
        };
        let Some((_, connection, number)) = self.answering.asked.remove(at) else { return };
        let policy = self.judge.policy();
        let allowed = self.allowed(peer, connection);
        let answer = complete(allowed, policy.epoch(), policy.access()).encode();
        self.queue.push_back(ToSwarm::NotifyHandler {
            peer_id: peer,
            handler: NotifyHandler::One(connection),
            event: Order::Answer(number, answer),
        });
    }

    fn keep(&mut self, work: IdentityWork) {
        self.event(Event::Keep(Box::new(work)));
    }

    /// Lists of revocations that came with an answer.
    pub(super) fn take_lists(&mut self, peer: PeerId, lists: &[Vec<u8>]) {
        let connection = self.of(peer).next().map(|(id, _)| id);
        if let Some(connection) = connection
            && !lists.is_empty()
        {
            let (source, lists) = (self.source(peer, connection), lists.to_vec());
            self.judge(judging::Input::Offered { source, lists });
        }
    }

    /// The actions that the peer may do to something.
    fn allowed(&self, peer: PeerId, connection: ConnectionId) -> ActionSet {
        let who = self.connections.get(connection).map_or_else(
            || Subject::author(peer),
            |connection| Subject::connected(peer, &connection.remote),
        );
        let held = self.judge.holdings().of(&peer);
        let things = things(self.answering.local, &held);
        Action::ALL
            .into_iter()
            .filter(|action| {
                things.iter().any(|thing| self.judge.would_allow(&who, *action, thing))
            })
            .collect()
    }

    pub(super) fn asked(
        &mut self,
        peer: PeerId,
        connection: ConnectionId,
        number: u64,
        request: Result<AuthRequest, WireError>,
    ) {
        let answering = &mut self.answering;
        answering.next_ticket = answering.next_ticket.wrapping_add(1);
        let ticket = answering.next_ticket;
        self.answering.asked.push_back((ticket, connection, number));
        let status = match request {
            Ok(mut request) => {
                let keys = std::mem::take(&mut request.keys);
                let source = self.source(peer, connection);
                self.judge(judging::Input::Asked {
                    ticket,
                    peer,
                    source,
                    request: Box::new(request),
                });
                return self.take_keys(peer, &keys);
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
            issued: Vec::new(),
            keys: Vec::new(),
        });
    }

    /// In whose hand the other end is, as far as its address tells. One that a relay introduced has no
    /// address that anybody proved: it counts as the relay's.
    pub(super) fn source(&self, peer: PeerId, connection: ConnectionId) -> Group {
        let known = self.connections.get(connection);
        known.and_then(|one| Group::of(&one.remote)).unwrap_or(Group::Relay(peer))
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
    things.extend(held.rights.iter().map(|rights| rights.prefix()).filter_map(Prefix::resource));
    things
}

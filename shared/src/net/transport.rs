//! Listeners, dials, connections, identify, ping and relay slots: commands and events.
//! Invariant: every reply is answered exactly once, also when its connection never comes.
//! Not here: which address to try when (`transport` and `discovery` machines).

use std::error::Error as _;
use std::sync::Arc;

use libp2p::core::ConnectedPoint;
#[cfg(not(target_arch = "wasm32"))]
use libp2p::relay;
use libp2p::swarm::dial_opts::{DialOpts, PeerCondition};
use libp2p::swarm::{ConnectionId, DialError, SwarmEvent};
use libp2p::{Multiaddr, PeerId, TransportError, identify, relay::client};

use super::auth;
use super::behaviour::BehaviourEvent;
use super::clock::unix_ms;
use super::command::{Reply, TransportCommand};
use super::driver::{Driver, redeem};
use super::handle::{NetError, dialling, listening};
use super::state::{Connection, Identity};
use super::work::TransportWork;
use super::{KAD_PROTOCOL, address, ping};
use crate::limits::{ADDRESS_BYTES_MAX, ADDRESSES_MAX, REMOTE_TEXT_CHARS_MAX};
use crate::ordered::BTreeSet;
use crate::policy::{Action, Permit, Resource};
use crate::wire::text::clean_label;

impl Driver {
    pub(super) fn apply_transport(&mut self, command: TransportCommand) {
        match command {
            TransportCommand::Listen { permit, address, reply } => {
                self.listen(permit, address, reply);
            }
            TransportCommand::Release { permit, relay } => {
                if redeem(permit, Action::ConnectOut, &Resource::Relay(relay)).is_ok()
                    && let Some(listener) = self.circuits.remove(&relay)
                {
                    self.swarm.remove_listener(listener);
                }
            }
            TransportCommand::Dial { permit, peer, addresses, even_if_connected, reply } => {
                let allowed = redeem(permit, Action::ConnectOut, &dialling(peer, &addresses));
                let opts = dial_opts(peer, addresses, even_if_connected);
                match allowed {
                    Ok(()) => self.dial(peer, opts, reply),
                    Err(error) => answer(reply, Err(error)),
                }
            }
            TransportCommand::HangUp { permit, peer, reply } => {
                let done = redeem(permit, Action::ConnectOut, &Resource::Peer(peer));
                if done.is_ok() {
                    self.hang_up(peer);
                }
                answer(reply, done);
            }
            TransportCommand::Ping { permit, peer, reply } => {
                let on = Resource::Protocol(ping::PROTOCOL.to_string());
                let ready = redeem(permit, Action::ProtocolOpen, &on).and_then(|()| {
                    if self.state.is_connected(&peer) {
                        Ok(())
                    } else {
                        Err(NetError::NotConnected)
                    }
                });
                if let Err(error) = ready {
                    return answer(reply, Err(error));
                }
                self.owed.pings.entry(peer).or_default().push(reply);
                self.swarm.behaviour_mut().ping.ping(peer);
            }
        }
    }

    fn listen(&mut self, permit: Permit, address: Multiaddr, reply: Reply<Multiaddr>) {
        let (action, on) = listening(&address);
        let relay = address::relay(&address);
        let listener = redeem(permit, action, &on).and_then(|()| {
            self.swarm.listen_on(address).map_err(|e| NetError::Listen(describe_transport(&e)))
        });
        match listener {
            Ok(id) => {
                if let Some(relay) = relay {
                    self.circuits.insert(relay, id);
                }
                self.owed.listens.push((id, reply));
            }
            Err(error) => answer(reply, Err(error)),
        }
    }

    fn dial(&mut self, peer: Option<PeerId>, opts: DialOpts, reply: Reply<PeerId>) {
        let id = opts.connection_id();
        match (self.swarm.dial(opts), peer.filter(|peer| self.state.is_connected(peer))) {
            (Ok(()), _) => drop(self.owed.dials.insert(id, reply)),
            // "Already connected" is what the caller wanted.
            (Err(DialError::DialPeerConditionFalse(_)), Some(peer)) => answer(reply, Ok(peer)),
            (Err(error), _) => answer(reply, Err(dial_error(&error))),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "libp2p adds events; all others are its own"
    )]
    pub(super) fn lift_connection(&mut self, event: SwarmEvent<BehaviourEvent>) {
        match event {
            SwarmEvent::ConnectionEstablished { peer_id, connection_id, endpoint, .. } => {
                self.opened(peer_id, connection_id, &endpoint);
                self.close_surplus(&peer_id);
                if let Some(reply) = self.owed.dials.remove(&connection_id) {
                    answer(reply, Ok(peer_id));
                }
            }
            SwarmEvent::ConnectionClosed {
                peer_id,
                connection_id,
                endpoint,
                num_established,
                ..
            } => {
                self.forget(connection_id);
                self.closed(peer_id, &endpoint, num_established);
            }
            SwarmEvent::OutgoingConnectionError { connection_id, error, .. } => {
                if let Some(reply) = self.owed.dials.remove(&connection_id) {
                    answer(reply, Err(dial_error(&error)));
                }
            }
            SwarmEvent::NewListenAddr { listener_id, address } => {
                // Where others are introduced to us is as good as the relay, which confirmed itself.
                let signalled = address::is_signalled(&address);
                if signalled || (self.confirm_listen && !address::needs_relay(&address)) {
                    self.swarm.add_external_address(address.clone());
                    // The swarm tells of addresses that others confirmed, not of ours.
                    self.state.external.insert(address::without_peer(address.clone()));
                }
                self.state.listen.insert(address.clone());
                while let Some(at) = self.owed.listens.iter().position(|(id, _)| *id == listener_id)
                {
                    answer(self.owed.listens.swap_remove(at).1, Ok(address.clone()));
                }
            }
            SwarmEvent::ExpiredListenAddr { address, .. } => self.unlisten(&address),
            SwarmEvent::ListenerClosed { listener_id, addresses, reason } => {
                self.circuits.retain(|_, id| *id != listener_id);
                let reason = reason.err().map_or("closed".to_owned(), |e| e.to_string());
                for address in &addresses {
                    self.unlisten(address);
                }
                while let Some(at) = self.owed.listens.iter().position(|(id, _)| *id == listener_id)
                {
                    let (_, reply) = self.owed.listens.swap_remove(at);
                    answer(reply, Err(NetError::Listen(reason.clone())));
                }
                let address = addresses.into_iter().next();
                // A full lane loses a hint only: the address is gone from the state as well.
                drop(self.lanes.transport.offer(TransportWork::ListenerClosed { address, reason }));
            }
            SwarmEvent::ExternalAddrConfirmed { address } => {
                self.state.external.insert(address::without_peer(address));
            }
            SwarmEvent::ExternalAddrExpired { address } => {
                self.state.external.remove(&address::without_peer(address));
            }
            _ => {}
        }
    }

    fn opened(&mut self, peer: PeerId, id: ConnectionId, endpoint: &ConnectedPoint) {
        let number = self.number(id);
        let connection = Connection {
            peer,
            address: far_end(endpoint),
            outbound: endpoint.is_dialer(),
            opened_ms: unix_ms(),
        };
        let replaces = self.state.has_replaced(&connection);
        self.state.connections.insert(number, connection);
        if replaces {
            // The peer restarted and is back before its old connection is gone, so what each side
            // believes the other knows is out of step: start over.
            self.hang_up(peer);
        }
    }

    /// Both sides asked at once for a direct path, and one is enough.
    fn close_surplus(&mut self, peer: &PeerId) {
        let Some(number) = self.state.surplus(peer) else { return };
        let id = self.numbers.iter().find(|(_, known)| **known == number).map(|(id, _)| *id);
        if let Some(id) = id
            && !self.swarm.close_connection(id)
        {
            tracing::debug!(%peer, "gone already");
        }
    }

    fn forget(&mut self, connection: ConnectionId) {
        let Some(number) = self.numbers.remove(&connection) else { return };
        self.state.connections.remove(&number);
    }

    fn unlisten(&mut self, address: &Multiaddr) {
        self.state.listen.remove(address);
        let bare = address::without_peer(address.clone());
        self.state.external.remove(&bare);
        self.swarm.remove_external_address(address);
        if let Some(relay) = address::relay(address) {
            self.state.reservations.remove(&relay);
        }
    }

    fn closed(&mut self, peer: PeerId, endpoint: &ConnectedPoint, left: u32) {
        tracing::debug!(peer = %peer, relayed = endpoint.is_relayed(), left, "connection closed");
        if left > 0 {
            return;
        }
        self.state.identities.remove(&peer);
        self.state.rtt_us.remove(&peer);
        self.unfollow_all(&peer);
        for reply in self.owed.pings.remove(&peer).unwrap_or_default() {
            answer(reply, Err(NetError::NotConnected));
        }
    }

    pub(super) fn lift_identify(&mut self, event: identify::Event) {
        let identify::Event::Received { peer_id, info, .. } = event else { return };
        let speaks = |name: &str| info.protocols.iter().any(|p| p.as_ref() == name);
        if speaks(auth::PROTOCOL.as_ref()) {
            self.swarm.behaviour_mut().auth.speaks(peer_id);
        }
        let known = self.state.identities.get(&peer_id);
        let identity = Identity {
            allowance: known.and_then(|known| known.allowance.clone()),
            agent: clean_label(&info.agent_version, REMOTE_TEXT_CHARS_MAX),
            kad: speaks(KAD_PROTOCOL),
            relay: speaks(libp2p::relay::HOP_PROTOCOL_NAME.as_ref()),
            addresses: info
                .listen_addrs
                .into_iter()
                .filter(|address| address.len() <= ADDRESS_BYTES_MAX)
                .map(address::without_peer)
                .collect::<BTreeSet<_>>()
                .into_iter()
                .take(ADDRESSES_MAX * 2)
                .collect(),
        };
        if self.state.is_connected(&peer_id) {
            self.state.identities.insert(peer_id, Arc::new(identity));
        }
    }

    pub(super) fn lift_ping(&mut self, event: ping::Event) {
        let result = match event.outcome {
            ping::Outcome::Pong(took) => {
                let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
                self.state.rtt_us.insert(event.peer, micros);
                Ok(took)
            }
            ping::Outcome::Failed(reason) => Err(NetError::Ping(reason)),
            ping::Outcome::Dead => Err(NetError::Ping("the connection is dead".to_owned())),
            ping::Outcome::Unsupported => {
                Err(NetError::Ping("the peer does not speak ping".to_owned()))
            }
        };
        for reply in self.owed.pings.remove(&event.peer).unwrap_or_default() {
            answer(reply, result.clone());
        }
    }

    pub(super) fn lift_relay_client(&mut self, event: client::Event) {
        if let client::Event::ReservationReqAccepted { relay_peer_id, .. } = event {
            self.state.reservations.insert(relay_peer_id);
        }
    }

    #[cfg(not(target_arch = "wasm32"))]
    #[expect(clippy::wildcard_enum_match_arm, reason = "denials and slots are counted by metrics")]
    pub(super) fn lift_relay(&mut self, event: relay::Event) {
        match event {
            relay::Event::CircuitReqAccepted { src_peer_id, dst_peer_id } => {
                self.carried.insert((src_peer_id, dst_peer_id));
            }
            relay::Event::CircuitClosed { src_peer_id, dst_peer_id, .. } => {
                self.carried.remove(&(src_peer_id, dst_peer_id));
            }
            _ => return,
        }
        self.state.circuits = self.carried.len();
    }
}

/// Where the other end of a connection is.
fn far_end(endpoint: &ConnectedPoint) -> Multiaddr {
    match endpoint {
        ConnectedPoint::Dialer { address, .. } => address::without_peer(address.clone()),
        ConnectedPoint::Listener { local_addr, send_back_addr } => {
            address::inbound(local_addr, send_back_addr)
        }
    }
}

fn dial_opts(peer: Option<PeerId>, addresses: Vec<Multiaddr>, even_if_connected: bool) -> DialOpts {
    let condition = if even_if_connected {
        PeerCondition::Always
    } else {
        PeerCondition::DisconnectedAndNotDialing
    };
    match (peer, addresses.first().cloned()) {
        (Some(peer), _) => {
            DialOpts::peer_id(peer).condition(condition).addresses(addresses).build()
        }
        (None, Some(address)) => DialOpts::unknown_peer_id().address(address).build(),
        (None, None) => DialOpts::unknown_peer_id().address(Multiaddr::empty()).build(),
    }
}

/// Answers; a caller that has left is not an error.
pub(super) fn answer<T>(reply: Reply<T>, result: Result<T, NetError>) {
    drop(reply.send(result));
}

/// Why a dial failed, in plain words.
fn dial_error(error: &DialError) -> NetError {
    let text = match error {
        DialError::WrongPeerId { obtained, .. } => return NetError::WrongPeer(*obtained),
        DialError::LocalPeerId { .. } => "the address leads to ourselves".to_owned(),
        DialError::NoAddresses => "no address is known for the peer".to_owned(),
        DialError::DialPeerConditionFalse(_) => {
            "the peer is connected or being dialled already".to_owned()
        }
        DialError::Aborted => "the attempt was given up".to_owned(),
        DialError::Denied { cause } => {
            cause.source().map_or_else(|| cause.to_string(), ToString::to_string)
        }
        DialError::Transport(failed) => {
            if let [(_, TransportError::MultiaddrNotSupported(address))] = failed.as_slice() {
                return NetError::Unsupported(address.clone());
            }
            let reasons: BTreeSet<_> = failed.iter().map(|(_, e)| describe_transport(e)).collect();
            reasons.into_iter().collect::<Vec<_>>().join("; ")
        }
    };
    NetError::Dial(text)
}

fn describe_transport(error: &TransportError<std::io::Error>) -> String {
    match error {
        TransportError::MultiaddrNotSupported(address) => {
            format!("this peer has no transport for {address}")
        }
        TransportError::Other(error) => innermost(error),
    }
}

/// libp2p wraps errors several times; the innermost one says what happened.
fn innermost(error: &std::io::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.get_ref().and_then(|inner| {
        text = inner.to_string();
        inner.source()
    });
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}

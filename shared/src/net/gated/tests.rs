//! What the inner behaviour gets to see, whatever connections do and rules say.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::task::noop_waker;
use libp2p::swarm::dummy;
use proptest::prelude::*;
use tokio::sync::watch;

use super::*;
use crate::policy::{PolicySet, Rules};

/// Notes what it is told, and whether it could be true.
#[derive(Debug, Default)]
struct Recorder {
    open: BTreeMap<PeerId, Vec<ConnectionId>>,
    made: Vec<ConnectionId>,
}

impl NetworkBehaviour for Recorder {
    type ConnectionHandler = dummy::ConnectionHandler;
    type ToSwarm = std::convert::Infallible;

    fn handle_established_inbound_connection(
        &mut self,
        id: ConnectionId,
        _: PeerId,
        _: &Multiaddr,
        _: &Multiaddr,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        assert!(!self.made.contains(&id), "one handler a connection");
        self.made.push(id);
        Ok(dummy::ConnectionHandler)
    }

    fn handle_established_outbound_connection(
        &mut self,
        id: ConnectionId,
        peer: PeerId,
        remote: &Multiaddr,
        _: Endpoint,
        _: PortUse,
    ) -> Result<THandler<Self>, ConnectionDenied> {
        self.handle_established_inbound_connection(id, peer, remote, remote)
    }

    fn on_swarm_event(&mut self, event: FromSwarm) {
        if let FromSwarm::ConnectionEstablished(e) = event {
            assert!(self.made.contains(&e.connection_id), "it has a handler of ours");
            let open = self.open.entry(e.peer_id).or_default();
            assert_eq!(e.other_established, open.len(), "others are what we know");
            open.push(e.connection_id);
        }
        if let FromSwarm::ConnectionClosed(e) = event {
            let open = self.open.entry(e.peer_id).or_default();
            assert!(open.contains(&e.connection_id), "only what we know closes");
            open.retain(|id| *id != e.connection_id);
            assert_eq!(e.remaining_established, open.len(), "what remains is what we know");
        }
    }

    fn on_connection_handler_event(
        &mut self,
        _: PeerId,
        _: ConnectionId,
        event: THandlerOutEvent<Self>,
    ) {
        match event {}
    }

    fn poll(&mut self, _: &mut Context<'_>) -> Poll<ToSwarm<Self::ToSwarm, THandlerInEvent<Self>>> {
        Poll::Pending
    }
}

#[derive(Clone, Debug)]
enum Op {
    /// A peer connects, over a relay or not, as dialler or as listener.
    Connect { peer: usize, relayed: bool, outbound: bool },
    /// Its connection with this place closes.
    Close { peer: usize, place: usize },
    /// The rules name it, or no longer.
    Deny { peer: usize, denied: bool },
}

fn op() -> impl Strategy<Value = Op> {
    let peer = 0..3_usize;
    prop_oneof![
        (peer.clone(), any::<bool>(), any::<bool>())
            .prop_map(|(peer, relayed, outbound)| Op::Connect { peer, relayed, outbound }),
        (peer.clone(), 0..4_usize).prop_map(|(peer, place)| Op::Close { peer, place }),
        (peer, any::<bool>()).prop_map(|(peer, denied)| Op::Deny { peer, denied }),
    ]
}

struct Scene {
    gated: Gated<Recorder>,
    rules: watch::Sender<Arc<PolicySet>>,
    peers: Vec<PeerId>,
    denied: Vec<bool>,
    /// By peer: the connection, its endpoint, whether a relay carries it.
    open: Vec<Vec<(ConnectionId, ConnectedPoint, bool)>>,
    next: usize,
}

impl Scene {
    fn new() -> Self {
        let (rules, policy) = watch::channel(Arc::new(PolicySet::open()));
        let gated = Gated::new(Recorder::default(), Judge::new(policy), "/test");
        let peers = (0..3).map(|_| PeerId::random()).collect();
        let open = vec![Vec::new(); 3];
        Self { gated, rules, peers, denied: vec![false; 3], open, next: 0 }
    }

    fn run(&mut self, op: &Op) {
        match *op {
            Op::Connect { peer, relayed, outbound } => self.connect(peer, relayed, outbound),
            Op::Close { peer, place } => {
                if place < self.open[peer].len() {
                    self.close(peer, place);
                }
            }
            Op::Deny { peer, denied } => {
                self.denied[peer] = denied;
                let named = self.peers.iter().zip(&self.denied).filter(|(_, denied)| **denied);
                let deny_peers = named.map(|(peer, _)| *peer).collect();
                let rules = Rules { deny_peers, ..Rules::default() };
                self.rules.send_replace(Arc::new(PolicySet::from_rules(rules, 2)));
                self.gated.rejudge(&self.peers[peer].clone());
            }
        }
        self.settle();
        self.check();
    }

    fn connect(&mut self, peer: usize, relayed: bool, outbound: bool) {
        self.next += 1;
        let id = ConnectionId::new_unchecked(self.next);
        let who = self.peers[peer];
        let direct: Multiaddr = "/ip4/1.2.3.4/tcp/5".parse().unwrap();
        let circuit = format!("/ip4/1.2.3.4/tcp/5/p2p/{}/p2p-circuit", PeerId::random());
        let here = if relayed { circuit.parse().unwrap() } else { direct };
        let endpoint = if outbound {
            let (role, port) = (Endpoint::Dialer, PortUse::Reuse);
            let made =
                self.gated.handle_established_outbound_connection(id, who, &here, role, port);
            made.unwrap();
            ConnectedPoint::Dialer { address: here, role_override: role, port_use: port }
        } else {
            let made = self.gated.handle_established_inbound_connection(id, who, &here, &here);
            made.unwrap();
            ConnectedPoint::Listener { local_addr: here.clone(), send_back_addr: here }
        };
        let other_established = self.open[peer].len();
        self.gated.on_swarm_event(FromSwarm::ConnectionEstablished(ConnectionEstablished {
            peer_id: who,
            connection_id: id,
            endpoint: &endpoint,
            failed_addresses: &[],
            other_established,
        }));
        self.open[peer].push((id, endpoint, relayed));
    }

    fn close(&mut self, peer: usize, place: usize) {
        let (id, endpoint, _) = self.open[peer].remove(place);
        self.gated.on_swarm_event(FromSwarm::ConnectionClosed(ConnectionClosed {
            peer_id: self.peers[peer],
            connection_id: id,
            endpoint: &endpoint,
            cause: None,
            remaining_established: self.open[peer].len(),
        }));
    }

    /// Does what the behaviour asks of the swarm.
    fn settle(&mut self) {
        let waker = noop_waker();
        while let Poll::Ready(event) = self.gated.poll(&mut Context::from_waker(&waker)) {
            if let ToSwarm::CloseConnection { connection: CloseConnection::One(id), .. } = event {
                for peer in 0..3 {
                    if let Some(place) = self.open[peer].iter().position(|(open, ..)| *open == id) {
                        self.close(peer, place);
                    }
                }
            }
        }
    }

    fn check(&self) {
        for (peer, who) in self.peers.iter().enumerate() {
            let expected: Vec<_> = self.open[peer]
                .iter()
                .filter(|(.., relayed)| !relayed && !self.denied[peer])
                .map(|(id, ..)| *id)
                .collect();
            let mut known = self.gated.inner().open.get(who).cloned().unwrap_or_default();
            known.sort();
            assert_eq!(known, expected, "direct connections of whom the rules allow");
        }
    }
}

proptest! {
    #[test]
    fn the_inner_behaviour_knows_what_it_may_use_and_nothing_else(
        ops in proptest::collection::vec(op(), 0..60),
    ) {
        let mut scene = Scene::new();
        for op in &ops {
            scene.run(op);
        }
        for peer in 0..3 {
            while !scene.open[peer].is_empty() {
                scene.close(peer, 0);
            }
        }
        prop_assert!(scene.gated.inner().open.values().all(Vec::is_empty));
        prop_assert!(scene.gated.known.table.iter().next().is_none());
    }
}

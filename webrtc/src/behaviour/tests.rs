//! What the behaviour makes of connections and of those who may not be introduced.

use libp2p_core::Endpoint;
use libp2p_core::multiaddr::{Multiaddr, Protocol};
use libp2p_core::transport::PortUse;
use libp2p_identity::PeerId;
use libp2p_swarm::{ConnectionId, NetworkBehaviour as _};

use super::Behaviour;
use crate::limits::SignalLimits;
use crate::signal::Reach;

fn behaviour() -> Behaviour {
    let (_, wishes) = futures::channel::mpsc::channel(1);
    let (news, _) = futures::channel::mpsc::channel(1);
    Behaviour::new(wishes, news, SignalLimits::DEFAULT)
}

fn dialled(behaviour: &mut Behaviour, number: usize, peer: PeerId, address: &str) {
    let address: Multiaddr = address.parse().expect("an address");
    let connection = ConnectionId::new_unchecked(number);
    let role = Endpoint::Dialer;
    behaviour
        .handle_established_outbound_connection(connection, peer, &address, role, PortUse::Reuse)
        .expect("taken");
}

fn came(behaviour: &mut Behaviour, number: usize, peer: PeerId, local: &str, remote: &str) {
    let [local, remote] = [local, remote].map(|text| text.parse().expect("an address"));
    let connection = ConnectionId::new_unchecked(number);
    behaviour
        .handle_established_inbound_connection(connection, peer, &local, &remote)
        .expect("taken");
}

fn circuit(at: &str, relay: PeerId) -> Multiaddr {
    let at: Multiaddr = at.parse().expect("an address");
    at.with(Protocol::P2p(relay)).with(Protocol::P2pCircuit).with(Protocol::P2p(PeerId::random()))
}

#[test]
fn a_relay_is_as_far_away_as_the_farthest_connection_with_it() {
    let (relay, other) = (PeerId::random(), PeerId::random());
    let mut behaviour = behaviour();
    // An address is a claim: only connections count.
    let claimed = circuit("/ip4/127.0.0.1/tcp/1", relay);
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::World);
    dialled(&mut behaviour, 1, relay, "/ip4/127.0.0.1/tcp/1");
    dialled(&mut behaviour, 2, other, "/ip4/8.8.8.8/tcp/1");
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::Machine);
    came(&mut behaviour, 3, relay, "/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.2/tcp/1");
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::Site);
    dialled(&mut behaviour, 4, relay, "/ip4/8.8.4.4/tcp/1");
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::World);
    behaviour.forget(&relay, ConnectionId::new_unchecked(4));
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::Site);
    // A relay that is reached through another one is anywhere.
    let over = circuit("/ip4/127.0.0.1/tcp/1", other).to_string();
    dialled(&mut behaviour, 5, relay, &over);
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::Site, "no direct connection");
    dialled(&mut behaviour, 6, relay, &over.replace("p2p-circuit", "p2p-circuit/webrtc"));
    assert_eq!(behaviour.reach_of_relay(&claimed), Reach::World);
}

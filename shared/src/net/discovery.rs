//! Events that tell of peers not yet connected: mDNS.
//! Invariant: only hands addresses on; nothing is dialled here.
//! Not here: whether and when to dial (`discovery` machine).

#[cfg(not(target_arch = "wasm32"))]
use libp2p::{Multiaddr, PeerId, mdns};

#[cfg(not(target_arch = "wasm32"))]
use super::{address, driver::Driver, work::DiscoveryWork};
#[cfg(not(target_arch = "wasm32"))]
use crate::limits::ADDRESSES_MAX;
#[cfg(not(target_arch = "wasm32"))]
use crate::ordered::BTreeMap;

#[cfg(not(target_arch = "wasm32"))]
impl Driver {
    pub(super) fn lift_mdns(&mut self, event: mdns::Event) {
        let mdns::Event::Discovered(found) = event else { return };
        let mut peers = BTreeMap::<PeerId, Vec<Multiaddr>>::new();
        for (peer, address) in found {
            let addresses = peers.entry(peer).or_default();
            if addresses.len() < ADDRESSES_MAX {
                addresses.push(address::without_peer(address));
            }
        }
        for (peer, addresses) in peers {
            // mDNS repeats itself; what a full lane loses comes again.
            drop(self.lanes.discovery.offer(DiscoveryWork::PeerHeard { peer, addresses }));
        }
    }
}

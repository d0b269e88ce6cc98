//! Items that the Driver hands to a capability and that want a protocol answer.
//! Invariant: lanes are bounded; a full lane is answered at once in the protocol's own words.
//! Not here: state (`state`), which is the latest truth and never queues.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use libp2p::{Multiaddr, PeerId, kad};
use tokio::sync::mpsc;

use crate::grant::{Chain, GrantId, Key, Rights, SignedList};
use crate::limits::LANE_WORK_MAX;
use crate::pubsub::Arrival;
use crate::room_key::SignedRoomKey;

/// Work for transport.
#[derive(Debug)]
pub enum TransportWork {
    /// A listener ended, by itself or because its socket failed.
    ListenerClosed {
        /// Its address, when it had one.
        address: Option<Multiaddr>,
        /// Why, in plain words.
        reason: String,
    },
}

/// Work for discovery.
#[derive(Debug)]
pub enum DiscoveryWork {
    /// mDNS saw a peer on the local network.
    PeerHeard {
        /// Who.
        peer: PeerId,
        /// Where.
        addresses: Vec<Multiaddr>,
    },
    /// A message on the discovery topic.
    AnnouncementArrived(Arrival),
}

/// A record or provider that a peer asks us to keep.
#[derive(Clone, Debug)]
pub enum Offer {
    /// A value under a key.
    Record(kad::Record),
    /// Somebody who has what the key names.
    Provider(kad::ProviderRecord),
}

/// Work for routing.
#[derive(Debug)]
pub enum RoutingWork {
    /// A peer asks us to keep something.
    RecordOffered {
        /// Who asks.
        from: PeerId,
        /// What.
        offer: Offer,
    },
}

/// Work for pubsub.
#[derive(Debug)]
pub enum PubsubWork {
    /// A gossip message that waits for a verdict.
    GossipArrived(Arrival),
}

/// Work for identity, which keeps grants on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityWork {
    /// A limited grant of ours was used by a new holder.
    Counted {
        /// The link.
        id: GrantId,
        /// Who used it.
        holder: Key,
    },
    /// A peer showed what we granted it, itself or by an invite of ours.
    Arrived {
        /// Who.
        peer: PeerId,
        /// The chain that it showed.
        chain: Chain,
        /// What it gives.
        rights: Arc<Rights>,
    },
    /// A peer issued this chain to us.
    Received(Chain),
    /// A key of a members' room that is new here.
    RoomKey(SignedRoomKey),
    /// A list of revocations that is new here.
    Listed(SignedList),
}

/// The Driver's end of one lane.
#[derive(Debug)]
pub struct Lane<T> {
    sender: mpsc::Sender<T>,
    shed: Arc<AtomicU64>,
    waiting: Arc<AtomicU64>,
}

impl<T> Lane<T> {
    /// Puts work into the lane.
    ///
    /// # Errors
    /// The work itself when the lane is full or its reader is gone: answer it now.
    pub fn offer(&self, work: T) -> Result<(), T> {
        let offered = self.sender.try_send(work).map_err(|refused| {
            self.shed.fetch_add(1, Ordering::Relaxed);
            refused.into_inner()
        });
        let waiting = self.sender.max_capacity().saturating_sub(self.sender.capacity());
        self.waiting.store(u64::try_from(waiting).unwrap_or(u64::MAX), Ordering::Relaxed);
        offered
    }
}

/// The reader's end of one lane.
#[derive(Debug)]
pub struct Work<T> {
    /// The items.
    pub receiver: mpsc::Receiver<T>,
    /// Items refused so far because the lane was full.
    pub shed: Arc<AtomicU64>,
    /// Items that wait. The Driver writes it on every offer; the reader should after taking.
    pub waiting: Arc<AtomicU64>,
}

fn lane<T>() -> (Lane<T>, Work<T>) {
    let (sender, receiver) = mpsc::channel(LANE_WORK_MAX);
    let (shed, waiting) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
    let lane = Lane { sender, shed: Arc::clone(&shed), waiting: Arc::clone(&waiting) };
    (lane, Work { receiver, shed, waiting })
}

/// The Driver's ends of all lanes.
#[derive(Debug)]
pub struct Lanes {
    /// To identity.
    pub identity: Lane<IdentityWork>,
    /// To transport.
    pub transport: Lane<TransportWork>,
    /// To discovery.
    pub discovery: Lane<DiscoveryWork>,
    /// To routing.
    pub routing: Lane<RoutingWork>,
    /// To pubsub.
    pub pubsub: Lane<PubsubWork>,
}

/// The readers' ends of all lanes.
#[derive(Debug)]
pub struct Works {
    /// For identity.
    pub identity: Work<IdentityWork>,
    /// For transport.
    pub transport: Work<TransportWork>,
    /// For discovery.
    pub discovery: Work<DiscoveryWork>,
    /// For routing.
    pub routing: Work<RoutingWork>,
    /// For pubsub.
    pub pubsub: Work<PubsubWork>,
}

/// One lane for each capability.
#[must_use]
pub fn lanes() -> (Lanes, Works) {
    let (to_identity, identity) = lane();
    let (to_transport, transport) = lane();
    let (to_discovery, discovery) = lane();
    let (to_routing, routing) = lane();
    let (to_pubsub, pubsub) = lane();
    (
        Lanes {
            identity: to_identity,
            transport: to_transport,
            discovery: to_discovery,
            routing: to_routing,
            pubsub: to_pubsub,
        },
        Works { identity, transport, discovery, routing, pubsub },
    )
}

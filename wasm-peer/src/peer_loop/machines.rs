//! The machines of one browser peer, side by side.
//! Invariant: shared with JavaScript's object only to be looked at; `PeerLoop` alone changes them.
//! Not here: carrying out what they say.

use libp2p::identity::Keypair;
use peerloom_shared::Multiaddr;
use peerloom_shared::discovery::LinkError;
use peerloom_shared::limits::OUTBOUND_WANTED;
use peerloom_shared::machine::Machine as _;
use peerloom_shared::net::clock::Clock;
use peerloom_shared::net::{NetHandle, Picture};
use peerloom_shared::time::Mono;
use peerloom_shared::view::Status;
use peerloom_shared::{discovery, pubsub, routing, transport};

/// What the machines start from.
pub(crate) struct Plan {
    /// Our key.
    pub(crate) keypair: Keypair,
    /// The name that others see.
    pub(crate) name: Option<String>,
    /// Whether this host's own networks count: the page itself came from there.
    pub(crate) local_page: bool,
    /// Seeds for everything random that is not a secret.
    pub(crate) seeds: [u64; 3],
}

/// See the module's text.
pub(crate) struct Machines {
    pub(super) transport: transport::Transport,
    pub(super) discovery: discovery::Discovery,
    pub(super) routing: routing::Routing,
    pub(super) pubsub: pubsub::Pubsub,
    pub(super) net: NetHandle,
    pub(super) clock: Clock,
}

impl Machines {
    /// Machines that have seen nothing yet.
    pub(crate) fn new(plan: Plan, net: NetHandle) -> Self {
        let Plan { keypair, name, local_page, seeds: [one, two, three] } = plan;
        let public = keypair.public();
        let local = public.to_peer_id();
        let config = discovery::Config {
            each_link_address: true,
            dial_private: local_page,
            outbound_wanted: OUTBOUND_WANTED,
            relay_only: true,
        };
        Self {
            transport: transport::Transport::new(local, one),
            discovery: discovery::Discovery::new(public, two, config),
            routing: routing::Routing::new(local, routing::Config { exempt_private: local_page }),
            pubsub: pubsub::Pubsub::new(local, three, pubsub::Config { name, carry: false }),
            net,
            clock: Clock::default(),
        }
    }

    /// Whether a link to this address would be kept, and why not.
    pub(crate) fn check_link(&self, address: &Multiaddr) -> Result<(), LinkError> {
        self.discovery.check_link(address)
    }

    /// The picture at this moment.
    pub(crate) fn status(&self) -> Status {
        let now = self.clock.now();
        let (health, reason) = self.discovery.health();
        Picture {
            net: &self.net.state(),
            kind: super::KIND,
            health,
            reason: &reason,
            links: &self.discovery.links(now),
            links_age_ms: 0,
            rooms: &self.pubsub.rooms(),
            uptime_ms: now.mono.as_millis(),
        }
        .status()
    }

    /// When the first of them wants to be called.
    pub(super) fn next_wake(&self) -> Option<Mono> {
        [
            self.transport.next_wake(),
            self.discovery.next_wake(),
            self.routing.next_wake(),
            self.pubsub.next_wake(),
        ]
        .into_iter()
        .flatten()
        .min()
    }
}

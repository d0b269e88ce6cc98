//! Sees what passes through the Driver and counts it.
//! Invariant: never waits, never allocates per message beyond what libp2p's metrics do.
//! Not here: the registry and our own families (`admin::metrics`).

use std::sync::Arc;
use std::time::Duration;

use libp2p::connection_limits::Exceeded;
use libp2p::metrics::{Metrics as Libp2p, Recorder as _};
use libp2p::swarm::{ListenError, SwarmEvent};
use peerloom_shared::net::Observer;
use peerloom_shared::net::behaviour::BehaviourEvent;

use crate::admin::Metrics;

/// Counts the Driver's events. Clones count into the same numbers.
#[derive(Clone)]
pub struct Watcher {
    own: Metrics,
    libp2p: Arc<Libp2p>,
}

impl std::fmt::Debug for Watcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}

impl Watcher {
    /// Registers libp2p's families. Make one for a process and clone it.
    #[must_use]
    pub fn new(own: Metrics) -> Self {
        let libp2p = Arc::new(own.register(Libp2p::new));
        Self { own, libp2p }
    }
}

impl Observer for Watcher {
    fn event(&mut self, event: &SwarmEvent<BehaviourEvent>) {
        self.libp2p.record(event);
        if let SwarmEvent::IncomingConnectionError { error: ListenError::Denied { cause }, .. } =
            event
            && cause.downcast_ref::<Exceeded>().is_some()
        {
            self.own.count_refused("limit", 1);
        }
        let SwarmEvent::Behaviour(event) = event else { return };
        match event {
            BehaviourEvent::Identify(event) => self.libp2p.record(event),
            BehaviourEvent::Gossip(event) | BehaviourEvent::Members(event) => {
                self.libp2p.record(event)
            }
            BehaviourEvent::Kad(event) => self.libp2p.record(event),
            BehaviourEvent::Relay(event) => self.libp2p.record(event),
            BehaviourEvent::Dcutr(event) => self.libp2p.record(event),
            BehaviourEvent::Ping(_)
            | BehaviourEvent::Auth(_)
            | BehaviourEvent::RelayClient(_)
            | BehaviourEvent::Webrtc(())
            | BehaviourEvent::AutonatClient(_)
            | BehaviourEvent::AutonatServer(_)
            | BehaviourEvent::Mdns(_) => {}
            BehaviourEvent::Gate(never) | BehaviourEvent::Limits(never) => match *never {},
        }
    }

    fn lifted(&mut self, took: Duration) {
        self.own.observe_lift(took);
    }
}

//! The six actors and the Driver of one life: born together, ended together.
//! Invariant: nothing here survives a restart; what must, is given in with [`Boot`].
//! Not here: when to restart (`root`), what a new life does first (`settle`).

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, PoisonError};

use actix::{Actor as _, Addr};
use peerloom_shared::limits::OUTBOUND_WANTED;
use peerloom_shared::net::behaviour::Profile;
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::work::{IdentityWork, Work};
use peerloom_shared::net::{Driver, Judge, NetHandle, Settings, agent};
use peerloom_shared::view::RoomInfo;
use peerloom_shared::wire::RoomName;
use peerloom_shared::{discovery, pubsub, routing, transport};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::actor::shell::Birth;
use crate::actor::{DeathWatch, Gauge, Handle};
use crate::boot::Boot;
use crate::discovery::actor::{Discovery, Reach};
use crate::error::{Failure, codes};
use crate::identity;
use crate::identity::actor::Identity;
use crate::identity::grants::Grants;
use crate::identity::ledger::Ledger;
use crate::identity::messages::EnsureKey;
use crate::node_handle::of_ask;
use crate::policy::actor::Policy;
use crate::pubsub::actor::Pubsub;
use crate::pubsub::outlets::Outlets;
use crate::routing::actor::Routing;
use crate::swarm::{self, Counts as TransportCounts};
use crate::transport::actor::{Listening, Transport};

/// One life.
#[derive(Debug)]
pub struct Group {
    /// The network.
    pub net: NetHandle,
    /// Identity.
    pub identity: Handle<Identity>,
    /// Policy.
    pub policy: Handle<Policy>,
    /// Transport.
    pub transport: Handle<Transport>,
    /// Discovery.
    pub discovery: Handle<Discovery>,
    /// Routing.
    pub routing: Handle<Routing>,
    /// Pubsub.
    pub pubsub: Handle<Pubsub>,
    /// Links and health.
    pub reach: watch::Receiver<Arc<Reach>>,
    /// Rooms and members.
    pub rooms: watch::Receiver<Arc<Vec<RoomInfo>>>,
    /// What could not be listened on.
    pub listening: watch::Receiver<Arc<Listening>>,
    /// The lanes, by actor.
    pub gauges: Vec<(&'static str, Gauge)>,
    /// Connections the gate refused.
    pub refused: Arc<AtomicU64>,
    /// What the transports count.
    pub transports: TransportCounts,
    /// Ends the Driver, with goodbyes.
    pub stop_net: CancellationToken,
    /// Ends the actors.
    pub stop_actors: CancellationToken,
}

impl Boot {
    fn birth(&self, name: &'static str, net: &NetHandle, stop: &CancellationToken) -> Birth {
        Birth {
            net: net.clone(),
            death: DeathWatch::new(name, self.notices.clone()),
            clock: self.clock,
            metrics: self.metrics.clone(),
            stop: stop.clone(),
        }
    }

    fn profile(&self) -> Profile {
        match self.config.profile {
            crate::config::Profile::Relay => Profile::Relay,
            crate::config::Profile::Lan => Profile::Lan,
            crate::config::Profile::Edge => Profile::Edge,
        }
    }

    /// Builds the Driver.
    fn network(&self, judge: &Judge) -> Result<(Parts, TransportCounts), Failure> {
        let settings = Settings {
            keypair: self.keypair.clone(),
            profile: self.profile(),
            agent: agent("native"),
            mdns: self.config.mdns,
            seed: seed()?,
        };
        let (swarm, counts) = swarm::build(&settings, self.certificate.clone(), judge)
            .map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))?;
        let watcher = Box::new(self.watcher.clone());
        Ok((Driver::parts(swarm, judge.clone(), true, Some(watcher)), counts))
    }

    /// Builds one life, the lower actors first. Must run on the actors' thread.
    ///
    /// # Errors
    /// When the network cannot be set up.
    pub fn build(&self) -> Result<(Group, Driver), Failure> {
        let judge = Judge::new(self.policy.subscribe()).audited(Arc::new(self.audit.clone()));
        let (parts, transports) = self.network(&judge)?;
        let Parts { driver, handle: net, works, refused } = parts;
        let (stop_net, stop_actors) = (CancellationToken::new(), CancellationToken::new());
        let birth = |name| self.birth(name, &net, &stop_actors);
        let local = self.keypair.public().to_peer_id();

        let (identity, identity_lane) = self.start_identity(&net, works.identity, &stop_actors)?;
        let machine = transport::Transport::new(local, seed()?);
        let (transport, listening, transport_lane) =
            Transport::start(machine, birth("transport"), works.transport);
        let transport = Handle::new(transport);
        let below = (transport.clone(), self.book.clone());
        let (discovery, reach, discovery_lane) =
            Discovery::start(self.finder()?, birth("discovery"), works.discovery, below);
        let discovery = Handle::new(discovery);
        let exempt_private = self.profile() != Profile::Relay;
        let machine = routing::Routing::new(local, routing::Config { exempt_private });
        let (routing, routing_lane) =
            Routing::start(machine, birth("routing"), works.routing, discovery.clone());
        let (outlets, rooms) = self.outlets();
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let machine = pubsub::Pubsub::new(local, seed()?, pubsub::Config { name, carry: true });
        let (pubsub, pubsub_lane) = Pubsub::start(machine, birth("pubsub"), works.pubsub, outlets);
        let group = Group {
            identity: Handle::new(identity),
            policy: self.start_policy(&stop_actors),
            net,
            transport,
            discovery,
            routing: Handle::new(routing),
            pubsub: Handle::new(pubsub),
            reach,
            rooms,
            listening,
            gauges: vec![
                ("identity", identity_lane),
                ("transport", transport_lane),
                ("discovery", discovery_lane),
                ("routing", routing_lane),
                ("pubsub", pubsub_lane),
            ],
            refused,
            transports,
            stop_net,
            stop_actors,
        };
        Ok((group, driver))
    }

    fn start_identity(
        &self,
        net: &NetHandle,
        work: Work<IdentityWork>,
        stop: &CancellationToken,
    ) -> Result<(Addr<Identity>, Gauge), Failure> {
        // The keystore takes no other kind.
        let signer = self.keypair.clone().try_into_ed25519().map_err(|error| {
            Failure::new(&codes::KEY_002, format!("only Ed25519 keys can sign grants: {error}"))
        })?;
        let grants = Grants::open(
            Ledger::new(signer),
            Arc::clone(&self.store),
            net.clone(),
            self.policy.subscribe(),
            self.audit.clone(),
        )?;
        let birth = identity::actor::Birth {
            keypair: self.keypair.clone(),
            grants,
            death: DeathWatch::new("identity", self.notices.clone()),
            stop: stop.clone(),
        };
        Ok(Identity::start_with(birth, self.policy.subscribe(), work))
    }

    fn start_policy(&self, stop: &CancellationToken) -> Handle<Policy> {
        let policy = Policy::new(
            Arc::clone(&self.policy),
            DeathWatch::new("policy", self.notices.clone()),
            stop.clone(),
        );
        Handle::new(policy.start())
    }

    fn outlets(&self) -> (Outlets, watch::Receiver<Arc<Vec<RoomInfo>>>) {
        let (rooms, shown) = watch::channel(Arc::default());
        let outlets = Outlets {
            events: self.events.clone(),
            metrics: self.metrics.clone(),
            recent: self.recent.clone(),
            rooms,
            inspect: self.inspect.clone(),
            counted: pubsub::Counts::default(),
        };
        (outlets, shown)
    }

    /// The discovery machine of a node.
    fn finder(&self) -> Result<discovery::Discovery, Failure> {
        let config = discovery::Config {
            each_link_address: false,
            dial_private: self.profile() != Profile::Relay,
            outbound_wanted: OUTBOUND_WANTED,
            relay_only: false,
        };
        Ok(discovery::Discovery::new(self.keypair.public(), seed()?, config))
    }
}

impl Group {
    /// Sees to it that a members' room has a key, where this node is the one to make it.
    ///
    /// # Errors
    /// When the key cannot be made or kept.
    pub async fn ensure_key(&self, room: &RoomName) -> Result<(), Failure> {
        if room.is_members() {
            self.identity.ask(EnsureKey(room.clone())).await.map_err(of_ask)??;
        }
        Ok(())
    }

    /// Slots in use, by actor.
    #[must_use]
    pub fn slots(&self) -> [(&'static str, usize); 6] {
        [
            ("identity", self.identity.slots_used()),
            ("policy", self.policy.slots_used()),
            ("transport", self.transport.slots_used()),
            ("discovery", self.discovery.slots_used()),
            ("routing", self.routing.slots_used()),
            ("pubsub", self.pubsub.slots_used()),
        ]
    }
}

/// A seed that nobody can guess, for a machine's own dice.
pub(crate) fn seed() -> Result<u64, Failure> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|e| {
        Failure::new(&codes::NODE_004, format!("the system gives no random numbers: {e}"))
    })?;
    Ok(u64::from_le_bytes(bytes))
}

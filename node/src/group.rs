//! The six actors and the Driver of one life: born together, ended together.
//! Invariant: nothing here survives a restart; what must, is given in with `Boot`.
//! Not here: when to restart (`root`).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use actix::Actor as _;
use libp2p::Multiaddr;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use peerloom_shared::limits::{ASK_MS, OUTBOUND_WANTED};
use peerloom_shared::defence::book::BookEntry;
use peerloom_shared::net::behaviour::Profile;
use peerloom_shared::net::clock::Clock;
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::{Driver, Judge, NetHandle, Settings, agent};
use peerloom_shared::policy::PolicySet;
use peerloom_shared::view::{RoomInfo, Transport as Kind};
use peerloom_shared::wire::{RoomName, UC_DISCOVERY_TOPIC};
use peerloom_shared::{discovery, pubsub, routing, transport};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use crate::actor::shell::Birth;
use crate::actor::{AskError, Death, DeathWatch, Gauge, Handle};
use crate::admin::{EventLog, Metrics};
use crate::config::CheckedConfig;
use crate::discovery::actor::{Discovery, Reach};
use crate::discovery::messages::{AddBootstrap, Remember};
use crate::error::{Failure, codes};
use crate::identity::actor::Identity;
use crate::policy::actor::Policy;
use crate::pubsub::actor::{Inspect, Outlets, Pubsub};
use crate::pubsub::messages::{Subscribe, Unsubscribe};
use crate::recent::Recent;
use crate::routing::actor::Routing;
use crate::book_writer::BookWriter;
use crate::swarm;
use crate::transport::actor::{Listening, Transport};
use crate::transport::messages::Listen;
use crate::watcher::Watcher;

/// What outlives a restart.
pub struct Boot {
    /// The settings.
    pub config: CheckedConfig,
    /// Our key.
    pub keypair: Keypair,
    /// The certificate of the WebRTC listener.
    pub certificate: libp2p_webrtc::tokio::Certificate,
    /// The address book as it was at the start.
    pub known: Vec<BookEntry>,
    /// The address book on disk.
    pub book: BookWriter,
    /// The rules in force.
    pub policy: Arc<watch::Sender<Arc<PolicySet>>>,
    /// Everything that happens.
    pub events: EventLog,
    /// The newest messages.
    pub recent: Recent,
    /// Numbers.
    pub metrics: Metrics,
    /// libp2p's part of the numbers.
    pub watcher: Watcher,
    /// The rooms to be in.
    pub rooms: Arc<Mutex<BTreeSet<RoomName>>>,
    /// The name that others see.
    pub name: Arc<Mutex<Option<String>>>,
    /// Looks at every message.
    pub inspect: Option<Inspect>,
    /// The node's clock.
    pub clock: Clock,
    /// Where deaths are reported.
    pub notices: mpsc::Sender<Death>,
}

impl std::fmt::Debug for Boot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Boot").field("data_dir", &self.config.data_dir).finish_non_exhaustive()
    }
}

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
    fn network(&self, judge: &Judge) -> Result<Parts, Failure> {
        let settings = Settings {
            keypair: self.keypair.clone(),
            profile: self.profile(),
            agent: agent("native"),
            mdns: self.config.mdns,
            seed: seed()?,
        };
        let swarm = swarm::build(&settings, self.certificate.clone(), judge)
            .map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))?;
        Ok(Driver::new(swarm, judge.clone(), true, Some(Box::new(self.watcher.clone()))))
    }

    /// Builds one life, the lower actors first. Must run on the actors' thread.
    ///
    /// # Errors
    /// When the network cannot be set up.
    pub fn build(&self) -> Result<(Group, Driver), Failure> {
        let judge = Judge::new(self.policy.subscribe());
        let Parts { driver, handle: net, works, refused } = self.network(&judge)?;
        let (stop_net, stop_actors) = (CancellationToken::new(), CancellationToken::new());
        let birth = |name| self.birth(name, &net, &stop_actors);
        let watch = |name| DeathWatch::new(name, self.notices.clone());

        let key = self.keypair.clone();
        let identity = Identity::new(key, watch("identity"), stop_actors.clone()).start();
        let policy = Policy::new(
            self.config.files().rules(),
            Arc::clone(&self.policy),
            self.metrics.clone(),
            watch("policy"),
            stop_actors.clone(),
        )
        .start();

        let local = self.keypair.public().to_peer_id();
        let (transport, listening, transport_lane) = Transport::start(
            transport::Transport::new(local, seed()?),
            birth("transport"),
            works.transport,
        );
        let transport = Handle::new(transport);
        let (discovery, reach, discovery_lane) = Discovery::start(
            self.finder()?,
            birth("discovery"),
            works.discovery,
            transport.clone(),
            self.book.clone(),
        );
        let discovery = Handle::new(discovery);
        let (routing, routing_lane) = Routing::start(
            routing::Routing::new(
                local,
                routing::Config { exempt_private: self.profile() != Profile::Relay },
            ),
            birth("routing"),
            works.routing,
            discovery.clone(),
        );
        let (rooms_shown, rooms) = watch::channel(Arc::default());
        let outlets = Outlets {
            events: self.events.clone(),
            recent: self.recent.clone(),
            rooms: rooms_shown,
        };
        let name = self.name.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let machine = pubsub::Pubsub::new(local, seed()?, pubsub::Config { name, carry: true });
        let (pubsub, pubsub_lane) = Pubsub::start(
            machine,
            birth("pubsub"),
            works.pubsub,
            outlets,
            self.inspect.clone(),
        );
        let group = Group {
            net,
            identity: Handle::new(identity),
            policy: Handle::new(policy),
            transport,
            discovery,
            routing: Handle::new(routing),
            pubsub: Handle::new(pubsub),
            reach,
            rooms,
            listening,
            gauges: vec![
                ("transport", transport_lane),
                ("discovery", discovery_lane),
                ("routing", routing_lane),
                ("pubsub", pubsub_lane),
            ],
            refused,
            stop_net,
            stop_actors,
        };
        Ok((group, driver))
    }
}

impl Boot {
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

    /// Makes a new life do what the node is for: listen, keep its links, be in its rooms.
    ///
    /// # Errors
    /// When an address that must be listened on cannot be.
    pub async fn settle(&self, group: &Group) -> Result<(), Failure> {
        let asked = |e: AskError| Failure::new(&codes::NODE_004, e.to_string());
        let addresses = expand(&self.config.listen);
        group.discovery.ask(Remember(self.known.clone())).await.map_err(asked)?;
        group.transport.ask(Listen(addresses.clone())).await.map_err(asked)?;
        self.wait_for_listeners(group, &addresses).await?;
        for address in &self.config.bootstrap {
            group.discovery.ask(AddBootstrap(address.clone())).await.map_err(asked)?;
        }
        group
            .net
            .subscribe(UC_DISCOVERY_TOPIC.to_owned())
            .await
            .map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))?;
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for room in rooms {
            group
                .pubsub
                .ask(Subscribe(room))
                .await
                .map_err(asked)?
                .map_err(|e| Failure::new(&codes::NODE_004, e.to_string()))?;
        }
        Ok(())
    }

    /// Waits until every address is bound or has failed. A port that is in use ends the start; a
    /// default address that this machine does not have is left out with a warning.
    async fn wait_for_listeners(
        &self,
        group: &Group,
        wanted: &[Multiaddr],
    ) -> Result<(), Failure> {
        let mut listening = group.listening.clone();
        let settled = listening.wait_for(|now| now.up.len() + now.failed.len() >= wanted.len());
        let deadline = Duration::from_millis(ASK_MS);
        let shown = match tokio::time::timeout(deadline, settled).await {
            Ok(Ok(shown)) => Arc::clone(&shown),
            Ok(Err(_)) | Err(_) => {
                let why = "the listeners did not come up in time".to_owned();
                return Err(Failure::new(&codes::NODE_004, why));
            }
        };
        for (address, reason) in &shown.failed {
            let in_use = reason.contains("in use");
            if in_use || !self.config.listens_by_default() {
                let code = if in_use { &codes::NET_102 } else { &codes::NET_103 };
                return Err(Failure::new(code, format!("cannot listen on {address}: {reason}")));
            }
            tracing::warn!(%address, %reason, "this machine cannot listen here; going on without");
        }
        Ok(())
    }

    /// Leaves the rooms, so that others see us go.
    pub async fn say_goodbye(&self, group: &Group) {
        let rooms = self.rooms.lock().unwrap_or_else(PoisonError::into_inner).clone();
        for room in rooms {
            // A room that cannot be left in order is left by hanging up.
            drop(group.pubsub.ask(Unsubscribe(room)).await);
        }
    }
}

impl Group {
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

/// WebRTC's UDP socket for "all IPv6 addresses" would take the IPv4 port as well, so that address
/// becomes one for each IPv6 address of this machine.
fn expand(addresses: &[Multiaddr]) -> Vec<Multiaddr> {
    let (mut out, mut all) = (Vec::new(), Vec::new());
    for address in addresses {
        let any_v6 = address.iter().next() == Some(Protocol::Ip6(Ipv6Addr::UNSPECIFIED));
        if any_v6 && Kind::of(address) == Kind::WebrtcDirect {
            all.push(address);
        } else {
            out.push(address.clone());
        }
    }
    for address in all {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_default();
        let own = interfaces.iter().filter_map(|interface| match interface.ip() {
            // Link-local addresses need a zone, which a multiaddr of a page cannot carry.
            IpAddr::V6(ip) if (ip.segments()[0] & 0xffc0) != 0xfe80 => Some(ip),
            IpAddr::V6(_) | IpAddr::V4(_) => None,
        });
        out.extend(own.filter_map(|ip| address.replace(0, |_| Some(Protocol::Ip6(ip)))));
    }
    out
}

/// A seed that nobody can guess, for a machine's own dice.
pub(crate) fn seed() -> Result<u64, Failure> {
    let mut bytes = [0_u8; 8];
    getrandom::fill(&mut bytes).map_err(|e| {
        Failure::new(&codes::NODE_004, format!("the system gives no random numbers: {e}"))
    })?;
    Ok(u64::from_le_bytes(bytes))
}

//! All protocols of a peer, composed and configured.
//! Invariant: every number comes from `limits`, every protocol that needs a direct path is `Gated`.
//! Not here: reacting to their events (`driver` and the capabilities).
#![expect(missing_docs, reason = "the derive writes an enum with one variant for each protocol")]

use std::time::Duration;

use libp2p::identity::Keypair;
use libp2p::kad::store::{MemoryStore, MemoryStoreConfig};
use libp2p::swarm::NetworkBehaviour;
#[cfg(not(target_arch = "wasm32"))]
use libp2p::swarm::behaviour::toggle::Toggle;
use libp2p::{PeerId, StreamProtocol, connection_limits, identify, kad, relay};
#[cfg(not(target_arch = "wasm32"))]
use libp2p::{autonat, dcutr, mdns};

use super::auth;
use super::gate::Gate;
use super::gated::Gated;
use super::gossip::{Gossip, Rooms, gossip};
use super::judge::Judge;
use super::ping;
use super::{KAD_PROTOCOL, PROTOCOL_VERSION, SIGNALLING_PROTOCOL};
use crate::limits;
use crate::policy::{Action, Class, Resource, Subject};

/// What a peer is for; it sets the sizes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A node at home or in an office.
    Edge,
    /// A node for one local network.
    Lan,
    /// A node that serves many browsers.
    Relay,
    /// A browser peer: listens only through relays.
    Browser,
}

impl Profile {
    /// Whether this is a native node.
    #[must_use]
    pub fn is_node(self) -> bool {
        self != Self::Browser
    }

    fn class(self) -> Class {
        if self.is_node() { Class::Native } else { Class::Browser }
    }

    pub(super) fn inbound_max(self) -> u32 {
        if self == Self::Relay { limits::INBOUND_RELAY_MAX } else { limits::INBOUND_MAX }
    }

    pub(super) fn mesh_high(self) -> usize {
        match self {
            Self::Relay => limits::GOSSIP_MESH_HIGH_RELAY,
            Self::Edge | Self::Lan => limits::GOSSIP_MESH_HIGH_NODE,
            Self::Browser => limits::GOSSIP_MESH_HIGH_BROWSER,
        }
    }
}

/// What [`Behaviour::new`] needs to know.
#[derive(Debug)]
pub struct Settings {
    /// Our key.
    pub keypair: Keypair,
    /// Our profile.
    pub profile: Profile,
    /// What identify calls us.
    pub agent: String,
    /// Whether to look for peers on the local network.
    pub mdns: bool,
    /// Seed of everything random that is not a secret.
    pub seed: u64,
}

/// Behaviours that were made together with their transports.
pub struct Halves {
    /// Of relayed connections.
    pub relay_client: relay::client::Behaviour,
    /// Of `/webrtc`.
    pub webrtc: peerloom_webrtc::behaviour::Behaviour,
}

impl std::fmt::Debug for Halves {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Halves").finish_non_exhaustive()
    }
}

/// A protocol could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("cannot set up {protocol}: {reason}")]
pub struct SetupError {
    pub(super) protocol: &'static str,
    pub(super) reason: String,
}

/// All protocols of a peer.
#[derive(NetworkBehaviour)]
pub struct Behaviour {
    pub gate: Gate,
    pub limits: connection_limits::Behaviour,
    pub identify: identify::Behaviour,
    pub ping: ping::Behaviour,
    pub auth: auth::Behaviour,
    pub gossip: Gated<Gossip>,
    pub members: Gated<Gossip>,
    pub kad: Gated<kad::Behaviour<MemoryStore>>,
    pub relay_client: OnNodes<relay::client::Behaviour>,
    pub webrtc: OnNodes<peerloom_webrtc::behaviour::Behaviour>,
    #[cfg(not(target_arch = "wasm32"))]
    pub relay: Toggle<Gated<relay::Behaviour>>,
    #[cfg(not(target_arch = "wasm32"))]
    pub dcutr: Toggle<Gated<dcutr::Behaviour>>,
    #[cfg(not(target_arch = "wasm32"))]
    pub autonat_client: Toggle<Gated<autonat::v2::client::Behaviour>>,
    #[cfg(not(target_arch = "wasm32"))]
    pub autonat_server: Toggle<Gated<autonat::v2::server::Behaviour>>,
    #[cfg(not(target_arch = "wasm32"))]
    pub mdns: Toggle<mdns::tokio::Behaviour>,
}

impl std::fmt::Debug for Behaviour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Behaviour").finish_non_exhaustive()
    }
}

impl Behaviour {
    /// Composes the protocols.
    ///
    /// # Errors
    /// When a protocol refuses its settings, or mDNS cannot watch the network interfaces.
    pub fn new(
        settings: &Settings,
        Halves { relay_client, webrtc }: Halves,
        judge: &Judge,
    ) -> Result<Self, SetupError> {
        let local = settings.keypair.public().to_peer_id();
        let profile = settings.profile;
        Ok(Self {
            gate: Gate::new(judge.clone()),
            limits: connection_limits::Behaviour::new(connection_limits(profile)),
            identify: identify::Behaviour::new(identify(settings)),
            ping: ping::Behaviour::new(ping::Pace::of(profile), settings.seed),
            auth: auth::Behaviour::new(local, profile.class(), judge.clone()),
            gossip: gossip(settings, judge, Rooms::Open)?,
            members: gossip(settings, judge, Rooms::Members)?,
            kad: gated(kademlia(local, profile), judge, KAD_PROTOCOL),
            relay_client: on_nodes(relay_client, |inner| gated(inner, judge, STOP_PROTOCOL)),
            webrtc: on_nodes(webrtc.admitting(introducing(judge.clone())), |inner| {
                gated(inner, judge, SIGNALLING_PROTOCOL).also_relayed()
            }),
            #[cfg(not(target_arch = "wasm32"))]
            relay: node(profile, || {
                let config = super::relay_budget::config(profile, local, judge);
                gated(relay::Behaviour::new(local, config), judge, HOP_PROTOCOL)
            }),
            #[cfg(not(target_arch = "wasm32"))]
            dcutr: node(profile, || {
                gated(dcutr::Behaviour::new(local), judge, DCUTR_PROTOCOL).also_relayed()
            }),
            #[cfg(not(target_arch = "wasm32"))]
            autonat_client: node(profile, || {
                gated(autonat::v2::client::Behaviour::default(), judge, AUTONAT_PROTOCOL)
            }),
            #[cfg(not(target_arch = "wasm32"))]
            autonat_server: node(profile, || {
                gated(autonat::v2::server::Behaviour::default(), judge, AUTONAT_PROTOCOL)
            }),
            #[cfg(not(target_arch = "wasm32"))]
            mdns: mdns(settings, local)?,
        })
    }
}

/// The name under which both roles of AutoNAT are judged.
#[cfg(not(target_arch = "wasm32"))]
const AUTONAT_PROTOCOL: &str = "/libp2p/autonat/2";

impl Behaviour {
    /// Decides again what a connected peer may speak.
    pub fn rejudge(&mut self, peer: &PeerId) {
        self.gossip.rejudge(peer);
        self.members.rejudge(peer);
        self.kad.rejudge(peer);
        #[cfg(not(target_arch = "wasm32"))]
        {
            self.relay_client.rejudge(peer);
            self.webrtc.rejudge(peer);
            if let Some(relay) = self.relay.as_mut() {
                relay.rejudge(peer);
            }
            if let Some(dcutr) = self.dcutr.as_mut() {
                dcutr.rejudge(peer);
            }
            if let Some(client) = self.autonat_client.as_mut() {
                client.rejudge(peer);
            }
            if let Some(server) = self.autonat_server.as_mut() {
                server.rejudge(peer);
            }
        }
    }
}

/// As in libp2p's specification of circuit relay v2 and of DCUtR.
const STOP_PROTOCOL: &str = "/libp2p/circuit/relay/0.2.0/stop";
#[cfg(not(target_arch = "wasm32"))]
const HOP_PROTOCOL: &str = "/libp2p/circuit/relay/0.2.0/hop";
#[cfg(not(target_arch = "wasm32"))]
const DCUTR_PROTOCOL: &str = "/libp2p/dcutr";

/// A protocol that is gated on nodes. A page offers it to everybody: it serves nobody, its own policy is
/// open, and each wrapper costs 10 KB of a module that has to be loaded.
#[cfg(not(target_arch = "wasm32"))]
type OnNodes<B> = Gated<B>;
#[cfg(target_arch = "wasm32")]
type OnNodes<B> = B;

#[cfg(not(target_arch = "wasm32"))]
fn on_nodes<B: NetworkBehaviour>(inner: B, gate: impl FnOnce(B) -> Gated<B>) -> OnNodes<B> {
    gate(inner)
}

#[cfg(target_arch = "wasm32")]
fn on_nodes<B: NetworkBehaviour>(inner: B, _: impl FnOnce(B) -> Gated<B>) -> OnNodes<B> {
    inner
}

fn gated<B: NetworkBehaviour>(inner: B, judge: &Judge, protocol: &'static str) -> Gated<B> {
    Gated::new(inner, judge.clone(), protocol)
}

/// Whom a relay may introduce to us, and us to. Asked for each introduction, because rules change
/// while relayed connections are open.
fn introducing(judge: Judge) -> impl Fn(&PeerId) -> bool + Send + 'static {
    move |peer| {
        let who = Subject::Peer { id: *peer, addr: None, relayed: true };
        let what = Resource::Protocol(SIGNALLING_PROTOCOL.to_owned());
        judge.authorize(&who, Action::ProtocolOpen, &what).is_ok()
    }
}

#[cfg(not(target_arch = "wasm32"))]
fn node<B>(profile: Profile, make: impl FnOnce() -> B) -> Toggle<B>
where
    B: NetworkBehaviour,
{
    profile.is_node().then(make).into()
}

#[cfg(not(target_arch = "wasm32"))]
fn mdns(settings: &Settings, local: PeerId) -> Result<Toggle<mdns::tokio::Behaviour>, SetupError> {
    if !settings.mdns {
        return Ok(None.into());
    }
    let behaviour = mdns::tokio::Behaviour::new(mdns::Config::default(), local)
        .map_err(|e| SetupError { protocol: "mDNS", reason: e.to_string() })?;
    Ok(Some(behaviour).into())
}

fn connection_limits(profile: Profile) -> connection_limits::ConnectionLimits {
    connection_limits::ConnectionLimits::default()
        .with_max_pending_incoming(Some(limits::PENDING_IN_MAX))
        .with_max_established_incoming(Some(profile.inbound_max()))
        .with_max_established_outgoing(Some(limits::OUTBOUND_MAX))
        .with_max_established_per_peer(Some(limits::PER_PEER_MAX))
}

fn identify(settings: &Settings) -> identify::Config {
    identify::Config::new(PROTOCOL_VERSION.to_owned(), settings.keypair.public())
        .with_agent_version(settings.agent.clone())
        .with_push_listen_addr_updates(true)
        // Addresses reach discovery through our own rules, not through identify's cache.
        .with_cache_size(0)
}

fn kademlia(local: PeerId, profile: Profile) -> kad::Behaviour<MemoryStore> {
    let mut config = kad::Config::new(StreamProtocol::new(KAD_PROTOCOL));
    config
        .set_kbucket_inserts(kad::BucketInserts::Manual)
        .set_record_filtering(kad::StoreInserts::FilterBoth)
        .set_query_timeout(Duration::from_millis(limits::QUERY_MS))
        .set_record_ttl(Some(Duration::from_millis(limits::RECORD_LIFE_MS)))
        .set_provider_record_ttl(Some(Duration::from_millis(limits::RECORD_LIFE_MS)))
        .set_max_packet_size(limits::KAD_PACKET_BYTES_MAX)
        // The routing machine refreshes; the library's own timer would run beside it.
        .set_periodic_bootstrap_interval(None);
    let store = MemoryStore::with_config(
        local,
        MemoryStoreConfig {
            max_records: limits::RECORDS_MAX,
            max_value_bytes: limits::RECORD_BYTES_MAX,
            max_providers_per_key: limits::PROVIDERS_PER_KEY_MAX,
            max_provided_keys: limits::PROVIDED_KEYS_MAX,
        },
    );
    let mut kad = kad::Behaviour::with_config(local, store, config);
    kad.set_mode(Some(if profile.is_node() { kad::Mode::Server } else { kad::Mode::Client }));
    kad
}

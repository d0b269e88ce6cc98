//! Drivers whose swarms speak through memory, for tests of Drivers by themselves.
//! Invariant: no socket is opened.
//! Not here: the tests.

use std::sync::Arc;

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::{Boxed, MemoryTransport};
use libp2p::core::upgrade::Version;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::{Swarm, Transport as _, noise, relay, swarm, yamux};
use peerloom_node::root::spawn;
use peerloom_shared::net::behaviour::{Halves, Profile};
use peerloom_shared::net::driver::Parts;
use peerloom_shared::net::{Behaviour, Driver, Exit, Judge, NetHandle, Settings, Works, agent};
use peerloom_shared::policy::PolicySet;
use peerloom_shared::{Multiaddr, PeerId};
use peerloom_webrtc::backend::native::{Certificate, NativePlatform};
use peerloom_webrtc::limits::ConnectionLimits;
use peerloom_webrtc::transport::signalled::{self, SignalledConfig};
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

/// A Driver with everything that talks to it.
pub(crate) struct Peer {
    pub(crate) id: PeerId,
    pub(crate) net: NetHandle,
    pub(crate) works: Works,
    pub(crate) policy: watch::Sender<Arc<PolicySet>>,
    pub(crate) stop: oneshot::Sender<()>,
    pub(crate) end: JoinHandle<Exit>,
}

/// Encrypted and multiplexed.
pub(crate) fn secured<T>(transport: T, keypair: &Keypair) -> Boxed<(PeerId, StreamMuxerBox)>
where
    T: libp2p::Transport + Send + Unpin + 'static,
    T::Output: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    T::Error: Send + Sync + 'static,
    T::Dial: Send + 'static,
    T::ListenerUpgrade: Send + 'static,
{
    transport
        .upgrade(Version::V1Lazy)
        .authenticate(noise::Config::new(keypair).expect("keys"))
        .multiplex(yamux::Config::default())
        .boxed()
}

/// A swarm that speaks through memory.
pub(crate) fn memory_swarm(keypair: &Keypair, judge: &Judge) -> Swarm<Behaviour> {
    memory_swarm_of(Profile::Edge, keypair, judge)
}

fn memory_swarm_of(profile: Profile, keypair: &Keypair, judge: &Judge) -> Swarm<Behaviour> {
    let local = keypair.public().to_peer_id();
    let (relay_transport, relay_client) = relay::client::new(local);
    let settings = Settings {
        keypair: keypair.clone(),
        profile,
        agent: agent("native"),
        mdns: false,
        seed: 7,
    };
    let transport = secured(relay_transport, keypair)
        .or_transport(secured(MemoryTransport::default(), keypair))
        .map(|output, _| output.into_inner())
        .boxed();
    // Nobody is introduced over the memory transport.
    let certificate = Certificate::generate().expect("made");
    let platform = NativePlatform { certificate, limits: ConnectionLimits::DEFAULT };
    let (_, webrtc) = signalled::new(platform, SignalledConfig::default());
    let halves = Halves { relay_client, webrtc };
    let behaviour = Behaviour::new(&settings, halves, judge).expect("a behaviour");
    Swarm::new(transport, behaviour, local, swarm::Config::with_tokio_executor())
}

impl Peer {
    /// Must run inside a runtime.
    pub(crate) fn start() -> Self {
        Self::with(&Keypair::generate_ed25519(), PolicySet::open())
    }

    /// With this key and these rules. Must run inside a runtime.
    pub(crate) fn with(keypair: &Keypair, policy: PolicySet) -> Self {
        Self::of(Profile::Edge, keypair, policy)
    }

    /// Of this size. Must run inside a runtime.
    pub(crate) fn of(profile: Profile, keypair: &Keypair, policy: PolicySet) -> Self {
        let (policy, rules) = watch::channel(Arc::new(policy));
        let judge = Judge::new(rules);
        let swarm = memory_swarm_of(profile, keypair, &judge);
        let Parts { driver, handle, works, .. } = Driver::parts(swarm, judge, true, None);
        let (stop, stopped) = oneshot::channel::<()>();
        // A stop that is dropped unused never comes.
        let end = spawn(driver.run(async move {
            if stopped.await.is_err() {
                std::future::pending::<()>().await;
            }
        }));
        Self { id: keypair.public().to_peer_id(), net: handle, works, policy, stop, end }
    }

    /// Listens, and says where.
    pub(crate) async fn listen(&self) -> Multiaddr {
        let at = self.net.listen("/memory/0".parse().expect("an address")).await;
        at.expect("listens").with(Protocol::P2p(self.id))
    }

    /// Whether it knows that the peer follows the topic.
    pub(crate) fn follows(&self, topic: &str, peer: PeerId) -> bool {
        self.net.state().topics.get(topic).is_some_and(|peers| peers.contains(&peer))
    }
}

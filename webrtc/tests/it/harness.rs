//! Two native peers over real sockets of this machine.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p_core::muxing::StreamMuxer;
use libp2p_core::transport::{DialOpts, ListenerId, PortUse, TransportEvent};
use libp2p_core::{Endpoint, Multiaddr, Transport};
use libp2p_identity::{Keypair, PeerId};
use peerloom_webrtc::address::Direct;
use peerloom_webrtc::backend::native::{Certificate, DirectError, Dropped, Native};
use peerloom_webrtc::connection::{Connection, Substream};
use peerloom_webrtc::direct::Version;
use peerloom_webrtc::transport::native::DirectTransport;
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

type Stream = Substream<Native>;
type Event = TransportEvent<
    <DirectTransport as Transport>::ListenerUpgrade,
    <DirectTransport as Transport>::Error,
>;

const DEADLINE: Duration = Duration::from_secs(20);

/// A listening peer that answers each stream with what it says, half-closed first.
#[allow(dead_code, reason = "not every test binary uses all")]
pub(crate) struct Server {
    pub(crate) peer: PeerId,
    pub(crate) address: Multiaddr,
    pub(crate) dropped: Arc<Dropped>,
    _tasks: JoinSet<()>,
}

/// A connection that a task drives.
#[allow(dead_code, reason = "not every test binary uses all")]
pub(crate) struct Client {
    wishes: mpsc::Sender<oneshot::Sender<Stream>>,
    pub(crate) server: PeerId,
    _tasks: JoinSet<()>,
}

pub(crate) fn transport() -> (DirectTransport, PeerId) {
    let keypair = Keypair::generate_ed25519();
    let peer = keypair.public().to_peer_id();
    (DirectTransport::new(keypair, Certificate::generate().expect("a certificate")), peer)
}

pub(crate) async fn event(transport: &mut DirectTransport) -> Event {
    let next = poll_fn(|cx| Pin::new(&mut *transport).poll(cx));
    tokio::time::timeout(DEADLINE, next).await.expect("an event")
}

pub(crate) fn opts() -> DialOpts {
    DialOpts { role: Endpoint::Dialer, port_use: PortUse::Reuse }
}

async fn echo(mut stream: Stream) {
    let mut all = Vec::new();
    let Ok(_) = stream.read_to_end(&mut all).await else { return };
    if stream.write_all(&all).await.is_ok() {
        stream.close().await.unwrap_or_default();
    }
}

async fn serve(mut connection: Connection<Native>) {
    let mut streams = JoinSet::new();
    while let Ok(stream) = poll_fn(|cx| Pin::new(&mut connection).poll_inbound(cx)).await {
        streams.spawn(echo(stream));
    }
}

impl Server {
    pub(crate) async fn start(listen: &str) -> Self {
        let (mut transport, peer) = transport();
        let listen = listen.parse().expect("an address");
        transport.listen_on(ListenerId::next(), listen).expect("listening");
        let TransportEvent::NewAddress { listen_addr: address, .. } = event(&mut transport).await
        else {
            panic!("no address");
        };
        let dropped = transport.dropped();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let next = poll_fn(|cx| Pin::new(&mut transport).poll(cx)).await;
                if let TransportEvent::Incoming { upgrade, .. } = next {
                    connections.spawn(async move {
                        if let Ok((_, connection)) = upgrade.await {
                            serve(connection).await;
                        }
                    });
                }
            }
        });
        Self { peer, address, dropped, _tasks: tasks }
    }

    pub(crate) fn socket(&self) -> SocketAddr {
        Direct::parse(&self.address).expect("direct").socket
    }
}

impl Client {
    /// Dials with one version only, or as peers do.
    pub(crate) async fn dial(
        address: &Multiaddr,
        only: Option<Version>,
    ) -> Result<Self, DirectError> {
        let (transport, _) = transport();
        let mut transport = match only {
            Some(version) => transport.only(version),
            None => transport,
        };
        transport.dial(address.clone(), opts()).expect("dialled").await.map(Self::of)
    }

    fn of((server, mut connection): (PeerId, Connection<Native>)) -> Self {
        let (wishes, mut wished) = mpsc::channel::<oneshot::Sender<Stream>>(64);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open: Vec<oneshot::Sender<Stream>> = Vec::new();
            poll_fn(|cx| {
                while let Poll::Ready(Some(wish)) = wished.poll_recv(cx) {
                    open.push(wish);
                }
                while !open.is_empty() {
                    match Pin::new(&mut connection).poll_outbound(cx) {
                        Poll::Ready(Ok(stream)) => {
                            open.remove(0).send(stream).expect("somebody waits");
                        }
                        Poll::Ready(Err(_)) => return Poll::Ready(()),
                        Poll::Pending => break,
                    }
                }
                Pin::new(&mut connection).poll(cx).map(|_| ())
            })
            .await;
        });
        Self { wishes, server, _tasks: tasks }
    }

    pub(crate) async fn stream(&self) -> Stream {
        let (wish, stream) = oneshot::channel();
        self.wishes.send(wish).await.expect("the connection");
        tokio::time::timeout(DEADLINE, stream).await.expect("in time").expect("a stream")
    }

    pub(crate) async fn echo(&self, bytes: usize) {
        let sent: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
        let mut stream = self.stream().await;
        let work = async {
            stream.write_all(&sent).await.expect("written");
            stream.close().await.expect("closed");
            let mut back = Vec::new();
            stream.read_to_end(&mut back).await.expect("read");
            assert!(back == sent, "{} of {bytes} bytes came back", back.len());
        };
        tokio::time::timeout(DEADLINE, work).await.expect("in time");
    }
}

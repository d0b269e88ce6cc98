//! Role: one peer of a measurement as a process: `serve STACK` listens, `dial STACK ADDRESS` measures.
//! Invariant: all stacks do the same work over the same protocol; only the transport differs.
//! Not here: who starts the processes, CPU time, statistics (`round`, `process`, `stats`).

use std::error::Error;
use std::io;
use std::time::{Duration, Instant};

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::core::transport::Boxed;
use libp2p::core::upgrade;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::SwarmEvent;
use libp2p::{
    Multiaddr, PeerId, Stream, StreamProtocol, Swarm, Transport as _, noise, swarm, tcp, yamux,
};
use libp2p_stream::{Behaviour, Control};
use peerloom_webrtc::backend::native::Certificate;
use peerloom_webrtc::transport::native::DirectTransport;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use crate::pattern;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerloom-bench/1");
/// Bytes of one read.
const READ_BYTES: usize = 64 * 1024;
/// Bytes of one question and of one answer.
const ECHO_BYTES: usize = 64;
/// Bytes of one write, for all but libp2p-webrtc.
const WRITE_BYTES: usize = 64 * 1024;
/// libp2p-webrtc ends a stream in which more is written between two flushes.
const SMALL_WRITE_BYTES: usize = 8000;
/// The dialer sends so many bytes; the listener answers with their SHA-256.
const UP: u8 = 1;
/// The listener sends so many bytes.
const DOWN: u8 = 2;
/// The listener sends back whatever comes.
const ECHO: u8 = 3;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;
type Peers = Boxed<(PeerId, StreamMuxerBox)>;

/// Listens until standard input ends. The first line of output tells the address.
pub(crate) async fn serve(stack: &str) -> Outcome<()> {
    let mut swarm = swarm(stack)?;
    let most = write_bytes(stack);
    let mut incoming = swarm.behaviour().new_control().accept(PROTOCOL)?;
    swarm.listen_on(listen_address(stack)?)?;
    tokio::spawn(async move {
        while let Some((_, stream)) = incoming.next().await {
            tokio::spawn(async move {
                if let Err(why) = answer(stream, most).await {
                    eprintln!("a stream ended: {why}");
                }
            });
        }
    });
    let local = *swarm.local_peer_id();
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    loop {
        tokio::select! {
            event = swarm.select_next_some() => {
                if let Some(address) = new_address(event) {
                    println!("{}", json!({ "address": address.with(Protocol::P2p(local)) }));
                }
            }
            line = lines.next_line() => if line?.is_none() { return Ok(()) },
        }
    }
}

fn new_address<E>(event: SwarmEvent<E>) -> Option<Multiaddr> {
    if let SwarmEvent::NewListenAddr { address, .. } = event { Some(address) } else { None }
}

/// Connects, says so, and then carries out one order a line of standard input.
pub(crate) async fn dial(stack: &str, address: &str) -> Outcome<()> {
    let mut swarm = swarm(stack)?;
    let most = write_bytes(stack);
    let address: Multiaddr = address.parse()?;
    let Some(Protocol::P2p(server)) = address.iter().last() else {
        return Err("the address has no peer".into());
    };
    if stack == "libp2p-webrtc" {
        // It cannot dial without a listener.
        swarm.listen_on(listen_address(stack)?)?;
        while new_address(swarm.select_next_some().await).is_none() {}
    }
    let start = Instant::now();
    swarm.dial(address)?;
    loop {
        let event = swarm.select_next_some().await;
        if let SwarmEvent::ConnectionEstablished { .. } = event {
            break;
        }
        if let SwarmEvent::OutgoingConnectionError { error, .. } = event {
            return Err(error.into());
        }
    }
    println!("{}", json!({ "connected": start.elapsed().as_secs_f64() }));
    let mut control = swarm.behaviour().new_control();
    let driver = tokio::spawn(async move { while swarm.next().await.is_some() {} });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let order: Value = serde_json::from_str(&line)?;
        println!("{}", carry_out(&mut control, server, &order, most).await?);
    }
    driver.abort();
    Ok(())
}

async fn carry_out(
    control: &mut Control,
    server: PeerId,
    order: &Value,
    most: usize,
) -> Outcome<Value> {
    let number = |name: &str| order.get(name).and_then(Value::as_u64);
    if let Some(bytes) = number("up") {
        let mut stream = control.open_stream(server, PROTOCOL).await?;
        let start = Instant::now();
        ask(&mut stream, UP, bytes).await?;
        send(&mut stream, bytes, most).await?;
        let mut hash = [0; 32];
        stream.read_exact(&mut hash).await?;
        return Ok(bulk(start.elapsed(), &hash));
    }
    if let Some(bytes) = number("down") {
        let mut stream = control.open_stream(server, PROTOCOL).await?;
        let start = Instant::now();
        ask(&mut stream, DOWN, bytes).await?;
        let hash = receive(&mut stream, bytes).await?;
        return Ok(bulk(start.elapsed(), &hash));
    }
    if let Some(count) = number("echo") {
        let mut stream = control.open_stream(server, PROTOCOL).await?;
        ask(&mut stream, ECHO, 0).await?;
        let mut times = Vec::new();
        for _ in 0..count {
            let start = Instant::now();
            echo_once(&mut stream).await?;
            times.push(micros(start.elapsed()));
        }
        return Ok(json!({ "micros": times }));
    }
    if let Some(count) = number("open") {
        let mut times = Vec::new();
        for _ in 0..count {
            let start = Instant::now();
            let mut stream = control.open_stream(server, PROTOCOL).await?;
            ask(&mut stream, ECHO, 0).await?;
            echo_once(&mut stream).await?;
            times.push(micros(start.elapsed()));
            stream.close().await?;
        }
        return Ok(json!({ "micros": times }));
    }
    Err(format!("an order that is unknown: {order}").into())
}

fn bulk(took: Duration, hash: &[u8]) -> Value {
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    json!({ "seconds": took.as_secs_f64(), "sha256": hex })
}

fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6
}

async fn ask(stream: &mut Stream, what: u8, bytes: u64) -> io::Result<()> {
    let mut head = vec![what];
    head.extend_from_slice(&bytes.to_be_bytes());
    stream.write_all(&head).await
}

async fn echo_once(stream: &mut Stream) -> io::Result<()> {
    let mut buffer = [7; ECHO_BYTES];
    stream.write_all(&buffer).await?;
    stream.flush().await?;
    stream.read_exact(&mut buffer).await
}

async fn send(stream: &mut Stream, bytes: u64, most: usize) -> io::Result<()> {
    let pattern = pattern::block();
    let mut left = usize::try_from(bytes).unwrap_or(usize::MAX);
    while left > 0 {
        let all = pattern.get(..left.min(pattern.len())).unwrap_or_default();
        for piece in all.chunks(most) {
            stream.write_all(piece).await?;
            if most < WRITE_BYTES {
                stream.flush().await?;
            }
        }
        left = left.saturating_sub(all.len());
    }
    stream.flush().await
}

/// Takes exactly so many bytes.
async fn receive(stream: &mut Stream, bytes: u64) -> io::Result<Vec<u8>> {
    let mut hash = Sha256::new();
    let mut buffer = vec![0; READ_BYTES];
    let mut left = bytes;
    while left > 0 {
        let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
        let taken = stream.read(buffer.get_mut(..want).unwrap_or_default()).await?;
        if taken == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        hash.update(buffer.get(..taken).unwrap_or_default());
        left = left.saturating_sub(u64::try_from(taken).unwrap_or(left));
    }
    Ok(hash.finalize().to_vec())
}

async fn answer(mut stream: Stream, most: usize) -> io::Result<()> {
    let mut what = [0; 1];
    let mut bytes = [0; 8];
    stream.read_exact(&mut what).await?;
    stream.read_exact(&mut bytes).await?;
    let bytes = u64::from_be_bytes(bytes);
    match what {
        [UP] => {
            let hash = receive(&mut stream, bytes).await?;
            stream.write_all(&hash).await?;
        }
        [DOWN] => send(&mut stream, bytes, most).await?,
        _ => {
            let mut buffer = [0; ECHO_BYTES];
            while stream.read_exact(&mut buffer).await.is_ok() {
                stream.write_all(&buffer).await?;
                stream.flush().await?;
            }
        }
    }
    stream.close().await
}

fn write_bytes(stack: &str) -> usize {
    if stack == "libp2p-webrtc" { SMALL_WRITE_BYTES } else { WRITE_BYTES }
}

fn listen_address(stack: &str) -> Outcome<Multiaddr> {
    let address =
        if stack == "tcp" { "/ip4/127.0.0.1/tcp/0" } else { "/ip4/127.0.0.1/udp/0/webrtc-direct" };
    Ok(address.parse()?)
}

fn swarm(stack: &str) -> Outcome<Swarm<Behaviour>> {
    let keypair = Keypair::generate_ed25519();
    let local = keypair.public().to_peer_id();
    let config = swarm::Config::with_tokio_executor()
        .with_idle_connection_timeout(Duration::from_secs(3600));
    Ok(Swarm::new(transport(stack, &keypair)?, Behaviour::new(), local, config))
}

fn transport(stack: &str, keypair: &Keypair) -> Outcome<Peers> {
    Ok(match stack {
        "peerloom" => DirectTransport::new(keypair.clone(), Certificate::generate()?)
            .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
            .boxed(),
        "libp2p-webrtc" => {
            let certificate = libp2p_webrtc::tokio::Certificate::generate(&mut rand::rng())?;
            libp2p_webrtc::tokio::Transport::new(keypair.clone(), certificate)
                .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
                .boxed()
        }
        "tcp" => tcp::tokio::Transport::new(tcp::Config::default().nodelay(true))
            .upgrade(upgrade::Version::V1Lazy)
            .authenticate(noise::Config::new(keypair)?)
            .multiplex(yamux::Config::default())
            .boxed(),
        other => return Err(format!("there is no stack `{other}`").into()),
    })
}

//! Role: our peer in a page, as the benchmark needs it: it dials, sends and receives.
//! Invariant: the same protocol and bytes as `peer.rs` of the benchmark.
//! Not here: what is measured with it.

#![cfg(target_arch = "wasm32")]

use futures::{AsyncReadExt as _, AsyncWriteExt as _, StreamExt as _};
use libp2p::core::muxing::StreamMuxerBox;
use libp2p::identity::Keypair;
use libp2p::multiaddr::Protocol;
use libp2p::swarm::{Config, SwarmEvent};
use libp2p::{Multiaddr, PeerId, StreamProtocol, Swarm, Transport as _};
use libp2p_stream::{Behaviour, Control};
use peerloom_webrtc::transport::browser::DirectTransport;
use sha2::{Digest as _, Sha256};
use wasm_bindgen::prelude::{JsError, wasm_bindgen};
use wasm_bindgen_futures::spawn_local;

const PROTOCOL: StreamProtocol = StreamProtocol::new("/peerloom-bench/1");
const UP: u8 = 1;
const DOWN: u8 = 2;
/// Bytes of one read and of one write.
const PIECE_BYTES: usize = 64 * 1024;

/// A connected peer.
#[wasm_bindgen]
pub struct Peer {
    control: Control,
    server: PeerId,
}

/// Connects.
///
/// # Errors
/// The address is none, or nobody answers.
#[wasm_bindgen]
pub async fn connect(address: String) -> Result<Peer, JsError> {
    let address: Multiaddr = address.parse()?;
    let Some(Protocol::P2p(server)) = address.iter().last() else {
        return Err(JsError::new("the address has no peer"));
    };
    let keypair = Keypair::generate_ed25519();
    let local = keypair.public().to_peer_id();
    let transport = DirectTransport::new(keypair)
        .map(|(peer, connection), _| (peer, StreamMuxerBox::new(connection)))
        .boxed();
    let config = Config::with_wasm_executor()
        .with_idle_connection_timeout(std::time::Duration::from_secs(3600));
    let mut swarm = Swarm::new(transport, Behaviour::new(), local, config);
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
    let control = swarm.behaviour().new_control();
    spawn_local(async move { while swarm.next().await.is_some() {} });
    Ok(Peer { control, server })
}

#[wasm_bindgen]
impl Peer {
    /// Sends so many bytes of the pattern; gives the hash that the other side found.
    ///
    /// # Errors
    /// The stream ended.
    pub async fn up(&self, pattern: Vec<u8>, bytes: u32) -> Result<Vec<u8>, JsError> {
        let mut stream = self.control.clone().open_stream(self.server, PROTOCOL).await?;
        stream.write_all(&head(UP, bytes)).await?;
        let mut left = bytes as usize;
        while left > 0 {
            let all = pattern.get(..left.min(pattern.len())).unwrap_or_default();
            for piece in all.chunks(PIECE_BYTES) {
                stream.write_all(piece).await?;
            }
            left = left.saturating_sub(all.len());
        }
        stream.flush().await?;
        let mut hash = vec![0; 32];
        stream.read_exact(&mut hash).await?;
        Ok(hash)
    }

    /// Takes so many bytes; gives their hash.
    ///
    /// # Errors
    /// The stream ended.
    pub async fn down(&self, bytes: u32) -> Result<Vec<u8>, JsError> {
        let mut stream = self.control.clone().open_stream(self.server, PROTOCOL).await?;
        stream.write_all(&head(DOWN, bytes)).await?;
        stream.flush().await?;
        // Hashed when all is there, as the control does.
        let mut all = vec![0; bytes as usize];
        stream.read_exact(&mut all).await?;
        Ok(Sha256::digest(&all).to_vec())
    }
}

fn head(what: u8, bytes: u32) -> Vec<u8> {
    let mut head = vec![what];
    head.extend_from_slice(&u64::from(bytes).to_be_bytes());
    head
}

//! The platform seam: what a WebRTC stack has to offer so that the rest of this crate can run on it.
//! Invariant: nothing here names a platform; both sides are polled, none calls back.
//! Not here: streams (`stream`), signalling rules (`signal`), libp2p (`connection`, `transport`).

#[cfg(all(feature = "browser", target_arch = "wasm32"))]
pub mod browser;

use std::fmt;
use std::task::{Context, Poll};

use bytes::Bytes;

use crate::signal::Network;

/// A data channel of one connection, as this side numbers it. Never reused within a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelId(pub u64);

/// Why a connection, or the making of one, ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// The other side closed the connection, or its process ended.
    #[error("the other side closed the connection")]
    Closed,
    /// The other side has stopped taking what it is sent.
    #[error("the other side takes nothing any more")]
    Stuck,
    /// No path was found, or the path went silent for too long.
    #[error("no path to the other side")]
    NoPath,
    /// The encrypted handshake failed, or its certificate is not the expected one.
    #[error("the encrypted handshake failed: {0}")]
    Handshake(String),
    /// The platform refused something, in its own words.
    #[error("WebRTC failed: {0}")]
    Platform(String),
}

/// How a channel comes to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Announced to the other side in band (DCEP, RFC 8832), ordered and reliable, without a label.
    Announced,
    /// Both sides know of it beforehand under this SCTP stream id.
    Negotiated(u16),
}

/// What happens on a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A channel that this side opened can be written to.
    Opened(ChannelId),
    /// The other side opened a channel. It can be written to at once.
    Incoming(ChannelId),
    /// A whole message came on a channel.
    Message(ChannelId, Bytes),
    /// What a channel has buffered for sending fell below the low mark.
    Drained(ChannelId),
    /// A channel is closed; nothing more comes on it, and its id means nothing from now on.
    Closed(ChannelId),
}

/// A connected peer connection with its data channels.
///
/// One task polls it. Calls between two polls take effect at the next poll at the latest, so the
/// caller polls once more after a call that sends something.
pub trait Backend: fmt::Debug + Send + Unpin + 'static {
    /// Moves the connection on and takes the next event. After an error nothing more comes.
    ///
    /// # Errors
    /// Why the connection ended.
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Failure>>;

    /// Whether [`Self::open`] has room for another channel. Where it has none, a channel that ends
    /// makes some: [`Event::Closed`] is when to ask again.
    fn has_room(&self) -> bool;

    /// Opens a channel; [`Event::Opened`] tells when it can be used.
    ///
    /// # Errors
    /// When the platform has no room for another channel, or the connection ended.
    fn open(&mut self, kind: Kind) -> Result<ChannelId, Failure>;

    /// Hands a message to a channel. A message for a channel that is closed is dropped.
    ///
    /// # Errors
    /// When the platform refuses it. The channel must then be seen as broken.
    fn send(&mut self, channel: ChannelId, message: &[u8]) -> Result<(), Failure>;

    /// Bytes of the largest frame that suits the platform, of at most so many.
    fn frame_bytes(&self, most: usize) -> usize {
        most
    }

    /// Sends at once what is worth it, without the task that polls. Whether that task has nothing to do
    /// for it: where this is `false` it must be woken.
    fn send_now(&mut self) -> bool {
        false
    }

    /// How many bytes a channel has taken and not yet sent.
    fn buffered(&mut self, channel: ChannelId) -> usize;

    /// Stops (`true`) or resumes (`false`) reading a channel, where the platform can: then the other
    /// side's sending slows down. Where it cannot, messages go on arriving.
    fn hold(&mut self, channel: ChannelId, hold: bool);

    /// Closes a channel once what it has buffered is sent.
    fn close_channel(&mut self, channel: ChannelId);

    /// Says goodbye to the other side and frees everything. Ready once that is done.
    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()>;
}

/// Which side of `/webrtc` signalling makes the offer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Opened the signalling stream; makes the offer.
    Initiator,
    /// Accepted it; makes the answer.
    Responder,
}

/// What signalling asks of the platform.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Create the channel `init` and an offer; [`Local::Description`] brings its SDP.
    CreateOffer,
    /// Take the other side's SDP. After an offer, [`Local::RemoteApplied`] tells when an answer can be
    /// made and candidates added.
    ApplyRemote(String),
    /// Create the answer; [`Local::Description`] brings its SDP.
    CreateAnswer,
    /// Apply the description made here. It has been sent by now.
    ApplyLocal,
    /// Try this candidate too: the JSON form of an `RTCIceCandidateInit`. One that the platform does
    /// not understand is skipped.
    AddCandidate(String),
}

/// What the platform tells signalling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Local {
    /// The SDP of the offer or answer that was asked for.
    Description(String),
    /// The other side's description is in force.
    RemoteApplied,
    /// A candidate of this side: the JSON form of an `RTCIceCandidateInit`.
    Candidate(String),
    /// The connection is up and, for the initiator, the channel `init` has been closed.
    Connected,
    /// It will not come up.
    Failed(Failure),
}

/// A peer connection that is still being negotiated over signalling.
pub trait Negotiation: fmt::Debug + Send + Unpin + 'static {
    /// What it becomes.
    type Backend: Backend;

    /// Carries out what signalling asks.
    fn order(&mut self, order: Order);

    /// Takes the next thing that signalling has to know.
    fn poll_local(&mut self, cx: &mut Context<'_>) -> Poll<Local>;

    /// The connection, after [`Local::Connected`]. Channels that the other side has opened meanwhile
    /// come as [`Event::Incoming`].
    ///
    /// # Errors
    /// When it is not connected.
    fn into_backend(self) -> Result<Self::Backend, Failure>;
}

/// Makes peer connections for `/webrtc`.
pub trait Platform: fmt::Debug + Send + Unpin + 'static {
    /// The connections it makes.
    type Negotiation: Negotiation;

    /// Starts one.
    ///
    /// # Errors
    /// When the platform has no WebRTC, or no room.
    fn start(&self, role: Role) -> Result<Self::Negotiation, Failure>;

    /// The networks that this machine is in, as far as the platform tells. Browsers do not.
    fn networks(&self) -> Vec<Network> {
        Vec::new()
    }
}

#[cfg(all(feature = "native", not(target_arch = "wasm32")))]
pub mod native;

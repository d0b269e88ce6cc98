//! WebRTC connections that wait for the dialler before they open streams.
//! Invariant: the first stream of ours follows the first of the dialler, or [`WEBRTC_FIRST_STREAM_MS`].
//! Not here: WebRTC (libp2p-webrtc).
//!
//! The listener ends the handshake, and so is done half a round trip before the dialler. A browser
//! loses data channels that arrive before its side is set up, without any sign of it; the protocols
//! above would miss them only after their negotiation timed out.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use futures_timer::Delay;
use libp2p::core::muxing::{StreamMuxer, StreamMuxerEvent};
use peerloom_shared::limits::WEBRTC_FIRST_STREAM_MS;

/// See the module's text.
pub(super) struct Patient<M> {
    inner: M,
    /// `None` once streams may be opened.
    waiting: Option<Delay>,
    opener: Option<Waker>,
}

impl<M> Patient<M> {
    /// A connection whose dialler may not be ready.
    pub(super) fn new(inner: M) -> Self {
        let deadline = Delay::new(Duration::from_millis(WEBRTC_FIRST_STREAM_MS));
        Self { inner, waiting: Some(deadline), opener: None }
    }
}

impl<M: StreamMuxer + Unpin> StreamMuxer for Patient<M> {
    type Substream = M::Substream;
    type Error = M::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<M::Substream, M::Error>> {
        let polled = Pin::new(&mut self.inner).poll_inbound(cx);
        if polled.is_ready() {
            self.waiting = None;
            if let Some(opener) = self.opener.take() {
                opener.wake();
            }
        }
        polled
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<M::Substream, M::Error>> {
        if let Some(deadline) = &mut self.waiting
            && deadline.poll_unpin(cx).is_pending()
        {
            self.opener = Some(cx.waker().clone());
            return Poll::Pending;
        }
        self.waiting = None;
        Pin::new(&mut self.inner).poll_outbound(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), M::Error>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<StreamMuxerEvent, M::Error>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

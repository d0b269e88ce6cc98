//! A WebRTC connection as libp2p sees it: many streams over one backend.
//! Invariant: one task drives the backend; streams only touch their own state and wake that task.
//! Not here: what a stream's frames mean (`stream`), how the platform does it (`backend`).

mod shared;
mod substream;
#[cfg(test)]
mod tests;

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use futures::future::poll_fn;
use libp2p_core::muxing::{StreamMuxer, StreamMuxerEvent};

use self::shared::Shared;
pub use self::substream::Substream;
use crate::backend::{Backend, ChannelId, Failure, Kind};
use crate::limits::ConnectionLimits;

/// See the module's text.
pub struct Connection<B: Backend> {
    shared: Arc<Mutex<Shared<B>>>,
    /// A channel of ours that is not yet open.
    outbound: Option<ChannelId>,
}

impl<B: Backend> fmt::Debug for Connection<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("outbound", &self.outbound).finish_non_exhaustive()
    }
}

impl<B: Backend> Connection<B> {
    /// A connection whose other side is not known yet: it may open only a few channels.
    pub(crate) fn early(backend: B, limits: ConnectionLimits) -> Self {
        let shared = Shared::new(backend, limits, true);
        Self { shared: Arc::new(Mutex::new(shared)), outbound: None }
    }

    /// A connection whose other side is known.
    pub(crate) fn new(backend: B, limits: ConnectionLimits) -> Self {
        let mut connection = Self::early(backend, limits);
        connection.other_side_is_known();
        connection
    }

    /// Ends the narrow limits of [`Self::early`].
    pub(crate) fn other_side_is_known(&mut self) {
        lock(&self.shared).early = false;
    }

    /// A stream under an SCTP stream id that both sides know.
    ///
    /// # Errors
    /// When the backend refuses it.
    #[cfg(all(feature = "native", not(target_arch = "wasm32")))]
    pub(crate) fn negotiated(&mut self, stream: u16) -> Result<Substream<B>, Failure> {
        let id = lock(&self.shared).open(Kind::Negotiated(stream))?;
        Ok(self.substream(id))
    }

    /// A stream on a channel that the backend has opened already.
    #[cfg(all(feature = "browser", target_arch = "wasm32"))]
    pub(crate) fn adopt(&mut self, channel: ChannelId) -> Substream<B> {
        lock(&self.shared).adopt(channel);
        self.substream(channel)
    }

    /// Does some work, usually on a stream of this connection, while it drives the connection.
    ///
    /// # Errors
    /// The connection ended first.
    pub(crate) async fn drive<W: Future>(&mut self, work: W) -> Result<W::Output, Failure> {
        let mut work = pin!(work);
        poll_fn(|cx| {
            if let Poll::Ready(done) = work.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            lock(&self.shared).drive(cx)?;
            work.as_mut().poll(cx).map(Ok)
        })
        .await
    }

    /// Tells the backend something.
    #[cfg(any(test, all(feature = "native", not(target_arch = "wasm32"))))]
    pub(crate) fn with_backend<T>(&mut self, work: impl FnOnce(&mut B) -> T) -> T {
        work(lock(&self.shared).backend())
    }

    fn substream(&self, id: ChannelId) -> Substream<B> {
        Substream::new(Arc::clone(&self.shared), id)
    }
}

fn lock<B: Backend>(shared: &Mutex<Shared<B>>) -> MutexGuard<'_, Shared<B>> {
    // A panic elsewhere leaves nothing half done that later calls could not bear.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<B: Backend> StreamMuxer for Connection<B> {
    type Substream = Substream<B>;
    type Error = Failure;

    fn poll_inbound(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream<B>, Failure>> {
        let next = {
            let mut shared = lock(&self.shared);
            shared.drive(cx)?;
            shared.accept()
        };
        next.map_or(Poll::Pending, |id| Poll::Ready(Ok(self.substream(id))))
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Substream<B>, Failure>> {
        let id = {
            let mut shared = lock(&self.shared);
            shared.drive(cx)?;
            let id = match self.outbound {
                Some(id) => id,
                None if shared.is_full() => return Poll::Pending,
                None => shared.open(Kind::Announced)?,
            };
            // Some backends open at once.
            shared.drive(cx)?;
            if shared.is_opening(id) {
                drop(shared);
                self.outbound = Some(id);
                return Poll::Pending;
            }
            id
        };
        self.outbound = None;
        Poll::Ready(Ok(self.substream(id)))
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), Failure>> {
        lock(&self.shared).poll_close(cx).map(Ok)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<StreamMuxerEvent, Failure>> {
        lock(&self.shared).drive(cx)?;
        Poll::Pending
    }
}

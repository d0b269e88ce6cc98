//! A stream as libp2p reads and writes it.
//! Invariant: dropping it tells the other side, and loses nothing that was written before a close.
//! Not here: the rules (`stream`).

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};

use super::lock;
use super::shared::{Shared, Slot};
use crate::backend::{Backend, ChannelId};
use crate::stream::{Read, Write};

/// A stream of a [`super::Connection`]. Closing it ends our half and keeps the other half readable;
/// it does not wait for the other side. Dropping it before it is closed resets it.
pub struct Substream<B: Backend> {
    shared: Arc<Mutex<Shared<B>>>,
    id: ChannelId,
}

impl<B: Backend> fmt::Debug for Substream<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Substream").field(&self.id).finish()
    }
}

impl<B: Backend> Substream<B> {
    pub(super) fn new(shared: Arc<Mutex<Shared<B>>>, id: ChannelId) -> Self {
        Self { shared, id }
    }

    /// Works on the stream. It is there as long as this half of it is.
    fn with<T>(&self, work: impl FnOnce(&mut Slot) -> Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        lock(&self.shared)
            .with(self.id, |slot, _| work(slot))
            .unwrap_or_else(|| Poll::Ready(Err(io::ErrorKind::NotConnected.into())))
    }
}

impl<B: Backend> AsyncRead for Substream<B> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|slot| match slot.stream.read(into) {
            Ok(Read::Taken(bytes)) => Poll::Ready(Ok(bytes)),
            Ok(Read::End) => Poll::Ready(Ok(0)),
            Ok(Read::Pending) => {
                slot.reader = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error.into())),
        })
    }
}

impl<B: Backend> AsyncWrite for Substream<B> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.with(|slot| {
            // As many frames as there is room for: each return to the writer costs it a wake-up.
            let mut taken = 0_usize;
            loop {
                let rest = from.get(taken..).unwrap_or_default();
                match slot.stream.write(rest) {
                    Ok(Write::Taken(bytes)) => taken = taken.saturating_add(bytes),
                    Ok(Write::Full) if taken == 0 => {
                        slot.writer = Some(cx.waker().clone());
                        return Poll::Pending;
                    }
                    Err(error) if taken == 0 => return Poll::Ready(Err(error.into())),
                    // The next call tells.
                    Ok(Write::Full) | Err(_) => return Poll::Ready(Ok(taken)),
                }
                if taken >= from.len() {
                    return Poll::Ready(Ok(taken));
                }
            }
        })
    }

    /// What was written is with the backend already.
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        let closed = lock(&self.shared).with(self.id, |slot, now| slot.stream.finish(now));
        Poll::Ready(closed.ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected)))
    }
}

impl<B: Backend> Drop for Substream<B> {
    fn drop(&mut self) {
        lock(&self.shared).with(self.id, |slot, now| {
            slot.dropped = true;
            slot.stream.abandon(now);
        });
    }
}

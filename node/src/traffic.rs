//! Counts the bytes of all streams by the kind of path that carries them.
//! Invariant: a counter is one atomic addition; nothing is looked up, kept for each peer, or locked.
//! Not here: what transports add below (encryption, packets, repetitions), the metric families.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures::{AsyncRead, AsyncWrite};
use libp2p::core::muxing::{StreamMuxer, StreamMuxerBox, StreamMuxerEvent, SubstreamBox};
use peerloom_shared::view::Transport;

/// The kinds of paths that a node has.
pub const KINDS: [Transport; 6] = [
    Transport::Tcp,
    Transport::Quic,
    Transport::WebSocket,
    Transport::WebrtcDirect,
    Transport::Webrtc,
    Transport::Circuit,
];

/// The published name of a kind of path, for metrics.
#[must_use]
pub const fn name(kind: Transport) -> &'static str {
    match kind {
        Transport::Tcp => "tcp",
        Transport::Quic => "quic",
        Transport::WebSocket => "websocket",
        Transport::WebrtcDirect => "webrtc-direct",
        Transport::Webrtc => "webrtc",
        Transport::Circuit => "relayed",
        Transport::Memory => "memory",
        Transport::Other => "other",
    }
}

/// Bytes of the streams of one kind of path, since the start. Clones count into the same numbers.
#[derive(Clone, Debug, Default)]
pub struct Meter(Arc<[AtomicU64; 2]>);

impl Meter {
    /// Bytes received and bytes sent.
    #[must_use]
    pub fn bytes(&self) -> [u64; 2] {
        [0, 1].map(|at| self.0.get(at).map_or(0, |count| count.load(Ordering::Relaxed)))
    }

    /// A connection whose streams are counted here.
    #[must_use]
    pub fn on(&self, connection: StreamMuxerBox) -> StreamMuxerBox {
        StreamMuxerBox::new(Counted { inner: connection, meter: self.clone() })
    }

    fn received(&self, done: &Poll<io::Result<usize>>) {
        let [received, _] = &*self.0;
        count(received, done);
    }

    fn sent(&self, done: &Poll<io::Result<usize>>) {
        let [_, sent] = &*self.0;
        count(sent, done);
    }
}

fn count(counter: &AtomicU64, done: &Poll<io::Result<usize>>) {
    if let Poll::Ready(Ok(bytes)) = done {
        counter.fetch_add(u64::try_from(*bytes).unwrap_or(u64::MAX), Ordering::Relaxed);
    }
}

/// A meter for each kind of path.
#[derive(Clone, Debug)]
pub struct Traffic([(Transport, Meter); KINDS.len()]);

impl Default for Traffic {
    fn default() -> Self {
        Self(KINDS.map(|kind| (kind, Meter::default())))
    }
}

impl Traffic {
    /// The meter of a kind. One that is not in [`KINDS`] is counted for nobody.
    #[must_use]
    pub fn of(&self, kind: Transport) -> Meter {
        let found = self.0.iter().find(|(known, _)| *known == kind);
        found.map(|(_, meter)| meter.clone()).unwrap_or_default()
    }

    /// Every kind with the bytes received and sent so far.
    pub fn each(&self) -> impl Iterator<Item = (Transport, [u64; 2])> + '_ {
        self.0.iter().map(|(kind, meter)| (*kind, meter.bytes()))
    }
}

/// A connection whose streams are counted.
struct Counted {
    inner: StreamMuxerBox,
    meter: Meter,
}

impl Counted {
    fn stream(&self, found: Poll<io::Result<SubstreamBox>>) -> Poll<io::Result<CountedStream>> {
        found.map_ok(|inner| CountedStream { inner, meter: self.meter.clone() })
    }
}

impl StreamMuxer for Counted {
    type Substream = CountedStream;
    type Error = io::Error;

    fn poll_inbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<CountedStream>> {
        let found = Pin::new(&mut self.inner).poll_inbound(cx);
        self.stream(found)
    }

    fn poll_outbound(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<CountedStream>> {
        let found = Pin::new(&mut self.inner).poll_outbound(cx);
        self.stream(found)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<StreamMuxerEvent>> {
        Pin::new(&mut self.inner).poll(cx)
    }
}

/// A stream that is counted.
struct CountedStream {
    inner: SubstreamBox,
    meter: Meter,
}

impl AsyncRead for CountedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_read(cx, into);
        self.meter.received(&done);
        done
    }

    fn poll_read_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut [io::IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_read_vectored(cx, into);
        self.meter.received(&done);
        done
    }
}

impl AsyncWrite for CountedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write(cx, from);
        self.meter.sent(&done);
        done
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        from: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.inner).poll_write_vectored(cx, from);
        self.meter.sent(&done);
        done
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_name_and_a_meter_of_its_own() {
        let traffic = Traffic::default();
        let mut names: Vec<_> = traffic.each().map(|(kind, _)| name(kind)).collect();
        names.sort_unstable();
        assert_eq!(names, ["quic", "relayed", "tcp", "webrtc", "webrtc-direct", "websocket"]);
        traffic.of(Transport::Quic).received(&Poll::Ready(Ok(7)));
        // Clones count into the same numbers; what does not succeed counts nothing.
        traffic.clone().of(Transport::Quic).sent(&Poll::Ready(Ok(5)));
        traffic.of(Transport::Quic).sent(&Poll::Pending);
        traffic.of(Transport::Quic).sent(&Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())));
        for (kind, bytes) in traffic.each() {
            let expected = if kind == Transport::Quic { [7, 5] } else { [0, 0] };
            assert_eq!(bytes, expected, "{}", name(kind));
        }
        traffic.of(Transport::Memory).sent(&Poll::Ready(Ok(9)));
        assert_eq!(traffic.each().map(|(_, [_, sent])| sent).sum::<u64>(), 5);
    }
}

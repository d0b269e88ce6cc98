//! A UDP socket that takes and gives many datagrams in one system call, where the system can: GSO and
//! GRO of Linux, `recvmmsg`; elsewhere one at a time.
//! Invariant: what a read may give is bounded; what a send did not take stays with the caller.
//! Not here: who gets which datagram (`socket`).

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr};
use std::task::{Context, Poll};

use bytes::Bytes;
use quinn_udp::{RecvMeta, Transmit, UdpSocketState};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;

use crate::limits::native::{
    BURST_BYTES, DATAGRAM_BYTES, RUN_BYTES, RUNS_AT_ONCE, SOCKET_BUFFER_BYTES,
};

/// See the module's text.
#[derive(Debug)]
pub(crate) struct Udp {
    socket: UdpSocket,
    state: UdpSocketState,
    /// Whether it takes only IPv6 addresses, those of IPv4 in their IPv6 form.
    v6: bool,
}

/// Datagrams of one sender that came together, each but the last of the same size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    pub(crate) from: SocketAddr,
    bytes: Bytes,
    stride: usize,
}

impl Run {
    /// One datagram.
    pub(super) fn one(from: SocketAddr, datagram: &[u8]) -> Self {
        let stride = datagram.len().max(1);
        Self { from, bytes: Bytes::copy_from_slice(datagram), stride }
    }

    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.stride)
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len().div_ceil(self.stride)
    }

    /// Forgets all but the first so many datagrams.
    pub(super) fn truncate(&mut self, datagrams: usize) {
        self.bytes.truncate(datagrams.saturating_mul(self.stride));
    }
}

/// Datagrams to one receiver, each but the last of the same size.
#[derive(Debug, Default)]
pub(crate) struct Burst {
    to: Option<SocketAddr>,
    bytes: Vec<u8>,
    /// Bytes of each datagram but the last.
    segment: usize,
    /// Bytes that are sent.
    sent: usize,
}

impl Burst {
    /// A burst of one datagram; `space` is memory that is used again.
    pub(super) fn new(to: SocketAddr, datagram: &[u8], mut space: Vec<u8>) -> Self {
        space.clear();
        space.extend_from_slice(datagram);
        Self { to: Some(to), bytes: space, segment: datagram.len().max(1), sent: 0 }
    }

    /// Adds a datagram; says whether it fits.
    pub(super) fn push(&mut self, to: SocketAddr, datagram: &[u8]) -> bool {
        let whole = self.bytes.len().is_multiple_of(self.segment.max(1));
        let fits = self.bytes.len().saturating_add(datagram.len()) <= BURST_BYTES;
        let same = self.to == Some(to) && !datagram.is_empty() && datagram.len() <= self.segment;
        if whole && fits && same {
            self.bytes.extend_from_slice(datagram);
        }
        whole && fits && same
    }

    /// Its memory, to be used again.
    pub(super) fn into_space(self) -> Vec<u8> {
        self.bytes
    }

    #[cfg(test)]
    pub(super) fn to(&self) -> Option<SocketAddr> {
        self.to
    }

    #[cfg(test)]
    pub(super) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(self.segment)
    }
}

/// Memory that a socket reads into.
pub(super) struct Buffers {
    space: Vec<u8>,
    meta: Vec<RecvMeta>,
}

impl std::fmt::Debug for Buffers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Buffers")
    }
}

impl Default for Buffers {
    fn default() -> Self {
        let space = vec![0; RUN_BYTES.saturating_mul(RUNS_AT_ONCE)];
        Self { space, meta: vec![RecvMeta::default(); RUNS_AT_ONCE] }
    }
}

impl Udp {
    /// Listeners of IPv6 take no IPv4, so that both families can have the same port; other sockets
    /// take both.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn bind(address: SocketAddr, listens: bool) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            socket.set_only_v6(listens)?;
        }
        // Only wishes: the system's own limits are enough to work with.
        socket.set_recv_buffer_size(SOCKET_BUFFER_BYTES).unwrap_or_default();
        socket.set_send_buffer_size(SOCKET_BUFFER_BYTES).unwrap_or_default();
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        let socket = UdpSocket::from_std(socket.into())?;
        let state = UdpSocketState::new((&socket).into())?;
        Ok(Self { socket, state, v6: address.is_ipv6() })
    }

    /// Where it is bound.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await
    }

    pub(super) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_recv_ready(cx)
    }

    pub(super) fn poll_writable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_send_ready(cx)
    }

    /// Reads once and hands over what came. Datagrams that are too long are left out.
    ///
    /// # Errors
    /// `WouldBlock` when there is nothing; else the system's.
    pub(super) fn read(&self, into: &mut Buffers, mut take: impl FnMut(Run)) -> io::Result<()> {
        let Buffers { space, meta } = into;
        let mut slices: Vec<IoSliceMut<'_>> =
            space.chunks_mut(RUN_BYTES).map(IoSliceMut::new).collect();
        let count = self.socket.try_io(Interest::READABLE, || {
            self.state.recv((&self.socket).into(), &mut slices, meta)
        })?;
        for (meta, slice) in meta.iter().zip(&slices).take(count) {
            let stride = meta.stride.min(meta.len);
            if stride > 0 && stride <= DATAGRAM_BYTES {
                let bytes = Bytes::copy_from_slice(slice.get(..meta.len).unwrap_or_default());
                let from = SocketAddr::new(meta.addr.ip().to_canonical(), meta.addr.port());
                take(Run { from, bytes, stride });
            }
        }
        Ok(())
    }

    /// Sends what is left of a burst.
    ///
    /// # Errors
    /// Only `WouldBlock`: the rest stays in the burst. What the system refuses for another reason is
    /// lost, as any datagram may be.
    pub(super) fn send(&self, burst: &mut Burst) -> io::Result<()> {
        let Some(to) = burst.to else { return Ok(()) };
        while let Some(rest) = burst.bytes.get(burst.sent..).filter(|rest| !rest.is_empty()) {
            let most = self.state.max_gso_segments();
            let len = rest.len().min(burst.segment.saturating_mul(most));
            let contents = rest.get(..len).unwrap_or_default();
            let several = len > burst.segment;
            let transmit = Transmit {
                destination: self.as_it_takes(to),
                ecn: None,
                contents,
                segment_size: several.then_some(burst.segment),
                src_ip: None,
            };
            let done = self.socket.try_io(Interest::WRITABLE, || {
                self.state.try_send((&self.socket).into(), &transmit)
            });
            match done {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // The system cannot do bursts after all: one at a time from now on.
                Err(_) if several && self.state.max_gso_segments() == 1 => {}
                Ok(()) | Err(_) => burst.sent = burst.sent.saturating_add(len),
            }
        }
        Ok(())
    }

    fn as_it_takes(&self, to: SocketAddr) -> SocketAddr {
        match to.ip() {
            IpAddr::V4(v4) if self.v6 => SocketAddr::new(v4.to_ipv6_mapped().into(), to.port()),
            IpAddr::V4(_) | IpAddr::V6(_) => to,
        }
    }
}

#[cfg(test)]
mod tests;

//! A link on its socket and its timer: what a native connection is driven by.
//! Invariant: what the socket does not take stays in the link, where it slows the writers down.
//! Not here: who the other side is, channels' meaning.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use libp2p_webrtc_utils::Fingerprint;
use tokio::time::Sleep;

use super::link::{Link, LinkEvent};
use super::socket::Session;
use super::udp::Burst;
use crate::backend::{Backend, ChannelId, Event, Failure, Kind};
use crate::limits::native::{
    BLOCKED, FRAME_BYTES, RECEIVE_AT_ONCE, ROUNDS_AT_ONCE, SEND_AT_ONCE_BYTES,
};

/// A native connection with its data channels.
#[derive(Debug)]
pub struct Native {
    link: Link,
    session: Session,
    timer: Pin<Box<Sleep>>,
    /// What the socket did not take.
    blocked: Option<Burst>,
    /// Bytes that were handed over since something was last sent.
    unsent: usize,
    closing: bool,
}

impl Native {
    pub(super) fn new(link: Link, session: Session) -> Self {
        let timer = Box::pin(tokio::time::sleep_until(Instant::now().into()));
        Self { link, session, timer, blocked: None, unsent: 0, closing: false }
    }

    /// Where its socket is bound.
    ///
    /// # Errors
    /// The system's.
    pub(super) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.session.socket().local_addr()
    }

    pub(super) fn is_dtls_client(&self) -> bool {
        self.link.is_dtls_client()
    }

    pub(super) fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// Waits until the other side's certificate is known.
    ///
    /// # Errors
    /// Why that will not be.
    pub(super) async fn secured(&mut self) -> Result<Fingerprint, Failure> {
        poll_fn(|cx| {
            loop {
                if let LinkEvent::Secured(fingerprint) = ready!(self.poll_link(cx))? {
                    return Poll::Ready(Ok(fingerprint));
                }
            }
        })
        .await
    }

    /// The other side has proven who it is.
    pub(super) fn established(&self) {
        self.session.established();
    }

    /// Moves datagrams and time on, and takes the next event.
    pub(super) fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<Result<LinkEvent, Failure>> {
        for _ in 0..ROUNDS_AT_ONCE {
            // First what is there: looking at the socket and at SCTP's queues costs more.
            if let Some(event) = self.link.poll_event()? {
                return Poll::Ready(Ok(event));
            }
            let received = self.receive(cx)?;
            self.transmit(cx);
            if !received && !self.expired(cx) {
                return match self.link.poll_event()? {
                    Some(event) => Poll::Ready(Ok(event)),
                    None => Poll::Pending,
                };
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Whether there was anything.
    fn receive(&mut self, cx: &mut Context<'_>) -> Result<bool, Failure> {
        let mut taken = 0_usize;
        while taken < RECEIVE_AT_ONCE {
            match self.session.poll_receive(cx) {
                Poll::Ready(Some(run)) => {
                    taken = taken.saturating_add(run.len().max(1));
                    self.link.handle_datagrams(Instant::now(), run.from, run.datagrams());
                }
                Poll::Ready(None) => return Err(Failure::Closed),
                Poll::Pending => return Ok(taken > 0),
            }
        }
        Ok(true)
    }

    fn transmit(&mut self, cx: &mut Context<'_>) {
        self.unsent = 0;
        while !self.try_transmit() {
            // Ready again already: once more. A broken socket is noticed by its reader.
            match self.session.socket().poll_writable(cx) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) | Poll::Pending => return,
            }
        }
    }

    /// Whether the socket took all there is.
    fn try_transmit(&mut self) -> bool {
        let now = Instant::now();
        while let Some(mut burst) = self.blocked.take().or_else(|| self.link.poll_transmit(now)) {
            if self.session.socket().send(&mut burst).is_err() {
                self.blocked = Some(burst);
                return false;
            }
            self.link.reuse(burst);
        }
        true
    }

    /// Whether it was time for something. Otherwise the timer wakes the task.
    fn expired(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(due) = self.link.next_timeout() else {
            // Starts the clocks.
            self.link.handle_timeout(Instant::now());
            return true;
        };
        let now = Instant::now();
        if due <= now {
            self.link.handle_timeout(now);
            return true;
        }
        let due = if self.blocked.is_some() { due.min(now + BLOCKED) } else { due };
        if self.timer.deadline() != due.into() {
            self.timer.as_mut().reset(due.into());
        }
        self.timer.as_mut().poll(cx).is_ready()
    }
}

impl Backend for Native {
    /// There are more SCTP streams than a connection may have.
    fn has_room(&self) -> bool {
        true
    }

    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Failure>> {
        loop {
            if let LinkEvent::Channel(event) = ready!(self.poll_link(cx))? {
                return Poll::Ready(Ok(event));
            }
        }
    }

    fn open(&mut self, kind: Kind) -> Result<ChannelId, Failure> {
        self.link.open(kind)
    }

    fn send(&mut self, channel: ChannelId, message: &[u8]) -> Result<(), Failure> {
        self.unsent = self.unsent.saturating_add(message.len());
        self.link.channels().map_or(Ok(()), |channels| channels.send(channel, message))
    }

    fn frame_bytes(&self, most: usize) -> usize {
        most.min(FRAME_BYTES)
    }

    fn send_now(&mut self) -> bool {
        if self.unsent < SEND_AT_ONCE_BYTES {
            return false;
        }
        self.unsent = 0;
        let sent = self.try_transmit();
        // The task's timer may be set for later than SCTP wants now.
        let due = self.link.next_timeout();
        sent && due.is_some_and(|due| self.timer.deadline() <= due.into())
    }

    fn buffered(&mut self, channel: ChannelId) -> usize {
        self.link.channels().map_or(0, |channels| channels.buffered(channel))
    }

    fn hold(&mut self, channel: ChannelId, hold: bool) {
        if let Some(channels) = self.link.channels() {
            channels.hold(channel, hold);
        }
    }

    fn close_channel(&mut self, channel: ChannelId) {
        if let Some(channels) = self.link.channels() {
            channels.close_channel(channel);
        }
    }

    fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.closing {
            self.closing = true;
            self.link.close();
        }
        // A socket that takes nothing now keeps nobody waiting: the other side notices by itself.
        self.transmit(cx);
        Poll::Ready(())
    }
}

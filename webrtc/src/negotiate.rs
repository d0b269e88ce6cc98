//! One `/webrtc` session from its stream to a connection: the rules on a stream and a platform.
//! Invariant: it ends in time, and leaves neither a stream nor a peer connection behind.
//! Not here: the rules (`signal`), who may have a session (`behaviour`).

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncRead, AsyncWrite, FutureExt as _};
use futures_timer::Delay;
use web_time::Instant;

use crate::backend::{Negotiation, Platform, Role};
use crate::limits::{SIGNAL_READ_BYTES as READ_BYTES, SignalLimits};
use crate::signal::{CandidateFilter, Counts, Output, Signal, SignalError};

/// How a session goes.
#[derive(Debug)]
pub(crate) struct Terms {
    pub(crate) limits: SignalLimits,
    pub(crate) filter: CandidateFilter,
}

struct Session<N, S> {
    signal: Signal,
    negotiation: N,
    /// `None` once it ended.
    stream: Option<S>,
    unsent: Bytes,
    start: Instant,
    timer: Delay,
    due: Option<Duration>,
}

/// Runs a session: the connection or why there is none, and what was left out on the way.
pub(crate) async fn negotiate<P, S>(
    platform: P,
    role: Role,
    stream: S,
    terms: Terms,
) -> (Result<<P::Negotiation as Negotiation>::Backend, SignalError>, Counts)
where
    P: Platform,
    S: AsyncRead + AsyncWrite + Unpin,
{
    let negotiation = match platform.start(role) {
        Ok(negotiation) => negotiation,
        Err(failure) => return (Err(SignalError::Peer(failure)), Counts::default()),
    };
    let mut session = Session {
        signal: Signal::new(role, terms.limits, Duration::ZERO).with_filter(terms.filter),
        negotiation,
        stream: Some(stream),
        unsent: Bytes::new(),
        start: Instant::now(),
        timer: Delay::new(Duration::ZERO),
        due: None,
    };
    let done = poll_fn(|cx| session.poll(cx)).await;
    let Session { signal, negotiation, stream, .. } = session;
    if let Err(why) = done {
        return (Err(why), signal.counts());
    }
    if let Some(mut stream) = stream {
        // The connection is there; whether the stream ends well does not matter any more.
        poll_fn(|cx| Pin::new(&mut stream).poll_close(cx)).now_or_never();
    }
    (negotiation.into_backend().map_err(SignalError::Peer), signal.counts())
}

impl<N: Negotiation, S: AsyncRead + AsyncWrite + Unpin> Session<N, S> {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SignalError>> {
        loop {
            let mut moved = false;
            while self.unsent.is_empty()
                && let Some(output) = self.signal.poll_output()
            {
                moved = true;
                match output {
                    Output::Send(bytes) => self.unsent = bytes,
                    Output::Order(order) => self.negotiation.order(order),
                    Output::Connected => return Poll::Ready(Ok(())),
                    Output::Failed(why) => return Poll::Ready(Err(why)),
                }
            }
            moved |= self.write(cx) | self.read(cx) | self.expire(cx);
            if let Poll::Ready(local) = self.negotiation.poll_local(cx) {
                self.signal.local(self.start.elapsed(), local);
                moved = true;
            }
            if !moved {
                return Poll::Pending;
            }
        }
    }

    /// Each of these says whether something happened.
    fn write(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stream) = &mut self.stream else {
            return !std::mem::take(&mut self.unsent).is_empty();
        };
        let mut stream = Pin::new(stream);
        if self.unsent.is_empty() {
            match stream.poll_flush(cx) {
                Poll::Ready(Err(_)) => self.end(),
                Poll::Ready(Ok(())) | Poll::Pending => return false,
            }
            return true;
        }
        match stream.as_mut().poll_write(cx, &self.unsent) {
            Poll::Ready(Ok(0) | Err(_)) => self.end(),
            Poll::Ready(Ok(written)) => {
                self.unsent = self.unsent.slice(written.min(self.unsent.len())..);
            }
            Poll::Pending => return false,
        }
        true
    }

    fn read(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(stream) = &mut self.stream else { return false };
        let mut buffer = [0; READ_BYTES];
        match Pin::new(stream).poll_read(cx, &mut buffer) {
            Poll::Ready(Ok(0) | Err(_)) => self.end(),
            Poll::Ready(Ok(read)) => {
                let bytes = buffer.get(..read).unwrap_or_default();
                self.signal.receive(self.start.elapsed(), bytes);
            }
            Poll::Pending => return false,
        }
        true
    }

    fn end(&mut self) {
        self.stream = None;
        self.signal.stream_ended(self.start.elapsed());
    }

    fn expire(&mut self, cx: &mut Context<'_>) -> bool {
        let wake = self.signal.next_wake();
        if wake != self.due {
            self.due = wake;
            self.timer.reset(wake.unwrap_or_default().saturating_sub(self.start.elapsed()));
        }
        if self.due.is_none() || self.timer.poll_unpin(cx).is_pending() {
            return false;
        }
        self.due = None;
        self.signal.tick(self.start.elapsed());
        true
    }
}

//! What a connection and its streams share: the backend, and the state of every stream.
//! Invariant: each call leaves no output of a stream behind, so nothing waits without a waker.
//! Not here: who may open streams to whom (libp2p), the lock (`connection`).

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::FutureExt as _;
use futures_timer::Delay;
use web_time::Instant;

use crate::backend::{Backend, ChannelId, Event, Failure, Kind};
use crate::by_id::ById;
use crate::limits::{ConnectionLimits, EVENTS_AT_ONCE};
use crate::stream::{Output, Stream};

/// A stream and who waits for it.
#[derive(Debug)]
pub(super) struct Slot {
    pub(super) stream: Stream,
    pub(super) reader: Option<Waker>,
    pub(super) writer: Option<Waker>,
    /// Ours, and the backend has not opened it yet.
    opening: bool,
    /// Nobody holds it any more; it goes once its last frames are through.
    pub(super) dropped: bool,
    /// Bytes that came before the other side was known.
    early_bytes: usize,
}

/// See the module's text.
#[derive(Debug)]
pub(super) struct Shared<B> {
    backend: B,
    limits: ConnectionLimits,
    /// The other side is not known yet.
    pub(super) early: bool,
    slots: ById<Slot>,
    incoming: VecDeque<ChannelId>,
    driver: Option<Waker>,
    start: Instant,
    timer: Option<(Duration, Delay)>,
    /// Streams that ended because the other side took nothing.
    cut: usize,
    failed: Option<Failure>,
}

impl<B: Backend> Shared<B> {
    pub(super) fn new(backend: B, mut limits: ConnectionLimits, early: bool) -> Self {
        limits.stream.send_frame_bytes = backend.frame_bytes(limits.stream.send_frame_bytes);
        Self {
            backend,
            limits,
            early,
            slots: ById::default(),
            incoming: VecDeque::new(),
            driver: None,
            start: Instant::now(),
            timer: None,
            cut: 0,
            failed: None,
        }
    }

    #[cfg(any(test, all(feature = "native", not(target_arch = "wasm32"))))]
    pub(super) fn backend(&mut self) -> &mut B {
        &mut self.backend
    }

    pub(super) fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Takes what the backend has.
    ///
    /// # Errors
    /// Why the connection ended.
    pub(super) fn drive(&mut self, cx: &mut Context<'_>) -> Result<(), Failure> {
        if let Some(failure) = &self.failed {
            return Err(failure.clone());
        }
        if !self.driver.as_ref().is_some_and(|driver| driver.will_wake(cx.waker())) {
            self.driver = Some(cx.waker().clone());
        }
        for turn in 0..=EVENTS_AT_ONCE {
            if turn == EVENTS_AT_ONCE {
                cx.waker().wake_by_ref();
                break;
            }
            match self.backend.poll_event(cx) {
                Poll::Ready(Ok(event)) => self.take(event),
                Poll::Ready(Err(failure)) => {
                    self.fail(&failure);
                    return Err(failure);
                }
                Poll::Pending => break,
            }
        }
        self.tick(cx);
        if self.cut > self.limits.cut_streams {
            self.fail(&Failure::Stuck);
            return Err(Failure::Stuck);
        }
        Ok(())
    }

    /// The next stream that the other side opened.
    pub(super) fn accept(&mut self) -> Option<ChannelId> {
        self.incoming.pop_front()
    }

    /// Whether there is no room for another stream.
    pub(super) fn is_full(&self) -> bool {
        self.slots.len() >= self.limits.streams || !self.backend.has_room()
    }

    /// Opens a stream of ours.
    ///
    /// # Errors
    /// When the backend refuses it.
    pub(super) fn open(&mut self, kind: Kind) -> Result<ChannelId, Failure> {
        let id = self.backend.open(kind)?;
        self.add(id, true);
        Ok(id)
    }

    /// Takes a channel that the backend has opened, or is opening, for a stream of ours.
    #[cfg(all(feature = "browser", target_arch = "wasm32"))]
    pub(super) fn adopt(&mut self, id: ChannelId) {
        self.add(id, true);
    }

    /// Whether the backend has not opened it yet.
    pub(super) fn is_opening(&self, id: ChannelId) -> bool {
        self.slots.get(id).is_some_and(|slot| slot.opening)
    }

    /// Works on a stream; `None` once it is gone. What it has to send leaves at once.
    pub(super) fn with<T>(
        &mut self,
        id: ChannelId,
        work: impl FnOnce(&mut Slot, Duration) -> T,
    ) -> Option<T> {
        let now = self.now();
        let done = work(self.slots.get_mut(id)?, now);
        if self.flush(id)
            && !self.backend.send_now()
            && let Some(driver) = &self.driver
        {
            driver.wake_by_ref();
        }
        Some(done)
    }

    /// Ends the connection.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.fail(&Failure::Closed);
        self.backend.poll_close(cx)
    }

    fn add(&mut self, id: ChannelId, opening: bool) {
        let slot = Slot {
            stream: Stream::new(self.limits.stream),
            reader: None,
            writer: None,
            opening,
            dropped: false,
            early_bytes: 0,
        };
        self.slots.insert(id, slot);
    }

    fn take(&mut self, event: Event) {
        let now = self.now();
        match event {
            Event::Opened(id) => {
                if let Some(slot) = self.slots.get_mut(id) {
                    slot.opening = false;
                    self.flush(id);
                }
            }
            Event::Incoming(id) => self.take_incoming(id),
            Event::Message(id, message) => {
                let limit = self.early.then_some(self.limits.early_channel_bytes);
                let Some(slot) = self.slots.get_mut(id) else { return };
                slot.early_bytes = slot.early_bytes.saturating_add(message.len());
                if limit.is_some_and(|limit| slot.early_bytes > limit) {
                    slot.stream.reset();
                } else {
                    slot.stream.receive(now, message);
                }
                self.flush(id);
            }
            Event::Drained(id) => {
                self.flush(id);
            }
            Event::Closed(id) => {
                if let Some(slot) = self.slots.get_mut(id) {
                    slot.opening = false;
                    slot.stream.channel_closed();
                    self.flush(id);
                }
            }
        }
    }

    fn take_incoming(&mut self, id: ChannelId) {
        let room = if self.early {
            self.incoming.len() < self.limits.early_channels
        } else {
            // The backend had room: it has taken it in.
            self.slots.len() < self.limits.streams
        };
        self.add(id, false);
        if room {
            self.incoming.push_back(id);
        } else if let Some(slot) = self.slots.get_mut(id) {
            slot.stream.reset();
            slot.dropped = true;
            self.flush(id);
        }
    }

    /// Carries out what a stream wants; says whether the backend has something to do.
    fn flush(&mut self, id: ChannelId) -> bool {
        let now = self.now();
        let mut busy = false;
        let Some(slot) = self.slots.get_mut(id) else { return false };
        if slot.opening {
            return false;
        }
        slot.stream.set_buffered(now, self.backend.buffered(id));
        while let Some(output) = slot.stream.poll_output() {
            match output {
                Output::Send(message) => {
                    busy = true;
                    if self.backend.send(id, &message).is_err() {
                        slot.stream.channel_closed();
                    }
                    slot.stream.set_buffered(now, self.backend.buffered(id));
                }
                Output::Hold(hold) => {
                    busy = true;
                    self.backend.hold(id, hold);
                }
                Output::WakeReader => wake(&mut slot.reader),
                Output::WakeWriter => wake(&mut slot.writer),
                Output::CloseChannel => {
                    busy = true;
                    self.cut = self.cut.saturating_add(usize::from(slot.stream.was_cut()));
                    self.backend.close_channel(id);
                }
            }
        }
        let due = slot.stream.next_wake();
        if slot.dropped && slot.stream.is_over() {
            self.slots.remove(id);
        } else if let Some(due) = due
            && self.timer.as_ref().is_none_or(|(at, _)| due < *at)
        {
            self.timer = Some((due, Delay::new(due.saturating_sub(now))));
            busy = true;
        }
        busy
    }

    fn tick(&mut self, cx: &mut Context<'_>) {
        while let Some((_, timer)) = &mut self.timer {
            if timer.poll_unpin(cx).is_pending() {
                return;
            }
            self.timer = None;
            let now = self.now();
            let due: Vec<ChannelId> = self
                .slots
                .iter()
                .filter(|(_, s)| s.stream.next_wake().is_some())
                .map(|(id, _)| id)
                .collect();
            for id in due {
                if let Some(slot) = self.slots.get_mut(id) {
                    slot.stream.set_buffered(now, self.backend.buffered(id));
                    slot.stream.tick(now);
                    self.flush(id);
                }
            }
        }
    }

    fn fail(&mut self, failure: &Failure) {
        self.failed.get_or_insert_with(|| failure.clone());
        for slot in self.slots.values_mut() {
            slot.opening = false;
            slot.stream.channel_closed();
            while slot.stream.poll_output().is_some() {}
            wake(&mut slot.reader);
            wake(&mut slot.writer);
        }
        wake(&mut self.driver);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

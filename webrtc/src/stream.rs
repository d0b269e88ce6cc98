//! One libp2p stream on one data channel, as a state machine (libp2p's specification of WebRTC,
//! "Multiplexing" and "Closing an RTCDataChannel").
//! Invariant: what was written before FIN reaches the other side unless one of the two resets, the
//! other one stops, or the connection ends; and a stream never keeps more than its limits allow.
//! Not here: channels, wakers, clocks (`connection`). Times are since any start, the same for all calls.

use std::time::Duration;

use bytes::Bytes;

use crate::frame::{Decoder, Flag};
use crate::limits::{BUFFER_LOOKS, BUFFER_PAUSE, StreamLimits};

mod error;
mod inbox;
mod outbox;
mod steps;
#[cfg(test)]
mod tests;

pub use error::StreamError;
use inbox::Inbox;
use outbox::Outbox;
use steps::{Channel, Reading, Writing};

/// What reading gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Read {
    /// This many bytes.
    Taken(usize),
    /// Nothing yet; [`Output::WakeReader`] tells when to try again.
    Pending,
    /// The other side finished and all is read, or this side stopped reading.
    End,
}

/// What writing gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// This many bytes are on their way; the rest is to be written again.
    Taken(usize),
    /// No room; [`Output::WakeWriter`] tells when to try again.
    Full,
}

/// What the caller has to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Send this as one message on the channel.
    Send(Bytes),
    /// Stop (`true`) or resume reading the channel, where the platform can.
    Hold(bool),
    /// Reading gives something else than [`Read::Pending`] now.
    WakeReader,
    /// Writing gives something else than [`Write::Full`] now, or what
    /// [`Stream::write_is_finished`] says has changed.
    WakeWriter,
    /// Close the channel. Nothing is sent afterwards.
    CloseChannel,
}

/// The state of a stream. After every call that may change something the caller takes all of
/// [`Stream::poll_output`].
#[derive(Debug)]
pub struct Stream {
    limits: StreamLimits,
    decoder: Decoder,
    inbox: Inbox,
    outbox: Outbox,
    reading: Reading,
    writing: Writing,
    channel: Channel,
    /// STOP_SENDING came.
    refused: bool,
    /// What the caller was last told by [`Output::Hold`], and what it should be told.
    held: bool,
    hold: bool,
    reader_waits: bool,
    writer_waits: bool,
    wake_reader: bool,
    wake_writer: bool,
    /// The latest time that a call brought.
    now: Duration,
    /// When the caller last looked at the channel's buffer.
    looked: Duration,
    /// The user dropped the stream; until when its channel has to take something.
    abandoned: Option<Duration>,
    /// That time is over.
    cut: bool,
    ignored: u64,
}

impl Stream {
    /// A stream on a channel that is open and has nothing buffered.
    #[must_use]
    pub fn new(limits: StreamLimits) -> Self {
        Self {
            decoder: Decoder::new(limits.receive_frame_bytes),
            limits,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            reading: Reading::Open,
            writing: Writing::Open,
            channel: Channel::Open,
            refused: false,
            held: false,
            hold: false,
            reader_waits: false,
            writer_waits: false,
            wake_reader: false,
            wake_writer: false,
            now: Duration::ZERO,
            looked: Duration::ZERO,
            abandoned: None,
            cut: false,
            ignored: 0,
        }
    }

    /// A message came on the channel. What is no frame resets the stream.
    pub fn receive(&mut self, now: Duration, mut message: Bytes) {
        self.advance(now);
        while self.channel == Channel::Open && !message.is_empty() {
            // In pieces, for others join frames: a message may be longer than a frame may be.
            let piece = message.split_to(message.len().min(self.decoder.room()));
            if let Err(error) = self.receive_piece(piece) {
                self.fail(StreamError::Protocol(error), true);
            }
        }
    }

    /// The channel is closed. Unless FIN came before, reading ends with [`StreamError::Lost`] once
    /// everything is read.
    pub fn channel_closed(&mut self) {
        if self.channel == Channel::Closed {
            return;
        }
        self.channel = Channel::Closed;
        self.outbox.clear();
        self.decoder = Decoder::new(self.limits.receive_frame_bytes);
        if self.reading == Reading::Open {
            self.reading = Reading::Failed(StreamError::Lost);
        }
        match self.writing {
            Writing::Open | Writing::Finishing => {
                self.writing = Writing::Failed(StreamError::Stopped);
            }
            Writing::Finished { .. } => self.writing = Writing::Over,
            Writing::Over | Writing::Failed(_) => {}
        }
        self.wake_both();
    }

    /// Learns how many bytes the channel has taken and not sent yet. To be called whenever the
    /// platform tells of the low mark, after sending, and before every [`Stream::tick`]: the
    /// platform does not tell of an empty channel, which closing waits for.
    pub fn set_buffered(&mut self, now: Duration, bytes: usize) {
        self.advance(now);
        self.looked = self.now;
        if bytes < self.outbox.buffered() {
            // FIN may sit behind a lot of data on a slow path: as long as that moves, the other
            // side cannot be blamed for the silence.
            if let Writing::Finished { until } = &mut self.writing {
                *until = self.now.saturating_add(self.limits.fin_ack);
            }
            if let Some(until) = &mut self.abandoned {
                *until = self.now.saturating_add(self.limits.abandoned);
            }
        }
        if self.outbox.set_buffered(bytes, &self.limits) {
            self.wake_writer();
        }
    }

    /// Reads what has come.
    ///
    /// # Errors
    /// How the stream failed. [`StreamError::Lost`] comes after all that came before it.
    pub fn read(&mut self, into: &mut [u8]) -> Result<Read, StreamError> {
        if !self.inbox.is_empty() {
            let taken = self.inbox.take(into);
            self.inbox.trim(self.limits.send_frame_bytes);
            self.update_hold();
            return Ok(Read::Taken(taken));
        }
        match &self.reading {
            Reading::Open => {
                self.reader_waits = true;
                Ok(Read::Pending)
            }
            Reading::Ended | Reading::Stopped => Ok(Read::End),
            Reading::Failed(error) => Err(error.clone()),
        }
    }

    /// Writes the beginning of `from`, at most one frame.
    ///
    /// # Errors
    /// [`StreamError::Finished`] after [`Stream::finish`]; otherwise how the stream failed.
    pub fn write(&mut self, from: &[u8]) -> Result<Write, StreamError> {
        match &self.writing {
            Writing::Open => {}
            Writing::Finishing | Writing::Finished { .. } | Writing::Over => {
                return Err(if self.refused {
                    StreamError::Stopped
                } else {
                    StreamError::Finished
                });
            }
            Writing::Failed(error) => return Err(error.clone()),
        }
        if from.is_empty() {
            return Ok(Write::Taken(0));
        }
        match self.outbox.put(from, &self.limits) {
            0 => {
                self.writer_waits = true;
                Ok(Write::Full)
            }
            taken => Ok(Write::Taken(taken)),
        }
    }

    /// Ends writing: what is written goes out, then FIN; then FIN_ACK is waited for. To be called
    /// again by whoever still waits for FIN to go out: then [`Output::WakeWriter`] comes.
    pub fn finish(&mut self, now: Duration) {
        self.advance(now);
        match self.writing {
            Writing::Open | Writing::Finishing => {
                self.writing = Writing::Finishing;
                self.writer_waits = true;
            }
            Writing::Finished { .. } | Writing::Over | Writing::Failed(_) => {}
        }
    }

    /// Ends reading: what is unread and what still comes is dropped, and the other side is told.
    pub fn stop_reading(&mut self) {
        match self.reading {
            Reading::Open => {
                self.outbox.stop_due = self.channel == Channel::Open;
                self.reading = Reading::Stopped;
            }
            Reading::Ended => self.reading = Reading::Stopped,
            Reading::Stopped | Reading::Failed(_) => {}
        }
        self.inbox.clear();
        self.update_hold();
        self.wake_reader();
    }

    /// Ends both halves at once; what is unread and what is not sent yet is dropped.
    pub fn reset(&mut self) {
        let done = self.is_done();
        self.inbox.clear();
        self.reading = Reading::Failed(StreamError::Reset);
        self.writing = Writing::Failed(StreamError::Reset);
        // Where both sides have all that they should have, the channel closes as it would anyway.
        if !done {
            self.fail_channel(true);
        }
        self.update_hold();
        self.wake_both();
    }

    /// The user dropped the stream. An open half for writing means that not all was written: RESET.
    /// Otherwise what was written and FIN still go out, and the other side learns that nobody reads.
    /// When the channel takes nothing for [`StreamLimits::abandoned`], it is reset after all.
    pub fn abandon(&mut self, now: Duration) {
        self.advance(now);
        self.abandoned = Some(self.now.saturating_add(self.limits.abandoned));
        if self.writing == Writing::Open {
            self.reset();
        } else {
            self.stop_reading();
        }
        self.reader_waits = false;
        self.writer_waits = false;
        self.wake_reader = false;
        self.wake_writer = false;
    }

    /// Time passed. See [`Stream::set_buffered`].
    pub fn tick(&mut self, now: Duration) {
        self.advance(now);
        self.looked = self.now;
        if let Writing::Finished { until } = self.writing
            && until <= self.now
        {
            self.writing = Writing::Over;
        }
        if self.abandoned.is_some_and(|until| until <= self.now) && self.channel != Channel::Closed
        {
            self.cut = true;
            self.fail(StreamError::Reset, true);
        }
    }

    /// When to call [`Stream::set_buffered`] and [`Stream::tick`] next, if nothing happens before.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let pause = self.limits.fin_ack.checked_div(BUFFER_LOOKS).unwrap_or_default();
        let look = self.looked.saturating_add(pause.max(BUFFER_PAUSE));
        let draining = self.outbox.buffered() > 0;
        let due = match (self.channel, &self.writing) {
            (Channel::Closed, _) => return None,
            (Channel::Open, Writing::Finished { until }) if draining => Some(look.min(*until)),
            (Channel::Open, Writing::Finished { until }) => Some(*until),
            (Channel::Open | Channel::Failing { .. }, _) => {
                (draining && self.is_done()).then_some(look)
            }
        };
        match (due, self.abandoned) {
            (Some(due), Some(end)) => Some(due.min(end)),
            (due, end) => due.or(end),
        }
    }

    /// The next thing to do, until there is none.
    pub fn poll_output(&mut self) -> Option<Output> {
        if std::mem::take(&mut self.wake_reader) {
            return Some(Output::WakeReader);
        }
        if std::mem::take(&mut self.wake_writer) {
            return Some(Output::WakeWriter);
        }
        if self.hold != self.held && self.channel != Channel::Closed {
            self.held = self.hold;
            return Some(Output::Hold(self.hold));
        }
        if self.channel != Channel::Closed
            && let Some(body) = self.outbox.take_body()
        {
            return Some(Output::Send(body));
        }
        match self.channel {
            Channel::Open => {}
            Channel::Failing { reset_due: true } => {
                self.channel = Channel::Failing { reset_due: false };
                return Some(Output::Send(self.outbox.flag(Flag::Reset)));
            }
            Channel::Failing { reset_due: false } => return self.poll_close(),
            Channel::Closed => return None,
        }
        if let Some(message) = self.outbox.next(&self.limits) {
            return Some(Output::Send(message));
        }
        if self.writing == Writing::Finishing {
            self.writing =
                Writing::Finished { until: self.now.saturating_add(self.limits.fin_ack) };
            self.wake_writer();
            return Some(Output::Send(self.outbox.flag(Flag::Fin)));
        }
        self.poll_close()
    }

    /// Whether nothing more comes from [`Stream::poll_output`]. The caller may forget a stream that
    /// is over and abandoned; one that is not abandoned may still have something to read.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.channel == Channel::Closed && !self.wake_reader && !self.wake_writer
    }

    /// Whether it ended because its channel took nothing after its user had dropped it. What it had
    /// handed to the channel is still there.
    #[must_use]
    pub fn was_cut(&self) -> bool {
        self.cut
    }

    /// Whether everything written, and FIN, was handed to the channel. It does not wait for
    /// FIN_ACK: the other side may take its time to read, and this stream lives on until then.
    ///
    /// # Errors
    /// When it never will be.
    pub fn write_is_finished(&self) -> Result<bool, StreamError> {
        match &self.writing {
            Writing::Open | Writing::Finishing => Ok(false),
            Writing::Finished { .. } | Writing::Over => Ok(true),
            Writing::Failed(error) => Err(error.clone()),
        }
    }

    /// How many bytes the stream keeps: unread, not yet a frame, and not yet handed to the channel.
    #[must_use]
    pub fn kept_bytes(&self) -> usize {
        self.inbox
            .len()
            .saturating_add(self.decoder.buffered())
            .saturating_add(self.outbox.queued())
    }

    /// How many frames came that said nothing: without data, and without a flag that we know.
    #[must_use]
    pub fn ignored_frames(&self) -> u64 {
        self.ignored
    }
}

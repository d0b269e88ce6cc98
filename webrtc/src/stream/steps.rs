//! The steps of a stream's state machine: what frames do to it, how it fails, when its channel closes.
//! Invariant: a half that is over stays as it is, whatever comes after.
//! Not here: what callers see (`stream`).

use std::time::Duration;

use bytes::Bytes;

use super::{Output, Stream, StreamError};
use crate::frame::{Decoder, Flag, Frame, FrameError};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    Open,
    /// By FIN, after what is unread.
    Ended,
    /// By this side. Flags still count.
    Stopped,
    Failed(StreamError),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Writing {
    Open,
    /// FIN comes after the queued data.
    Finishing,
    /// FIN is handed to the channel; until then FIN_ACK is waited for.
    Finished {
        until: Duration,
    },
    /// FIN_ACK came, or did not come in time.
    Over,
    Failed(StreamError),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Channel {
    Open,
    /// Failed: it closes once it is empty, after RESET if that is still due.
    Failing {
        reset_due: bool,
    },
    Closed,
}

impl Stream {
    pub(super) fn advance(&mut self, now: Duration) {
        self.now = self.now.max(now);
    }

    pub(super) fn receive_piece(&mut self, piece: Bytes) -> Result<(), FrameError> {
        self.decoder.push(piece)?;
        while self.channel == Channel::Open {
            let Some(frame) = self.decoder.next()? else {
                // What came of a frame so far counts as unread, too.
                self.check_unread(0);
                break;
            };
            self.take_frame(&frame);
        }
        Ok(())
    }

    fn take_frame(&mut self, frame: &Frame) {
        if !frame.data.is_empty() && self.reading == Reading::Open {
            if !self.check_unread(frame.data.len()) {
                return;
            }
            self.inbox.put(&frame.data, self.limits.receive_max_bytes);
            self.update_hold();
            self.wake_reader();
        }
        match frame.flag {
            None if frame.data.is_empty() => self.ignored = self.ignored.saturating_add(1),
            None => {}
            Some(Flag::Fin) => {
                self.outbox.fin_ack_due = true;
                if self.reading == Reading::Open {
                    self.reading = Reading::Ended;
                    self.update_hold();
                    self.wake_reader();
                }
            }
            Some(Flag::FinAck) => {
                // One that comes before our FIN is made up, and would cost data.
                if matches!(self.writing, Writing::Finished { .. }) {
                    self.writing = Writing::Over;
                }
            }
            Some(Flag::StopSending) => self.refuse(),
            Some(Flag::Reset) => self.fail(StreamError::Reset, false),
        }
    }

    /// STOP_SENDING came. js and go answer nothing: js sends FIN only when its user closes, go never.
    /// We send FIN at once. Nobody reads any more, so it cannot pass off a part as the whole, and
    /// the other side learns that nothing more comes: js closes its channel only after FIN, and our
    /// own kind could otherwise only close with an unanswered half.
    fn refuse(&mut self) {
        self.refused = true;
        self.outbox.drop_data();
        if self.writing == Writing::Open {
            self.writing = Writing::Finishing;
        }
        self.wake_writer();
    }

    /// Whether `more` bytes can be kept unread; fails the stream if not.
    fn check_unread(&mut self, more: usize) -> bool {
        let unread = self.inbox.len().saturating_add(self.decoder.buffered()).saturating_add(more);
        let fits = unread <= self.limits.receive_max_bytes;
        if !fits {
            self.fail(StreamError::Overrun, true);
        }
        fits
    }

    /// Ends the halves that are not over, and the channel. A half that FIN or FIN_ACK ended has all
    /// it should have: go sends RESET after FIN when FIN_ACK is late, which is no reason to lose
    /// what came whole.
    pub(super) fn fail(&mut self, error: StreamError, tell: bool) {
        if self.reading == Reading::Open {
            self.inbox.clear();
            self.reading = Reading::Failed(error.clone());
        }
        match self.writing {
            Writing::Open | Writing::Finishing | Writing::Finished { .. } => {
                self.writing = Writing::Failed(error);
            }
            Writing::Over | Writing::Failed(_) => {}
        }
        self.fail_channel(tell);
        self.update_hold();
        self.wake_both();
    }

    pub(super) fn fail_channel(&mut self, tell: bool) {
        self.outbox.clear();
        self.decoder = Decoder::new(self.limits.receive_frame_bytes);
        match self.channel {
            Channel::Open => self.channel = Channel::Failing { reset_due: tell },
            Channel::Failing { .. } | Channel::Closed => {}
        }
    }

    /// Whether only an empty channel is missing for closing it.
    pub(super) fn is_done(&self) -> bool {
        let read = match self.reading {
            Reading::Open => false,
            // A half that we stopped has nothing to lose.
            Reading::Ended | Reading::Stopped | Reading::Failed(_) => true,
        };
        let written = match self.writing {
            Writing::Open | Writing::Finishing | Writing::Finished { .. } => false,
            Writing::Over | Writing::Failed(_) => true,
        };
        read && written
    }

    pub(super) fn poll_close(&mut self) -> Option<Output> {
        let empty = self.outbox.backlog() == 0 && !self.outbox.flag_is_due();
        if !self.is_done() || !(empty || self.cut) {
            return None;
        }
        self.channel = Channel::Closed;
        self.decoder = Decoder::new(self.limits.receive_frame_bytes);
        Some(Output::CloseChannel)
    }

    /// Holds the channel above the high mark and lets go at half of it; always lets go once nothing
    /// is to be read, because flags have to come.
    pub(super) fn update_hold(&mut self) {
        let high = self.limits.receive_high_bytes;
        let unread = self.inbox.len();
        if self.reading != Reading::Open || unread <= high / 2 {
            self.hold = false;
        } else if unread > high {
            self.hold = true;
        }
    }

    pub(super) fn wake_reader(&mut self) {
        self.wake_reader |= std::mem::take(&mut self.reader_waits);
    }

    pub(super) fn wake_writer(&mut self) {
        self.wake_writer |= std::mem::take(&mut self.writer_waits);
    }

    pub(super) fn wake_both(&mut self) {
        self.wake_reader();
        self.wake_writer();
    }
}

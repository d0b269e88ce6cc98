//! What a stream has for its channel: data, and flags that wait for nothing but their turn.
//! Invariant: data is bounded by the high mark and one frame; flags are facts that are due, not
//! messages, so no flood of the other side makes this grow.
//! Not here: FIN and the end of the stream, which depend on its state (`stream`).

use std::collections::VecDeque;

use bytes::Bytes;

use crate::frame::{self, Flag, Frame};
use crate::limits::StreamLimits;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    data: VecDeque<Bytes>,
    /// The body of a frame whose prefix was handed over. Nothing may come between, not even RESET.
    body: Option<Bytes>,
    /// Bytes of `data`.
    queued: usize,
    /// What the channel has buffered: as told last, and what it was handed since.
    buffered: usize,
    /// The writer met the high mark, and the low mark is not reached yet.
    full: bool,
    pub(super) fin_ack_due: bool,
    pub(super) stop_due: bool,
}

impl Outbox {
    pub(super) fn buffered(&self) -> usize {
        self.buffered
    }

    /// Bytes here and in the channel.
    pub(super) fn backlog(&self) -> usize {
        self.queued.saturating_add(self.buffered)
    }

    /// Bytes here.
    pub(super) fn queued(&self) -> usize {
        self.queued
    }

    /// Takes the beginning of `from`, at most a frame; 0 when there is no room.
    pub(super) fn put(&mut self, from: &[u8], limits: &StreamLimits) -> usize {
        if self.full || self.backlog() >= limits.send_high_bytes {
            self.full = true;
            return 0;
        }
        let len = from.len().min(frame::data_room(limits.send_frame_bytes));
        let data = Bytes::copy_from_slice(from.get(..len).unwrap_or_default());
        let message = frame::encode(&Frame { flag: None, data });
        self.queued = self.queued.saturating_add(message.len());
        self.data.push_back(message);
        len
    }

    /// Learns what the channel has buffered. True when the writer can go on.
    pub(super) fn set_buffered(&mut self, bytes: usize, limits: &StreamLimits) -> bool {
        self.buffered = bytes;
        let relieved = self.full && self.backlog() <= limits.send_low_bytes;
        if relieved {
            self.full = false;
        }
        relieved
    }

    /// Forgets data that is not handed over.
    pub(super) fn drop_data(&mut self) {
        self.data.clear();
        self.queued = 0;
        self.full = false;
    }

    /// Whether a flag waits for its turn.
    pub(super) fn flag_is_due(&self) -> bool {
        self.fin_ack_due || self.stop_due
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        self.drop_data();
        self.fin_ack_due = false;
        self.stop_due = false;
    }

    /// The second half of what was handed over last.
    pub(super) fn take_body(&mut self) -> Option<Bytes> {
        let body = self.body.take()?;
        self.buffered = self.buffered.saturating_add(body.len());
        Some(body)
    }

    /// The next message that depends on nothing else.
    pub(super) fn next(&mut self, limits: &StreamLimits) -> Option<Bytes> {
        // The other side may repeat FIN as fast as it likes without taking our answers. They are
        // all the same, so one in place of many is put off until the channel drains. Data alone
        // never comes to this mark, so the first is never late.
        let mark = limits.send_high_bytes.saturating_add(limits.send_frame_bytes);
        if self.fin_ack_due && self.buffered < mark {
            self.fin_ack_due = false;
            return Some(self.flag(Flag::FinAck));
        }
        if self.stop_due {
            self.stop_due = false;
            return Some(self.flag(Flag::StopSending));
        }
        let mut message = self.data.pop_front()?;
        self.queued = self.queued.saturating_sub(message.len());
        if message.len() > limits.send_whole_bytes {
            self.body = Some(message.split_off(frame::prefix_len(&message)));
        }
        self.buffered = self.buffered.saturating_add(message.len());
        Some(message)
    }

    /// A frame with but a flag, counted as handed over.
    pub(super) fn flag(&mut self, flag: Flag) -> Bytes {
        let message = frame::encode(&Frame { flag: Some(flag), data: Bytes::new() });
        self.buffered = self.buffered.saturating_add(message.len());
        message
    }
}

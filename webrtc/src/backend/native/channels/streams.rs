//! The SCTP streams under the channels: opened, written, closed, and their numbers given out.
//! Invariant: a stream's number is not used again before both sides have reset it.
//! Not here: what comes from them (`channels`).

use sctp_proto::PayloadProtocolIdentifier as Ppi;

use super::{Channel, Channels, FIN_ACK_FRAME, State};
use crate::backend::native::dcep::Dcep;
use crate::backend::{ChannelId, Event, Failure, Kind};
use crate::limits::native::LEFT_MAX;

impl Channels {
    /// Tells the other side of a channel of ours. Data may follow at once (RFC 8832, section 6).
    pub(super) fn announce(&mut self, stream: u16) {
        self.stirred = true;
        let Some(Channel { state: State::Waiting(kind), id, .. }) = self.channels.get(&stream)
        else {
            return;
        };
        let (kind, id) = (*kind, *id);
        let Some(association) = &mut self.association else { return };
        // A negotiated stream may already be there, if the other side has written to it.
        if association.open_stream(stream, Ppi::Binary).is_err()
            && association.stream(stream).is_err()
        {
            return self.close_stream(stream);
        }
        let announced = match kind {
            Kind::Announced => self.write(stream, &Dcep::open_bytes(""), Ppi::Dcep),
            Kind::Negotiated(_) => Ok(()),
        };
        if announced.is_err() {
            return self.close_stream(stream);
        }
        self.watch(stream);
        if let Some(channel) = self.channels.get_mut(&stream) {
            channel.state = State::Open;
            self.readable.insert(stream);
            self.events.push_back(Event::Opened(id));
        }
    }

    /// Wants to be told when a stream has room again.
    pub(super) fn watch(&mut self, stream: u16) {
        let low = self.limits.stream.send_low_bytes;
        if let Some(Ok(mut open)) = self.association.as_mut().map(|a| a.stream(stream)) {
            open.set_buffered_amount_low_threshold(low).unwrap_or_default();
        }
    }

    pub(super) fn write(&mut self, stream: u16, message: &[u8], kind: Ppi) -> Result<(), Failure> {
        self.stirred = true;
        let Some(association) = &mut self.association else { return Err(Failure::Closed) };
        association
            .stream(stream)
            .and_then(|mut open| open.write_with_ppi(message, kind))
            .map(|_| ())
            .map_err(|e| Failure::Platform(e.to_string()))
    }

    pub(super) fn buffered_on(&mut self, stream: u16) -> usize {
        self.association
            .as_mut()
            .and_then(|association| association.stream(stream).ok()?.buffered_amount().ok())
            .unwrap_or(0)
    }

    /// Ends our use of a stream. One that the other side opened is its own to reset, for it answers a
    /// reset of ours with its own, sctp-proto answers that with a second one, and by then the other
    /// side may use the number again: the second would end a new channel. Browsers do that at once.
    pub(super) fn leave(&mut self, stream: u16) {
        let ours = stream % 2 == self.next_stream % 2;
        let Some(channel) = self.channels.get_mut(&stream) else { return };
        if ours || self.left.len() >= LEFT_MAX {
            return self.close_stream(stream);
        }
        let id = channel.id;
        let told = matches!(channel.state, State::Open | State::Waiting(_));
        (channel.state, channel.held) = (State::Left, false);
        self.streams.remove(&id);
        if told {
            self.events.push_back(Event::Closed(id));
        }
        // What was not read would fill the window.
        self.readable.insert(stream);
        self.left.insert(stream, self.now + self.limits.stream.fin_ack);
    }

    /// Says on a stream that we left that everything came. Unread answers do not pile up.
    pub(super) fn acknowledge(&mut self, stream: u16) {
        if self.buffered_on(stream) < self.limits.stream.send_low_bytes
            && self.write(stream, &FIN_ACK_FRAME, Ppi::Binary).is_err()
        {
            self.close_stream(stream);
        }
    }

    /// Closes what the other side did not reset in time.
    pub(super) fn close_left(&mut self) {
        let now = self.now;
        let late: Vec<u16> =
            self.left.iter().filter(|(_, due)| **due <= now).map(|(stream, _)| *stream).collect();
        for stream in late {
            self.close_stream(stream);
        }
    }

    /// Leaves refused streams once their RESET got through.
    pub(super) fn close_refused(&mut self) {
        for stream in self.refused.clone() {
            if self.buffered_on(stream) == 0 {
                self.refused.remove(&stream);
                self.leave(stream);
            }
        }
    }

    pub(super) fn close_stream(&mut self, stream: u16) {
        self.stirred = true;
        if let Some(Ok(mut open)) = self.association.as_mut().map(|a| a.stream(stream))
            && open.close().is_ok()
        {
            self.resetting.insert(stream);
        }
        self.forget(stream);
    }

    pub(super) fn forget(&mut self, stream: u16) {
        self.readable.remove(&stream);
        self.refused.remove(&stream);
        self.left.remove(&stream);
        if let Some(channel) = self.channels.remove(&stream) {
            self.streams.remove(&channel.id);
            if matches!(channel.state, State::Open | State::Waiting(_)) {
                self.events.push_back(Event::Closed(channel.id));
            }
        }
    }

    pub(super) fn add(&mut self, stream: u16, state: State) -> ChannelId {
        let id = ChannelId(self.next_channel);
        self.next_channel = self.next_channel.saturating_add(1);
        self.channels.insert(stream, Channel { id, state, held: false });
        self.streams.insert(id, stream);
        id
    }

    pub(super) fn free_stream(&mut self) -> Result<u16, Failure> {
        // 65,535 names no stream (RFC 8832, section 6); half of the others are ours.
        for _ in 0..u16::MAX / 2 {
            let stream = self.next_stream;
            self.next_stream = match stream.checked_add(2) {
                Some(next) if next < u16::MAX => next,
                Some(_) | None => stream % 2,
            };
            if !self.channels.contains_key(&stream) && !self.resetting.contains(&stream) {
                return Ok(stream);
            }
        }
        Err(Failure::Platform("all data channels are in use".to_owned()))
    }
}

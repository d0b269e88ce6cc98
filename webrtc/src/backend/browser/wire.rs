//! A data channel of the browser with our handlers on it.
//! Invariant: dropping it takes the handlers off first; a late event finds nobody.
//! Not here: what the events mean (`inbox`).

use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{Event, MessageEvent, RtcDataChannel, RtcDataChannelState, RtcDataChannelType};

use super::RESET_FRAME;
use super::js;
use crate::backend::Failure;

/// What became of a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Open,
    Drained,
    Closed,
}

/// A channel and the closures that its handlers are.
pub(super) struct Wire {
    channel: RtcDataChannel,
    _on_message: Closure<dyn FnMut(MessageEvent)>,
    _on_change: Closure<dyn FnMut(Event)>,
}

impl Wire {
    /// Puts handlers on a channel. They must not call out, since they run wherever the browser likes.
    pub(super) fn new(
        channel: RtcDataChannel,
        low_mark: usize,
        on_message: impl FnMut(MessageEvent) + 'static,
        mut on_change: impl FnMut(Change) + 'static,
    ) -> Self {
        channel.set_binary_type(RtcDataChannelType::Arraybuffer);
        let low_mark = u32::try_from(low_mark).unwrap_or(u32::MAX);
        channel.set_buffered_amount_low_threshold(low_mark);
        let on_message = Closure::<dyn FnMut(MessageEvent)>::new(on_message);
        // `error` is left out: `close` follows it always, and says all that we need.
        let on_change =
            Closure::<dyn FnMut(Event)>::new(move |event: Event| match event.type_().as_str() {
                "open" => on_change(Change::Open),
                "bufferedamountlow" => on_change(Change::Drained),
                "close" => on_change(Change::Closed),
                _ => {}
            });
        channel.set_onmessage(Some(on_message.as_ref().unchecked_ref()));
        let change = on_change.as_ref().unchecked_ref();
        channel.set_onopen(Some(change));
        channel.set_onbufferedamountlow(Some(change));
        channel.set_onclose(Some(change));
        Self { channel, _on_message: on_message, _on_change: on_change }
    }

    pub(super) fn is_open(&self) -> bool {
        self.channel.ready_state() == RtcDataChannelState::Open
    }

    pub(super) fn is_closed(&self) -> bool {
        self.channel.ready_state() == RtcDataChannelState::Closed
    }

    pub(super) fn buffered(&self) -> usize {
        usize::try_from(self.channel.buffered_amount()).unwrap_or(usize::MAX)
    }

    /// Sends, unless the channel is closing or closed.
    pub(super) fn send(&self, message: &[u8]) -> Result<(), Failure> {
        let state = self.channel.ready_state();
        if state == RtcDataChannelState::Closing || state == RtcDataChannelState::Closed {
            return Ok(());
        }
        self.channel.send_with_u8_array(message).map_err(|error| js::failure(&error))
    }

    /// Closes; the browser sends first what is buffered.
    pub(super) fn close(&self) {
        self.channel.close();
    }

    /// Tells the other side that this is no end of a stream. Where that cannot be sent the closing
    /// that follows has to do.
    pub(super) fn tell_reset(&self) {
        if self.send(&RESET_FRAME).is_err() {
            self.close();
        }
    }

    /// Closes and tells the other side that this is no end of a stream.
    pub(super) fn reset(&self) {
        self.tell_reset();
        self.close();
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.channel.set_onmessage(None);
        self.channel.set_onopen(None);
        self.channel.set_onbufferedamountlow(None);
        self.channel.set_onclose(None);
    }
}

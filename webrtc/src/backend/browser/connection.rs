//! A connected peer connection of the browser as a [`Backend`].
//! Invariant: after an error, or once closed, no handler is left on any JavaScript object.
//! Not here: how it was connected (`peering`, `direct`).

use std::task::{Context, Poll};

use send_wrapper::SendWrapper;

use super::core::{Core, Health};
use crate::backend::{Backend, ChannelId, Event, Failure, Kind};

/// A peer connection of the browser that is up.
#[derive(Debug)]
pub struct Connection {
    core: SendWrapper<Core>,
    ended: Option<Failure>,
}

impl Connection {
    /// Takes a connection over; from now on the limits of early channels no longer hold.
    pub(super) fn new(core: SendWrapper<Core>) -> Self {
        core.end_early();
        Self { core, ended: None }
    }

    fn end(&mut self, why: Failure) {
        self.core.shut();
        self.ended.get_or_insert(why);
    }
}

impl Backend for Connection {
    fn poll_event(&mut self, cx: &mut Context<'_>) -> Poll<Result<Event, Failure>> {
        // What came before the end is still given out.
        if let Some(event) = self.core.next_event() {
            return Poll::Ready(Ok(event));
        }
        if self.ended.is_none()
            && self.core.take_changed()
            && let Health::Down(why) = self.core.health()
        {
            self.end(why);
        }
        if let Some(why) = &self.ended {
            return Poll::Ready(Err(why.clone()));
        }
        self.core.wait(cx);
        Poll::Pending
    }

    fn has_room(&self) -> bool {
        self.core.has_room()
    }

    fn open(&mut self, kind: Kind) -> Result<ChannelId, Failure> {
        match &self.ended {
            Some(why) => Err(why.clone()),
            None => self.core.open(kind),
        }
    }

    fn send(&mut self, channel: ChannelId, message: &[u8]) -> Result<(), Failure> {
        self.core.send(channel, message)
    }

    fn buffered(&mut self, channel: ChannelId) -> usize {
        self.core.buffered(channel)
    }

    /// Does nothing: a browser reads its channels always.
    fn hold(&mut self, _: ChannelId, _: bool) {}

    fn close_channel(&mut self, channel: ChannelId) {
        self.core.close_channel(channel);
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        self.end(Failure::Closed);
        Poll::Ready(())
    }
}

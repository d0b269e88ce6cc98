//! What the browser's events left for the next poll, and the channels they belong to.
//! Invariant: bounded by the limits of the connection, whatever the other side sends or opens.
//! Not here: the peer connection itself (`core`), what its owner asks of it (`connection`).

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Weak;
use std::task::Waker;

use bytes::Bytes;
use js_sys::{ArrayBuffer, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::RtcDataChannel;

use super::INIT_LABEL;
use super::wire::{Change, Wire};
use crate::backend::{ChannelId, Event, Failure};
use crate::by_id::ById;
use crate::limits::{ConnectionLimits, SignalLimits};

/// Where handlers leave what happened. They hold it weakly, so that it ends with its owner.
pub(super) type Link = Weak<RefCell<Inbox>>;

/// Lets a handler leave something and wakes the owner, after every borrow has ended: what the waker
/// does is not ours to know.
pub(super) fn tell(link: &Link, leave: impl FnOnce(&mut Inbox)) {
    let Some(inbox) = link.upgrade() else { return };
    // Nothing under a borrow makes the browser call a handler, so this never fails.
    let waker = inbox.try_borrow_mut().ok().and_then(|mut inbox| {
        leave(&mut inbox);
        inbox.waker.take()
    });
    drop(inbox);
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// A channel that its user knows of, or will by an event in the queue.
struct Slot {
    wire: Wire,
    /// The other side opened it.
    theirs: bool,
    /// [`Event::Opened`] or [`Event::Incoming`] is in the queue or gone.
    announced: bool,
    /// Its user gave it up; the browser closes it.
    closing: bool,
    /// [`Event::Closed`] is in the queue.
    ended: bool,
    /// An [`Event::Drained`] is in the queue.
    drained: bool,
    /// What its messages in the queue count.
    unread: usize,
}

/// A channel that its user never hears of.
struct Refused {
    wire: Wire,
    /// RESET has been sent.
    told: bool,
    /// It has been seen by [`Inbox::sweep_refused`] since.
    seen: bool,
}

/// The queues of one connection.
pub(super) struct Inbox {
    limits: ConnectionLimits,
    /// Nobody takes streams yet.
    early: bool,
    early_opened: usize,
    slots: ById<Slot>,
    /// Channels that were refused and are not closed yet.
    refused: ById<Refused>,
    next_id: u64,
    events: VecDeque<Event>,
    candidates: VecDeque<String>,
    /// The other side's channel `init` is to be ignored.
    expects_init: bool,
    /// Held so that the browser does not collect it before the other side has closed it.
    init: Option<RtcDataChannel>,
    /// The state of the connection may have changed.
    pub(super) changed: bool,
    pub(super) waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self {
            limits,
            early: true,
            early_opened: 0,
            slots: ById::default(),
            refused: ById::default(),
            next_id: 0,
            events: VecDeque::new(),
            candidates: VecDeque::new(),
            expects_init: false,
            init: None,
            changed: true,
            waker: None,
        }
    }

    pub(super) fn expect_init(&mut self) {
        self.expects_init = true;
    }

    /// From now on streams are taken.
    pub(super) fn end_early(&mut self) {
        self.early = false;
        self.candidates.clear();
    }

    /// Whether no channel has anything more to report.
    pub(super) fn all_ended(&self) -> bool {
        self.slots.iter().all(|(_, slot)| slot.ended)
    }

    /// Closing a channel takes as long as the other side likes, and those who use channels one after the
    /// other do not wait for it.
    pub(super) fn has_room(&self) -> bool {
        let closing = self.slots.iter().filter(|(_, slot)| slot.closing).count();
        let used = self.slots.len().saturating_sub(closing);
        used < self.limits.streams && closing <= self.limits.closing
    }

    /// Takes in a channel that this side opened.
    pub(super) fn add_ours(&mut self, link: &Link, channel: RtcDataChannel) -> ChannelId {
        self.add(link, channel, false)
    }

    fn next_id(&mut self) -> ChannelId {
        let id = ChannelId(self.next_id);
        self.next_id = self.next_id.wrapping_add(1);
        id
    }

    fn add(&mut self, link: &Link, channel: RtcDataChannel, theirs: bool) -> ChannelId {
        let id = self.next_id();
        let (messages, changes) = (link.clone(), link.clone());
        let wire = Wire::new(
            channel,
            self.limits.stream.send_low_bytes,
            move |event| tell(&messages, |inbox| inbox.message(id, &event.data())),
            move |change| tell(&changes, |inbox| inbox.change(id, change)),
        );
        let slot = Slot {
            wire,
            theirs,
            announced: false,
            closing: false,
            ended: false,
            drained: false,
            unread: 0,
        };
        self.slots.insert(id, slot);
        id
    }

    /// The other side opened a channel. Its label means nothing, but for the first `init` of
    /// `/webrtc`.
    pub(super) fn incoming(&mut self, link: &Link, channel: RtcDataChannel) {
        if self.expects_init && channel.label() == INIT_LABEL {
            self.expects_init = false;
            self.init = Some(channel);
            return;
        }
        let early_room = !self.early || self.early_opened < self.limits.early_channels;
        if !early_room || !self.has_room() {
            return self.refuse(link, channel);
        }
        if self.early {
            self.early_opened = self.early_opened.saturating_add(1);
        }
        let id = self.add(link, channel, true);
        // Browsers differ in whether it is open by now; its `open` event comes in both cases.
        if self.slots.get(id).is_some_and(|slot| slot.wire.is_open()) {
            self.change(id, Change::Open);
        }
    }

    /// Tells the other side that there is no room, as soon as the channel can carry it. It is closed
    /// a while later by [`Self::sweep_refused`]: in Chromium a channel that is closed while its own
    /// side still reports its opening never opens there, and loses its messages.
    fn refuse(&mut self, link: &Link, channel: RtcDataChannel) {
        // None of these is the channel whose handler may be running now.
        self.refused.retain(|refused| !refused.wire.is_closed());
        let id = self.next_id();
        let link = link.clone();
        let on_change = move |change| tell(&link, |inbox| inbox.refused_change(id, change));
        let wire = Wire::new(channel, 0, |_| {}, on_change);
        if self.refused.len() >= self.limits.early_channels {
            return wire.reset();
        }
        let is_open = wire.is_open();
        self.refused.insert(id, Refused { wire, told: false, seen: false });
        if is_open {
            self.refused_change(id, Change::Open);
        }
    }

    fn refused_change(&mut self, id: ChannelId, change: Change) {
        let Some(refused) = self.refused.get_mut(id) else { return };
        match change {
            Change::Open if !refused.told => {
                refused.told = true;
                refused.wire.tell_reset();
            }
            Change::Open | Change::Drained | Change::Closed => {}
        }
    }

    /// Whether refused channels wait for [`Self::sweep_refused`].
    pub(super) fn has_refused(&self) -> bool {
        self.refused.iter().any(|(_, refused)| refused.told && refused.wire.is_open())
    }

    /// Closes the refused channels that were told before the last call.
    pub(super) fn sweep_refused(&mut self) {
        self.refused.retain(|refused| !refused.wire.is_closed());
        for refused in self.refused.values_mut().filter(|refused| refused.told) {
            if std::mem::replace(&mut refused.seen, true) {
                refused.wire.close();
            }
        }
    }

    fn change(&mut self, id: ChannelId, change: Change) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.ended {
            return;
        }
        match change {
            Change::Open => announce(slot, id, &mut self.events),
            Change::Drained => {
                if !slot.drained {
                    slot.drained = true;
                    self.events.push_back(Event::Drained(id));
                }
            }
            Change::Closed => {
                end(slot, id, &mut self.events);
                // The connection may be over with its last channel.
                self.changed = true;
            }
        }
    }

    fn message(&mut self, id: ChannelId, data: &JsValue) {
        let Some(slot) = self.slots.get_mut(id) else { return };
        if slot.ended {
            return;
        }
        announce(slot, id, &mut self.events);
        let limit = if self.early && slot.theirs {
            self.limits.early_channel_bytes
        } else {
            self.limits.stream.receive_max_bytes
        };
        // Text is nothing that libp2p sends, and counts as too much.
        let array = data.dyn_ref::<ArrayBuffer>().map(|buffer| Uint8Array::new(buffer));
        let unread = array.as_ref().and_then(|array| slot.unread.checked_add(cost(array)));
        match (array, unread.filter(|unread| *unread <= limit)) {
            (Some(array), Some(unread)) => {
                slot.unread = unread;
                self.events.push_back(Event::Message(id, Bytes::from(array.to_vec())));
            }
            (Some(_) | None, _) => {
                slot.wire.reset();
                end(slot, id, &mut self.events);
                self.changed = true;
            }
        }
    }

    /// The next event, and what is to be dropped with it once the inbox is no longer borrowed.
    pub(super) fn next_event(&mut self) -> Option<(Event, Option<Wire>)> {
        let event = self.events.pop_front()?;
        let mut gone = None;
        match &event {
            Event::Message(id, message) => {
                if let Some(slot) = self.slots.get_mut(*id) {
                    slot.unread = slot.unread.saturating_sub(cost_of(message.len()));
                }
            }
            Event::Drained(id) => {
                if let Some(slot) = self.slots.get_mut(*id) {
                    slot.drained = false;
                }
            }
            Event::Closed(id) => gone = self.slots.remove(*id).map(|slot| slot.wire),
            Event::Opened(_) | Event::Incoming(_) => {}
        }
        Some((event, gone))
    }

    /// Everything that has handlers, so that it can be dropped.
    pub(super) fn take_all(&mut self) -> Vec<Wire> {
        self.init = None;
        let slots = std::mem::take(&mut self.slots).into_values().map(|slot| slot.wire);
        let refused = std::mem::take(&mut self.refused).into_values().map(|refused| refused.wire);
        slots.chain(refused).collect()
    }

    /// Ends a channel that the user gave up. Its [`Event::Closed`] comes once the browser is done.
    pub(super) fn close(&mut self, id: ChannelId) {
        if let Some(slot) = self.slots.get_mut(id) {
            slot.closing = true;
            slot.wire.close();
        }
    }

    pub(super) fn send(&self, id: ChannelId, message: &[u8]) -> Result<(), Failure> {
        match self.slots.get(id) {
            Some(slot) => slot.wire.send(message),
            None => Ok(()),
        }
    }

    pub(super) fn buffered(&self, id: ChannelId) -> usize {
        self.slots.get(id).map_or(0, |slot| slot.wire.buffered())
    }

    /// More candidates than the other side would take are not worth keeping.
    pub(super) fn add_candidate(&mut self, candidate: String) {
        if self.candidates.len() < SignalLimits::DEFAULT.candidates {
            self.candidates.push_back(candidate);
        }
    }

    pub(super) fn next_candidate(&mut self) -> Option<String> {
        self.candidates.pop_front()
    }
}

fn announce(slot: &mut Slot, id: ChannelId, events: &mut VecDeque<Event>) {
    if !slot.announced {
        slot.announced = true;
        events.push_back(if slot.theirs { Event::Incoming(id) } else { Event::Opened(id) });
    }
}

fn end(slot: &mut Slot, id: ChannelId, events: &mut VecDeque<Event>) {
    // The user has to hear of a channel before its end; one of ours it knows by its id.
    if slot.theirs {
        announce(slot, id, events);
    }
    slot.ended = true;
    events.push_back(Event::Closed(id));
}

/// What a message counts: its bytes, and an empty one as much as the queue needs for it.
fn cost_of(bytes: usize) -> usize {
    bytes.max(size_of::<Event>())
}

fn cost(array: &Uint8Array) -> usize {
    usize::try_from(array.length()).map_or(usize::MAX, cost_of)
}

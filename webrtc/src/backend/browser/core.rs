//! A peer connection of the browser with our handlers on it, and its inbox.
//! Invariant: `ondatachannel` is on from the beginning; dropping takes all handlers off and closes.
//! Not here: negotiation (`peering`, `direct`), the `Backend` that it becomes (`connection`).

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Context;

use futures_timer::Delay;
use js_sys::{Function, JSON};
use wasm_bindgen::{JsCast, JsValue, closure::Closure};
use web_sys::{
    Event as JsEvent, RtcConfiguration, RtcDataChannelEvent, RtcIceConnectionState,
    RtcPeerConnection, RtcPeerConnectionIceEvent, RtcPeerConnectionState,
};

use super::inbox::{Inbox, Link, tell};
use super::js;
use crate::backend::{ChannelId, Event, Failure, Kind};
use crate::limits::{BROWSER_REFUSED_LINGER, ConnectionLimits};

/// How a connection is.
pub(super) enum Health {
    /// Not up yet, or interrupted. An interruption ("disconnected") may pass; the browser itself
    /// declares the connection failed when it does not.
    Waiting,
    Up,
    Down(Failure),
}

/// A peer connection and what its events leave.
pub(super) struct Core {
    pub(super) pc: RtcPeerConnection,
    inbox: Rc<RefCell<Inbox>>,
    on_change: Closure<dyn FnMut(JsEvent)>,
    _on_channel: Closure<dyn FnMut(RtcDataChannelEvent)>,
    _on_candidate: Closure<dyn FnMut(RtcPeerConnectionIceEvent)>,
    /// The SCTP transport, once it exists. Its end is the only early sign that the other side closed
    /// the connection: the connection itself notices no more than silence.
    sctp: Option<JsValue>,
    /// It has been up once.
    was_up: bool,
    /// Runs while refused channels wait to be closed.
    linger: Option<Delay>,
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("state", &self.pc.connection_state()).finish_non_exhaustive()
    }
}

impl Core {
    pub(super) fn new(
        configuration: &RtcConfiguration,
        limits: ConnectionLimits,
    ) -> Result<Self, Failure> {
        let pc = RtcPeerConnection::new_with_configuration(configuration)
            .map_err(|error| js::failure(&error))?;
        let inbox = Rc::new(RefCell::new(Inbox::new(limits)));
        let link = Rc::downgrade(&inbox);
        let on_channel = {
            let link = link.clone();
            Closure::<dyn FnMut(RtcDataChannelEvent)>::new(move |event: RtcDataChannelEvent| {
                tell(&link, |inbox| inbox.incoming(&link, event.channel()));
            })
        };
        pc.set_ondatachannel(Some(on_channel.as_ref().unchecked_ref()));
        let on_change = {
            let link = link.clone();
            Closure::<dyn FnMut(JsEvent)>::new(move |_| tell(&link, |inbox| inbox.changed = true))
        };
        let change = on_change.as_ref().unchecked_ref();
        pc.set_onconnectionstatechange(Some(change));
        pc.set_oniceconnectionstatechange(Some(change));
        let on_candidate = Closure::<dyn FnMut(RtcPeerConnectionIceEvent)>::new(
            move |event: RtcPeerConnectionIceEvent| candidate(&link, &event),
        );
        pc.set_onicecandidate(Some(on_candidate.as_ref().unchecked_ref()));
        Ok(Self {
            pc,
            inbox,
            on_change,
            _on_channel: on_channel,
            _on_candidate: on_candidate,
            sctp: None,
            was_up: false,
            linger: None,
        })
    }

    pub(super) fn link(&self) -> Link {
        Rc::downgrade(&self.inbox)
    }

    /// The first channel `init` of the other side is no stream.
    pub(super) fn ignore_init(&self) {
        self.inbox.borrow_mut().expect_init();
    }

    pub(super) fn end_early(&self) {
        self.pc.set_onicecandidate(None);
        self.inbox.borrow_mut().end_early();
    }

    pub(super) fn has_room(&self) -> bool {
        self.inbox.borrow().has_room()
    }

    /// Opens a channel without a label.
    pub(super) fn open(&self, kind: Kind) -> Result<ChannelId, Failure> {
        if !self.has_room() {
            return Err(Failure::Platform("the connection has too many channels".to_owned()));
        }
        let channel = js::create_channel(&self.pc, "", kind)?;
        Ok(self.inbox.borrow_mut().add_ours(&self.link(), channel))
    }

    pub(super) fn send(&self, channel: ChannelId, message: &[u8]) -> Result<(), Failure> {
        self.inbox.borrow().send(channel, message)
    }

    pub(super) fn buffered(&self, channel: ChannelId) -> usize {
        self.inbox.borrow().buffered(channel)
    }

    pub(super) fn close_channel(&self, channel: ChannelId) {
        self.inbox.borrow_mut().close(channel);
    }

    pub(super) fn next_event(&self) -> Option<Event> {
        // What is done with is dropped when the borrow has ended.
        let next = self.inbox.borrow_mut().next_event();
        next.map(|(event, _gone)| event)
    }

    pub(super) fn next_candidate(&self) -> Option<String> {
        self.inbox.borrow_mut().next_candidate()
    }

    /// Whether the state may have changed since the last call.
    pub(super) fn take_changed(&self) -> bool {
        std::mem::take(&mut self.inbox.borrow_mut().changed)
    }

    /// Has the next event wake the caller, and meanwhile gets rid of channels that were refused.
    pub(super) fn wait(&mut self, cx: &mut Context<'_>) {
        self.inbox.borrow_mut().waker = Some(cx.waker().clone());
        while self.inbox.borrow().has_refused() {
            let linger = self.linger.get_or_insert_with(|| Delay::new(BROWSER_REFUSED_LINGER));
            if Pin::new(linger).poll(cx).is_pending() {
                return;
            }
            self.linger = None;
            self.inbox.borrow_mut().sweep_refused();
        }
        self.linger = None;
    }

    /// Wakes whoever polls.
    pub(super) fn wake(&self) {
        tell(&self.link(), |_| {});
    }

    pub(super) fn health(&mut self) -> Health {
        self.watch_sctp();
        let sctp = self.sctp.as_ref().map(|sctp| js::get(sctp, "state"));
        // Channels report their end each for itself, and what came before it. It all comes.
        let over = self.inbox.borrow().all_ended();
        // Before the connection is up this only precedes a failure that the browser names better.
        if self.was_up && over && sctp.is_some_and(|state| state == "closed") {
            return Health::Down(Failure::Closed);
        }
        let (state, ice) = (self.pc.connection_state(), self.pc.ice_connection_state());
        let has_state = state != RtcPeerConnectionState::__Invalid;
        if state == RtcPeerConnectionState::Connected {
            self.was_up = true;
            Health::Up
        } else if state == RtcPeerConnectionState::Closed || ice == RtcIceConnectionState::Closed {
            Health::Down(Failure::Closed)
        } else if state == RtcPeerConnectionState::Failed || ice == RtcIceConnectionState::Failed {
            Health::Down(self.failure(ice))
        } else if !has_state
            && (ice == RtcIceConnectionState::Connected || ice == RtcIceConnectionState::Completed)
        {
            // Firefox before 113 has no state of the whole connection.
            self.was_up = true;
            Health::Up
        } else {
            Health::Waiting
        }
    }

    /// A new connection fails by its path or by its handshake, and the path has a state of its own.
    /// That of the handshake is not asked, because it changes too late.
    fn failure(&self, ice: RtcIceConnectionState) -> Failure {
        if self.was_up || ice == RtcIceConnectionState::Failed {
            Failure::NoPath
        } else {
            Failure::Handshake("the browser gave it up".to_owned())
        }
    }

    fn watch_sctp(&mut self) {
        if self.sctp.is_none() {
            let sctp = js::get(&self.pc, "sctp");
            if sctp.is_object() {
                js::set(&sctp, "onstatechange", self.on_change.as_ref());
                self.sctp = Some(sctp);
            }
        }
    }

    /// Takes all handlers off and closes. Nothing comes any more.
    pub(super) fn shut(&mut self) {
        let none = None::<&Function>;
        self.pc.set_ondatachannel(none);
        self.pc.set_onconnectionstatechange(none);
        self.pc.set_oniceconnectionstatechange(none);
        self.pc.set_onicecandidate(none);
        if let Some(sctp) = self.sctp.take() {
            js::set(&sctp, "onstatechange", &JsValue::NULL);
        }
        let wires = self.inbox.borrow_mut().take_all();
        drop(wires);
        self.pc.close();
    }
}

impl Drop for Core {
    fn drop(&mut self) {
        self.shut();
    }
}

/// Keeps a candidate of this side. An empty one, or none, only says that there are no more.
fn candidate(link: &Link, event: &RtcPeerConnectionIceEvent) {
    let Some(candidate) = event.candidate().filter(|found| !found.candidate().is_empty()) else {
        return;
    };
    if let Ok(text) = JSON::stringify(&candidate.to_json()) {
        tell(link, |inbox| inbox.add_candidate(text.into()));
    }
}

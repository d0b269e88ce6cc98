//! A peer connection of the browser while `/webrtc` negotiates it.
//! Invariant: one promise at a time, in the order asked for; dropping this ends everything.
//! Not here: when to do what (`signal`).

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_timer::Delay;
use js_sys::{JSON, Promise};
use send_wrapper::SendWrapper;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{RtcIceCandidateInit, RtcSdpType, RtcSessionDescriptionInit};

use super::connection::Connection;
use super::core::{Core, Health};
use super::inbox::tell;
use super::wire::Wire;
use super::{INIT_LABEL, js};
use crate::backend::{Failure, Kind, Local, Negotiation, Order, Role};
use crate::limits::{BROWSER_INIT_PATIENCE, SignalLimits};

/// What the promise in hand is for.
enum Step {
    Make,
    Remote,
    Local,
    Candidate,
}

/// A peer connection of the browser that `/webrtc` negotiates.
pub struct Peering {
    core: SendWrapper<Core>,
    role: Role,
    orders: VecDeque<Order>,
    running: Option<SendWrapper<(Step, JsFuture)>>,
    /// The description made here, until it is applied.
    made: Option<SendWrapper<RtcSessionDescriptionInit>>,
    init: Option<SendWrapper<Wire>>,
    /// Runs from the moment the connection is up.
    patience: Option<Delay>,
    /// [`Local::Connected`] or [`Local::Failed`] has been told.
    done: bool,
}

impl fmt::Debug for Peering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peering").field("role", &self.role).finish_non_exhaustive()
    }
}

impl Peering {
    pub(super) fn new(core: SendWrapper<Core>, role: Role) -> Self {
        Self {
            core,
            role,
            orders: VecDeque::new(),
            running: None,
            made: None,
            init: None,
            patience: None,
            done: false,
        }
    }

    /// Begins to carry an order out. Nothing is returned where there is nothing to wait for.
    fn begin(&mut self, order: Order) -> Result<Option<(Step, Promise)>, Failure> {
        let pc = &self.core.pc;
        Ok(match order {
            Order::CreateOffer => {
                let channel = js::create_channel(pc, INIT_LABEL, Kind::Announced)?;
                let link = self.core.link();
                let wire = Wire::new(channel, 0, |_| {}, move |_| tell(&link, |_| {}));
                self.init = Some(SendWrapper::new(wire));
                Some((Step::Make, self.core.pc.create_offer()))
            }
            Order::CreateAnswer => Some((Step::Make, pc.create_answer())),
            Order::ApplyRemote(sdp) => {
                let kind = match self.role {
                    Role::Initiator => RtcSdpType::Answer,
                    Role::Responder => RtcSdpType::Offer,
                };
                let remote = RtcSessionDescriptionInit::new(kind);
                remote.set_sdp(&sdp);
                Some((Step::Remote, pc.set_remote_description(&remote)))
            }
            Order::ApplyLocal => {
                let made = self.made.take().ok_or_else(|| {
                    Failure::Platform("there is no description to apply".to_owned())
                })?;
                Some((Step::Local, pc.set_local_description(&made)))
            }
            Order::AddCandidate(json) => {
                let parsed = JSON::parse(&json).ok().filter(JsValue::is_object);
                parsed.map(|candidate| {
                    let candidate: RtcIceCandidateInit = candidate.unchecked_into();
                    let added =
                        pc.add_ice_candidate_with_opt_rtc_ice_candidate_init(Some(&candidate));
                    (Step::Candidate, added)
                })
            }
        })
    }

    /// Takes what a promise brought.
    fn finish(
        &mut self,
        step: &Step,
        result: Result<JsValue, JsValue>,
    ) -> Result<Option<Local>, Failure> {
        match (step, result) {
            // The browser did not understand it, or it belongs to another negotiation.
            (Step::Candidate, _) | (Step::Local, Ok(_)) => Ok(None),
            (Step::Remote, Ok(_)) => Ok(Some(Local::RemoteApplied)),
            (Step::Make, Ok(made)) => {
                let made: RtcSessionDescriptionInit = made.unchecked_into();
                let sdp = made.get_sdp().unwrap_or_default();
                self.made = Some(SendWrapper::new(made));
                Ok(Some(Local::Description(sdp)))
            }
            (Step::Make | Step::Remote | Step::Local, Err(error)) => Err(js::failure(&error)),
        }
    }

    /// Carries out orders until one has to be waited for, or has something to tell.
    fn work(&mut self, cx: &mut Context<'_>) -> Result<Option<Local>, Failure> {
        loop {
            if let Some(running) = &mut self.running {
                let Poll::Ready(result) = Pin::new(&mut running.1).poll(cx) else {
                    return Ok(None);
                };
                if let Some(running) = self.running.take()
                    && let Some(local) = self.finish(&running.0, result)?
                {
                    return Ok(Some(local));
                }
            } else if let Some(order) = self.orders.pop_front() {
                let begun = self.begin(order)?;
                self.running =
                    begun.map(|(step, wait)| SendWrapper::new((step, JsFuture::from(wait))));
            } else {
                return Ok(None);
            }
        }
    }

    /// Whether the channel `init` has done its duty: open, closed by us, closed by both.
    fn is_init_over(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(init) = &self.init else { return true };
        if init.is_open() {
            init.close();
        }
        let patience = self.patience.get_or_insert_with(|| Delay::new(BROWSER_INIT_PATIENCE));
        init.is_closed() || Pin::new(patience).poll(cx).is_ready()
    }

    fn next(&mut self, cx: &mut Context<'_>) -> Result<Option<Local>, Failure> {
        if let Some(local) = self.work(cx)? {
            return Ok(Some(local));
        }
        if let Some(candidate) = self.core.next_candidate() {
            return Ok(Some(Local::Candidate(candidate)));
        }
        match self.core.health() {
            Health::Down(why) => Err(why),
            Health::Up if self.is_init_over(cx) => Ok(Some(Local::Connected)),
            Health::Up | Health::Waiting => Ok(None),
        }
    }
}

impl Negotiation for Peering {
    type Backend = Connection;

    fn order(&mut self, order: Order) {
        // Signalling takes no more candidates than this, and gives four other orders at most.
        let full = self.orders.len() >= SignalLimits::DEFAULT.candidates;
        if !full || !matches!(order, Order::AddCandidate(_)) {
            self.orders.push_back(order);
        }
        self.core.wake();
    }

    fn poll_local(&mut self, cx: &mut Context<'_>) -> Poll<Local> {
        if self.done {
            return Poll::Pending;
        }
        let local = match self.next(cx) {
            Ok(Some(local)) => local,
            Ok(None) => {
                self.core.wait(cx);
                return Poll::Pending;
            }
            Err(why) => {
                self.core.shut();
                Local::Failed(why)
            }
        };
        self.done = matches!(local, Local::Connected | Local::Failed(_));
        Poll::Ready(local)
    }

    fn into_backend(self) -> Result<Connection, Failure> {
        if let Some(init) = &self.init {
            init.close();
        }
        Ok(Connection::new(self.core))
    }
}

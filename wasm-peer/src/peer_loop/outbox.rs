//! Events on their way to the page.
//! Invariant: one call of JavaScript for one batch; what does not fit is counted and told.
//! Not here: what happened.

use std::collections::VecDeque;

use js_sys::{Array, Function};
use peerloom_shared::limits::{EVENTS_BATCH_MS, EVENTS_LAG_MAX, STATUS_EVENT_MS};
use peerloom_shared::time::Mono;
use peerloom_shared::view::{PeerEvent, Status};
use wasm_bindgen::JsValue;

use crate::js::to_js;

/// See the module's text.
pub(super) struct Outbox {
    listener: Function,
    waiting: VecDeque<PeerEvent>,
    lost: u64,
    /// When the page was called last.
    called: Option<Mono>,
    /// Whether the picture may have changed.
    stale: bool,
    /// The picture that the page has, without what changes by itself, and since when.
    shown: Option<(Status, Mono)>,
}

impl Outbox {
    /// An outbox whose first picture goes out at once.
    pub(super) fn new(listener: Function) -> Self {
        Self { listener, waiting: VecDeque::new(), lost: 0, called: None, stale: true, shown: None }
    }

    /// Takes an event.
    pub(super) fn push(&mut self, event: PeerEvent) {
        // The page's thread is ours, so a full queue means a flood within one batch.
        if self.waiting.len() >= EVENTS_LAG_MAX {
            self.waiting.pop_front();
            self.lost = self.lost.saturating_add(1);
        }
        self.waiting.push_back(event);
    }

    /// Notes that the picture may have changed.
    pub(super) fn touch(&mut self) {
        self.stale = true;
    }

    /// When [`Self::turn`] has something to do.
    pub(super) fn due(&self) -> Option<Mono> {
        let status = self.stale.then(|| self.status_due());
        let batch = (!self.waiting.is_empty()).then(|| self.batch_due());
        status.into_iter().chain(batch).min()
    }

    fn status_due(&self) -> Mono {
        self.shown.as_ref().map_or_else(Mono::default, |(_, at)| at.after(STATUS_EVENT_MS))
    }

    fn batch_due(&self) -> Mono {
        self.called.map_or_else(Mono::default, |at| at.after(EVENTS_BATCH_MS))
    }

    /// Calls the page if something is due: at once after a quiet time, in batches otherwise.
    pub(super) fn turn(&mut self, now: Mono, status: impl FnOnce() -> Status) {
        if self.stale && self.status_due() <= now {
            self.stale = false;
            self.show(status(), now);
        }
        if !self.waiting.is_empty() && self.batch_due() <= now {
            self.flush(now);
        }
    }

    fn show(&mut self, status: Status, now: Mono) {
        let mut lasting = status.clone();
        lasting.uptime_ms = 0;
        for link in &mut lasting.links {
            link.retry_in_ms = None;
        }
        let changed = self.shown.as_ref().is_none_or(|(before, _)| *before != lasting);
        if changed {
            self.shown = Some((lasting, now));
            self.push(PeerEvent::Status { status });
        }
    }

    /// Calls the page with everything that waits.
    pub(super) fn flush(&mut self, now: Mono) {
        let batch = Array::new();
        for event in std::mem::take(&mut self.waiting) {
            match to_js(&event) {
                Ok(value) => drop(batch.push(&value)),
                // A number beyond 2^53, which no honest clock shows.
                Err(_) => self.lost = self.lost.saturating_add(1),
            }
        }
        if self.lost > 0
            && let Ok(gap) = to_js(&PeerEvent::Gap { lost: std::mem::take(&mut self.lost) })
        {
            batch.push(&gap);
        }
        self.called = Some(now);
        if batch.length() > 0
            && let Err(thrown) = self.listener.call1(&JsValue::NULL, &batch)
        {
            // A listener's mistake is the page's; the peer goes on.
            web_sys::console::error_2(&"a listener of peer events threw".into(), &thrown);
        }
    }
}

//! The loop's one timer.
//! Invariant: it is set anew only when its moment changes; most turns of the loop change nothing.
//! Not here: what becomes due.

use std::time::Duration;

use futures_timer::Delay;
use peerloom_shared::limits::TIMER_MS_MAX;
use peerloom_shared::time::Mono;

/// A timer that fires once at a moment.
#[derive(Default)]
pub(super) struct Timer(Option<(Mono, Delay)>);

impl Timer {
    /// Fires at `due` instead of when it did before; `None`: never.
    pub(super) fn set(&mut self, due: Option<Mono>, now: Mono) {
        if due == self.0.as_ref().map(|(at, _)| *at) {
            return;
        }
        self.0 = due.map(|at| {
            // An early tick is harmless, so a long wait may be cut into pieces.
            let wait = at.since(now).min(TIMER_MS_MAX);
            (at, Delay::new(Duration::from_millis(wait)))
        });
    }

    /// Waits for the moment; for ever when there is none.
    pub(super) async fn fired(&mut self) {
        let Some((_, delay)) = &mut self.0 else {
            return std::future::pending().await;
        };
        delay.await;
        self.0 = None;
    }
}

//! The shell's clock: the only place that reads real time.
//! Invariant: `mono` never goes back, whatever happens to the wall clock.
//! Not here: timers.

use web_time::{Instant, SystemTime, UNIX_EPOCH};

use crate::time::{Mono, Now};

/// A clock that starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(instant())
    }
}

impl Clock {
    /// The present.
    #[must_use]
    pub fn now(&self) -> Now {
        let millis = u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX);
        Now::new(Mono::from_millis(millis), unix_ms())
    }
}

/// This moment, for measuring.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::disallowed_methods, reason = "the shells' side; web-time works in a browser")
)]
pub(super) fn instant() -> Instant {
    Instant::now()
}

/// The present in Unix milliseconds.
#[cfg_attr(
    not(target_arch = "wasm32"),
    expect(clippy::disallowed_methods, reason = "the shells' side; web-time works in a browser")
)]
#[must_use]
pub fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

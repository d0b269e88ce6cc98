//! The shell's clock: the only place that turns real time into what machines see.
//! Invariant: `mono` never goes back, whatever happens to the wall clock.
//! Not here: timers.

use web_time::Instant;

use super::driver::unix_ms;
use crate::time::{Mono, Now};

/// A clock that starts when it is made.
#[derive(Clone, Copy, Debug)]
pub struct Clock(Instant);

impl Default for Clock {
    fn default() -> Self {
        Self(Instant::now())
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

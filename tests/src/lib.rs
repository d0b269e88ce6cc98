//! What the whole-mesh tests share: real nodes as processes, their API, their events, the command line.
//! Invariant: nothing outlives its test: no process, no folder; and no wait is without a deadline.
//! Not here: the tests (`it`), foreign peers and browsers (`interop`, `browser`).
#![forbid(unsafe_code)]
#![expect(clippy::expect_used, clippy::panic, reason = "a test harness reports by panicking")]

pub mod command;
pub mod events;
pub mod process;
pub mod setup;

use std::time::{Duration, Instant};

pub use command::Ran;
pub use events::Events;
pub use process::{NodeProcess, Refusal};
pub use setup::{Form, Setup};

/// How long a test waits for what must come: a loaded machine is slow, a broken program waits for ever.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Pause between two looks at what brings no event of its own.
const LOOK_EVERY: Duration = Duration::from_millis(40);

/// Looks until `look` finds something.
///
/// # Panics
/// When the deadline has passed; `what` says what did not come.
pub fn wait_until<T>(deadline: Duration, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "not within {deadline:?}: {what}");
        std::thread::park_timeout(LOOK_EVERY);
    }
}

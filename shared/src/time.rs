//! Time as machines see it: an argument, never a call.
//! Invariant: all arithmetic saturates, so no wire value can overflow a deadline.
//! Not here: reading a clock; shells do that.

/// Milliseconds since the shell started. It never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mono(u64);

impl Mono {
    /// The moment the shell started.
    pub const ZERO: Self = Self(0);

    /// The moment `millis` milliseconds after the start.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the start.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The moment `millis` milliseconds later.
    #[must_use]
    pub const fn after(self, millis: u64) -> Self {
        Self(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to now; 0 when `earlier` lies ahead.
    #[must_use]
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// The present, as a shell hands it to a machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For intervals and deadlines: never jumps.
    pub mono: Mono,
    /// Unix time in milliseconds, for what people and other peers see: may jump.
    pub unix_ms: u64,
}

impl Now {
    /// A present made of both clocks.
    #[must_use]
    pub const fn new(mono: Mono, unix_ms: u64) -> Self {
        Self { mono, unix_ms }
    }
}

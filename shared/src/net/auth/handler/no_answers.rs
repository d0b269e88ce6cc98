//! The place of `answers` in pages: they judge nobody, so nobody can ask them.
//! Invariant: the protocol is not offered, so nothing here ever runs.
//! Not here: our own questions (`handler`).

use std::convert::Infallible;

use libp2p::core::upgrade::DeniedUpgrade;

use super::{Said, Work};

pub(super) type Protocol = DeniedUpgrade;

/// Nothing that peers may open.
pub(super) const fn protocol() -> Protocol {
    DeniedUpgrade
}

pub(super) type Done = Infallible;

/// See the module's text.
#[derive(Default)]
pub(super) struct Answers {}

impl Answers {
    #[expect(clippy::unused_self, reason = "as in `answers`")]
    pub(super) fn take(&mut self, never: Infallible) -> Option<Work> {
        match never {}
    }

    #[expect(clippy::unused_self, reason = "as in `answers`")]
    pub(super) fn done(&mut self, never: Done) -> Option<Said> {
        match never {}
    }
}

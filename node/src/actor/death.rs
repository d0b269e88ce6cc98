//! Noticing that an actor died of a panic, and whose work killed it.
//! Invariant: exactly one notice for each panic; an ordinary stop sends none.
//! Not here: what follows (`root`).

use std::cell::Cell;

use libp2p::PeerId;
use tokio::sync::mpsc;

/// An actor, or the Driver, died.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Death {
    /// Who died.
    pub name: &'static str,
    /// The peer whose work was in hand, if any.
    pub in_hand: Option<PeerId>,
}

/// Lives inside an actor and speaks when the actor is dropped by a panic.
#[derive(Debug)]
pub struct DeathWatch {
    name: &'static str,
    in_hand: Cell<Option<PeerId>>,
    notices: mpsc::Sender<Death>,
}

impl DeathWatch {
    /// A watch that reports to `notices`.
    #[must_use]
    pub fn new(name: &'static str, notices: mpsc::Sender<Death>) -> Self {
        Self { name, in_hand: Cell::new(None), notices }
    }

    /// The actor's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Notes whose work begins.
    pub fn take_up(&self, peer: PeerId) {
        self.in_hand.set(Some(peer));
    }

    /// Notes that the work is done.
    pub fn put_down(&self) {
        self.in_hand.set(None);
    }
}

impl Drop for DeathWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let death = Death { name: self.name, in_hand: self.in_hand.get() };
            // Full means that a restart is due already.
            drop(self.notices.try_send(death));
        }
    }
}

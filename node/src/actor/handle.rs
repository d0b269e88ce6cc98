//! Asking an actor: one slot, one deadline, one answer.
//! Invariant: a slot is held from the ask to the end of the work, so it bounds queued and running
//! work together; with no slot free the caller hears `Busy` and nothing is enqueued.
//! Not here: `do_send` and bare `send`, which bound nothing: each sender adds a place to the mailbox.

use std::sync::Arc;
use std::time::Duration;

use actix::dev::ToEnvelope;
use actix::{Actor, Addr, Handler, Message};
use peerloom_shared::limits::{ASK_MS, ASK_SLOTS_MAX};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Why an ask brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// All slots are taken. Nothing was enqueued; try again in a moment.
    #[error("this part of the node is busy; try again in a moment")]
    Busy,
    /// The deadline passed. The work may still be done.
    #[error("no answer in time")]
    Timeout,
    /// The actor has stopped or is being rebuilt.
    #[error("this part of the node is restarting or has stopped")]
    Gone,
}

/// A message together with the slot that pays for it.
#[derive(Debug)]
pub struct Ask<M> {
    /// The message.
    pub message: M,
    /// Drop it when the work is done, not before.
    pub slot: OwnedSemaphorePermit,
}

impl<M: Message> Message for Ask<M> {
    type Result = M::Result;
}

/// The only way to an actor. Cheap to clone; clones share the slots.
#[derive(Debug)]
pub struct Handle<A: Actor> {
    address: Addr<A>,
    slots: Arc<Semaphore>,
}

impl<A: Actor> Clone for Handle<A> {
    fn clone(&self) -> Self {
        Self { address: self.address.clone(), slots: Arc::clone(&self.slots) }
    }
}

impl<A: Actor> Handle<A> {
    /// A handle on a started actor.
    #[must_use]
    pub fn new(address: Addr<A>) -> Self {
        Self { address, slots: Arc::new(Semaphore::new(ASK_SLOTS_MAX)) }
    }

    /// Asks, and waits for the answer at most [`ASK_MS`].
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask<M>(&self, message: M) -> Result<M::Result, AskError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<Ask<M>>,
        A::Context: ToEnvelope<A, Ask<M>>,
    {
        self.ask_within(message, Duration::from_millis(ASK_MS)).await
    }

    /// Asks, and waits for the answer at most `deadline`: for work that takes longer than a step,
    /// such as a dial or a lookup.
    ///
    /// # Errors
    /// See [`AskError`].
    pub async fn ask_within<M>(&self, message: M, deadline: Duration) -> Result<M::Result, AskError>
    where
        M: Message + Send + 'static,
        M::Result: Send,
        A: Handler<Ask<M>>,
        A::Context: ToEnvelope<A, Ask<M>>,
    {
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| AskError::Busy)?;
        match tokio::time::timeout(deadline, self.address.send(Ask { message, slot })).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(AskError::Gone),
            Err(_) => Err(AskError::Timeout),
        }
    }

    /// Slots in use.
    #[must_use]
    pub fn slots_used(&self) -> usize {
        ASK_SLOTS_MAX.saturating_sub(self.slots.available_permits())
    }
}

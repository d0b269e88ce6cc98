//! The identity actor: holds the key, signs with it, keeps grants.
//! Invariant: the key leaves only towards the swarm, once, at birth.
//! Not here: key files (`keystore`), what becomes of grants (`ledger`).

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler,
    ResponseFuture, StreamHandler, WrapFuture as _,
};
use futures::StreamExt as _;
use libp2p::identity::Keypair;
use peerloom_shared::grant::{Chain, Invite, SignedList};
use peerloom_shared::limits::GRANTS_TIDY_MS;
use peerloom_shared::net::work::{IdentityWork, Work};
use peerloom_shared::policy::PolicySet;
use peerloom_shared::wire::room_topic;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio_stream::wrappers::{IntervalStream, WatchStream};
use tokio_util::sync::CancellationToken;

use super::grants::{Grants, Picture};
use super::ledger::GrantsError;
use super::messages::{
    AcceptInvite, DropHeld, EnsureKey, MintInvite, Revoke, ShowGrants, Sign, SignError,
};
use crate::actor::{Ask, DeathWatch, Gauge, lane};

/// See the module's text.
#[derive(Debug)]
pub struct Identity {
    keypair: Keypair,
    grants: Arc<Grants>,
    stop: CancellationToken,
    _death: DeathWatch,
}

/// Why everything is to be looked at again.
#[derive(Clone, Copy, Debug)]
enum Due {
    /// Another rule set is in force.
    Policy,
    /// Time has passed.
    Time,
}

/// What an identity is born with.
#[derive(Debug)]
pub struct Birth {
    /// The key.
    pub keypair: Keypair,
    /// What it holds and gave.
    pub grants: Grants,
    /// Speaks when this actor dies of a panic.
    pub death: DeathWatch,
    /// Ends the actor.
    pub stop: CancellationToken,
}

impl Identity {
    /// Starts the actor on its lane. It follows which rule set is in force.
    #[must_use]
    pub fn start_with(
        birth: Birth,
        policy: watch::Receiver<Arc<PolicySet>>,
        work: Work<IdentityWork>,
    ) -> (Addr<Self>, Gauge) {
        let (items, gauge) = lane(work);
        let Birth { keypair, grants, death, stop } = birth;
        let address = Self::create(|ctx| {
            <Self as StreamHandler<IdentityWork>>::add_stream(items, ctx);
            // The set in force at birth is known.
            let changes = WatchStream::from_changes(policy).map(|_| Due::Policy);
            <Self as StreamHandler<Due>>::add_stream(changes, ctx);
            let times = tokio::time::interval(Duration::from_millis(GRANTS_TIDY_MS));
            let times = IntervalStream::new(times).map(|_| Due::Time);
            <Self as StreamHandler<Due>>::add_stream(times, ctx);
            Self { keypair, grants: Arc::new(grants), stop, _death: death }
        });
        (address, gauge)
    }
}

impl Actor for Identity {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let stop = self.stop.clone();
        ctx.spawn(
            async move { stop.cancelled().await }.into_actor(self).map(|(), _, ctx| ctx.stop()),
        );
        let grants = Arc::clone(&self.grants);
        ctx.wait(async move { grants.begin().await }.into_actor(self));
    }
}

impl StreamHandler<IdentityWork> for Identity {
    fn handle(&mut self, work: IdentityWork, ctx: &mut Context<Self>) {
        let grants = Arc::clone(&self.grants);
        // One after the other: the lane bounds what waits.
        ctx.wait(async move { grants.work(work).await }.into_actor(self));
    }
}

impl StreamHandler<Due> for Identity {
    fn handle(&mut self, due: Due, ctx: &mut Context<Self>) {
        let grants = Arc::clone(&self.grants);
        let look = async move {
            match due {
                Due::Policy => grants.policy_changed().await,
                Due::Time => grants.tidy().await,
            }
        };
        ctx.spawn(look.into_actor(self));
    }

    fn finished(&mut self, _: &mut Context<Self>) {
        // The policy outlives this actor; nothing to do when it does not.
    }
}

impl Handler<Ask<Sign>> for Identity {
    type Result = Result<Vec<u8>, SignError>;

    fn handle(&mut self, ask: Ask<Sign>, _: &mut Context<Self>) -> Self::Result {
        let mut bytes = ask.message.tag.as_bytes().to_vec();
        bytes.push(0);
        bytes.extend_from_slice(&ask.message.payload);
        self.keypair.sign(&bytes).map_err(|e| SignError(e.to_string()))
    }
}

/// Work on grants that ends with an answer; the slot is held as long as it takes.
fn hold<T: 'static>(
    slot: OwnedSemaphorePermit,
    work: impl Future<Output = T> + 'static,
) -> ResponseFuture<T> {
    Box::pin(async move {
        let done = work.await;
        drop(slot);
        done
    })
}

impl Handler<Ask<MintInvite>> for Identity {
    type Result = ResponseFuture<Result<Invite, GrantsError>>;

    fn handle(&mut self, ask: Ask<MintInvite>, _: &mut Context<Self>) -> Self::Result {
        let grants = Arc::clone(&self.grants);
        hold(ask.slot, async move { grants.mint(ask.message.0).await })
    }
}

impl Handler<Ask<EnsureKey>> for Identity {
    type Result = ResponseFuture<Result<(), GrantsError>>;

    fn handle(&mut self, ask: Ask<EnsureKey>, _: &mut Context<Self>) -> Self::Result {
        let grants = Arc::clone(&self.grants);
        let topic = room_topic(&ask.message.0);
        hold(ask.slot, async move { grants.ensure_key(&topic).await })
    }
}

impl Handler<Ask<AcceptInvite>> for Identity {
    type Result = ResponseFuture<Result<(Invite, Chain), GrantsError>>;

    fn handle(&mut self, ask: Ask<AcceptInvite>, _: &mut Context<Self>) -> Self::Result {
        let grants = Arc::clone(&self.grants);
        hold(ask.slot, async move { grants.accept(&ask.message.0).await })
    }
}

impl Handler<Ask<DropHeld>> for Identity {
    type Result = ResponseFuture<Result<(), GrantsError>>;

    fn handle(&mut self, ask: Ask<DropHeld>, _: &mut Context<Self>) -> Self::Result {
        let grants = Arc::clone(&self.grants);
        hold(ask.slot, async move { grants.drop_held(ask.message.0).await })
    }
}

impl Handler<Ask<Revoke>> for Identity {
    type Result = ResponseFuture<Result<SignedList, GrantsError>>;

    fn handle(&mut self, ask: Ask<Revoke>, _: &mut Context<Self>) -> Self::Result {
        let grants = Arc::clone(&self.grants);
        hold(ask.slot, async move { grants.revoke(ask.message.0).await })
    }
}

impl Handler<Ask<ShowGrants>> for Identity {
    type Result = ResponseFuture<Picture>;

    fn handle(&mut self, ask: Ask<ShowGrants>, _: &mut Context<Self>) -> Self::Result {
        let grants = Arc::clone(&self.grants);
        hold(ask.slot, async move { grants.picture().await })
    }
}

//! The policy actor: reloads the policy folder when it changes or when somebody asks for it.
//! Invariant: loading never holds up the actors' thread; a bad folder changes nothing.
//! Not here: verdicts (`peerloom_shared::policy`), what is in force (`keeper`), who reads it (`Judge`).

use std::sync::Arc;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler,
    ResponseActFuture, StreamHandler, WrapFuture as _,
};
use futures::stream;
use tokio_util::sync::CancellationToken;

use super::error::PolicyError;
use super::keeper::Keeper;
use super::messages::Reload;
use super::watch::FolderWatch;
use crate::actor::{Ask, DeathWatch};

/// See the module's text.
#[derive(Debug)]
pub struct Policy {
    keeper: Arc<Keeper>,
    stop: CancellationToken,
    _death: DeathWatch,
}

/// How a reload ended after a change.
type Reloaded = Result<u64, PolicyError>;

impl Policy {
    /// An actor for this keeper.
    #[must_use]
    pub fn new(keeper: Arc<Keeper>, death: DeathWatch, stop: CancellationToken) -> Self {
        Self { keeper, stop, _death: death }
    }
}

/// Loads on a thread that may wait.
async fn reload(keeper: Arc<Keeper>) -> Reloaded {
    tokio::task::spawn_blocking(move || keeper.reload())
        .await
        .unwrap_or_else(|gone| std::panic::resume_unwind(gone.into_panic()))
}

impl Actor for Policy {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let stop = self.stop.clone();
        ctx.spawn(
            async move { stop.cancelled().await }.into_actor(self).map(|(), _, ctx| ctx.stop()),
        );
        match FolderWatch::start(self.keeper.folder()) {
            Ok(watch) => {
                let start = (watch, Arc::clone(&self.keeper));
                let changes = stream::unfold(start, |(mut watch, keeper)| async move {
                    watch.next().await?;
                    Some((reload(Arc::clone(&keeper)).await, (watch, keeper)))
                });
                ctx.add_stream(changes);
            }
            Err(error) => {
                tracing::warn!(%error, "changes of the policy folder will not be noticed");
            }
        }
    }
}

impl StreamHandler<Reloaded> for Policy {
    fn handle(&mut self, reloaded: Reloaded, _: &mut Context<Self>) {
        match reloaded {
            Ok(epoch) => tracing::info!(epoch, "policy read"),
            Err(error) => tracing::warn!(%error, "the policy in force stays"),
        }
    }

    fn finished(&mut self, _: &mut Context<Self>) {
        // The watch has ended; asking for a reload still works.
    }
}

impl Handler<Ask<Reload>> for Policy {
    type Result = ResponseActFuture<Self, Reloaded>;

    fn handle(&mut self, Ask { slot, .. }: Ask<Reload>, _: &mut Context<Self>) -> Self::Result {
        let load = reload(Arc::clone(&self.keeper));
        Box::pin(load.into_actor(self).map(move |epoch, _, _| {
            drop(slot);
            epoch
        }))
    }
}

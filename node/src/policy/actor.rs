//! The policy actor: turns the rules file into snapshots that everybody else reads.
//! Invariant: a bad file changes nothing; a good one is swapped in whole, with the next epoch.
//! Not here: verdicts (`peerloom_shared::policy`), who reads them (`Judge`).

use std::path::PathBuf;
use std::sync::Arc;

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext as _, Context, Handler,
    ResponseActFuture, StreamHandler, WrapFuture as _,
};
use futures::stream;
use peerloom_shared::policy::{PolicySet, Rules};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::messages::Reload;
use super::rule_files::{self, RuleWatch, RulesError};
use crate::actor::{Ask, DeathWatch};
use crate::admin::Metrics;
use crate::audit::Audit;
use crate::error::Coded as _;

/// See the module's text.
#[derive(Debug)]
pub struct Policy {
    rules: PathBuf,
    snapshot: Arc<watch::Sender<Arc<PolicySet>>>,
    metrics: Metrics,
    audit: Option<Audit>,
    stop: CancellationToken,
    _death: DeathWatch,
}

/// What the file says after a change.
type Changed = Result<Rules, RulesError>;

impl Policy {
    /// An actor for this file, writing to `snapshot`.
    #[must_use]
    pub fn new(
        rules: PathBuf,
        snapshot: Arc<watch::Sender<Arc<PolicySet>>>,
        metrics: Metrics,
        death: DeathWatch,
        stop: CancellationToken,
    ) -> Self {
        Self { rules, snapshot, metrics, audit: None, stop, _death: death }
    }

    /// The same, which tells the audit log what became of every change.
    #[must_use]
    pub fn audited(self, audit: Audit) -> Self {
        Self { audit: Some(audit), ..self }
    }

    fn take(&self, changed: Changed) -> Result<u64, RulesError> {
        let rules = changed.inspect_err(|error| {
            self.metrics.count_reload_failed();
            if let Some(audit) = &self.audit {
                audit.reload_failed(error.code().id, &error.to_string());
            }
        })?;
        let swapped = self.snapshot.send_if_modified(|current| {
            let differs = *current.rules() != rules;
            if differs {
                let epoch = current.epoch().saturating_add(1);
                *current = Arc::new(PolicySet::from_rules(rules, epoch));
            }
            differs
        });
        let epoch = self.snapshot.borrow().epoch();
        if let Some(audit) = self.audit.as_ref().filter(|_| swapped) {
            audit.reloaded(epoch);
        }
        Ok(epoch)
    }
}

impl Actor for Policy {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        let stop = self.stop.clone();
        ctx.spawn(
            async move { stop.cancelled().await }.into_actor(self).map(|(), _, ctx| ctx.stop()),
        );
        match RuleWatch::start(&self.rules) {
            Ok(watch) => {
                let changes = stream::unfold(watch, |mut watch| async move {
                    watch.next().await.map(|changed| (changed, watch))
                });
                ctx.add_stream(changes);
            }
            Err(error) => {
                tracing::warn!(%error, "changes of the rules file will not be noticed");
            }
        }
    }
}

impl StreamHandler<Changed> for Policy {
    fn handle(&mut self, changed: Changed, _: &mut Context<Self>) {
        match self.take(changed) {
            Ok(epoch) => tracing::info!(epoch, "rules read"),
            Err(error) => tracing::warn!(%error, "the rules in force stay"),
        }
    }

    fn finished(&mut self, _: &mut Context<Self>) {
        // The watch has ended; asking for a reload still works.
    }
}

impl Handler<Ask<Reload>> for Policy {
    type Result = ResponseActFuture<Self, Result<u64, RulesError>>;

    fn handle(&mut self, Ask { slot, .. }: Ask<Reload>, _: &mut Context<Self>) -> Self::Result {
        let path = self.rules.clone();
        let load = async move {
            tokio::task::spawn_blocking(move || rule_files::load(&path))
                .await
                .unwrap_or_else(|gone| std::panic::resume_unwind(gone.into_panic()))
        };
        Box::pin(load.into_actor(self).map(move |changed, actor, _| {
            let epoch = actor.take(changed);
            drop(slot);
            epoch
        }))
    }
}

//! An actor as the shell of a machine: inputs in, outputs carried out, timers kept.
//! Invariant: after every input all outputs are taken before the next input is fed.
//! Not here: decisions; an `if` about protocol belongs into the machine.

use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, AsyncContext, Context,
    ContextFutureSpawner as _, SpawnHandle, WrapFuture as _,
};
use peerloom_shared::machine::Machine;
use peerloom_shared::net::NetHandle;
use peerloom_shared::net::clock::Clock;
use peerloom_shared::net::effect::Effect;
use peerloom_shared::net::state::{Change, NetState, changes};
use peerloom_shared::time::Mono;
use tokio_stream::wrappers::WatchStream;
use tokio_util::sync::CancellationToken;

use super::death::DeathWatch;
use crate::admin::Metrics;

/// What every machine actor holds.
#[derive(Debug)]
pub struct Shell<M> {
    /// The machine.
    pub machine: M,
    /// The network.
    pub net: NetHandle,
    /// Speaks when this actor dies of a panic.
    pub death: DeathWatch,
    clock: Clock,
    metrics: Metrics,
    seen: Arc<NetState>,
    wake: Option<(Mono, SpawnHandle)>,
    stop: CancellationToken,
}

/// What a machine actor is given at birth.
#[derive(Debug)]
pub struct Birth {
    /// The network.
    pub net: NetHandle,
    /// Speaks when this actor dies of a panic.
    pub death: DeathWatch,
    /// The clock all actors of a node share.
    pub clock: Clock,
    /// Where the time of each input is noted.
    pub metrics: Metrics,
    /// Ends the actor.
    pub stop: CancellationToken,
}

impl<M: Machine> Shell<M> {
    /// A shell around a machine that has seen nothing yet.
    pub fn new(machine: M, birth: Birth) -> Self {
        let Birth { net, death, clock, metrics, stop } = birth;
        let seen = Arc::new(NetState::new(net.state().local));
        Self { machine, net, death, clock, metrics, seen, wake: None, stop }
    }

    /// The clock.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }
}

/// The newest state of the network, as a stream item.
#[derive(Debug)]
pub struct StateSeen(pub Arc<NetState>);

/// An actor that drives a machine.
pub trait Machined: Actor<Context = Context<Self>> {
    /// Its machine.
    type Machine: Machine<Input: Send + 'static, Output: 'static>;

    /// Its shell.
    fn shell(&mut self) -> &mut Shell<Self::Machine>;

    /// What an output means for the network.
    fn effect(
        &self,
        output: <Self::Machine as Machine>::Output,
    ) -> Effect<<Self::Machine as Machine>::Input, <Self::Machine as Machine>::Output>;

    /// Carries out an output that does not concern the network.
    fn perform(&mut self, output: <Self::Machine as Machine>::Output, ctx: &mut Context<Self>);

    /// The input that a change of the network's state means, if any.
    fn on_change(
        &self,
        state: &NetState,
        change: &Change,
    ) -> Option<<Self::Machine as Machine>::Input>;
}

/// To be called from `started`: follows the network's state and the order to stop.
pub fn begin<A>(actor: &mut A, ctx: &mut Context<A>)
where
    A: Machined + actix::StreamHandler<StateSeen>,
{
    let shell = actor.shell();
    let stop = shell.stop.clone();
    let states = WatchStream::new(shell.net.watch());
    ctx.add_stream(futures::StreamExt::map(states, StateSeen));
    ctx.spawn(async move { stop.cancelled().await }.into_actor(actor).map(|(), _, ctx| ctx.stop()));
    after(actor, ctx);
}

/// Feeds one input to the machine and carries out what it says.
pub fn feed<A: Machined>(
    actor: &mut A,
    ctx: &mut Context<A>,
    input: <A::Machine as Machine>::Input,
) {
    let start = Instant::now();
    let now = actor.shell().clock.now();
    actor.shell().machine.handle(now, input);
    after(actor, ctx);
    let shell = actor.shell();
    shell.metrics.observe_handle(shell.death.name(), start.elapsed());
}

/// Feeds what changed in the network since the last look.
pub fn see<A: Machined>(actor: &mut A, ctx: &mut Context<A>, StateSeen(state): StateSeen) {
    let before = std::mem::replace(&mut actor.shell().seen, Arc::clone(&state));
    for change in changes(&before, &state) {
        if let Some(input) = actor.on_change(&state, &change) {
            feed(actor, ctx, input);
        }
    }
}

fn after<A: Machined>(actor: &mut A, ctx: &mut Context<A>) {
    while let Some(output) = actor.shell().machine.poll_output() {
        match actor.effect(output) {
            Effect::Send(order) => order.into_actor(actor).wait(ctx),
            Effect::Follow(result) => {
                let fed = result.into_actor(actor).map(|input, actor, ctx| feed(actor, ctx, input));
                ctx.spawn(fed);
            }
            Effect::Shell(output) => actor.perform(output, ctx),
        }
    }
    let due = actor.shell().machine.next_wake();
    if due == actor.shell().wake.as_ref().map(|(at, _)| *at) {
        return;
    }
    if let Some((_, timer)) = actor.shell().wake.take() {
        ctx.cancel_future(timer);
    }
    if let Some(at) = due {
        let wait = at.since(actor.shell().clock.now().mono);
        let timer = ctx.run_later(Duration::from_millis(wait), |actor, ctx| {
            let now = actor.shell().clock.now();
            actor.shell().wake = None;
            actor.shell().machine.tick(now);
            after(actor, ctx);
        });
        actor.shell().wake = Some((at, timer));
    }
}

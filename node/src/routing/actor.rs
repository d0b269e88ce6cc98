//! The routing actor: lookups and the routing table.
//! Invariant: carries only; every lookup is answered once.
//! Not here: whom to admit and when to refresh (the machine's).

use std::collections::BTreeMap;

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, ResponseFuture,
    StreamHandler, WrapFuture as _,
};
use peerloom_shared::defence::book::Source;
use peerloom_shared::defence::scope::Scope;
use peerloom_shared::net::effect::{self, Effect};
use peerloom_shared::net::perceive;
use peerloom_shared::net::state::{Change, NetState};
use peerloom_shared::net::work::{RoutingWork, Work};
use peerloom_shared::routing::{Found, Input, Output, Routing as Machine, RoutingError};
use tokio::sync::oneshot;

use super::messages::Lookup;
use crate::actor::shell::{Birth, StateSeen, begin, feed, see};
use crate::actor::{Ask, Gauge, Handle, Machined, Shell, lane};
use crate::discovery::actor::Discovery;
use crate::discovery::messages::NotePeer;

/// See the module's text.
#[derive(Debug)]
pub struct Routing {
    shell: Shell<Machine>,
    discovery: Handle<Discovery>,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Found, RoutingError>>>,
    next_ticket: u64,
}

impl Routing {
    /// Starts the actor on its lane.
    pub fn start(
        machine: Machine,
        birth: Birth,
        work: Work<RoutingWork>,
        discovery: Handle<Discovery>,
    ) -> (Addr<Self>, Gauge) {
        let (items, gauge) = lane(work);
        let address = Self::create(|ctx| {
            <Self as StreamHandler<RoutingWork>>::add_stream(items, ctx);
            let shell = Shell::new(machine, birth);
            Self { shell, discovery, waiting: BTreeMap::new(), next_ticket: 0 }
        });
        (address, gauge)
    }
}

impl Actor for Routing {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        begin(self, ctx);
    }
}

impl Machined for Routing {
    type Machine = Machine;

    fn shell(&mut self) -> &mut Shell<Machine> {
        &mut self.shell
    }

    fn effect(&self, output: Output) -> Effect<Input, Output> {
        effect::of_routing(&self.shell.net, output)
    }

    fn perform(&mut self, output: Output, ctx: &mut Context<Self>) {
        match output {
            Output::Answer { ticket, result } => {
                if let Some(reply) = self.waiting.remove(&ticket) {
                    // The caller may have left.
                    drop(reply.send(result));
                }
            }
            Output::Heard { peer, addrs } => {
                let discovery = self.discovery.clone();
                let note = NotePeer {
                    peer,
                    addresses: addrs,
                    source: Source::Routing,
                    over: Scope::Global,
                };
                // What a busy discovery misses, the next lookup tells again.
                ctx.spawn(
                    async move { discovery.ask(note).await }.into_actor(self).map(|_, _, _| ()),
                );
            }
            // The network's; `effect` has taken them.
            Output::Admit { .. }
            | Output::Expel { .. }
            | Output::Query { .. }
            | Output::Cancel { .. } => {}
        }
    }

    fn on_change(&self, state: &NetState, change: &Change) -> Option<Input> {
        perceive::by_routing(state, change)
    }
}

impl StreamHandler<StateSeen> for Routing {
    fn handle(&mut self, seen: StateSeen, ctx: &mut Context<Self>) {
        see(self, ctx, seen);
    }
}

impl StreamHandler<RoutingWork> for Routing {
    fn handle(&mut self, work: RoutingWork, ctx: &mut Context<Self>) {
        let RoutingWork::RecordOffered { from, offer } = work;
        self.shell.death.take_up(from);
        let net = self.shell.net.clone();
        // A denial is counted where it is decided.
        let stored = async move { drop(net.store(from, offer).await) };
        ctx.wait(stored.into_actor(self));
        self.shell.death.put_down();
    }
}

impl Handler<Ask<Lookup>> for Routing {
    type Result = ResponseFuture<Result<Found, RoutingError>>;

    fn handle(&mut self, ask: Ask<Lookup>, ctx: &mut Context<Self>) -> Self::Result {
        let Ask { message: Lookup(ask), slot } = ask;
        self.next_ticket = self.next_ticket.saturating_add(1);
        let (reply, answer) = oneshot::channel();
        self.waiting.insert(self.next_ticket, reply);
        feed(self, ctx, Input::Ask { ticket: self.next_ticket, ask });
        Box::pin(async move {
            let answer = answer.await.unwrap_or(Err(RoutingError::Stopped));
            drop(slot);
            answer
        })
    }
}

//! The pubsub actor: rooms, messages, members.
//! Invariant: carries only; every message that arrives is judged by the machine, once.
//! Not here: gossip itself (libp2p's), what is accepted (the machine's).

use std::collections::BTreeMap;

use actix::{Actor, Addr, Context, Handler, ResponseFuture, StreamHandler};
use peerloom_shared::net::effect::{self, Effect};
use peerloom_shared::net::perceive;
use peerloom_shared::net::state::{Change, NetState};
use peerloom_shared::net::work::{PubsubWork, Work};
use peerloom_shared::pubsub::{Answer, Input, Output, Pubsub as Machine, PubsubError};
use peerloom_shared::view::{Message, PeerEvent};
use tokio::sync::oneshot;

use super::messages::{Publish, SetName, Subscribe, Unsubscribe};
use super::outlets::Outlets;
use crate::actor::shell::{Birth, StateSeen, begin, feed, see};
use crate::actor::{Ask, Gauge, Machined, Shell, lane};

/// See the module's text.
pub struct Pubsub {
    shell: Shell<Machine>,
    outlets: Outlets,
    waiting: BTreeMap<u64, oneshot::Sender<Result<Answer, PubsubError>>>,
    next_ticket: u64,
}

impl std::fmt::Debug for Pubsub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pubsub").field("waiting", &self.waiting.len()).finish_non_exhaustive()
    }
}

impl Pubsub {
    /// Starts the actor on its lane.
    pub fn start(
        machine: Machine,
        birth: Birth,
        work: Work<PubsubWork>,
        outlets: Outlets,
    ) -> (Addr<Self>, Gauge) {
        let (items, gauge) = lane(work);
        let address = Self::create(|ctx| {
            <Self as StreamHandler<PubsubWork>>::add_stream(items, ctx);
            let shell = Shell::new(machine, birth);
            Self { shell, outlets, waiting: BTreeMap::new(), next_ticket: 0 }
        });
        (address, gauge)
    }

    /// Feeds a request and gives where its answer will come.
    fn request(
        &mut self,
        ctx: &mut Context<Self>,
        input: impl FnOnce(u64) -> Input,
    ) -> impl Future<Output = Result<Answer, PubsubError>> + 'static {
        self.next_ticket = self.next_ticket.saturating_add(1);
        let (reply, answer) = oneshot::channel();
        self.waiting.insert(self.next_ticket, reply);
        feed(self, ctx, input(self.next_ticket));
        async move { answer.await.unwrap_or(Err(PubsubError::TimedOut)) }
    }
}

impl Actor for Pubsub {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        begin(self, ctx);
    }
}

impl Machined for Pubsub {
    type Machine = Machine;

    fn shell(&mut self) -> &mut Shell<Machine> {
        &mut self.shell
    }

    fn effect(&self, output: Output) -> Effect<Input, Output> {
        effect::of_pubsub(&self.shell.net, output)
    }

    fn perform(&mut self, output: Output, _: &mut Context<Self>) {
        match output {
            Output::Event(event) => {
                if let PeerEvent::Message { message } = &event {
                    self.outlets.recent.keep(message);
                }
                self.outlets.show_rooms(self.shell.machine.rooms());
                self.outlets.events.publish(event);
            }
            Output::Answer { ticket, result } => {
                self.outlets.show_rooms(self.shell.machine.rooms());
                if let Some(reply) = self.waiting.remove(&ticket) {
                    // The caller may have left.
                    drop(reply.send(result));
                }
            }
            // The network's; `effect` has taken them.
            Output::Subscribe { .. }
            | Output::Unsubscribe { .. }
            | Output::Publish { .. }
            | Output::Judge { .. }
            | Output::WantKeys => {}
        }
    }

    fn on_change(&self, _: &NetState, change: &Change) -> Option<Input> {
        perceive::by_pubsub(change)
    }
}

impl StreamHandler<StateSeen> for Pubsub {
    fn handle(&mut self, seen: StateSeen, ctx: &mut Context<Self>) {
        see(self, ctx, seen);
    }
}

impl StreamHandler<PubsubWork> for Pubsub {
    fn handle(&mut self, PubsubWork::GossipArrived(arrival): PubsubWork, ctx: &mut Context<Self>) {
        self.shell.death.take_up(arrival.forwarder);
        if let Some(inspect) = &self.outlets.inspect {
            inspect(&arrival);
        }
        feed(self, ctx, Input::Arrived(arrival));
        self.shell.death.put_down();
        self.outlets.count(self.shell.machine.counts());
    }
}

impl Handler<Ask<Subscribe>> for Pubsub {
    type Result = ResponseFuture<Result<(), PubsubError>>;

    fn handle(&mut self, ask: Ask<Subscribe>, ctx: &mut Context<Self>) -> Self::Result {
        let Ask { message: Subscribe(room), slot } = ask;
        let answer = self.request(ctx, |ticket| Input::Join { ticket, room });
        Box::pin(async move {
            let answer = answer.await.map(drop);
            drop(slot);
            answer
        })
    }
}

impl Handler<Ask<Unsubscribe>> for Pubsub {
    type Result = ResponseFuture<Result<(), PubsubError>>;

    fn handle(&mut self, ask: Ask<Unsubscribe>, ctx: &mut Context<Self>) -> Self::Result {
        let Ask { message: Unsubscribe(room), slot } = ask;
        let answer = self.request(ctx, |ticket| Input::Leave { ticket, room });
        Box::pin(async move {
            let answer = answer.await.map(drop);
            drop(slot);
            answer
        })
    }
}

impl Handler<Ask<Publish>> for Pubsub {
    type Result = ResponseFuture<Result<Message, PubsubError>>;

    fn handle(&mut self, ask: Ask<Publish>, ctx: &mut Context<Self>) -> Self::Result {
        let Ask { message: Publish { room, text }, slot } = ask;
        let answer = self.request(ctx, |ticket| Input::Say { ticket, room, text });
        Box::pin(async move {
            let answer = answer.await;
            drop(slot);
            match answer? {
                Answer::Said(message) => Ok(message),
                Answer::Joined | Answer::Left => Err(PubsubError::TimedOut),
            }
        })
    }
}

impl Handler<Ask<SetName>> for Pubsub {
    type Result = ();

    fn handle(&mut self, ask: Ask<SetName>, ctx: &mut Context<Self>) {
        feed(self, ctx, Input::SetName(ask.message.0));
    }
}

//! The discovery actor: whom to connect to next, and the address book.
//! Invariant: carries only; dials go down to the transport actor, the book to the store.
//! Not here: backoff, choice and bounds (the machine's).

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, StreamHandler,
    WrapFuture as _,
};
use peerloom_shared::discovery::{Discovery as Machine, Input, Output};
use peerloom_shared::limits::DIAL_ASK_MS;
use peerloom_shared::net::effect::{self, Effect};
use peerloom_shared::net::perceive;
use peerloom_shared::net::state::{Change, NetState};
use peerloom_shared::net::work::{DiscoveryWork, Work};
use peerloom_shared::view::{Health, Link};
use tokio::sync::watch;

use super::messages::{AddBootstrap, FindPeers, NotePeer, Remember};
use crate::actor::shell::{Birth, StateSeen, begin, feed, see};
use crate::actor::{Ask, Gauge, Handle, Machined, Shell, lane};
use crate::book_writer::BookWriter;
use crate::transport::actor::Transport;
use crate::transport::messages::Dial;

/// What the discovery machine shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// The addresses we keep connected. Times to the next try count from `at_ms`.
    pub links: Vec<Link>,
    /// When this was written: milliseconds since the node's start.
    pub at_ms: u64,
    /// How well we are connected.
    pub health: Health,
    /// Why, in one sentence.
    pub reason: String,
}

/// See the module's text.
#[derive(Debug)]
pub struct Discovery {
    shell: Shell<Machine>,
    transport: Handle<Transport>,
    book: BookWriter,
    reach: watch::Sender<Arc<Reach>>,
}

impl Discovery {
    /// Starts the actor on its lane.
    pub fn start(
        machine: Machine,
        birth: Birth,
        work: Work<DiscoveryWork>,
        (transport, book): (Handle<Transport>, BookWriter),
    ) -> (Addr<Self>, watch::Receiver<Arc<Reach>>, Gauge) {
        let (items, gauge) = lane(work);
        let (health, reason) = machine.health();
        let first = Reach { links: Vec::new(), at_ms: 0, health, reason };
        let (reach, shown) = watch::channel(Arc::new(first));
        let address = Self::create(|ctx| {
            <Self as StreamHandler<DiscoveryWork>>::add_stream(items, ctx);
            Self { shell: Shell::new(machine, birth), transport, book, reach }
        });
        (address, shown, gauge)
    }

    fn dial(&self, ticket: u64, dial: Dial, ctx: &mut Context<Self>) {
        let transport = self.transport.clone();
        let deadline = Duration::from_millis(DIAL_ASK_MS);
        let dialed = async move {
            match transport.ask_within(dial, deadline).await {
                Ok(result) => result.map_err(|e| e.to_string()),
                Err(e) => Err(e.to_string()),
            }
        };
        ctx.spawn(dialed.into_actor(self).map(move |result, actor, ctx| {
            feed(actor, ctx, Input::Dialed { ticket, result });
        }));
    }

    fn show(&self) {
        let now = self.shell.clock().now();
        let (health, reason) = self.shell.machine.health();
        let links = self.shell.machine.links(now);
        self.reach.send_replace(Arc::new(Reach {
            links,
            at_ms: now.mono.as_millis(),
            health,
            reason,
        }));
    }
}

impl Actor for Discovery {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        begin(self, ctx);
    }
}

impl Machined for Discovery {
    type Machine = Machine;

    fn shell(&mut self) -> &mut Shell<Machine> {
        &mut self.shell
    }

    fn effect(&self, output: Output) -> Effect<Input, Output> {
        effect::of_discovery(&self.shell.net, output)
    }

    fn perform(&mut self, output: Output, ctx: &mut Context<Self>) {
        match output {
            Output::Dial { ticket, peer, addrs, even_if_connected } => {
                self.dial(ticket, Dial { peer, addresses: addrs, even_if_connected }, ctx);
            }
            Output::Save(entry) => self.book.save(&entry),
            Output::Forget(peer) => self.book.forget(peer),
            Output::LinksChanged => self.show(),
            // The network's; `effect` has taken them.
            Output::Announce(_) | Output::Judge { .. } => {}
        }
    }

    fn on_change(&self, state: &NetState, change: &Change) -> Option<Input> {
        perceive::by_discovery(state, change)
    }
}

impl StreamHandler<StateSeen> for Discovery {
    fn handle(&mut self, seen: StateSeen, ctx: &mut Context<Self>) {
        see(self, ctx, seen);
    }
}

impl StreamHandler<DiscoveryWork> for Discovery {
    fn handle(&mut self, work: DiscoveryWork, ctx: &mut Context<Self>) {
        let state = self.shell.net.state();
        if let DiscoveryWork::AnnouncementArrived(arrival) = &work {
            self.shell.death.take_up(arrival.forwarder);
        }
        feed(self, ctx, perceive::discovery_work(&state, work));
        self.shell.death.put_down();
    }
}

impl Handler<Ask<AddBootstrap>> for Discovery {
    type Result = ();

    fn handle(&mut self, ask: Ask<AddBootstrap>, ctx: &mut Context<Self>) {
        feed(self, ctx, Input::Keep(ask.message.0));
    }
}

impl Handler<Ask<NotePeer>> for Discovery {
    type Result = ();

    fn handle(&mut self, ask: Ask<NotePeer>, ctx: &mut Context<Self>) {
        let NotePeer { peer, addresses, source, over } = ask.message;
        feed(self, ctx, Input::Heard { peer, addrs: addresses, source, over });
    }
}

impl Handler<Ask<Remember>> for Discovery {
    type Result = ();

    fn handle(&mut self, ask: Ask<Remember>, ctx: &mut Context<Self>) {
        feed(self, ctx, Input::Loaded(ask.message.0));
    }
}

impl Handler<Ask<FindPeers>> for Discovery {
    type Result = ();

    fn handle(&mut self, _: Ask<FindPeers>, ctx: &mut Context<Self>) {
        feed(self, ctx, Input::RetryNow);
    }
}

//! The transport actor: listeners, dials and relay slots of a node.
//! Invariant: carries only; what to listen on and which relay to ask is the machine's.
//! Not here: sockets (`swarm`), which peers to dial (discovery).

use std::sync::Arc;

use actix::{Actor, Addr, Context, Handler, ResponseFuture, StreamHandler};
use peerloom_shared::net::effect::{self, Effect};
use peerloom_shared::net::state::{Change, NetState};
use peerloom_shared::net::work::{TransportWork, Work};
use peerloom_shared::net::{NetError, perceive};
use peerloom_shared::transport::{Input, Output, Transport as Machine};
use peerloom_shared::{Multiaddr, PeerId};
use tokio::sync::watch;

use super::messages::{Dial, HangUp, Listen, Ping, ReserveRelay};
use crate::actor::shell::{Birth, StateSeen, begin, feed, see};
use crate::actor::{Ask, Gauge, Machined, Shell, lane};

/// What the transport machine shows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listening {
    /// Addresses that are listened on, as they were asked for.
    pub up: Vec<Multiaddr>,
    /// Addresses that could not be listened on, each with its last reason.
    pub failed: Vec<(Multiaddr, String)>,
}

/// See the module's text.
#[derive(Debug)]
pub struct Transport {
    shell: Shell<Machine>,
    listening: watch::Sender<Arc<Listening>>,
}

impl Transport {
    /// Starts the actor on its lane.
    pub fn start(
        machine: Machine,
        birth: Birth,
        work: Work<TransportWork>,
    ) -> (Addr<Self>, watch::Receiver<Arc<Listening>>, Gauge) {
        let (items, gauge) = lane(work);
        let (listening, shown) = watch::channel(Arc::default());
        let address = Self::create(|ctx| {
            <Self as StreamHandler<TransportWork>>::add_stream(items, ctx);
            Self { shell: Shell::new(machine, birth), listening }
        });
        (address, shown, gauge)
    }
}

impl Actor for Transport {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        begin(self, ctx);
    }
}

impl Machined for Transport {
    type Machine = Machine;

    fn shell(&mut self) -> &mut Shell<Machine> {
        &mut self.shell
    }

    fn effect(&self, output: Output) -> Effect<Input, Output> {
        effect::of_transport(&self.shell.net, output)
    }

    fn perform(&mut self, output: Output, _: &mut Context<Self>) {
        let mut shown = (**self.listening.borrow()).clone();
        shown.up = self.shell.machine.listening();
        shown.failed.retain(|(address, _)| !shown.up.contains(address));
        if let Output::ListenFailed { address, reason } = output {
            tracing::debug!(%address, %reason, "cannot listen");
            shown.failed.retain(|(failed, _)| *failed != address);
            shown.failed.push((address, reason));
        }
        self.listening.send_replace(Arc::new(shown));
    }

    fn on_change(&self, state: &NetState, change: &Change) -> Option<Input> {
        perceive::by_transport(state, change)
    }
}

impl StreamHandler<StateSeen> for Transport {
    fn handle(&mut self, seen: StateSeen, ctx: &mut Context<Self>) {
        see(self, ctx, seen);
    }
}

impl StreamHandler<TransportWork> for Transport {
    fn handle(&mut self, work: TransportWork, ctx: &mut Context<Self>) {
        feed(self, ctx, perceive::transport_work(work));
    }
}

impl Handler<Ask<Listen>> for Transport {
    type Result = ();

    fn handle(&mut self, ask: Ask<Listen>, ctx: &mut Context<Self>) {
        feed(self, ctx, Input::Listen(ask.message.0));
    }
}

impl Handler<Ask<ReserveRelay>> for Transport {
    type Result = ();

    fn handle(&mut self, ask: Ask<ReserveRelay>, ctx: &mut Context<Self>) {
        feed(self, ctx, Input::WantRelays(ask.message.0));
    }
}

impl Handler<Ask<Dial>> for Transport {
    type Result = ResponseFuture<Result<PeerId, NetError>>;

    fn handle(&mut self, ask: Ask<Dial>, _: &mut Context<Self>) -> Self::Result {
        let net = self.shell.net.clone();
        let Ask { message: Dial { peer, addresses, even_if_connected }, slot } = ask;
        Box::pin(async move {
            let dialed = net.dial(peer, addresses, even_if_connected).await;
            drop(slot);
            dialed
        })
    }
}

impl Handler<Ask<HangUp>> for Transport {
    type Result = ResponseFuture<Result<(), NetError>>;

    fn handle(
        &mut self,
        Ask { message: HangUp(peer), slot }: Ask<HangUp>,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let net = self.shell.net.clone();
        Box::pin(async move {
            let done = net.hang_up(peer).await;
            drop(slot);
            done
        })
    }
}

impl Handler<Ask<Ping>> for Transport {
    type Result = ResponseFuture<Result<std::time::Duration, NetError>>;

    fn handle(
        &mut self,
        Ask { message: Ping(peer), slot }: Ask<Ping>,
        _: &mut Context<Self>,
    ) -> Self::Result {
        let net = self.shell.net.clone();
        Box::pin(async move {
            let took = net.ping(peer).await;
            drop(slot);
            took
        })
    }
}

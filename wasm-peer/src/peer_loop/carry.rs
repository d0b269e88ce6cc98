//! Carrying out what the machines say.
//! Invariant: orders reach the Driver in the order in which a machine gave them.
//! Not here: what an output means for the network (`peerloom_shared::net::effect`).

use futures::FutureExt as _;
use futures::future::LocalBoxFuture;
use peerloom_shared::defence::book::Source;
use peerloom_shared::defence::scope::Scope;
use peerloom_shared::machine::Machine;
use peerloom_shared::net::NetHandle;
use peerloom_shared::net::effect::{self, Effect};
use peerloom_shared::{discovery, pubsub, routing};

use super::{Fed, Machines, PeerLoop};

/// What an output of a machine means for the network.
type ToEffect<M> =
    fn(&NetHandle, <M as Machine>::Output) -> Effect<<M as Machine>::Input, <M as Machine>::Output>;

impl PeerLoop {
    pub(super) async fn after_transport(&mut self) {
        let own = self.carry(|m| &mut m.transport, effect::of_transport, Fed::Transport).await;
        // The circuits show in the network's state; a browser has no log to write a failure to.
        drop(own);
    }

    pub(super) async fn after_discovery(&mut self) {
        let own = self.carry(|m| &mut m.discovery, effect::of_discovery, Fed::Discovery).await;
        for output in own {
            match output {
                discovery::Output::Dial { ticket, peer, addrs, even_if_connected } => {
                    let net = self.net.clone();
                    let dial = async move {
                        let result = net.dial(peer, addrs, even_if_connected).await;
                        let result = result.map_err(|e| e.to_string());
                        Fed::Discovery(discovery::Input::Dialed { ticket, result })
                    };
                    self.follows.push(dial.boxed_local());
                }
                discovery::Output::Save(entry) => {
                    let next = self.book.as_mut().and_then(|book| book.save(&entry));
                    self.write_book(next);
                }
                discovery::Output::Forget(peer) => {
                    let next = self.book.as_mut().and_then(|book| book.forget(peer));
                    self.write_book(next);
                }
                discovery::Output::LinksChanged => self.outbox.touch(),
                // The network's; `effect` has taken them.
                discovery::Output::Announce(_) | discovery::Output::Judge { .. } => {}
            }
        }
    }

    pub(super) fn write_book(&mut self, work: Option<LocalBoxFuture<'static, ()>>) {
        if let Some(work) = work {
            self.follows.push(work.map(|()| Fed::BookWritten).boxed_local());
        }
    }

    pub(super) async fn after_routing(&mut self) {
        let own = self.carry(|m| &mut m.routing, effect::of_routing, Fed::Routing).await;
        for output in own {
            if let routing::Output::Heard { peer, addrs } = output {
                let (source, over) = (Source::Routing, Scope::Global);
                let heard = discovery::Input::Heard { peer, addrs, source, over };
                self.inbox.push_back(Fed::Discovery(heard));
            }
        }
    }

    pub(super) async fn after_pubsub(&mut self) {
        let own = self.carry(|m| &mut m.pubsub, effect::of_pubsub, Fed::Pubsub).await;
        for output in own {
            match output {
                pubsub::Output::Event(event) => {
                    self.outbox.push(event);
                    self.outbox.touch();
                }
                pubsub::Output::Answer { ticket, result } => {
                    self.outbox.touch();
                    if let Some(reply) = self.waiting.remove(&ticket) {
                        // The caller may have left.
                        drop(reply.send(result));
                    }
                }
                // The network's; `effect` has taken them.
                pubsub::Output::Subscribe { .. }
                | pubsub::Output::Unsubscribe { .. }
                | pubsub::Output::Publish { .. }
                | pubsub::Output::Judge { .. }
                | pubsub::Output::WantKeys => {}
            }
        }
    }

    /// Carries out a machine's outputs and gives back those that do not concern the network.
    async fn carry<M>(
        &mut self,
        machine: fn(&mut Machines) -> &mut M,
        effect: ToEffect<M>,
        fed: fn(M::Input) -> Fed,
    ) -> Vec<M::Output>
    where
        M: Machine<Input: 'static>,
    {
        let mut own = Vec::new();
        loop {
            let output = machine(&mut self.machines.borrow_mut()).poll_output();
            let Some(output) = output else { return own };
            match effect(&self.net, output) {
                Effect::Send(order) => order.await,
                Effect::Follow(result) => self.follows.push(result.map(fed).boxed_local()),
                Effect::Shell(output) => own.push(output),
            }
        }
    }
}

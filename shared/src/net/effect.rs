//! What a machine's output means for the network: the part that all shells share.
//! Invariant: every output with a ticket leads to exactly one input with that ticket.
//! Not here: outputs that concern the shell itself (disk, events, answers).

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::auth::Told;
use super::handle::{NetError, NetHandle};
use crate::pubsub::{PublishFailure, PublishedId};
use crate::wire::UC_DISCOVERY_TOPIC;
use crate::{discovery, pubsub, routing, transport};

/// What to do with an output.
pub enum Effect<I, O> {
    /// Hand an order to the Driver. The next output waits for it, so orders keep their order.
    Send(BoxFuture<'static, ()>),
    /// Wait for a result beside other work and feed it.
    Follow(BoxFuture<'static, I>),
    /// Not about the network: the shell knows.
    Shell(O),
}

impl<I, O: std::fmt::Debug> std::fmt::Debug for Effect<I, O> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Send(_) => f.write_str("Send"),
            Self::Follow(_) => f.write_str("Follow"),
            Self::Shell(output) => f.debug_tuple("Shell").field(output).finish(),
        }
    }
}

impl<I, O> Effect<I, O> {
    /// An order that nobody waits for. When it fails, the policy denied it or the Driver has ended;
    /// both are counted where they happen.
    fn order(order: impl Future<Output = Result<(), NetError>> + Send + 'static) -> Self {
        Self::Send(order.map(drop).boxed())
    }
}

/// The effect of an output of the transport machine.
#[must_use]
pub fn of_transport(
    net: &NetHandle,
    output: transport::Output,
) -> Effect<transport::Input, transport::Output> {
    let net = net.clone();
    match output {
        transport::Output::Listen { ticket, address }
        | transport::Output::Reserve { ticket, address, .. } => Effect::Follow(
            async move {
                let result = net.listen(address).await.map(drop).map_err(|e| e.to_string());
                transport::Input::Listened { ticket, result }
            }
            .boxed(),
        ),
        transport::Output::Release { relay } => {
            Effect::order(async move { net.release(relay).await })
        }
        transport::Output::ListenFailed { .. } | transport::Output::AddressesChanged => {
            Effect::Shell(output)
        }
    }
}

/// The effect of an output of the discovery machine. Dials are the shell's: on a node they pass
/// through the transport actor.
#[must_use]
pub fn of_discovery(
    net: &NetHandle,
    output: discovery::Output,
) -> Effect<discovery::Input, discovery::Output> {
    let net = net.clone();
    match output {
        discovery::Output::Announce(data) => Effect::order(async move {
            net.publish(UC_DISCOVERY_TOPIC.to_owned(), data).await.map(drop)
        }),
        discovery::Output::Judge { id, forwarder, acceptance } => {
            Effect::order(async move { net.judge_message(id, forwarder, acceptance).await })
        }
        discovery::Output::Dial { .. }
        | discovery::Output::Save(_)
        | discovery::Output::Forget(_)
        | discovery::Output::LinksChanged => Effect::Shell(output),
    }
}

/// The effect of an output of the routing machine.
#[must_use]
pub fn of_routing(
    net: &NetHandle,
    output: routing::Output,
) -> Effect<routing::Input, routing::Output> {
    let net = net.clone();
    match output {
        routing::Output::Admit { peer, addrs } => {
            Effect::order(async move { net.admit(peer, addrs).await })
        }
        routing::Output::Expel { peer } => Effect::order(async move { net.expel(peer).await }),
        routing::Output::Query { query, ask } => Effect::Follow(
            async move {
                let result = net.query(query, ask).await.map_err(miss);
                routing::Input::Done { query, result }
            }
            .boxed(),
        ),
        routing::Output::Cancel { query } => {
            Effect::order(async move { net.cancel_query(query).await })
        }
        routing::Output::Answer { .. } | routing::Output::Heard { .. } => Effect::Shell(output),
    }
}

/// The effect of an output of the pubsub machine.
#[must_use]
pub fn of_pubsub(net: &NetHandle, output: pubsub::Output) -> Effect<pubsub::Input, pubsub::Output> {
    let net = net.clone();
    match output {
        pubsub::Output::Subscribe { ticket, topic } => Effect::Follow(
            async move {
                let result = net.subscribe(topic).await.map_err(|e| e.to_string());
                pubsub::Input::Subscribed { ticket, result }
            }
            .boxed(),
        ),
        pubsub::Output::Unsubscribe { topic } => {
            Effect::order(async move { net.unsubscribe(topic).await })
        }
        pubsub::Output::Publish { ticket: None, topic, data } => {
            Effect::order(async move { net.publish(topic, data).await.map(drop) })
        }
        pubsub::Output::Publish { ticket: Some(ticket), topic, data } => Effect::Follow(
            async move {
                let published = net.publish(topic, data).await;
                let result = published.map(|seqno| PublishedId { seqno }).map_err(failure);
                pubsub::Input::Published { ticket, result }
            }
            .boxed(),
        ),
        pubsub::Output::Judge { id, forwarder, acceptance } => {
            Effect::order(async move { net.judge_message(id, forwarder, acceptance).await })
        }
        pubsub::Output::WantKeys => {
            Effect::order(async move { net.tell_auth(Told::WantKeys).await })
        }
        pubsub::Output::Event(_) | pubsub::Output::Answer { .. } => Effect::Shell(output),
    }
}

fn miss(error: NetError) -> routing::Miss {
    if error == NetError::NotFound {
        routing::Miss::NotFound
    } else {
        routing::Miss::Failed(error.to_string())
    }
}

fn failure(error: NetError) -> PublishFailure {
    if error == NetError::NobodyListens {
        PublishFailure::NobodyThere
    } else if error == NetError::Busy {
        PublishFailure::Busy
    } else {
        PublishFailure::Other(error.to_string())
    }
}

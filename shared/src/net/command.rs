//! What the Driver can be told to do.
//! Invariant: every command carries the [`Permit`] that allows it; the Driver redeems it first.
//! Not here: deciding; [`super::NetHandle`] asks the policy and builds commands.

use libp2p::{Multiaddr, PeerId};
use tokio::sync::oneshot;

use super::handle::NetError;
use crate::policy::Permit;
use crate::pubsub::Acceptance;
use crate::routing;

/// Where the one answer to a command goes. Dropping the receiver means the caller has left.
pub type Reply<T> = oneshot::Sender<Result<T, NetError>>;

/// A command for the Driver, by capability.
#[derive(Debug)]
pub enum NetCommand {
    /// Listening, dialling, closing.
    Transport(TransportCommand),
    /// Lookups and records.
    Routing(RoutingCommand),
    /// Topics and messages.
    Pubsub(PubsubCommand),
    /// Keeping a peer out.
    Gate(GateCommand),
    /// Grants: ours, and what was taken back.
    Auth(AuthCommand),
}

/// Commands about listeners and connections.
#[derive(Debug)]
pub enum TransportCommand {
    /// Listens on an address; a `/p2p-circuit` address reserves a slot at that relay.
    Listen {
        /// Proof for `connect.in`, or `connect.out` to the relay.
        permit: Permit,
        /// The address.
        address: Multiaddr,
        /// Answered when the first address is bound, or the listener has failed.
        reply: Reply<Multiaddr>,
    },
    /// Gives a slot at a relay back.
    Release {
        /// Proof for `connect.out` to the relay.
        permit: Permit,
        /// Which.
        relay: PeerId,
    },
    /// Opens a connection.
    Dial {
        /// Proof for `connect.out`.
        permit: Permit,
        /// Who must be there; `None` takes whoever answers.
        peer: Option<PeerId>,
        /// Where.
        addresses: Vec<Multiaddr>,
        /// Whether to dial although a connection to the peer exists.
        even_if_connected: bool,
        /// Answered with the peer reached.
        reply: Reply<PeerId>,
    },
    /// Closes all connections of a peer.
    HangUp {
        /// Proof for `connect.out`.
        permit: Permit,
        /// Whose.
        peer: PeerId,
        /// Answered at once.
        reply: Reply<()>,
    },
    /// Measures the round trip to a connected peer.
    Ping {
        /// Proof for `protocol.open`.
        permit: Permit,
        /// Whom.
        peer: PeerId,
        /// Answered with the time.
        reply: Reply<std::time::Duration>,
    },
}

/// Commands about the distributed hash table.
#[derive(Debug)]
pub enum RoutingCommand {
    /// Puts a peer into the routing table.
    Admit {
        /// Proof for `dht.query`.
        permit: Permit,
        /// Who.
        peer: PeerId,
        /// Where.
        addresses: Vec<Multiaddr>,
    },
    /// Takes a peer out of the routing table.
    Expel {
        /// Proof for `dht.query`.
        permit: Permit,
        /// Who.
        peer: PeerId,
    },
    /// Starts a query.
    Query {
        /// Proof for the query's action.
        permit: Permit,
        /// The caller's number for it.
        number: u64,
        /// What is asked.
        ask: routing::Ask,
        /// Answered when the query is complete.
        reply: Reply<routing::Found>,
    },
    /// Ends a query.
    Cancel {
        /// Proof for `dht.query`.
        permit: Permit,
        /// The caller's number for it.
        number: u64,
    },
    /// Accepts a record or provider that a peer offered.
    Store {
        /// Proof for `dht.put` or `dht.provide`, on behalf of the offering peer.
        permit: Permit,
        /// What was offered.
        offer: super::work::Offer,
    },
}

/// Commands about gossip.
#[derive(Debug)]
pub enum PubsubCommand {
    /// Joins a topic.
    Subscribe {
        /// Proof for `topic.subscribe`.
        permit: Permit,
        /// Which.
        topic: String,
        /// Answered at once.
        reply: Reply<()>,
    },
    /// Leaves a topic.
    Unsubscribe {
        /// Proof for `topic.subscribe`.
        permit: Permit,
        /// Which.
        topic: String,
    },
    /// Publishes a signed message.
    Publish {
        /// Proof for `topic.publish`.
        permit: Permit,
        /// Where.
        topic: String,
        /// What.
        data: Vec<u8>,
        /// Answered with the sequence number under which it was signed.
        reply: Reply<u64>,
    },
    /// Says what becomes of a message that arrived.
    Judge {
        /// Proof for `topic.relay`.
        permit: Permit,
        /// The wire id of the message.
        id: Vec<u8>,
        /// Who forwarded it.
        forwarder: PeerId,
        /// The verdict.
        acceptance: Acceptance,
    },
}

/// Commands for the gate.
#[derive(Debug)]
pub enum GateCommand {
    /// Keeps a peer out for a while and closes its connections.
    Quarantine {
        /// Proof for `admin.write`.
        permit: Permit,
        /// Whom.
        peer: PeerId,
        /// For how long, in ms.
        for_ms: u64,
    },
}

/// Commands about grants.
#[derive(Debug)]
pub enum AuthCommand {
    /// Tells the machine something from outside the swarm.
    Tell {
        /// Proof for `admin.write`.
        permit: Permit,
        /// What.
        told: Box<super::auth::Told>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every command carries a permit. A new variant without one does not fit here.
    fn permit(command: NetCommand) -> Permit {
        match command {
            NetCommand::Transport(command) => match command {
                TransportCommand::Listen { permit, .. }
                | TransportCommand::Release { permit, .. }
                | TransportCommand::Dial { permit, .. }
                | TransportCommand::HangUp { permit, .. }
                | TransportCommand::Ping { permit, .. } => permit,
            },
            NetCommand::Routing(command) => match command {
                RoutingCommand::Admit { permit, .. }
                | RoutingCommand::Expel { permit, .. }
                | RoutingCommand::Query { permit, .. }
                | RoutingCommand::Cancel { permit, .. }
                | RoutingCommand::Store { permit, .. } => permit,
            },
            NetCommand::Pubsub(command) => match command {
                PubsubCommand::Subscribe { permit, .. }
                | PubsubCommand::Unsubscribe { permit, .. }
                | PubsubCommand::Publish { permit, .. }
                | PubsubCommand::Judge { permit, .. } => permit,
            },
            NetCommand::Gate(GateCommand::Quarantine { permit, .. }) => permit,
            NetCommand::Auth(AuthCommand::Tell { permit, .. }) => permit,
        }
    }

    #[test]
    fn a_permit_for_one_action_does_not_serve_another() {
        use crate::policy::{Action, Held, PolicySet, Question, Resource, Subject};
        let verdict = PolicySet::open().authorize(&Question {
            subject: &Subject::Local,
            action: Action::TopicSubscribe,
            resource: &Resource::Topic("t".to_owned()),
            held: &Held::default(),
            now_ms: 0,
        });
        let (reply, _answer) = oneshot::channel();
        let command = NetCommand::Pubsub(PubsubCommand::Publish {
            permit: verdict.permit().expect("open"),
            topic: "t".to_owned(),
            data: Vec::new(),
            reply,
        });
        let on = Resource::Topic("t".to_owned());
        assert!(permit(command).redeem(Action::TopicPublish, &on).is_err());
    }
}

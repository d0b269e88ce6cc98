//! Doing each thing that can be done over a connection, and seeing whether it happened.
//! Invariant: an answer is what the node did, never what it says that it would do.
//! Not here: what has no operation yet (`judged`), expectations (`matrix.tsv`).

use std::time::Instant;

use libp2p::kad::{Quorum, Record, RecordKey};
use libp2p::multiaddr::Protocol;
use libp2p::{Multiaddr, PeerId};
use peerloom_node::admin::NodeApi as _;
use peerloom_shared::net::{KAD_PROTOCOL, NetHandle};
use peerloom_shared::policy::{Action, Class};
use peerloom_shared::routing::{Ask, Found};
use peerloom_shared::wire::{Post, PostKind};
use peerloom_tests::PATIENCE;

use crate::inside::{Inside, eventually, unix_ms};

use super::asker::{Asker, End, Make};
use super::kinds::{ROOM, TOPIC};

/// What a node offers to whom it lets in, one of each gated protocol.
const PROTOCOLS: [&str; 3] = ["/meshsub/1.1.0", KAD_PROTOCOL, "/libp2p/circuit/relay/0.2.0/hop"];
/// What everybody may open.
const PING: &str = "/ipfs/ping/1.0.0";
/// A record that the node holds.
const HELD: &[u8] = b"a record of the node";

/// The node that is asked, and a member who helps: it carries what others write, is the far end of
/// circuits, and writes what others carry.
pub(crate) struct World {
    pub(crate) node: Inside,
    pub(crate) net: NetHandle,
    pub(crate) id: PeerId,
    pub(crate) helper: Asker,
    pub(crate) helped_by: Make,
    helper_at: Multiaddr,
}

/// What came of everything that one asker tried.
pub(crate) type Outcome = Vec<(Action, bool)>;

fn post(text: &str) -> Vec<u8> {
    let (counter, created_ms) = (unix_ms(), unix_ms());
    let (kind, body, reply_to) = (PostKind::Text, text.as_bytes().to_vec(), Vec::new());
    Post { counter, created_ms, kind, body, reply_to }.encode()
}

impl World {
    /// The node is up; the helper comes in.
    pub(crate) async fn new(node: Inside, helped_by: Make) -> Self {
        let group = node.handle.lives().borrow().clone().expect("it lives");
        let (net, id) = (group.net.clone(), node.handle.id());
        let helper = Asker::start(&helped_by);
        let helper_at = helper.address().await;
        let world = Self { node, net, id, helper, helped_by, helper_at };
        world.introduce(&world.helper, Class::Native).await;
        world.helper.subscribe(TOPIC).await;
        world.helper.connect(&world.at(Class::Native), id).await.expect("a member");
        assert!(world.helper.listen(world.slot(Class::Native)).await);
        let slot = || world.helper.seen(|seen| seen.slot);
        assert_eq!(eventually("the helper's place at the relay", slot).await, End::Done);
        // From now on it passes on to the node what others write.
        eventually("the helper follows the room", || world.follows(world.helper.id)).await;
        world.is_in_the_mesh_of_the_helper().await;
        drop(world.node.handle.look_up(Ask::Put { key: HELD.to_vec(), value: vec![1] }).await);
        world
    }

    async fn is_in_the_mesh_of_the_helper(&self) {
        let (id, end) = (self.id, Instant::now() + PATIENCE);
        let meshed = move |swarm: &mut libp2p::Swarm<super::asker::Bare>| {
            let topic = libp2p::gossipsub::IdentTopic::new(TOPIC).hash();
            swarm.behaviour().gossip.mesh_peers(&topic).any(|peer| *peer == id)
        };
        while !self.helper.tell(meshed).await {
            assert!(Instant::now() < end, "the helper never passes anything on");
            tokio::task::yield_now().await;
        }
    }

    /// Where a peer of this class reaches the node: pages speak WebSocket.
    pub(crate) fn at(&self, class: Class) -> Multiaddr {
        let part = if class == Class::Browser { "/ws" } else { "/quic-v1" };
        let found = self.node.started.listen.iter().find(|at| at.contains(part));
        found.expect("it listens there").parse().expect("an address")
    }

    fn slot(&self, class: Class) -> Multiaddr {
        self.at(class).with(Protocol::P2pCircuit)
    }

    fn follows(&self, peer: PeerId) -> Option<()> {
        let state = self.net.state();
        state.topics.get(TOPIC).is_some_and(|all| all.contains(&peer)).then_some(())
    }

    /// How often the node has said no to this so far.
    fn denied(&self, action: Action) -> u64 {
        let each = self.net.judge().decisions().each();
        each.filter(|(known, ..)| *known == action).map(|(_, _, no)| no).sum()
    }

    /// Shows the grants and leaves: a stock peer asks for gossip once a connection, at its beginning, so
    /// it must be known by then.
    pub(crate) async fn introduce(&self, asker: &Asker, class: Class) {
        let at = self.at(class);
        asker.connect(&at, self.id).await;
        let id = self.id;
        asker.tell(move |swarm| swarm.disconnect_peer_id(id).is_ok()).await;
        let gone = || (!asker.is_connected(self.id)).then_some(());
        eventually("it has left", gone).await;
        let gone = || (!self.net.state().is_connected(&asker.id)).then_some(());
        eventually("the node sees that", gone).await;
    }

    /// Tries everything on one connection, and the rest on others.
    pub(crate) async fn try_all(&self, make: &Make, name: &str, welcome: bool) -> Outcome {
        let speaks = self.opens(make, name).await;
        let mut outcome = vec![(Action::ProtocolOpen, speaks)];
        let asker = Asker::start(make);
        let heard = asker.connect(&self.at(make.class), self.id).await.is_some();
        assert_eq!(heard, welcome, "{name}: it is heard");
        outcome.push((Action::TopicSubscribe, self.subscribes(&asker, name, speaks).await));
        let (slot, circuit, put, provide, query) = tokio::join!(
            self.reserves(&asker, make.class),
            self.calls(&asker, make.class),
            self.puts(&asker, name),
            self.provides(&asker, make.class, name, speaks),
            self.asks(&asker),
        );
        outcome.extend([
            (Action::RelayReserve, slot),
            (Action::RelayCircuit, circuit),
            (Action::DhtPut, put),
            (Action::DhtProvide, provide),
            (Action::DhtQuery, query),
        ]);
        // What did not happen did not happen on a connection that stood.
        assert_eq!(asker.is_connected(self.id), welcome, "{name}: it is still there");
        drop(asker);
        outcome.push((Action::TopicRelay, self.carries(make, name, speaks).await));
        outcome.push((Action::TopicPublish, self.writes(make, name).await));
        outcome.push((Action::ConnectOut, self.is_dialled(make, name).await));
        outcome
    }

    /// On a connection of its own: a bare stream of gossip takes the place of gossip's own.
    async fn opens(&self, make: &Make, name: &str) -> bool {
        let asker = Asker::start(make);
        self.introduce(&asker, make.class).await;
        asker.connect(&self.at(make.class), self.id).await;
        let mut opened = Vec::new();
        for protocol in PROTOCOLS {
            opened.push(asker.opens(self.id, protocol).await);
        }
        assert!(opened.iter().all(|one| *one == opened[0]), "{name}: {opened:?}");
        opened[0]
    }

    /// Whether what is said in the room reaches it.
    async fn subscribes(&self, asker: &Asker, name: &str, speaks: bool) -> bool {
        let before = self.denied(Action::TopicSubscribe);
        asker.subscribe(TOPIC).await;
        let accepted = speaks && {
            let judged = || {
                let denied = self.denied(Action::TopicSubscribe) > before;
                self.follows(asker.id).map(|()| true).or_else(|| denied.then_some(false))
            };
            eventually("the subscription is judged", judged).await
        };
        let said = format!("heard by {name}?");
        self.node.handle.say(ROOM, said.clone()).await.expect("the helper listens");
        let hears = |who: &Asker| {
            who.seen(|seen| seen.heard.iter().any(|data| data.ends_with(said.as_bytes())))
        };
        eventually("the helper hears it", || hears(&self.helper).then_some(())).await;
        if accepted {
            eventually("it hears it", || hears(asker).then_some(())).await;
        }
        // A round trip later.
        asker.opens(self.id, PING).await;
        assert_eq!(hears(asker), accepted, "{name}: it hears what it follows");
        accepted
    }

    async fn reserves(&self, asker: &Asker, class: Class) -> bool {
        asker.listen(self.slot(class)).await
            && eventually("an answer of the relay", || asker.seen(|seen| seen.slot)).await
                == End::Done
    }

    async fn calls(&self, asker: &Asker, class: Class) -> bool {
        asker.dial(&self.slot(class).with(Protocol::P2p(self.helper.id))).await.is_some()
    }

    async fn puts(&self, asker: &Asker, name: &str) -> bool {
        let (key, id) = (format!("put by {name}").into_bytes(), self.id);
        let record = Record::new(key.clone(), b"value".to_vec());
        let before = self.denied(Action::DhtPut);
        let put = move |kad: &mut libp2p::kad::Behaviour<_>| {
            kad.put_record_to(record, std::iter::once(id), Quorum::One)
        };
        let end = asker.query(put).await;
        let wanted = Ask::Get(key);
        self.is_stored(end, (Action::DhtPut, before), &wanted, |found| {
            matches!(found, Found::Value { .. })
        })
        .await
    }

    async fn provides(&self, asker: &Asker, class: Class, name: &str, speaks: bool) -> bool {
        let (key, id, at) = (format!("provided by {name}").into_bytes(), self.id, self.at(class));
        let (record, before) = (RecordKey::new(&key), self.denied(Action::DhtProvide));
        let provide = move |kad: &mut libp2p::kad::Behaviour<_>| {
            kad.add_address(&id, at);
            kad.start_providing(record).expect("room for it")
        };
        asker.query(provide).await;
        // The announcement is never answered; whoever may not open the protocol cannot make it.
        let end = if speaks { End::Done } else { End::Failed };
        let (wanted, provider) = (Ask::FindProviders(key), asker.id);
        self.is_stored(
            end,
            (Action::DhtProvide, before),
            &wanted,
            |found| matches!(found, Found::Providers(all) if all.contains(&provider)),
        )
        .await
    }

    /// Waits until the node has kept something or has refused to; at once where it was never asked.
    async fn is_stored(
        &self,
        end: End,
        (action, before): (Action, u64),
        wanted: &Ask,
        fits: impl Fn(&Found) -> bool,
    ) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.node.handle.look_up(wanted.clone()).await;
            if found.is_ok_and(|found| fits(&found)) {
                return true;
            }
            if end == End::Failed || self.denied(action) > before {
                return false;
            }
            assert!(Instant::now() < deadline, "{action}: neither kept nor refused");
            tokio::task::yield_now().await;
        }
    }

    async fn asks(&self, asker: &Asker) -> bool {
        asker.query(|kad| kad.get_record(RecordKey::new(&HELD))).await == End::Done
    }

    async fn texts(&self) -> Vec<String> {
        let messages = self.node.handle.messages(ROOM.to_owned(), 500).await.expect("a room");
        messages.into_iter().map(|message| message.text).collect()
    }

    /// Waits until a message is shown, or refused.
    async fn is_shown(&self, text: &str, action: Action, before: u64) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if self.texts().await.iter().any(|known| known == text) {
                return true;
            }
            if self.denied(action) > before {
                return false;
            }
            assert!(Instant::now() < deadline, "{action}: `{text}` is neither shown nor refused");
            tokio::task::yield_now().await;
        }
    }

    /// Whether the node takes from it what the helper wrote.
    async fn carries(&self, make: &Make, name: &str, speaks: bool) -> bool {
        let author = self.helped_by.key.clone();
        let asker = Asker::start(&Make { author, ..make.clone() });
        asker.connect(&self.at(make.class), self.id).await;
        if speaks {
            asker.meets(self.id, TOPIC).await;
        }
        let (text, before) = (format!("carried by {name}"), self.denied(Action::TopicRelay));
        let sent = asker.publish(TOPIC, post(&text)).await;
        let shown = sent && self.is_shown(&text, Action::TopicRelay, before).await;
        assert_eq!(shown, self.texts().await.contains(&text));
        shown
    }

    /// Whether the node takes from the helper what it wrote.
    async fn writes(&self, make: &Make, name: &str) -> bool {
        let asker = Asker::start(make);
        asker.connect(&self.helper_at, self.helper.id).await.expect("the helper lets everybody in");
        asker.meets(self.helper.id, TOPIC).await;
        let (text, before) = (format!("written by {name}"), self.denied(Action::TopicPublish));
        assert!(asker.publish(TOPIC, post(&text)).await, "{name}: the helper listens");
        self.is_shown(&text, Action::TopicPublish, before).await
    }

    /// Whether the node itself connects to it.
    async fn is_dialled(&self, make: &Make, name: &str) -> bool {
        let asker = Asker::start(make);
        let at = asker.address().await.with(Protocol::P2p(asker.id));
        let dialled = self.net.dial(Some(asker.id), vec![at], true).await.is_ok();
        if dialled {
            let known = || asker.is_connected(self.id).then_some(());
            eventually("it is called", known).await;
        }
        assert_eq!(asker.is_connected(self.id), dialled, "{name}");
        dialled
    }

    /// Whether it may stay for longer than strangers may.
    pub(crate) async fn stays(&self, make: &Make) -> bool {
        let asker = Asker::start(make);
        asker.connect(&self.at(make.class), self.id).await;
        let over = peerloom_shared::limits::PROBATION_MS + 1_500;
        let gone = async {
            while asker.is_connected(self.id) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(std::time::Duration::from_millis(over), gone).await.is_err()
    }
}

//! Floods and panics, with the actors inside the test.
//! Invariant: a flood costs its callers, not the node; a panic costs its peer, not the others.
//! Not here: the machines behind the actors.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix::{Actor, ActorFutureExt as _, Context, Handler, Message, ResponseActFuture, WrapFuture as _};
use peerloom_node::actor::{Ask, AskError, Handle};
use peerloom_node::error::NodeEnd;
use peerloom_node::{Node, NodeHandle, Options};
use peerloom_shared::limits::ASK_SLOTS_MAX;
use peerloom_shared::view::{Status, Transport};
use peerloom_tests::{NodeProcess, PATIENCE, Setup};
use tokio::sync::Semaphore;

use crate::inside::{alone, config, eventually, in_system, resident_bytes};

/// Bytes that a message of a flood carries, so that messages that wait can be seen in memory.
const LOAD: usize = 16 * 1024;
const ASKS: usize = 10_000;
const TASKS: usize = 100;
/// What a flood may cost.
const GROWTH_MAX: u64 = 20 * 1024 * 1024;

/// How many messages exist inside an actor, waiting or worked on.
#[derive(Clone, Default)]
struct Inside {
    now: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

#[derive(Message)]
#[rtype(result = "usize")]
struct Load {
    bytes: Vec<u8>,
}

/// Works on one message at a time, as long as the gate lets nobody through.
struct Slow {
    gate: Arc<Semaphore>,
    inside: Inside,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Slow {
    fn work(&self, bytes: Vec<u8>) -> ResponseActFuture<Self, usize> {
        self.inside.most.fetch_max(self.inside.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let gate = Arc::clone(&self.gate);
        let step = async move { gate.acquire().await.map(|permit| permit.forget()).is_ok() };
        Box::pin(step.into_actor(self).map(move |_, actor, _| {
            actor.inside.now.fetch_sub(1, Ordering::SeqCst);
            bytes.len()
        }))
    }
}

impl Handler<Ask<Load>> for Slow {
    type Result = ResponseActFuture<Self, usize>;

    fn handle(&mut self, Ask { message, slot }: Ask<Load>, _: &mut Context<Self>) -> Self::Result {
        Box::pin(self.work(message.bytes).map(move |answer, _, _| {
            drop(slot);
            answer
        }))
    }
}

impl Handler<Load> for Slow {
    type Result = ResponseActFuture<Self, usize>;

    fn handle(&mut self, Load { bytes }: Load, _: &mut Context<Self>) -> Self::Result {
        self.work(bytes)
    }
}

fn load() -> Load {
    Load { bytes: vec![7; LOAD] }
}

#[test]
fn a_flood_of_asks_is_answered_busy_and_costs_no_memory() {
    alone("actors::a_flood_of_asks_is_answered_busy_and_costs_no_memory", || {
        in_system(async {
            let (gate, inside) = (Arc::new(Semaphore::new(0)), Inside::default());
            let slow = Slow { gate: Arc::clone(&gate), inside: inside.clone() }.start();
            let handle = Handle::new(slow);
            let before = resident_bytes();
            let slots = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (handle, slots) = (handle.clone(), Arc::clone(&slots));
                    peerloom_node::root::spawn(async move {
                        let (mut answered, mut busy) = (0, 0);
                        for _ in 0..ASKS / TASKS {
                            slots.fetch_max(handle.slots_used(), Ordering::SeqCst);
                            match handle.ask_within(load(), PATIENCE).await {
                                Ok(LOAD) => answered += 1,
                                Err(AskError::Busy) => busy += 1,
                                other => panic!("{other:?}"),
                            }
                        }
                        (answered, busy)
                    })
                })
                .collect();
            // Nobody is let through before all slots are taken and most callers were sent away.
            eventually("all slots are taken", || (handle.slots_used() == ASK_SLOTS_MAX).then_some(()))
                .await;
            let grown = resident_bytes().saturating_sub(before);
            gate.add_permits(ASKS);
            let (mut answered, mut busy) = (0, 0);
            for task in tasks {
                let (more, sent_away) = task.await.expect("no panic");
                answered += more;
                busy += sent_away;
            }
            let grown = grown.max(resident_bytes().saturating_sub(before));
            println!("{answered} answered, {busy} busy, {} KiB more", grown / 1024);
            assert_eq!(answered + busy, ASKS, "every caller hears something");
            assert!(answered >= ASK_SLOTS_MAX && busy > ASKS / 10, "{answered} {busy}");
            assert!(inside.most.load(Ordering::SeqCst) <= ASK_SLOTS_MAX);
            assert!(slots.load(Ordering::SeqCst) <= ASK_SLOTS_MAX);
            assert_eq!(handle.slots_used(), 0, "every slot came back");
            assert!(grown < GROWTH_MAX, "{} MiB", grown / 1024 / 1024);
        });
    });
}

/// What the slots are for: the mailbox takes a message of every sender, whatever its capacity.
#[test]
fn without_slots_a_mailbox_bounds_nothing() {
    alone("actors::without_slots_a_mailbox_bounds_nothing", || {
        in_system(async {
            let (gate, inside) = (Arc::new(Semaphore::new(0)), Inside::default());
            let slow = Slow { gate, inside }.start();
            let before = resident_bytes();
            // Nothing is awaited in between, so the actor gets no turn to empty its mailbox.
            let senders: Vec<_> = (0..ASKS).map(|_| slow.clone()).collect();
            let accepted = senders.iter().filter(|one| one.try_send(load()).is_ok()).count();
            let grown = resident_bytes().saturating_sub(before);
            println!("{accepted} accepted, {} MiB more", grown / 1024 / 1024);
            assert_eq!(accepted, ASKS, "a mailbox for 16 took them all");
            assert!(grown > GROWTH_MAX, "{} MiB", grown / 1024 / 1024);
        });
    });
}

#[test]
fn a_flood_of_messages_to_a_node_is_answered_busy() {
    alone("actors::a_flood_of_messages_to_a_node_is_answered_busy", || {
        in_system(async {
            let (folder, config) = config();
            let node = Node::start(config).await.expect("starts");
            let handle = node.handle().clone();
            handle.join_room("lobby", None).await.expect("joins");
            let text = "x".repeat(4_000);
            let before = resident_bytes();
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (handle, text) = (handle.clone(), text.clone());
                    peerloom_node::root::spawn(async move {
                        let mut heard = std::collections::BTreeMap::<String, usize>::new();
                        for _ in 0..ASKS / TASKS {
                            let said = handle.say("lobby", text.clone()).await;
                            let code = said.map_or_else(|e| e.id().to_owned(), |m| m.author);
                            *heard.entry(code).or_default() += 1;
                        }
                        heard
                    })
                })
                .collect();
            let mut heard = std::collections::BTreeMap::<String, usize>::new();
            for task in tasks {
                for (code, count) in task.await.expect("no panic") {
                    *heard.entry(code).or_default() += count;
                }
            }
            let grown = resident_bytes().saturating_sub(before);
            println!("{heard:?}, {} KiB more", grown / 1024);
            assert_eq!(heard.values().sum::<usize>(), ASKS, "every caller hears something");
            assert!(heard["NODE-001"] > 0, "the slots were full: {heard:?}");
            let known = ["NODE-001", "ROOM-003", "ROOM-007"];
            assert!(heard.keys().all(|code| known.contains(&code.as_str())), "{heard:?}");
            assert!(grown < GROWTH_MAX, "{} MiB", grown / 1024 / 1024);
            // And the node is as it was.
            handle.leave_room("lobby").await.expect("answers");
            node.stop().await;
            drop(folder);
        });
    });
}

/// A node in this process that breaks on a marked text, and how often it did.
async fn fragile() -> (tempfile::TempDir, Node, Arc<AtomicU64>) {
    let (folder, config) = config();
    let broken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&broken);
    let inspect = move |arrival: &peerloom_shared::pubsub::Arrival| {
        if arrival.data.windows(4).any(|part| part == b"BOOM") {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("the marked message");
        }
    };
    let options = Options { inspect: Some(Arc::new(inspect)) };
    let node = Node::start_with(config, options).await.expect("starts");
    node.handle().join_room("lobby", None).await.expect("joins");
    (folder, node, broken)
}

async fn picture<T>(node: &NodeHandle, what: &str, mut look: impl FnMut(&Status) -> Option<T>) -> T {
    // Between two lives there is no picture.
    eventually(what, || node.picture().ok().and_then(|status| look(&status))).await
}

async fn linked(node: &NodeHandle, peer: &NodeProcess) {
    picture(node, "the peer is connected", |status| {
        status.peers.iter().any(|known| known.id == peer.id()).then_some(())
    })
    .await;
}

/// A process in the lobby that keeps a link to the node, and to nobody else.
fn neighbour(node: &Node) -> NodeProcess {
    let started = node.started();
    Setup::new()
        .rules(&format!("[allow]\npeers = [\"{}\"]\n", started.id))
        .bootstrap(&started.listen[0])
        .room("lobby")
        .start()
}

/// Follows what the node tells its readers.
fn hears(node: &Node) -> peerloom_node::admin::EventReader {
    peerloom_node::admin::NodeApi::events(node.handle()).read(None)
}

#[test]
fn a_panic_costs_its_peer_and_nobody_else() {
    alone("actors::a_panic_costs_its_peer_and_nobody_else", || {
        in_system(async {
            let (_folder, node, broken) = fragile().await;
            let handle = node.handle().clone();
            let (bad, good) = (neighbour(&node), neighbour(&node));
            linked(&handle, &bad).await;
            linked(&handle, &good).await;
            let mut lives = handle.lives();
            lives.mark_unchanged();
            bad.say("lobby", "BOOM");
            tokio::time::timeout(PATIENCE, lives.changed()).await.expect("in time").expect("lives");
            assert_eq!(broken.load(Ordering::SeqCst), 1);

            // The room is rejoined without anybody asking, and the good one goes on.
            picture(&handle, "the room again", |status| {
                status.rooms.iter().any(|room| room.name == "lobby").then_some(())
            })
            .await;
            linked(&handle, &good).await;
            let heard = good.events();
            eventually("a message out", || None::<()>.or_else(|| Some(()))).await;
            say(&handle, "still here").await;
            heard.message("still here");
            good.say("lobby", "so am I");
            eventually("a message in", || {
                let got = futures::FutureExt::now_or_never(peerloom_node::admin::NodeApi::messages(
                    &handle,
                    "lobby".to_owned(),
                    500,
                ))?;
                got.ok()?.iter().any(|message| message.text == "so am I").then_some(())
            })
            .await;

            // The bad one keeps trying, for it has a link to us, and stays out.
            let refused = || metric(&handle, "peerloom_admission_refused");
            let before = refused();
            eventually("another refusal", || (refused() > before).then_some(())).await;
            let status = handle.picture().expect("a picture");
            assert!(status.peers.iter().all(|peer| peer.id != bad.id()), "{:?}", status.peers);

            // The admin server never went away.
            let page = node.started().page.clone();
            let alive = peerloom_node::root::spawn_blocking_get(&page, "livez");
            drop(alive);
            assert_eq!(metric(&handle, "peerloom_actor_restarts"), 1.0);
            node.stop().await;
        });
    });
}

async fn say(node: &NodeHandle, text: &str) {
    let end = Instant::now() + PATIENCE;
    while let Err(failure) = node.say("lobby", text.to_owned()).await {
        assert!(failure.retryable() && Instant::now() < end, "{failure:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn metric(node: &NodeHandle, name: &str) -> f64 {
    let text = peerloom_node::admin::NodeApi::metrics_text(node);
    let lines = text.lines().filter(|line| line.starts_with(name));
    lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
}

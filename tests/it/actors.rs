//! Floods and panics, with the actors inside the test.
//! Invariant: a flood costs its callers, not the node; a panic costs its peer, not the others.
//! Not here: the machines behind the actors.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use actix::{
    Actor, ActorFutureExt as _, Context, Handler, Message, ResponseActFuture, WrapFuture as _,
};
use peerloom_node::Options;
use peerloom_node::actor::{Ask, AskError, Handle};
use peerloom_node::error::NodeEnd;
use peerloom_node::root::spawn;
use peerloom_shared::limits::{ASK_SLOTS_MAX, LINK_STABLE_MS, RESTARTS_MAX};
use peerloom_shared::pubsub::Arrival;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};
use tokio::sync::Semaphore;

use crate::inside::{Inside, alone, eventually, in_system, resident_bytes, unix_ms};

/// Bytes that a message of a flood carries, so that messages that wait can be seen in memory.
const LOAD: usize = 16 * 1024;
const ASKS: usize = 10_000;
const TASKS: usize = 100;
/// What a flood may cost.
const GROWTH_MAX: u64 = 20 * 1024 * 1024;

/// How many messages exist inside an actor, waiting or worked on.
#[derive(Clone, Default)]
struct Held {
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
    held: Held,
}

impl Actor for Slow {
    type Context = Context<Self>;
}

impl Slow {
    fn work(&self, bytes: Vec<u8>) -> ResponseActFuture<Self, usize> {
        self.held
            .most
            .fetch_max(self.held.now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let gate = Arc::clone(&self.gate);
        let step = async move { gate.acquire().await.map(|permit| permit.forget()).is_ok() };
        Box::pin(step.into_actor(self).map(move |_, actor, _| {
            actor.held.now.fetch_sub(1, Ordering::SeqCst);
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
            let (gate, held) = (Arc::new(Semaphore::new(0)), Held::default());
            let slow = Slow { gate: Arc::clone(&gate), held: held.clone() }.start();
            let handle = Handle::new(slow);
            let before = resident_bytes();
            let slots = Arc::new(AtomicUsize::new(0));
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let (handle, slots) = (handle.clone(), Arc::clone(&slots));
                    spawn(async move {
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
            eventually("all slots are taken", || {
                (handle.slots_used() == ASK_SLOTS_MAX).then_some(())
            })
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
            assert!(held.most.load(Ordering::SeqCst) <= ASK_SLOTS_MAX);
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
            let (gate, held) = (Arc::new(Semaphore::new(0)), Held::default());
            let slow = Slow { gate, held }.start();
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
        let node = Inside::start(Options::default());
        node.join("lobby");
        let before = resident_bytes();
        let heard = node.wait(async {
            let tasks: Vec<_> = (0..TASKS)
                .map(|_| {
                    let handle = node.handle.clone();
                    spawn(async move {
                        let mut heard = Vec::new();
                        for _ in 0..ASKS / TASKS {
                            let said = handle.say("lobby", "x".repeat(4_000)).await;
                            heard.push(
                                said.map_or_else(|failure| failure.id().to_owned(), |m| m.id),
                            );
                        }
                        heard
                    })
                })
                .collect();
            let mut heard = BTreeMap::<String, usize>::new();
            for task in tasks {
                for code in task.await.expect("no panic") {
                    *heard.entry(code).or_default() += 1;
                }
            }
            heard
        });
        let grown = resident_bytes().saturating_sub(before);
        println!("{heard:?}, {} KiB more", grown / 1024);
        assert_eq!(heard.values().sum::<usize>(), ASKS, "every caller hears something");
        assert!(heard.get("NODE-001").is_some_and(|busy| *busy > 0), "{heard:?}");
        // Busy, nobody there, or more than we may say.
        let known = ["NODE-001", "ROOM-003", "ROOM-007"];
        assert!(heard.keys().all(|code| known.contains(&code.as_str())), "{heard:?}");
        assert!(grown < GROWTH_MAX, "{} MiB", grown / 1024 / 1024);
        assert_eq!(node.metric("peerloom_actor_restarts"), 0.0);
        assert_eq!(node.metric("peerloom_actor_slots_used"), 0.0, "every slot came back");
    });
}

/// A node that breaks on a marked text, and how often it did.
fn fragile() -> (Inside, Arc<AtomicU64>) {
    let broken = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&broken);
    let inspect = move |arrival: &Arrival| {
        if arrival.data.windows(4).any(|part| part == b"BOOM") {
            count.fetch_add(1, Ordering::SeqCst);
            panic!("a marked message");
        }
    };
    let node = Inside::start(Options { inspect: Some(Arc::new(inspect)) });
    node.join("lobby");
    (node, broken)
}

/// A process in the lobby that keeps a link to the node.
fn neighbour(node: &Inside) -> Setup {
    Setup::new().bootstrap(&node.started.listen[0]).room("lobby")
}

/// The same, connected to nobody else.
fn lonely(node: &Inside) -> NodeProcess {
    let up =
        neighbour(node).rules(&format!("[allow]\npeers = [\"{}\"]\n", node.started.id)).start();
    node.wait_peer(up.id());
    up
}

/// Lets the node break, and waits until it lives again.
fn breaks(node: &Inside, by: impl FnOnce()) {
    let lives = node.handle.lives();
    let before = lives.borrow().clone().expect("alive");
    by();
    wait_until(PATIENCE, "a new life", || {
        let now = lives.borrow().clone()?;
        (!Arc::ptr_eq(&before, &now)).then_some(())
    });
}

/// Asks the admin server again and again, until told to stop; how often, and how often in vain.
fn watch_admin(page: &str) -> impl FnOnce() -> (usize, usize) + use<> {
    let url = format!("{page}livez");
    let stop = Arc::new(AtomicBool::new(false));
    let stopped = Arc::clone(&stop);
    let looking = std::thread::spawn(move || {
        let (mut asked, mut failed) = (0, 0);
        while !stopped.load(Ordering::SeqCst) {
            asked += 1;
            failed += usize::from(ureq::get(&url).call().is_err());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        (asked, failed)
    });
    move || {
        stop.store(true, Ordering::SeqCst);
        looking.join().expect("no panic")
    }
}

#[test]
fn a_panic_costs_its_peer_and_nobody_else() {
    alone("actors::a_panic_costs_its_peer_and_nobody_else", || {
        let (node, broken) = fragile();
        let (bad, good) = (lonely(&node), lonely(&node));
        let admin = watch_admin(&node.started.page);
        let hears = good.events();
        breaks(&node, || drop(bad.say("lobby", "BOOM")));

        // Nobody asks for it: the room is joined again, and the good one goes on.
        node.picture("the room again", |status| {
            status.rooms.iter().any(|room| room.name == "lobby").then_some(())
        });
        node.wait_peer(good.id());
        node.say("lobby", "still here");
        hears.message("still here");
        good.say("lobby", "so am I");
        wait_until(PATIENCE, "a message in", || {
            (node.count("lobby", "so am I") == 1).then_some(())
        });

        // The bad one keeps a link to us, so it knocks again and again, in vain.
        let refused = || node.metric("peerloom_admission_refused");
        let before = refused();
        wait_until(PATIENCE, "two more refusals", || (refused() >= before + 2.0).then_some(()));
        let peers = node.handle.picture().expect("a picture").peers;
        assert!(peers.iter().all(|peer| peer.id != bad.id()), "{peers:?}");

        let (asked, failed) = admin();
        assert_eq!(failed, 0, "the admin server was there all the time ({asked} requests)");
        assert_eq!(node.metric("peerloom_actor_restarts"), 1.0);
        assert_eq!(broken.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn one_crafted_message_cannot_use_up_all_restarts() {
    alone("actors::one_crafted_message_cannot_use_up_all_restarts", || {
        let (node, broken) = fragile();
        // All connected with each other, so that the message comes by every neighbour in turn.
        let first = neighbour(&node).start();
        let others: Vec<_> = (0..4)
            .map(|_| {
                let address = first.address(peerloom_shared::view::Transport::Tcp);
                neighbour(&node).bootstrap(&address).start()
            })
            .collect();
        for peer in &others {
            node.wait_peer(peer.id());
            peer.wait_peer(first.id());
        }
        // A link that has held for a while is redialled at once when it breaks: the worst case.
        wait_until(PATIENCE, "links that have held for a while", || {
            let peers = node.handle.picture().ok()?.peers;
            let opened = peers.iter().flat_map(|peer| &peer.connections).map(|c| c.opened_ms);
            (opened.max()? + LINK_STABLE_MS < unix_ms()).then_some(())
        });
        breaks(&node, || drop(first.say("lobby", "BOOM")));
        // Their gossip remembers the message for five heartbeats and offers it to whoever comes back.
        let mut round = 0;
        wait_until(PATIENCE, "an honest neighbour is heard", || {
            assert!(!node.has_ended(), "gave up after {} panics", broken.load(Ordering::SeqCst));
            round += 1;
            for peer in &others {
                peer.say("lobby", &format!("good {round}"));
            }
            let messages = node.texts("lobby");
            messages.iter().any(|text| text.starts_with("good")).then_some(())
        });
        println!("{} panics", broken.load(Ordering::SeqCst));
        assert!(!node.has_ended());
    });
}

#[test]
fn three_panics_within_a_minute_end_the_node() {
    alone("actors::three_panics_within_a_minute_end_the_node", || {
        let (node, broken) = fragile();
        for number in 1..RESTARTS_MAX {
            let bad = lonely(&node);
            breaks(&node, || drop(bad.say("lobby", &format!("BOOM {number}"))));
            assert!(!node.has_ended());
        }
        let last = lonely(&node);
        last.say("lobby", "BOOM at last");
        assert_eq!(node.end(), NodeEnd::GaveUp);
        assert_eq!(broken.load(Ordering::SeqCst), RESTARTS_MAX as u64);
        assert!(ureq::get(&node.started.page).call().is_err(), "nothing listens any more");
    });
}

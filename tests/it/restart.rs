//! A node that is killed again and again while it is busy.
//! Invariant: its folder opens, it is who it was, and it finds its peers by its own book.
//! Not here: a clean stop (`clean_stop`), restarts of parts (`actors`).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use peerloom_node::paths::DataFiles;
use peerloom_node::store::Store;
use peerloom_shared::defence::book::BookEntry;
use peerloom_shared::view::Transport;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};

const TIMES: usize = 20;
/// With 40 messages a second each, the most that a node lets one author say, they make 200.
const AUTHORS: usize = 5;
const RATE: u32 = 40;
/// Messages that a life hears before it ends: half a second of them.
const HEARD: usize = 100;

/// Says something `RATE` times a second, whoever is there, until told to stop.
fn write_on(author: &NodeProcess, stop: &AtomicBool, said: &AtomicUsize) {
    let (began, mut number) = (Instant::now(), 0_u32);
    while !stop.load(Ordering::SeqCst) {
        let due = began + Duration::from_secs(1) * number / RATE;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
        if Instant::now() < due {
            continue;
        }
        number += 1;
        let text = format!("{} {number}", author.id());
        let body = serde_json::json!({ "room": "lobby", "text": text });
        // While the other side is dead there is nobody to hear it, and that is all that may go wrong.
        match author.post("/api/v1/rooms/send", body) {
            Ok(_) => drop(said.fetch_add(1, Ordering::SeqCst)),
            Err(refusal) => assert!(refusal.retryable, "{refusal:?}"),
        }
    }
}

/// The peers in the address book of a node that does not run.
fn book(node: &NodeProcess) -> Vec<String> {
    let store = Store::open(&DataFiles::of(node.data_dir()).store()).expect("the database opens");
    let rows = store.rows(peerloom_node::store::Shelf::Book).expect("the book is readable");
    let decoded = rows.iter().map(|(_, row)| BookEntry::decode(row).expect("an entry"));
    decoded.map(|entry| entry.peer.to_string()).collect()
}

#[test]
fn killed_twenty_times_under_load() {
    let mut node = Setup::new().room("lobby").start();
    let id = node.id().to_owned();
    let rules = format!("[allow]\npeers = [\"{id}\"]\n");
    let authors: Vec<_> =
        (0..AUTHORS).map(|_| Arc::new(Setup::new().rules(&rules).room("lobby").start())).collect();
    for author in &authors {
        node.connect(&author.address(Transport::Tcp)).expect("connects");
    }
    let key = std::fs::read(node.data_dir().join("identity.key")).expect("a key");
    let (stop, said) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let writers: Vec<_> = authors
        .iter()
        .map(|author| {
            let (author, stop, said) = (Arc::clone(author), Arc::clone(&stop), Arc::clone(&said));
            std::thread::spawn(move || write_on(&author, &stop, &said))
        })
        .collect();

    let (mut heard, mut lived) = (0, Duration::ZERO);
    for time in 1..=TIMES {
        // Every author is heard in this life, and it ends in the middle of their talk.
        let began = Instant::now();
        heard += wait_until(PATIENCE, "messages of all authors", || {
            let messages = node.messages("lobby");
            let heard_of =
                |author: &Arc<NodeProcess>| messages.iter().any(|m| m.author == author.id());
            (authors.iter().all(heard_of) && messages.len() >= HEARD).then_some(messages.len())
        });
        lived += began.elapsed();
        node.kill();
        let known = book(&node);
        for author in &authors {
            assert!(known.iter().any(|peer| peer == author.id()), "lost at time {time}: {known:?}");
        }
        // Without flags: the room is asked for again, the peers come from the book alone.
        node.restart_bare();
        assert_eq!(node.id(), id, "identity at time {time}");
        node.join("lobby");
        node.wait_status("all authors are back", |status| {
            authors
                .iter()
                .all(|author| status.peers.iter().any(|peer| peer.id == author.id()))
                .then_some(())
        });
    }
    stop.store(true, Ordering::SeqCst);
    for writer in writers {
        writer.join().expect("an author had nothing to complain of");
    }
    let said = said.load(Ordering::SeqCst);
    let rate = heard as f64 / lived.as_secs_f64();
    println!("{TIMES} kills; {said} messages said, {heard} heard in {lived:?}: {rate:.0} a second");
    assert_eq!(std::fs::read(node.data_dir().join("identity.key")).expect("a key"), key);
    let outbound = node
        .status()
        .peers
        .iter()
        .flat_map(|peer| peer.connections.clone())
        .any(|c| c.direction == peerloom_shared::view::Direction::Outbound);
    assert!(outbound, "its own book led it to some of them");
}

//! What a peer that keeps to no rule sends.
//! Invariant: nothing forged, unsigned or oversized goes further than the first node, and that lives on.
//! Not here: wrong input of people (`bad_input`).

use futures::{AsyncReadExt as _, AsyncWriteExt as _};
use libp2p::gossipsub::MessageAuthenticity;
use peerloom_shared::limits::{AUTHOR_BURST, AUTHOR_RATE_PER_S, POST_BODY_BYTES_MAX};
use peerloom_shared::view::Transport;
use peerloom_shared::wire::{Post, PostKind};
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};

use crate::inside::unix_ms;
use crate::raw::Raw;

const TOPIC: &str = "peerloom/open/lobby";

/// A post as a peer of ours would write it.
fn post(counter: u64, text: &str) -> Vec<u8> {
    Post {
        counter,
        created_ms: unix_ms(),
        kind: PostKind::Text,
        body: text.as_bytes().to_vec(),
        reply_to: Vec::new(),
    }
    .encode()
}

/// Two nodes in the lobby; raw peers connect to the first one.
fn pair() -> (NodeProcess, NodeProcess) {
    let first = Setup::new().room("lobby").start();
    let second = Setup::new().bootstrap(&first.address(Transport::Tcp)).room("lobby").start();
    let hears = second.events();
    first.say("lobby", "the mesh is there");
    hears.message("the mesh is there");
    (first, second)
}

/// What an honest raw peer says crosses both nodes: the way is open, and what came before it has passed.
fn the_way_is_open(first: &NodeProcess, second: &NodeProcess) {
    let honest = Raw::honest();
    let node = honest.connect(&first.address(Transport::Tcp));
    honest.meet(node, TOPIC);
    let hears = second.events();
    let text = format!("signed by {}", honest.id);
    honest.publish(TOPIC, post(1, &text)).expect("published");
    assert_eq!(hears.message(&text).author, honest.id.to_string());
    // And back: the node serves a foreign peer.
    second.say("lobby", "hello, stranger");
    honest.message("hello, stranger");
}

fn never_seen(nodes: [&NodeProcess; 2], text: &str) {
    for node in nodes {
        assert_eq!(node.count("lobby", text), 0, "`{text}` came through");
        assert_eq!(node.metric("peerloom_actor_restarts", ""), 0.0);
    }
}

#[test]
fn forged_and_unsigned_messages_go_nowhere() {
    let (first, second) = pair();
    let victim = second.peer();
    let forgers = [
        ("anonymous", Raw::start(|_| MessageAuthenticity::Anonymous)),
        ("random author", Raw::start(|_| MessageAuthenticity::RandomAuthor)),
        ("somebody else", Raw::start(move |_| MessageAuthenticity::Author(victim))),
    ];
    for (text, forger) in &forgers {
        let node = forger.connect(&first.address(Transport::Tcp));
        forger.meet(node, TOPIC);
        forger.publish(TOPIC, post(7, text)).expect("published");
        // The stream that carried it is read in order, so the answer to a ping on the same connection
        // does not prove much; the honest message below does.
        assert!(forger.is_connected(node));
    }
    the_way_is_open(&first, &second);
    for (text, _) in &forgers {
        never_seen([&first, &second], text);
    }
    // It is not the victim who pays for what was forged in its name.
    let hears = first.events();
    second.say("lobby", "still myself");
    hears.message("still myself");
}

#[test]
fn malformed_posts_go_nowhere() {
    let (first, second) = pair();
    let raw = Raw::honest();
    let node = raw.connect(&first.address(Transport::Tcp));
    raw.meet(node, TOPIC);
    let late = Post {
        counter: 1,
        created_ms: unix_ms() - 600_000,
        kind: PostKind::Text,
        body: b"from the past".to_vec(),
        reply_to: Vec::new(),
    };
    let long = "long ".repeat(POST_BODY_BYTES_MAX / 5 + 1);
    for data in
        [Vec::new(), b"no protobuf".to_vec(), vec![0xff; 1_000], late.encode(), post(2, &long)]
    {
        raw.publish(TOPIC, data).expect("published");
    }
    the_way_is_open(&first, &second);
    never_seen([&first, &second], "from the past");
    never_seen([&first, &second], &long);
    assert!(first.metric("peerloom_gossip_messages", "malformed") >= 3.0);
    assert_eq!(second.metric("peerloom_gossip_messages", "malformed"), 0.0, "not passed on");
}

#[test]
fn a_post_that_comes_twice_is_shown_once() {
    let (first, second) = pair();
    let raw = Raw::honest();
    let node = raw.connect(&first.address(Transport::Tcp));
    raw.meet(node, TOPIC);
    let hears = second.events();
    // Signed anew each time, so gossip takes them for different messages; the counter tells.
    for _ in 0..3 {
        raw.publish(TOPIC, post(5, "again")).expect("published");
    }
    hears.message("again");
    the_way_is_open(&first, &second);
    for node in [&first, &second] {
        assert_eq!(node.count("lobby", "again"), 1);
    }
    assert_eq!(first.metric("peerloom_gossip_messages", "replay"), 2.0);
}

#[test]
fn an_author_who_writes_too_much_is_thinned() {
    let (first, second) = pair();
    let raw = Raw::honest();
    let node = raw.connect(&first.address(Transport::Tcp));
    raw.meet(node, TOPIC);
    let began = std::time::Instant::now();
    let written = 4 * u64::from(AUTHOR_BURST);
    for number in 0..written {
        // Its own queue is bounded too.
        wait_until(PATIENCE, "a place in its queue", || {
            raw.publish(TOPIC, post(10 + number, &format!("flood {number}"))).ok()
        });
    }
    the_way_is_open(&first, &second);
    let most =
        u64::from(AUTHOR_BURST) + u64::from(AUTHOR_RATE_PER_S) * (began.elapsed().as_secs() + 1);
    let seen = |node: &NodeProcess| {
        node.messages("lobby").iter().filter(|message| message.text.starts_with("flood")).count()
            as u64
    };
    for node in [&first, &second] {
        let seen = seen(node);
        assert!(
            seen >= u64::from(AUTHOR_BURST) / 2 && seen <= most,
            "{seen} of {written}, {most} may"
        );
    }
    assert!(first.metric("peerloom_gossip_messages", "author_rate") > 0.0);
}

#[test]
fn oversized_messages_go_nowhere() {
    let (first, second) = pair();
    let raw = Raw::honest();
    let node = raw.connect(&first.address(Transport::Tcp));
    raw.meet(node, TOPIC);
    let big = "big ".repeat(100_000);
    raw.publish(TOPIC, post(3, &big)).expect("published");
    the_way_is_open(&first, &second);
    never_seen([&first, &second], &big);
}

#[test]
fn garbage_on_every_protocol_harms_nobody() {
    let (first, second) = pair();
    let raw = Raw::honest();
    let node = raw.connect(&first.address(Transport::Tcp));
    // A length of almost 2^63 as a varint, and then some of the promised bytes.
    let mut endless = vec![0xff; 8];
    endless.push(0x7f);
    endless.extend([b'x'; 70_000]);
    // A length that is allowed, and nothing that makes sense in it.
    let mut nonsense = vec![100];
    nonsense.extend([0xff; 100]);
    let mut opened = 0;
    for protocol in [
        "/meshsub/1.2.0",
        "/meshsub/1.1.0",
        "/floodsub/1.0.0",
        "/peerloom/kad/1",
        "/ipfs/id/1.0.0",
        "/ipfs/id/push/1.0.0",
        "/ipfs/ping/1.0.0",
        "/libp2p/circuit/relay/0.2.0/hop",
        "/libp2p/circuit/relay/0.2.0/stop",
        "/libp2p/dcutr",
        "/libp2p/autonat/2/dial-request",
    ] {
        for bytes in [&endless, &nonsense] {
            let Ok(mut stream) = raw.open(node, protocol) else { continue };
            opened += 1;
            let bytes = bytes.clone();
            raw.runtime.block_on(async move {
                // The node may end the stream whenever it has seen enough.
                drop(stream.write_all(&bytes).await);
                drop(stream.flush().await);
                drop(stream.close().await);
                let mut answer = [0; 1_024];
                let read = stream.read(&mut answer);
                drop(tokio::time::timeout(std::time::Duration::from_secs(1), read).await);
            });
        }
    }
    assert!(opened >= 12, "only {opened} streams were opened");
    the_way_is_open(&first, &second);
    never_seen([&first, &second], "x");
    // A peer that pings politely is still served.
    let refusal = first.post("/api/v1/ping", serde_json::json!({ "id": second.id() }));
    assert!(refusal.is_ok(), "{refusal:?}");
}

//! Invitations between running nodes: made, accepted, used up, taken back, passed on.
//! Invariant: whoever was not invited gets nothing; what is taken back is gone everywhere within seconds.
//! Not here: what grants mean (`admission`, unit tests of the ledger), pages (`browser`).

use std::time::{Duration, Instant};

use peerloom_shared::view::{Standing, Transport};
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};
use serde_json::{Value, json};

/// The longest that a removal may take to be known by a connected node, and to end connections.
const KNOWN: Duration = Duration::from_secs(5);
const DROPPED: Duration = Duration::from_secs(10);

fn founder() -> NodeProcess {
    Setup::new().arg("--policy", "closed").start()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

/// Makes an invitation; gives the link and the id.
fn invite(node: &NodeProcess, more: &[&str]) -> (String, String) {
    let args: Vec<&str> = ["invite", "create", "--json"].iter().chain(more).copied().collect();
    let made = node.cli(&args);
    let made = json(made.expect_success());
    assert_eq!(made["schema"], "peerloom/invite/1");
    (
        made["link"].as_str().expect("a link").to_owned(),
        made["id"].as_str().expect("an id").to_owned(),
    )
}

fn done(node: &NodeProcess, args: &[&str]) {
    let ran = node.cli(args);
    assert!(!ran.expect_success().is_empty(), "it says what was done");
}

fn join(node: &NodeProcess, link: &str) -> Value {
    let joined = node.cli_with(&["join", "-", "--json"], link);
    let joined = json(joined.expect_success());
    assert_eq!(joined["schema"], "peerloom/joined/1");
    joined
}

/// Whether two nodes are connected and deal with each other.
fn together(node: &NodeProcess, other: &NodeProcess) -> bool {
    let full = |one: &NodeProcess, two: &NodeProcess| {
        one.status().peers.iter().any(|peer| peer.id == two.id() && peer.standing == Standing::Full)
    };
    full(node, other) && full(other, node)
}

fn wait_together(node: &NodeProcess, other: &NodeProcess) {
    wait_until(PATIENCE, "both let each other in", || together(node, other).then_some(()));
}

fn grants(node: &NodeProcess) -> Value {
    let answer = node.cli(&["grant", "ls", "--json"]);
    json(answer.expect_success())
}

fn held(node: &NodeProcess) -> usize {
    grants(node)["held"].as_array().expect("a list").len()
}

#[test]
fn who_was_invited_takes_part_and_nobody_else_does() {
    let (founder, guest, stranger) = (founder(), Setup::new().start(), Setup::new().start());
    let (link, id) = invite(&founder, &[]);
    let joined = join(&guest, &link);
    assert_eq!(joined["through"], founder.id());
    assert_eq!(joined["grant"]["root"], founder.id());
    wait_together(&founder, &guest);
    founder.join("lobby");
    let hears = founder.events();
    guest.join("lobby");
    hears.member("lobby", guest.id(), true);
    guest.say("lobby", "hello from inside");
    hears.message("hello from inside");

    // The invitation is used up, and whoever tries is as before.
    let refused = stranger.cli(&["join", &link]);
    refused.expect_failure(5, "INV-009");
    assert!(refused.stderr.contains("used up"), "{}", refused.stderr);
    assert!(!stranger.data_dir().join("policy/network.toml").exists());
    assert_eq!(held(&stranger), 0);
    let ls = founder.cli(&["invite", "ls", "--json"]);
    let ls = json(ls.expect_success());
    assert_eq!(ls["invites"][0]["state"], "used up");
    assert_eq!(ls["invites"][0]["id"], id.as_str());

    // A stranger is not told of anybody, and has five seconds.
    stranger.join("lobby");
    let at = founder.address(Transport::Tcp);
    wait_until(PATIENCE, "the stranger comes in or is kept out", || {
        drop(stranger.connect(&at));
        let status = founder.status();
        status
            .peers
            .iter()
            .all(|peer| peer.id != stranger.id() || peer.standing == Standing::Stranger)
            .then_some(())
    });
    let room = stranger.room("lobby").expect("it is in its own room");
    assert!(room.members.is_empty(), "{room:?}");
    assert!(stranger.cli(&["dht", "find-peer", guest.id()]).code != Some(0));

    // It has the grant of a member by now, which outlasts the invitation.
    wait_until(PATIENCE, "the lasting grant", || {
        let held = grants(&guest)["held"].clone();
        let expires = held[0]["expiresMs"].as_u64().expect("a time");
        (held.as_array().map(Vec::len) == Some(1)
            && expires > joined["grant"]["expiresMs"].as_u64().expect("a time"))
        .then_some(())
    });
}

#[test]
fn members_stay_members_after_a_restart_and_uses_stay_counted() {
    let (mut founder, mut guest) = (founder(), Setup::new().start());
    let (link, _) = invite(&founder, &["--uses", "2"]);
    join(&guest, &link);
    wait_together(&founder, &guest);
    founder.kill();
    founder.restart();
    guest.kill();
    guest.restart();
    drop(guest.connect(&founder.address(Transport::Tcp)));
    wait_together(&founder, &guest);
    let (second, third) = (Setup::new().start(), Setup::new().start());
    // The addresses in the link are those of before.
    let (fresh, _) = invite(&founder, &[]);
    let fresh_addresses = json!({ "link": fresh });
    assert!(second.post("/api/v1/invites/accept", fresh_addresses).is_ok());
    third.cli(&["join", &fresh]).expect_failure(5, "INV-009");
    founder.kill();
    founder.restart();
    let listed = json(founder.cli(&["invite", "ls", "--json"]).expect_success());
    let uses: Vec<_> = listed["invites"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|invite| invite["uses"].as_u64().expect("a number"))
        .collect();
    assert_eq!(uses, [1, 1]);
}

#[test]
fn what_is_taken_back_is_gone_everywhere_within_seconds() {
    let founder = founder();
    let [bad, good] = [(), ()].map(|()| {
        let guest = Setup::new().start();
        let (link, _) = invite(&founder, &[]);
        join(&guest, &link);
        wait_together(&founder, &guest);
        guest
    });
    // Also the two know each other.
    drop(bad.connect(&good.address(Transport::Tcp)));
    wait_together(&bad, &good);
    let began = Instant::now();
    done(&founder, &["grant", "revoke", bad.id()]);
    for node in [&founder, &good] {
        wait_until(DROPPED, "the member is shut out", || (!together(node, &bad)).then_some(()));
    }
    assert!(began.elapsed() < DROPPED, "{:?}", began.elapsed());
    assert!(together(&founder, &good), "the other one stays");
    // Whatever it tries, it is a stranger to both.
    for node in [&founder, &good] {
        drop(bad.connect(&node.address(Transport::Tcp)));
        assert!(!together(node, &bad));
    }
    // It is told: what it held is of no use any more.
    wait_until(KNOWN + PATIENCE, "it knows", || (held(&bad) == 0).then_some(()));
    // A new invitation makes it a member again.
    let (link, _) = invite(&founder, &[]);
    join(&bad, &link);
    wait_together(&founder, &bad);
}

#[test]
fn a_removal_outlives_a_kill_of_who_made_it() {
    let (mut founder, guest) = (founder(), Setup::new().start());
    let (link, _) = invite(&founder, &[]);
    join(&guest, &link);
    wait_together(&founder, &guest);
    done(&founder, &["grant", "revoke", guest.id()]);
    founder.kill();
    founder.restart();
    drop(guest.connect(&founder.address(Transport::Tcp)));
    wait_until(PATIENCE, "it knows", || (held(&guest) == 0).then_some(()));
    assert!(!together(&founder, &guest));
}

#[test]
fn members_invite_and_visitors_do_not() {
    let (founder, member, visitor, guest) =
        (founder(), Setup::new().start(), Setup::new().start(), Setup::new().start());
    join(&member, &invite(&founder, &[]).0);
    wait_together(&founder, &member);
    join(&visitor, &invite(&member, &["--role", "visitor"]).0);
    wait_together(&member, &visitor);
    // Whom a member invited, the founder lets in as well.
    drop(visitor.connect(&founder.address(Transport::Tcp)));
    wait_together(&founder, &visitor);
    visitor.cli(&["invite", "create"]).expect_failure(5, "INV-003");
    // The member takes its guest's grant back; the founder hears of it.
    done(&member, &["grant", "revoke", visitor.id()]);
    for node in [&member, &founder] {
        wait_until(DROPPED, "the guest is shut out", || (!together(node, &visitor)).then_some(()));
    }
    // A node of another network cannot be taken into this one by a link.
    let other = Setup::new().arg("--policy", "friends").start();
    join(&guest, &invite(&other, &[]).0);
    guest.cli(&["join", &invite(&founder, &[]).0]).expect_failure(1, "INV-007");
    wait_together(&other, &guest);
}

#[test]
fn a_room_is_all_that_a_guest_of_it_gets() {
    let (founder, guest) = (founder(), Setup::new().start());
    for room in ["garden", "cellar"] {
        founder.join(room);
    }
    let joined = join(&guest, &invite(&founder, &["--room", "garden"]).0);
    assert_eq!(joined["grant"]["about"], "topic/peerloom/open/garden");
    wait_together(&founder, &guest);
    let hears = founder.events();
    guest.join("garden");
    guest.join("cellar");
    hears.member("garden", guest.id(), true);
    // What it says where it has no right is heard by nobody.
    drop(guest.post("/api/v1/rooms/send", json!({ "room": "cellar", "text": "psst" })));
    guest.say("garden", "roses");
    hears.message("roses");
    guest.say("garden", "tulips");
    hears.message("tulips");
    assert_eq!(founder.count("cellar", "psst"), 0);
}

#[test]
fn bad_links_are_named_and_change_nothing() {
    let (founder, guest) = (founder(), Setup::new().start());
    let (link, id) = invite(&founder, &[]);
    let mut edited = link.clone();
    let last = edited.pop().expect("long");
    edited.push(if last == 'A' { 'E' } else { 'A' });
    let cut = &link[..link.len() - 30];
    for (text, code, exit) in [
        (edited.as_str(), "INV-001", 2),
        (cut, "INV-001", 2),
        ("http://127.0.0.1:1/", "INV-001", 2),
        ("", "INV-001", 2),
        (&format!("{link}xx"), "INV-001", 2),
        (&"x".repeat(9_000), "INV-005", 2),
    ] {
        guest.cli(&["join", text]).expect_failure(exit, code);
    }
    for args in [["--role", "king"], ["--expires", "91d"], ["--uses", "-1"]] {
        let ran = founder.cli(&[&["invite", "create"], &args[..]].concat());
        assert!(ran.code == Some(2) && ran.stderr.contains("CLI-001"), "{ran:?}");
    }
    for (args, code, exit) in [
        (&["invite", "create", "--room", "No Room"][..], "ROOM-001", 2),
        (&["invite", "create", "--page", "http://x/#y"], "INV-005", 2),
        (&["invite", "revoke", "abcdef"], "INV-006", 6),
        (&["grant", "revoke", "abcdef"], "INV-006", 6),
    ] {
        founder.cli(args).expect_failure(exit, code);
    }
    done(&founder, &["invite", "revoke", &id[..12]]);
    let refused = guest.cli(&["join", &link]);
    refused.expect_failure(5, "INV-009");
    assert!(!guest.data_dir().join("policy/network.toml").exists());
    assert_eq!((held(&guest), held(&founder)), (0, 0));
}

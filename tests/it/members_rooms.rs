//! Rooms for members between running nodes: invited, sealed, and sealed anew once somebody is out.
//! Invariant: whoever holds no grant for the room neither reads what is said there nor says anything.
//! Not here: the seal itself and posts that wait for their key (unit tests), pages (`browser`).

use std::time::Duration;

use peerloom_shared::view::Transport;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};
use serde_json::{Value, json};

const GARDEN: &str = "members/garden";
/// The longest that a removal may take.
const DROPPED: Duration = Duration::from_secs(10);

fn invited(founder: &NodeProcess, guest: &NodeProcess) {
    let made = founder.cli(&["invite", "create", "--room", GARDEN, "--json"]);
    let made: Value = serde_json::from_str(made.expect_success()).expect("JSON");
    let link = made["link"].as_str().expect("a link");
    let joined = guest.cli_with(&["join", "-", "--json"], link);
    let joined: Value = serde_json::from_str(joined.expect_success()).expect("JSON");
    assert_eq!(joined["grant"]["about"], "topic/peerloom/members/garden");
}

#[test]
fn a_room_for_members_in_an_open_mesh_is_read_by_its_members_alone() {
    let founder = Setup::new().start();
    let (bo, carl, stranger) = (Setup::new().start(), Setup::new().start(), Setup::new().start());
    founder.join(GARDEN);
    invited(&founder, &bo);
    // Carl has a room of that name already, of his own; from now on it is the founder's.
    carl.join(GARDEN);
    invited(&founder, &carl);
    let hears = [bo.events(), carl.events()];
    bo.join(GARDEN);
    // In an open mesh everybody may connect, and still has no part in this.
    stranger.connect(&founder.address(Transport::Tcp)).expect("open to all");
    stranger.connect(&bo.address(Transport::Tcp)).expect("open to all");
    stranger.join(GARDEN);
    stranger.join("lobby");
    founder.join("lobby");
    founder.say(GARDEN, "the roses are open");
    for events in &hears {
        events.message("the roses are open");
    }
    let founder_hears = founder.events();
    bo.say(GARDEN, "and the tulips");
    founder_hears.message("and the tulips");
    let refused = stranger.post("/api/v1/rooms/send", json!({ "room": GARDEN, "text": "me too" }));
    // It is the root of a network of its own, and alone in that one's garden.
    assert_eq!(refused.expect_err("nobody there").code, "ROOM-003");
    // What it shares with the others goes on, so it was connected all the time.
    founder.say("lobby", "hello, everybody");
    wait_until(PATIENCE, "the open room", || {
        (stranger.count("lobby", "hello, everybody") == 1).then_some(())
    });
    assert_eq!(stranger.count(GARDEN, "the roses are open"), 0);
    let room = stranger.room(GARDEN).expect("it is in a room of that name, alone");
    assert!(room.members.is_empty(), "{room:?}");
    assert!(founder.room(GARDEN).expect("there").members.iter().all(|m| m.id != stranger.id()));

    // Carl is taken out: the key changes, and what is said from now on is said to the others.
    assert!(!founder.cli(&["grant", "revoke", carl.id()]).expect_success().is_empty());
    wait_until(DROPPED, "carl is out of the room", || {
        let room = founder.room(GARDEN).expect("there");
        room.members.iter().all(|member| member.id != carl.id()).then_some(())
    });
    bo.say(GARDEN, "only us now");
    founder_hears.message("only us now");
    founder.say(GARDEN, "yes");
    hears[0].message("yes");
    assert_eq!(carl.count(GARDEN, "only us now") + carl.count(GARDEN, "yes"), 0);
}

#[test]
fn a_member_hands_the_key_on_while_the_founder_is_away() {
    let mut founder = Setup::new().arg("--policy", "closed").start();
    let (mut bo, carl) = (Setup::new().start(), Setup::new().start());
    founder.join(GARDEN);
    invited(&founder, &bo);
    invited(&founder, &carl);
    bo.join(GARDEN);
    bo.say(GARDEN, "one");
    wait_until(PATIENCE, "the founder hears", || (founder.count(GARDEN, "one") == 1).then_some(()));
    founder.kill();
    // After a restart the key is still there: it was kept.
    bo.kill();
    bo.restart();
    bo.join(GARDEN);
    carl.join(GARDEN);
    wait_until(PATIENCE, "the two meet", || {
        drop(carl.connect(&bo.address(Transport::Tcp)));
        let room = bo.room(GARDEN).expect("there");
        room.members.iter().any(|member| member.id == carl.id()).then_some(())
    });
    carl.say(GARDEN, "two");
    wait_until(PATIENCE, "bo hears", || (bo.count(GARDEN, "two") == 1).then_some(()));
}

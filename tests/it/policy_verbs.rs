//! The verbs of `peerloom policy`, on folders alone and beside a running node.
//! Invariant: what they say is what a node does; a bad folder is named by file, line and rule.
//! Not here: what each mistake is called (unit tests of the folder).

use std::fs;
use std::path::Path;

use peerloom_shared::view::Transport;
use peerloom_tests::command::{Ran, run};
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};
use serde_json::Value;

const QUIET: &str = "@id(\"quiet\")\n@reason(\"the garden sleeps\")\nforbid (principal is Peer, action == \
Action::\"topic.publish\", resource == Topic::\"peerloom/open/garden\");\n";
const TESTS: &str = "[[test]]\nname = \"no\"\nwho = \"root\"\ndo = \"topic.publish\"\n\
on = \"topic/peerloom/open/garden\"\nexpect = \"deny\"\nby = \"quiet\"\n\n[[test]]\nname = \"yes\"\nwho = \"root\"\n\
do = \"topic.publish\"\non = \"topic/peerloom/open/other\"\nexpect = \"allow\"\n";

fn write(folder: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(folder).expect("a folder");
    for (name, text) in files {
        fs::write(folder.join(name), text).expect("written");
    }
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout).unwrap_or_else(|_| panic!("JSON: {ran:?}"))
}

/// Runs a verb in a home in which no node ever ran.
fn alone(home: &Path, args: &[&str]) -> Ran {
    let data = home.join("data").display().to_string();
    run(home, &[&["policy"], args, &["--data-dir", &data]].concat())
}

#[test]
fn a_folder_is_checked_tested_and_formatted_without_a_node() {
    let home = tempfile::tempdir().expect("a folder");
    let home = home.path();
    assert!(alone(home, &["check"]).expect_success().contains("0 own policies and 0 tests"));
    let schema = alone(home, &["schema"]);
    assert!(schema.expect_success().contains("entity Topic"));

    let folder = home.join("data/policy");
    write(&folder, &[("quiet.cedar", QUIET), ("tests.toml", TESTS)]);
    let checked = alone(home, &["check", "--json"]);
    let answer = json(&checked);
    assert_eq!(
        (checked.code, &answer["policies"], &answer["tests"]),
        (Some(0), &1.into(), &2.into())
    );
    assert_eq!(answer["profile"], "open");
    assert!(alone(home, &["test"]).expect_success().starts_with("2 tests passed"));

    // One form, and a second time nothing to do.
    let path = folder.join("quiet.cedar");
    let would = alone(home, &["fmt", "--check"]);
    assert_eq!(would.code, Some(8), "{would:?}");
    assert_eq!(fs::read_to_string(&path).expect("there"), QUIET, "only looked at");
    assert!(alone(home, &["fmt"]).expect_success().contains("quiet.cedar"));
    assert_ne!(fs::read_to_string(&path).expect("there"), QUIET);
    assert!(alone(home, &["fmt", "--check"]).expect_success().starts_with("nothing to change"));
    assert_eq!(alone(home, &["check"]).code, Some(0));

    // A test that fails, beside one that passes.
    fs::write(folder.join("tests.toml"), TESTS.replace("garden", "meadow")).expect("written");
    let failed = alone(home, &["test"]);
    assert_eq!((failed.code, failed.stdout.trim()), (Some(3), "1 passed, 1 failed"), "{failed:?}");
    assert!(
        failed.stderr.contains("tests.toml:1:") && failed.stderr.contains("`no`"),
        "{failed:?}"
    );
    alone(home, &["check"]).expect_failure(3, "POL-012");
    let failed = alone(home, &["test", "--json"]);
    assert_eq!((failed.code, &json(&failed)["failed"]), (Some(3), &1.into()), "{failed:?}");

    // What no node takes is refused with the place, and formatting leaves it alone.
    fs::write(&path, "forbid (principal, action\n").expect("written");
    for verb in [&["check"][..], &["test"], &["fmt"]] {
        let bad = alone(home, verb);
        bad.expect_failure(3, "POL-005");
        assert!(bad.stderr.contains("quiet.cedar:"), "{bad:?}");
    }
    assert_eq!(fs::read_to_string(&path).expect("there"), "forbid (principal, action\n");
    alone(home, &["check", "--dir", "nowhere"]).expect_failure(3, "POL-014");
    alone(home, &["check", "--policy", "ajar"]).expect_failure(2, "CFG-002");
}

fn explain(node: &NodeProcess, more: &[&str]) -> Value {
    let ran = node.cli(&[&["policy", "explain", "--json"], more].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    json(&ran)
}

#[test]
fn a_running_node_tells_why_it_denies_and_what_would_change_that() {
    let node = Setup::new().arg("--policy", "closed").start();
    let guest = Setup::new().start();
    drop(guest.connect(&node.address(Transport::Tcp)));
    let question = [
        "--peer",
        guest.id(),
        "--action",
        "topic.publish",
        "--resource",
        "topic/peerloom/open/garden",
    ];
    let told = explain(&node, &question);
    assert_eq!((&told["allowed"], &told["member"]), (&false.into(), &false.into()), "{told}");
    assert!(told["reason"].as_str().expect("one").contains("ask whoever runs this node"), "{told}");
    assert!(
        told["policies"]
            .as_array()
            .expect("a list")
            .iter()
            .any(|part| part["id"] == "closed.grants" && part["holds"] == false)
    );

    // An invitation would help, and says so before it is handed over.
    let made = node.cli(&["invite", "create", "--room", "garden", "--json"]);
    let link = json(&made)["link"].as_str().expect("a link").to_owned();
    let told = explain(&node, &[&question[..], &["--with-grant", &link]].concat());
    assert_eq!(
        (&told["allowed"], &told["by"][0]),
        (&true.into(), &"closed.grants".into()),
        "{told}"
    );
    let edited = link.replacen("#j=", "#j=A", 1);
    let told = explain(&node, &[&question[..], &["--with-grant", &edited]].concat());
    assert_eq!(
        (&told["allowed"], &told["grants"][0]["counts"]),
        (&false.into(), &false.into()),
        "{told}"
    );

    // Accepted, it is what the node has seen; taken back, it counts no more.
    let joined = guest.cli_with(&["join", "-"], &link);
    assert_eq!(joined.code, Some(0), "{joined:?}");
    guest.join("garden");
    node.join("garden");
    let told = wait_until(PATIENCE, "the grant was seen", || {
        Some(explain(&node, &question)).filter(|told| told["allowed"] == true)
    });
    assert_eq!(told["member"], true, "{told}");
    let text = node.cli(&[&["policy", "explain"], &question[..]].concat());
    assert!(text.expect_success().starts_with("allowed by closed.grants"), "{text:?}");
    assert_eq!(node.cli(&["grant", "revoke", guest.id()]).code, Some(0));
    wait_until(PATIENCE, "it is taken back", || {
        Some(explain(&node, &question)).filter(|told| told["allowed"] == false)
    });
}

#[test]
fn a_denial_is_explained_by_its_reference_and_bad_questions_are_refused() {
    let node = Setup::new().arg("--policy", "closed").start();
    let guest = Setup::new().start();
    guest.join("garden");
    drop(guest.connect(&node.address(Transport::Tcp)));

    let line = wait_until(PATIENCE, "the denial", || {
        let lines = node.cli(&["audit", "tail", "-n", "1000", "--json"]);
        let mut lines =
            lines.stdout.lines().map(|line| -> Value { serde_json::from_str(line).expect("JSON") });
        lines.find(|line| line["kind"] == "denied" && line["who"] == guest.id())
    });
    let told = explain(&node, &["--ref", line["ref"].as_str().expect("a reference")]);
    assert_eq!(
        (&told["who"], &told["action"], &told["atMs"]),
        (&line["who"], &line["action"], &line["atMs"])
    );
    node.cli(&["policy", "explain", "--ref", "NOSUCH"]).expect_failure(6, "AUD-004");
    for (peer, action, resource) in
        [("me", "dm.send", "node"), ("local", "fly", "node"), ("local", "dm.send", "moon/x")]
    {
        let question = ["--peer", peer, "--action", action, "--resource", resource];
        let refused = node.cli(&[&["policy", "explain"], &question[..]].concat());
        refused.expect_failure(2, "CLI-001");
    }
}

#[test]
fn another_folder_is_tried_out_on_what_was_decided() {
    let node = Setup::new().start();
    let peer = Setup::new().bootstrap(&node.address(Transport::Tcp)).start();
    node.wait_peer(peer.id());
    for member in [&node, &peer] {
        member.join("garden");
    }
    let hears = node.events();
    peer.say("garden", "good morning");
    hears.message("good morning");
    let candidate = tempfile::tempdir().expect("a folder");
    write(candidate.path(), &[("quiet.cedar", QUIET), ("tests.toml", TESTS)]);
    let folder = candidate.path().display().to_string();
    let tried = wait_until(PATIENCE, "the decision is on disk", || {
        let ran = node.cli(&["policy", "test", "--dry-run", &folder, "--json"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        Some(json(&ran))
            .filter(|tried| tried["flips"].as_array().is_some_and(|flips| !flips.is_empty()))
    });
    let flips = tried["flips"].as_array().expect("a list");
    assert!(
        flips.iter().all(|flip| flip["action"] == "topic.publish" && flip["then"]["by"] == "quiet"),
        "{tried}"
    );
    assert!(
        tried["asked"].as_u64() > Some(flips.len() as u64),
        "the rest stays as it was: {tried}"
    );
    let text = node.cli(&["policy", "test", "--dry-run", &folder]);
    assert!(text.expect_success().contains("would change"), "{text:?}");
    peer.say("garden", "still allowed");
    hears.message("still allowed");

    // Taken over, it is in force at once.
    write(&node.data_dir().join("policy"), &[("tests.toml", TESTS), ("quiet.cedar", QUIET)]);
    assert_eq!(node.cli(&["policy", "reload"]).code, Some(0));
    peer.say("garden", "not heard");
    let same = node.cli(&["policy", "test", "--dry-run", &folder, "--json"]);
    assert_eq!(json(&same)["flips"].as_array().map(Vec::len), Some(0), "{same:?}");
    assert_eq!(node.count("garden", "not heard"), 0);
}

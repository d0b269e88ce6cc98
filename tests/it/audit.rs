//! The audit log of a running node.
//! Invariant: read as an operator reads it: by the command line, from the files.
//! Not here: the chain and its faults (unit tests of the node).

use std::fs;
use std::path::PathBuf;

use peerloom_shared::view::Transport;
use peerloom_tests::command::run;
use peerloom_tests::setup::write_rules;
use peerloom_tests::{NodeProcess, PATIENCE, Setup, wait_until};
use serde_json::Value;

fn audit_dir(node: &NodeProcess) -> PathBuf {
    node.data_dir().join("audit")
}

fn newest(node: &NodeProcess) -> PathBuf {
    let files =
        fs::read_dir(audit_dir(node)).expect("a folder").map(|entry| entry.expect("one").path());
    let logs = files.filter(|path| path.extension().is_some_and(|ext| ext == "jsonl"));
    logs.filter(|path| !path.ends_with("recent.jsonl")).max().expect("a log")
}

fn lines(node: &NodeProcess) -> Vec<Value> {
    let shown = node.cli(&["audit", "tail", "-n", "1000", "--json"]);
    let lines = shown.expect_success().lines();
    lines.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn verified(node: &NodeProcess) -> Value {
    let shown = node.cli(&["audit", "verify", "--json"]);
    serde_json::from_str(shown.expect_success()).expect("JSON")
}

fn line_where(node: &NodeProcess, what: &str, is: impl Fn(&Value) -> bool) -> Value {
    wait_until(PATIENCE, what, || lines(node).into_iter().find(|line| is(line)))
}

#[test]
fn a_denied_peer_leads_to_a_line_and_the_log_is_whole() {
    let mut node = Setup::new().start();
    let bad = Setup::new().start();
    node.join("lobby");
    write_rules(&node.data_dir(), &format!("[deny]\npeers = [\"{}\"]\n", bad.id()));
    line_where(&node, "the new rules", |line| line["kind"] == "reloaded" && line["epoch"] == 2);
    let sent_away = bad.connect(&node.address(Transport::Tcp)).expect_err("not let in");
    assert!(["NET-110", "NET-111"].contains(&sent_away.code.as_str()), "{sent_away:?}");
    let line = line_where(&node, "the denial", |line| {
        line["kind"] == "denied" && line["who"] == bad.id() && line["action"] == "connect.in"
    });
    assert_eq!((&line["rule"], &line["epoch"]), (&"deny.peers".into(), &2.into()), "{line}");
    assert_eq!((&line["net"], &line["way"]), (&"127.0.0.0/24".into(), &"direct".into()), "{line}");
    let name = line["ref"].as_str().expect("a reference");
    let found = node.cli(&["audit", "tail", "--ref", &name.to_ascii_lowercase()]);
    assert!(found.expect_success().contains(bad.id()), "{found:?}");

    // Our own dial is denied too, and what the operator did is there.
    node.connect(&bad.address(Transport::Tcp)).expect_err("denied");
    line_where(&node, "the operator's denial", |line| {
        line["kind"] == "denied" && line["who"] == "local" && line["action"] == "connect.out"
    });
    line_where(&node, "the write", |line| {
        line["kind"] == "admin" && line["target"] == "/api/v1/rooms/join"
    });
    write_rules(&node.data_dir(), "[deny\n");
    line_where(&node, "the bad rules", |line| {
        line["kind"] == "reload_failed" && line["code"] == "POL-001"
    });
    assert_eq!(verified(&node)["whole"], true);

    // A kill in the middle of a line costs nothing but that line.
    node.kill();
    let log = newest(&node);
    let mut bytes = fs::read(&log).expect("the log");
    let count = bytes.iter().filter(|byte| **byte == b'\n').count();
    bytes.extend(br#"{"n":"#);
    fs::write(&log, bytes).expect("ours");
    assert_eq!(verified(&node)["torn"], 5);
    write_rules(&node.data_dir(), &format!("[deny]\npeers = [\"{}\"]\n", bad.id()));
    node.restart();
    line_where(&node, "what the start found", |line| line["kind"] == "recovered");
    let whole = verified(&node);
    assert_eq!((&whole["recovered"], &whole["missing"]), (&1.into(), &0.into()), "{whole}");
    assert!(whole["lines"].as_u64() > Some(count as u64), "{whole}");

    // A clean stop leaves all of it, and the decisions.
    node.connect(&bad.address(Transport::Tcp)).expect_err("denied");
    node.join("lobby");
    assert_eq!(node.cli(&["shutdown"]).code, Some(0));
    assert!(node.running().wait(PATIENCE, "the end of the node").success());
    let home = node.setup().home().to_owned();
    let data_dir = node.data_dir().display().to_string();
    let alone = |args: &[&str]| run(&home, &[args, &["--data-dir", &data_dir]].concat());
    assert!(alone(&["audit", "verify"]).expect_success().starts_with("the audit log is whole: "));
    let recent = peerloom_node::audit::read_recent(&audit_dir(&node)).expect("readable");
    assert!(recent.iter().any(|asked| asked.action == "connect.out" && !asked.allowed));
    assert!(recent.iter().any(|asked| asked.allowed), "{recent:?}");

    // Somebody was at the files.
    let text = fs::read_to_string(&log).expect("the log");
    fs::write(&log, text.replacen("deny.peers", "none.peers", 1)).expect("ours");
    let at = text.lines().position(|line| line.contains("deny.peers")).expect("a line") + 1;
    let broken = alone(&["audit", "verify"]);
    broken.expect_failure(8, "AUD-001");
    assert!(broken.stderr.contains(&format!("{}, line {at}:", log.display())), "{broken:?}");
    let broken = alone(&["audit", "verify", "--json"]);
    let answer: Value = serde_json::from_str(&broken.stdout).expect("JSON");
    assert_eq!((broken.code, &answer["line"]), (Some(8), &at.into()), "{broken:?}");
}

#[test]
fn without_a_log_there_is_nothing_to_verify() {
    let home = tempfile::tempdir().expect("a folder");
    let data_dir = home.path().join("data").display().to_string();
    for verb in ["verify", "tail"] {
        run(home.path(), &["audit", verb, "--data-dir", &data_dir]).expect_failure(6, "AUD-003");
    }
}

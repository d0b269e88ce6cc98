use std::fs;

use super::*;
use crate::error::{Exit, Failure};

const PEER: &str = "12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay";

fn parsed(text: &str) -> Result<Rules, RulesError> {
    parse(Path::new("rules.toml"), text)
}

#[test]
fn all_lists_are_read() {
    let rules = parsed(&format!(
        "[allow]\npeers = [\"{PEER}\"]\nnets = [\"10.0.0.0/8\", \"::1\"]\n\
         [deny]\npeers = []\nnets = [\"192.0.2.7\"]\n"
    ))
    .expect("right");
    assert_eq!(rules.allow_peers.iter().map(ToString::to_string).collect::<Vec<_>>(), [PEER]);
    assert_eq!((rules.allow_nets.len(), rules.deny_nets.len()), (2, 1));
    assert!(rules.deny_peers.is_empty());
}

#[test]
fn empty_and_missing_files_mean_no_rules() {
    assert_eq!(parsed("").expect("right"), Rules::default());
    assert_eq!(parsed("[allow]\n[deny]\n").expect("right"), Rules::default());
    assert_eq!(load(Path::new("/nowhere/rules.toml")).expect("right"), Rules::default());
}

#[test]
fn everything_wrong_names_its_place_and_value() {
    let cases = [
        ("[allow\n", "POL-001", "rules.toml:1:"),
        ("[alow]\n", "POL-002", "rules.toml:1:2: unknown key `alow`"),
        ("[deny]\npers = []\n", "POL-002", "rules.toml:2:1: unknown key `pers`"),
        ("deny = 3\n", "POL-003", "rules.toml:1:8: `deny` must be a table"),
        ("[deny]\nnets = \"10.0.0.0/8\"\n", "POL-003", "rules.toml:2:8: `nets` must be a list"),
        ("[deny]\nnets = [1]\n", "POL-003", "rules.toml:2:9: `a number` must be a text"),
        ("[deny]\nnets = [\n \"x/8\"]\n", "POL-003", "rules.toml:3:2: `x/8` is no IP address"),
        ("[allow]\npeers = [\"bob\"]\n", "POL-003", "rules.toml:2:10: `bob` is no PeerId"),
    ];
    for (text, code, message) in cases {
        let failure = Failure::from(parsed(text).expect_err(text));
        assert_eq!((failure.id(), failure.exit()), (code, Exit::CONFIG), "{text}");
        assert!(failure.message().contains(message), "{text}: {}", failure.message());
    }
    let failure = Failure::from(parsed("[deny]\npers = []\n").expect_err("unknown"));
    assert_eq!(failure.hint(), "did you mean `peers`?");
}

#[test]
fn too_many_rules_are_refused() {
    let nets = vec!["\"192.0.2.1\""; limits::POLICY_RULES_MAX + 1].join(",");
    let error = parsed(&format!("[deny]\nnets = [{nets}]\n")).expect_err("too many");
    assert!(matches!(error, RulesError::TooMany { .. }), "{error}");
}

#[test]
fn a_large_file_and_a_folder_are_refused() {
    let dir = tempfile::tempdir().expect("a folder");
    assert!(matches!(load(dir.path()), Err(RulesError::Unreadable { .. })));
    let path = dir.path().join("rules.toml");
    let size = usize::try_from(limits::RULES_FILE_BYTES_MAX).expect("small");
    fs::write(&path, "#".repeat(size + 1)).expect("writable");
    assert!(matches!(load(&path), Err(RulesError::TooLarge { .. })));
}

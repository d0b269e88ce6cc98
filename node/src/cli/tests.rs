use clap::{CommandFactory, Parser};

use super::*;
use crate::error::{Failure, codes};

#[test]
fn the_grammar_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn every_verb_has_help() {
    let mut names = Vec::new();
    for verb in Cli::command().get_subcommands_mut() {
        names.push(verb.get_name().to_owned());
        assert!(verb.get_about().is_some(), "{}", verb.get_name());
        assert!(!verb.render_help().to_string().is_empty());
    }
    assert_eq!(
        names,
        [
            "run", "chat", "status", "peers", "ping", "room", "dht", "invite", "join", "grant",
            "policy", "health", "paths", "config", "key", "audit", "reload", "shutdown", "version",
        ]
    );
}

#[test]
fn unknown_flags_and_verbs_are_wrong_use() {
    for line in ["run --lisen x", "statsu", "ping", "ping x -c 0", "config get nothing", "chat"] {
        let words = std::iter::once("peerloom").chain(line.split(' '));
        let error = Cli::try_parse_from(words).expect_err(line);
        assert_eq!(error.exit_code(), i32::from(Exit::USAGE.number()), "{line}");
    }
}

#[test]
fn every_short_flag_has_a_long_twin() {
    let mut commands = vec![Cli::command()];
    while let Some(command) = commands.pop() {
        for argument in command.get_arguments() {
            let short = argument.get_short().is_some();
            assert!(!short || argument.get_long().is_some(), "{}", argument.get_id());
        }
        commands.extend(command.get_subcommands().cloned());
    }
}

#[test]
fn global_flags_stand_before_or_after_the_verb() {
    for line in ["peerloom --json status --data-dir d", "peerloom status --data-dir d --json"] {
        let cli = Cli::try_parse_from(line.split(' ')).expect("valid");
        assert!(cli.global.json);
        assert_eq!(cli.global.data_dir.as_deref(), Some("d"));
    }
}

#[test]
fn a_failure_says_what_why_and_what_to_do() {
    let failure = Failure::new(&codes::NET_102, "cannot listen on 7071/udp: it is in use\u{1b}[2J")
        .with_hint("stop that program, or choose another port:\npeerloom run --listen ADDRESS");
    let text = anstream::adapter::strip_str(&output::error_text(&failure)).to_string();
    assert_eq!(
        text,
        "error[NET-102]: cannot listen on 7071/udp: it is in use[2J\n  \
         help: stop that program, or choose another port:\n        \
         peerloom run --listen ADDRESS\n  \
         more: docs/errors.md#net-102  (exit 1)"
    );
}

#[test]
fn tables_align_and_plain_ones_have_tabs() {
    let rows = [vec!["a".to_owned(), "b".to_owned()], vec!["long".to_owned(), "c".to_owned()]];
    let out = Out::new(&Global::default());
    let shown = anstream::adapter::strip_str(&out.table(&["X", "Y"], &rows)).to_string();
    assert_eq!(shown, "X     Y\na     b\nlong  c\n");
    let pairs = out.pairs(&[("one", "1".to_owned()), ("three", "3\n4".to_owned())]);
    let shown = anstream::adapter::strip_str(&pairs).to_string();
    assert_eq!(shown, "one    1\nthree  3\n       4\n");

    let plain = Out::new(&Global { plain: true, ..Global::default() });
    assert_eq!(plain.table(&["X", "Y"], &rows), "a\tb\nlong\tc\n");
    assert_eq!(plain.pairs(&[("three", "3\n4".to_owned())]), "three\t3\nthree\t4\n");
}

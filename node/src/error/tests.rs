use std::collections::BTreeSet;
use std::path::Path;

use super::*;

#[derive(Debug, thiserror::Error)]
#[error("outer")]
struct Outer(#[source] Inner);

#[derive(Debug, thiserror::Error)]
#[error("inner")]
struct Inner;

impl Coded for Outer {
    fn code(&self) -> &'static Code {
        &codes::NET_102
    }
    fn exit(&self) -> Exit {
        Exit::USAGE
    }
}

#[test]
fn every_code_has_its_own_well_formed_name_and_full_text() {
    let mut seen = BTreeSet::new();
    for code in codes::ALL {
        assert!(seen.insert(code.id), "{} twice", code.id);
        let (area, number) = code.id.split_once('-').expect("AREA-NNN");
        assert!((2..=4).contains(&area.len()) && area.chars().all(|c| c.is_ascii_uppercase()));
        assert!(number.len() == 3 && number.chars().all(|c| c.is_ascii_digit()), "{}", code.id);
        for text in [code.why, code.hint] {
            assert!(text.len() > 20 && text.ends_with('.'), "{}: {text:?}", code.id);
        }
        assert!(!code.title.is_empty() && !code.title.ends_with('.'), "{}", code.id);
        assert!((400..600).contains(&code.http), "{}", code.id);
        assert_ne!(code.exit, Exit::DONE, "{}", code.id);
        assert_ne!(document::text().matches(&format!("### {}\n", code.id)).count(), 0);
    }
}

#[test]
fn the_codes_of_one_area_stand_together_and_rise() {
    let ids: Vec<_> = codes::ALL.iter().map(|code| code.id).collect();
    let mut areas = BTreeSet::new();
    let mut last = ("", "");
    for id in ids {
        let now = id.split_once('-').expect("AREA-NNN");
        if now.0 == last.0 {
            assert!(now.1 > last.1, "{id} is out of order");
        } else {
            assert!(areas.insert(now.0), "{} is in two places", now.0);
        }
        last = now;
    }
}

#[test]
fn a_failure_keeps_cause_code_and_exit() {
    let failure = Failure::from(Outer(Inner));
    assert_eq!(failure.message(), "outer: inner");
    assert_eq!(failure.id(), "NET-102");
    assert_eq!(failure.hint(), codes::NET_102.hint);
    assert_eq!(failure.exit(), Exit::USAGE);
    assert_eq!(failure.view().docs, "docs/errors.md#net-102");
}

#[test]
fn a_reported_failure_survives_the_trip() {
    let sent = Failure::new(&codes::ROOM_003, "nobody").with_hint("wait");
    let text = serde_json::to_string(&sent.view()).expect("plain data");
    let view: FailureView = serde_json::from_str(&text).expect("same form");
    assert_eq!(Failure::reported(view, sent.http()), sent);

    let newer = FailureView {
        code: "new-1".into(),
        message: "m".into(),
        hint: "h".into(),
        docs: "d".into(),
        retryable: true,
    };
    let kept = Failure::reported(newer.clone(), 400);
    assert_eq!((kept.view(), kept.exit()), (newer, Exit::FAILURE));
}

#[test]
fn the_document_in_the_repository_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/errors.md");
    if std::env::var_os("PEERLOOM_WRITE_DOCS").is_some() {
        std::fs::write(&path, document::text()).expect("docs/errors.md can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == document::text(),
        "docs/errors.md differs from the code table; PEERLOOM_WRITE_DOCS=1 writes it anew",
    );
}

#[test]
fn every_code_that_a_source_names_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders: Vec<_> =
        ["shared/src", "node/src", "wasm-peer/src", "wasm-peer/npm/src", "www/src"]
            .map(|folder| root.join(folder))
            .into();
    let mut unknown = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap_or_default();
            let named = source.split(['"', '\'', '`']).filter(|text| is_code(text));
            unknown.extend(
                named
                    .filter(|id| find(id).is_none())
                    .map(|id| format!("{id} in {}", path.display())),
            );
        }
    }
    assert!(unknown.is_empty(), "not in the table: {unknown:#?}");
}

fn is_code(text: &str) -> bool {
    text.split_once('-').is_some_and(|(area, number)| {
        (2..=4).contains(&area.len())
            && area.bytes().all(|b| b.is_ascii_uppercase())
            && number.len() == 3
            && number.bytes().all(|b| b.is_ascii_digit())
    })
}

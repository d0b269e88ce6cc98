//! The audit log in folders of its own.
//! Invariant: every test reads what is on the disk, not what the writer believes.
//! Not here: a running node (the whole-mesh tests).

mod broken;
mod crash;
mod decisions;
mod lines;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use peerloom_shared::PeerId;
use peerloom_shared::policy::{
    Action, Denial, Held, PolicySet, Question, Resource, Rules, Subject,
};
use serde_json::Value;

use super::chain;
use super::log::{Bounds, Log};
use super::writer::Writer;
use super::*;

/// A peer's id made from a number.
fn peer(seed: u8) -> PeerId {
    let mut bytes = vec![0x12, 0x20];
    bytes.extend([seed; 32]);
    PeerId::from_bytes(&bytes).expect("a multihash")
}

fn denial(action: Action, rule: &str) -> Denial {
    let rule = rule.to_owned().into();
    Denial { action, rule, reason: None, forbidden: true, epoch: 7 }
}

/// A front and a writer that nobody runs.
fn parts(folder: &Path) -> (Audit, Writer) {
    Audit::parts(folder.to_owned(), Metrics::new("0.1.0")).expect("random numbers")
}

/// Ends a writer that a test has worked by hand.
fn finish(audit: &Audit, writer: Writer) {
    audit.close();
    writer.run();
}

/// A line that no writer writes.
const RUBBISH: &str = "rubbish";

/// Every line of the log, in order.
fn all_lines(folder: &Path) -> Vec<Value> {
    let mut lines = Vec::new();
    for file in chain::files(folder).expect("a folder") {
        let text = fs::read_to_string(&file.path).expect("text");
        assert!(text.is_empty() || text.ends_with('\n'), "{text}");
        let lines_here = text.lines().filter(|line| *line != RUBBISH);
        lines.extend(lines_here.map(|line| serde_json::from_str::<Value>(line).expect("JSON")));
    }
    lines
}

fn of_kind(lines: &[Value], kind: &str) -> Vec<Value> {
    lines.iter().filter(|line| line["kind"] == kind).cloned().collect()
}

/// Everything that is in the folder, as one text.
fn whole_folder(folder: &Path) -> String {
    let mut text = String::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let bytes = fs::read(entry.expect("an entry").path()).expect("a file");
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    text
}

/// The lines of an ordinary day, of different lengths.
fn entry(number: u64) -> Entry {
    match number % 3 {
        0 => Entry::Reloaded { epoch: number },
        1 => Entry::Admin { verb: "POST".to_owned(), target: format!("/api/v1/{number}") },
        _ => {
            let who = peer(u8::try_from(number % 250).expect("small")).to_string();
            Entry::Suppressed { who, action: None, rule: None, count: number }
        }
    }
}

const SMALL: Bounds = Bounds { file_bytes: 2_000, files: 1_000 };

/// A log of `count` lines in small files, closed as a writer closes it.
fn write_log(folder: &Path, count: u64, bounds: Bounds) {
    let (mut log, found) = Log::open(folder, bounds, None).expect("a log");
    if let Some(found) = found {
        log.append(1, &found.into()).expect("a line");
    }
    for number in 0..count {
        log.append(1_000 + number, &entry(number)).expect("a line");
    }
    log.mark().expect("a head");
    log.sync().expect("a disk");
}

//! Role: what people and programs read: lines while it runs, a table, a JSON file.
//! Invariant: every number in the table is in the file as well.
//! Not here: measuring.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::Rounds;
use crate::round::{Sample, Subject};
use crate::stats::{Estimate, estimate, percentile};
use crate::subjects::{GOALS, Goal};

const PROFILE: &str = "release, opt-level 3, lto thin, codegen-units 4";

fn said(program: &str, args: &[&str]) -> String {
    let output = Command::new(program).args(args).output().ok();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.filter(|text| !text.is_empty()).unwrap_or_else(|| "unknown".to_owned())
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let names: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("model name"))
        .filter_map(|line| line.split_once(": ").map(|(_, name)| name))
        .collect();
    format!("{} x {}", names.len(), names.first().copied().unwrap_or("unknown"))
}

fn machine() -> Value {
    json!({
        "date": said("date", &["-u", "+%F %R UTC"]),
        "commit": said("git", &["describe", "--always", "--dirty"]),
        "kernel": said("uname", &["-r"]),
        "processor": processor(),
        "profile": PROFILE,
        "node": said("node", &["--version"]),
        "chromium": said("chromium", &["--version"]),
    })
}

/// Says what follows.
pub(crate) fn head(wanted: &[Subject]) {
    if let Value::Object(facts) = machine() {
        for (name, fact) in facts {
            println!("{name}: {}", fact.as_str().unwrap_or_default());
        }
    }
    let names: Vec<&str> = wanted.iter().map(|subject| subject.key).collect();
    println!("subjects: {}, there and back in each round\n", names.join(", "));
}

/// One line a measurement.
pub(crate) fn turn(subject: &Subject, sample: &Sample) {
    println!(
        "  {:<40} {:>6.3} Gbit/s {:>6.2} CPU s/GB, load {:.2}",
        subject.title, sample.gbit, sample.cpu_per_gb, sample.load
    );
}

fn over(rounds: &Rounds, key: &str, value: impl Fn(&Sample) -> f64) -> Vec<f64> {
    rounds.get(key).map(|samples| samples.iter().map(value).collect()).unwrap_or_default()
}

fn ratios(rounds: &Rounds, goal: &Goal) -> Option<Estimate> {
    let (of, against) = (over(rounds, goal.of, |s| s.gbit), over(rounds, goal.against, |s| s.gbit));
    estimate(&of.iter().zip(&against).map(|(of, against)| of / against).collect::<Vec<_>>())
}

fn spread(of: Option<Estimate>, digits: usize) -> String {
    of.map_or_else(
        || "-".to_owned(),
        |e| format!("{:.digits$} ({:.digits$} to {:.digits$})", e.median, e.low, e.high),
    )
}

/// p50 and p99 of all rounds together.
fn times(rounds: &Rounds, key: &str, value: impl Fn(&Sample) -> &Vec<f64>) -> Option<(f64, f64)> {
    let mut all: Vec<f64> = rounds.get(key)?.iter().flat_map(|s| value(s).clone()).collect();
    all.sort_by(f64::total_cmp);
    Some((percentile(&all, 0.5)?, percentile(&all, 0.99)?))
}

fn micros(times: Option<(f64, f64)>) -> String {
    times.map_or_else(|| "-".to_owned(), |(p50, p99)| format!("{p50:.0} / {p99:.0}"))
}

/// In Markdown, for `docs/benchmarks.md`.
pub(crate) fn table(wanted: &[Subject], rounds: &Rounds) {
    println!("\n| One stream | Gbit/s | CPU s/GB | 64 B echo us | new stream us |");
    println!("|--|--|--|--|--|");
    for subject in wanted {
        let key = subject.key;
        println!(
            "| {} | {} | {} | {} | {} |",
            subject.title,
            spread(estimate(&over(rounds, key, |s| s.gbit)), 2),
            spread(estimate(&over(rounds, key, |s| s.cpu_per_gb)), 1),
            micros(times(rounds, key, |s| &s.echo)),
            micros(times(rounds, key, |s| &s.open)),
        );
    }
    println!("\n| Ratio of the same round | Median (95 %) | Goal | Met |\n|--|--|--|--|");
    for goal in &GOALS {
        if let Some(found) = ratios(rounds, goal) {
            let title = |key| wanted.iter().find(|s| s.key == key).map_or(key, |s| s.title);
            let met = if found.low >= goal.at_least { "yes" } else { "no" };
            let (of, against) = (title(goal.of), title(goal.against));
            let spread = spread(Some(found), 2);
            println!("| {of} / {against} | {spread} | {:.1} | {met} |", goal.at_least);
        }
    }
}

/// Writes the file.
pub(crate) fn json(wanted: &[Subject], rounds: &Rounds, file: &Path) -> Result<(), String> {
    let list = |e: Option<Estimate>| e.map(|e| json!([e.median, e.low, e.high]));
    let subjects: Vec<Value> = wanted
        .iter()
        .map(|subject| {
            let key = subject.key;
            json!({
                "key": key,
                "title": subject.title,
                "mib": subject.mib,
                "gbit": over(rounds, key, |s| s.gbit),
                "gbit_median_low_high": list(estimate(&over(rounds, key, |s| s.gbit))),
                "cpu_s_per_gb": over(rounds, key, |s| s.cpu_per_gb),
                "cpu_median_low_high": list(estimate(&over(rounds, key, |s| s.cpu_per_gb))),
                "load": over(rounds, key, |s| s.load),
                "echo_us_p50_p99": times(rounds, key, |s| &s.echo),
                "open_us_p50_p99": times(rounds, key, |s| &s.open),
            })
        })
        .collect();
    let goals: Vec<Value> = GOALS
        .iter()
        .map(|goal| {
            json!({
                "of": goal.of,
                "against": goal.against,
                "at_least": goal.at_least,
                "median_low_high": list(ratios(rounds, goal)),
            })
        })
        .collect();
    let all = json!({ "machine": machine(), "subjects": subjects, "ratios": goals });
    fs::write(file, format!("{all:#}\n")).map_err(|why| format!("{}: {why}", file.display()))?;
    println!("\nwritten: {}", file.display());
    Ok(())
}

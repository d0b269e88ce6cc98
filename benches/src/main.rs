//! Role: `webrtc` measures WebRTC stacks against each other in fresh processes; `serve` and `dial` are
//! what those processes do.
//! Invariant: subjects take turns, forward and backward, so that a slow minute hits all of them.
//! Not here: the peers (`peer`, `js/`), one measurement (`round`), what is written (`report`).

mod pattern;
mod peer;
mod process;
mod report;
mod round;
mod stats;
mod subjects;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use round::{Sample, Subject};

const HELP: &str = "\
peerloom-bench webrtc [--rounds N] [--only KEY,KEY] [--json FILE]
peerloom-bench serve STACK | dial STACK ADDRESS
";
/// Fewer give no interval.
const ROUNDS: usize = 7;

/// Measurements of one subject in one turn, until one succeeds.
const TRIES: usize = 3;

/// By subject: of each round the mean of both turns.
pub(crate) type Rounds = BTreeMap<&'static str, Vec<Sample>>;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match *words.as_slice() {
        ["serve", stack] => block_on(peer::serve(stack)),
        ["dial", stack, address] => block_on(peer::dial(stack, address)),
        ["webrtc", ref options @ ..] => webrtc(options),
        _ => Err(HELP.to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn block_on<T>(
    work: impl Future<Output = Result<T, Box<dyn std::error::Error + Send + Sync>>>,
) -> Result<T, String> {
    let runtime = tokio::runtime::Runtime::new().map_err(|why| why.to_string())?;
    runtime.block_on(work).map_err(|why| why.to_string())
}

struct Options {
    rounds: usize,
    only: Option<Vec<String>>,
    json: PathBuf,
}

fn options(words: &[&str]) -> Result<Options, String> {
    let mut options = Options { rounds: ROUNDS, only: None, json: "bench-webrtc.json".into() };
    for pair in words.chunks(2) {
        match *pair {
            ["--rounds", number] => {
                options.rounds = number.parse().map_err(|why| format!("{number}: {why}"))?;
            }
            ["--only", keys] => {
                options.only = Some(keys.split(',').map(str::to_owned).collect());
            }
            ["--json", file] => options.json = file.into(),
            _ => return Err(HELP.to_owned()),
        }
    }
    Ok(options)
}

fn webrtc(words: &[&str]) -> Result<(), String> {
    let options = options(words)?;
    let js = Path::new(env!("CARGO_MANIFEST_DIR")).join("js");
    let wanted: Vec<Subject> = subjects::ALL
        .into_iter()
        .filter(|s| options.only.as_ref().is_none_or(|only| only.iter().any(|k| k == s.key)))
        .collect();
    report::head(&wanted);
    let mut rounds = Rounds::new();
    let mut repeats = 0_usize;
    for round in 0..=options.rounds {
        let name = if round == 0 { "warm-up".to_owned() } else { format!("round {round}") };
        println!("{name}, load {:.2}", round::load());
        let mut turns: BTreeMap<&'static str, Vec<Sample>> = BTreeMap::new();
        for subject in wanted.iter().chain(wanted.iter().rev()) {
            let sample = measure(subject, &js, &mut repeats)?;
            report::turn(subject, &sample);
            turns.entry(subject.key).or_default().push(sample);
        }
        if round > 0 {
            for (key, samples) in turns {
                rounds.entry(key).or_default().push(Sample::mean(&samples));
            }
        }
    }
    println!("\nmeasurements that failed and were repeated: {repeats}");
    report::table(&wanted, &rounds);
    report::json(&wanted, &rounds, &options.json)
}

/// Measures; what fails is tried again, and counted.
fn measure(subject: &Subject, js: &Path, repeats: &mut usize) -> Result<Sample, String> {
    let mut last = String::new();
    for _ in 0..TRIES {
        match round::measure(subject, js) {
            Ok(sample) => return Ok(sample),
            Err(why) => last = why,
        }
        *repeats = repeats.saturating_add(1);
        println!("  {} failed: {last}", subject.title);
    }
    Err(format!("{}: {last}", subject.title))
}

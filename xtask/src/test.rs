//! Role: `cargo xtask test`: runs the stages, times them, and sums up.
//! Invariant: the last line is `N passed, M failed`; the exit code is 0 only if something ran
//! and nothing failed. Not here: what the stages do (`stages`).

use std::process::ExitCode;
use std::time::{Duration, Instant};

use crate::count::Tally;
use crate::stages::{Report, STAGES, Stage};

/// The command line was wrong: nothing ran.
const USAGE: u8 = 2;

/// What the command line asks for.
#[derive(Debug)]
struct Plan {
    stages: Vec<&'static Stage>,
    keep_going: bool,
    release_size: bool,
}

/// A stage that ran.
#[derive(Debug)]
struct Done {
    name: &'static str,
    report: Report,
    took: Duration,
}

/// The verb.
pub(crate) fn verb(args: &[String]) -> ExitCode {
    let plan = match plan(args) {
        Ok(plan) => plan,
        Err(why) => {
            eprintln!("xtask test: {why}");
            return ExitCode::from(USAGE);
        }
    };
    let mut done = Vec::new();
    for (name, title, stage) in plan.stages.iter().copied() {
        println!("\n== {name}: {title} ==");
        let start = Instant::now();
        let report = stage(plan.release_size);
        let took = start.elapsed();
        println!("-- {name}: {}, {} s", text(report.tally), took.as_secs());
        let failed = report.tally.failed > 0;
        done.push(Done { name, report, took });
        if failed && !plan.keep_going {
            break;
        }
    }
    let total = summary(&plan, &done);
    println!("{}", text(total));
    if total.failed == 0 && total.passed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn plan(args: &[String]) -> Result<Plan, String> {
    // Continuous integration also guards the size of what would be released.
    let ci = std::env::var_os("CI").is_some_and(|value| !value.is_empty() && value != "false");
    let mut plan = Plan { stages: Vec::new(), keep_going: false, release_size: ci };
    let mut named = Vec::new();
    for arg in args {
        match arg.as_str() {
            "--keep-going" => plan.keep_going = true,
            "--release-size" => plan.release_size = true,
            name if STAGES.iter().any(|stage| stage.0 == name) => named.push(name),
            other => {
                let names = STAGES.map(|stage| stage.0).join(" ");
                return Err(format!("there is no stage or flag `{other}`; stages: {names}"));
            }
        }
    }
    let wanted = |stage: &&Stage| named.is_empty() || named.contains(&stage.0);
    plan.stages = STAGES.iter().filter(wanted).collect();
    Ok(plan)
}

/// Prints the table and every failure once more, and returns the sum.
fn summary(plan: &Plan, done: &[Done]) -> Tally {
    println!("\n== summary ==\n{:<10} {:>7} {:>7} {:>8}", "stage", "passed", "failed", "seconds");
    let mut total = Tally::default();
    for (name, ..) in plan.stages.iter().copied() {
        let Some(ran) = done.iter().find(|d| d.name == *name) else {
            println!("{name:<10} {:>7}", "not run");
            continue;
        };
        let Tally { passed, failed } = ran.report.tally;
        println!("{name:<10} {passed:>7} {failed:>7} {:>8}", ran.took.as_secs());
        total = total.plus(ran.report.tally);
    }
    for ran in done {
        for line in &ran.report.failures {
            println!("failed in {}: {line}", ran.name);
        }
    }
    let seconds: u64 = done.iter().map(|d| d.took.as_secs()).sum();
    println!("all together {} min {} s", seconds / 60, seconds % 60);
    total
}

fn text(tally: Tally) -> String {
    format!("{} passed, {} failed", tally.passed, tally.failed)
}

#[cfg(test)]
mod tests {
    use super::{STAGES, plan, text};
    use crate::count::Tally;

    fn names(args: &[&str]) -> Result<Vec<&'static str>, String> {
        let args: Vec<String> = args.iter().map(|a| (*a).to_owned()).collect();
        plan(&args).map(|plan| plan.stages.iter().map(|stage| stage.0).collect())
    }

    #[test]
    fn named_stages_run_in_the_order_that_shares_artefacts() {
        assert_eq!(names(&["it", "gates", "--keep-going"]), Ok(vec!["gates", "it"]));
        assert_eq!(names(&[]).map(|all| all.len()), Ok(STAGES.len()));
        assert!(names(&["everything"]).is_err());
    }

    #[test]
    fn the_last_line_is_the_one_that_machines_read() {
        assert_eq!(text(Tally { passed: 12, failed: 0 }), "12 passed, 0 failed");
    }
}

//! `peerloom policy test`: asks all tests, or tries another folder out on what this node has decided.
//! Invariant: all tests are asked, also behind one that fails; nothing is written.
//! Not here: asking (`crate::policy::assertions`, `crate::policy::replay`).

use std::path::{Path, PathBuf};

use clap::Args;
use peerloom_shared::net::clock::unix_ms;
use serde_json::{Value, json};

use super::super::{Failures, Outcome, Session};
use super::{Place, Where, count, no_folder};
use crate::audit::{read_recent, utc};
use crate::error::{Coded, Exit, Failure, codes};
use crate::policy::PolicyError;
use crate::policy::assertions::failed;
use crate::policy::folder;
use crate::policy::replay::{Flip, Replay, Side, replay};
use crate::text::one_line;

/// Arguments of `policy test`.
#[derive(Debug, Args)]
pub(super) struct TestArgs {
    #[command(flatten)]
    at: Where,
    /// Show which of the newest decisions of this node another folder would turn round
    #[arg(long, value_name = "FOLDER", conflicts_with = "dir")]
    dry_run: Option<PathBuf>,
}

pub(super) fn run(session: &Session, args: &TestArgs) -> Outcome {
    let place = Place::of(session, &args.at)?;
    match &args.dry_run {
        Some(candidate) => dry_run(session, &place, candidate),
        None => ask(session, &place),
    }
}

fn ask(session: &Session, place: &Place) -> Outcome {
    let now_ms = unix_ms();
    let draft = folder::draft(&place.dir, &place.wanted)?;
    let asker = draft.asker(now_ms)?;
    let mut rows = Vec::new();
    let mut wrong: Vec<Failure> = Vec::new();
    for test in &draft.tests {
        let answer = asker.ask(test)?;
        let spot = test.spot.to_string();
        rows.push(json!({ "test": spot, "passed": answer.passed, "found": answer.found }));
        if !answer.passed {
            wrong.push(failed(test, answer).into());
        }
    }
    let passed = rows.len().saturating_sub(wrong.len());
    let guard = draft.guard(now_ms);
    if session.out.is_json() {
        let guarded = guard.as_ref().err().map(told);
        session.out.json(&json!({
            "schema": "peerloom/policy-test/1", "folder": place.dir.display().to_string(),
            "passed": passed, "failed": wrong.len(), "tests": rows, "problem": guarded,
        }))?;
        let code = wrong.first().map(Failure::exit);
        let code = code.or(guard.err().map(|error| error.code().exit)).unwrap_or(Exit::DONE);
        return Ok(code);
    }
    if wrong.is_empty() {
        guard?;
        session.out.data(&match passed {
            0 => "there are no tests, and no own policies that need some".to_owned(),
            _ => format!("{} passed", count(passed, "test", "tests")),
        })?;
        return Ok(Exit::DONE);
    }
    session.out.data(&format!("{passed} passed, {} failed", wrong.len()))?;
    for failure in &wrong {
        session.out.failures(&failure.clone().into());
    }
    Ok(wrong.first().map_or(Exit::CONFIG, Failure::exit))
}

fn told(error: &PolicyError) -> Value {
    json!({ "code": error.code().id, "text": error.to_string() })
}

fn dry_run(session: &Session, place: &Place, candidate: &Path) -> Outcome {
    if !candidate.is_dir() {
        return Err(no_folder(candidate).into());
    }
    let now_ms = unix_ms();
    let in_force = folder::load(&place.dir, &place.wanted, now_ms)?;
    let candidate = folder::load(candidate, &place.wanted, now_ms)?;
    let outcome = replay(decided(session)?, &Side::new(in_force), &Side::new(candidate));
    session.out.either(&as_json(&outcome), || as_text(session, &outcome))?;
    Ok(Exit::DONE)
}

/// The newest decisions of this node.
pub(super) fn decided(session: &Session) -> Result<Vec<crate::audit::Asked>, Failures> {
    let folder = session.config()?.files().audit();
    read_recent(&folder).map_err(|error| {
        let text = format!("cannot read the decisions in {}: {error}", folder.display());
        Failure::new(&codes::AUD_002, text).into()
    })
}

fn as_json(outcome: &Replay) -> Value {
    let flips: Vec<Value> = outcome
        .flips
        .iter()
        .map(|Flip { asked, now, then }| {
            json!({
                "atMs": asked.at_ms, "peer": asked.peer, "net": asked.net,
                "action": asked.action, "resource": asked.resource,
                "now": { "allowed": now.allowed, "by": now.by },
                "then": { "allowed": then.allowed, "by": then.by },
            })
        })
        .collect();
    json!({
        "schema": "peerloom/policy-dry-run/1", "asked": outcome.asked, "flips": flips,
        "cut": outcome.cut, "unknown": outcome.unknown, "coarse": outcome.coarse,
        "older": outcome.older,
    })
}

fn as_text(session: &Session, outcome: &Replay) -> String {
    let asked = count(outcome.asked, "decision", "decisions");
    let mut text = match outcome.flips.len() {
        0 => format!("nothing would change: {asked} asked again"),
        flips => format!("{flips} of {asked} would change\n\n"),
    };
    let rows: Vec<Vec<String>> = outcome.flips.iter().map(row).collect();
    if !rows.is_empty() {
        let head = ["WHEN", "WHO", "ACTION", "ON", "NOW", "THEN"];
        text.push_str(&session.out.table(&head, &rows));
    }
    let notes = [
        (
            outcome.older,
            "were decided otherwise at their time, by other policies or while observing",
        ),
        (outcome.coarse, "came from an address of which only the network is kept"),
        (outcome.cut, "could not be asked again, because their names are kept in part only"),
        (outcome.unknown, "could not be asked again, because a newer version wrote them"),
    ];
    for (number, what) in notes.into_iter().filter(|(number, _)| *number > 0) {
        text.push_str(&format!("\n  {number} {what}"));
    }
    text
}

fn row(flip: &Flip) -> Vec<String> {
    let Flip { asked, now, then } = flip;
    let who = match (&asked.peer, asked.net) {
        (Some(peer), _) => one_line(peer),
        (None, Some(net)) => net.to_string(),
        (None, None) => "this node".to_owned(),
    };
    let say = |answer: &crate::policy::replay::Answer| {
        let word = if answer.allowed { "allowed" } else { "denied" };
        format!("{word} by {}", one_line(&answer.by))
    };
    let (action, resource) = (one_line(&asked.action), one_line(&asked.resource));
    vec![utc(asked.at_ms), who, action, resource, say(now), say(then)]
}

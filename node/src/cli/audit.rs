//! `peerloom audit`: checks and reads the audit log.
//! Invariant: reads files only, so it works with and without a running node, and changes nothing.
//! Not here: the form of the log (`crate::audit`).

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use clap::{Args, Subcommand};
use peerloom_shared::limits::{AUDIT_TAIL, AUDIT_TAIL_MAX, CLI_POLL_MS};
use serde_json::json;

use super::{Outcome, Session};
use crate::audit::{self, Broken, CheckError, Tailing, Whole};
use crate::error::{Exit, Failure, codes};

/// Arguments of `audit`.
#[derive(Debug, Args)]
pub struct AuditArgs {
    #[command(subcommand)]
    verb: AuditVerb,
}

#[derive(Debug, Subcommand)]
enum AuditVerb {
    /// Check that no line was changed, removed or moved
    Verify,
    /// Show the newest lines
    Tail(TailArgs),
}

#[derive(Debug, Args)]
struct TailArgs {
    /// How many
    #[arg(short = 'n', long, value_name = "N", default_value_t = AUDIT_TAIL, value_parser = clap::value_parser!(u32).range(0..=i64::from(AUDIT_TAIL_MAX)))]
    lines: u32,
    /// Go on with lines that come
    #[arg(short, long)]
    follow: bool,
    /// Show the denial with this reference only
    #[arg(long = "ref", value_name = "REF", conflicts_with = "follow")]
    reference: Option<String>,
}

/// Checks or reads the audit log.
///
/// # Errors
/// When it is broken, missing or not readable.
pub fn run(session: &Session, args: AuditArgs) -> Outcome {
    let folder = session.config()?.files().audit();
    match args.verb {
        AuditVerb::Verify => verify(session, &folder),
        AuditVerb::Tail(args) => match args.reference {
            Some(reference) => find(session, &folder, &reference),
            None => tail(session, &folder, args.lines, args.follow),
        },
    }
}

fn verify(session: &Session, folder: &Path) -> Outcome {
    let whole = match audit::check(folder) {
        Err(CheckError::Broken(broken)) if session.out.is_json() => {
            session.out.json(&broken_json(&broken))?;
            return Ok(Exit::UNVERIFIED);
        }
        checked => checked?,
    };
    session.out.either(&whole_json(&whole), || as_text(&whole))?;
    if whole.torn > 0 {
        session.out.note(
            "the last line is not whole: the node writes it now, or was killed while it did; \
             its next start sets it aside",
        );
    }
    Ok(Exit::DONE)
}

/// Schema of both answers.
const CHECK_SCHEMA: &str = "peerloom/audit-check/1";

fn whole_json(whole: &Whole) -> serde_json::Value {
    json!({
        "schema": CHECK_SCHEMA, "whole": true,
        "files": whole.files, "lines": whole.lines,
        "first": whole.first, "last": whole.last,
        "fromMs": whole.from_ms, "toMs": whole.to_ms,
        "recovered": whole.recovered, "missing": whole.missing, "torn": whole.torn,
    })
}

fn broken_json(broken: &Broken) -> serde_json::Value {
    json!({
        "schema": CHECK_SCHEMA, "whole": false,
        "file": broken.file.display().to_string(), "line": broken.line,
        "why": broken.wrong.to_string(),
    })
}

fn as_text(whole: &Whole) -> String {
    if whole.lines == 0 {
        return "the audit log is whole: it has no lines yet".to_owned();
    }
    let (from, to) = (audit::utc(whole.from_ms), audit::utc(whole.to_ms));
    let Whole { files, lines, first, last, .. } = whole;
    let files = if *files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    let mut text = format!(
        "the audit log is whole: {lines} lines in {files}, number {first} to {last}, {from} to {to} UTC\n"
    );
    if whole.recovered > 0 {
        let times = whole.recovered;
        text.push_str(&format!("  starts that found its end damaged: {times}\n"));
    }
    if whole.missing > 0 {
        text.push_str(&format!("  lines that it says are missing: {}\n", whole.missing));
    }
    text
}

fn tail(session: &Session, folder: &Path, count: u32, follow: bool) -> Outcome {
    let unreadable = |source| CheckError::Io { path: PathBuf::from(folder), source };
    if !follow && !folder.exists() {
        return Err(CheckError::None { folder: folder.to_owned() }.into());
    }
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let (mut tailing, mut lines) = Tailing::open(folder, count).map_err(unreadable)?;
    loop {
        for line in &lines {
            show(session, line)?;
        }
        if !follow {
            return Ok(Exit::DONE);
        }
        if lines.is_empty() {
            thread::park_timeout(Duration::from_millis(CLI_POLL_MS));
        }
        lines = tailing.more().map_err(unreadable)?;
    }
}

fn find(session: &Session, folder: &Path, reference: &str) -> Outcome {
    let unreadable = |source| CheckError::Io { path: PathBuf::from(folder), source };
    let wanted = reference.trim().to_ascii_uppercase();
    let Some(line) = Tailing::find(folder, &wanted).map_err(unreadable)? else {
        let text = format!("no line has the reference {}", crate::text::one_line(&wanted));
        return Err(Failure::new(&codes::AUD_004, text).into());
    };
    show(session, &line)?;
    Ok(Exit::DONE)
}

fn show(session: &Session, line: &[u8]) -> Result<(), super::Failures> {
    // A line that was tampered with must not steer a terminal in its JSON form either.
    let text = if session.out.is_json() {
        crate::text::one_line(&String::from_utf8_lossy(line))
    } else {
        audit::show(line)
    };
    session.out.data(&text)
}

//! `peerloom policy`: checks, tests, formats and explains the policy folder.
//! Invariant: works without a running node, by the very code that the node decides with; only `fmt`
//! writes.
//! Not here: the folder (`crate::policy`), what a question is explained from (`explain`).

use std::path::{Path, PathBuf};

use cedar_policy_formatter::{Config, policies_str_to_pretty};
use clap::{Args, Subcommand};
use peerloom_shared::grant::Key;
use peerloom_shared::net::clock::unix_ms;
use peerloom_shared::policy::Access;
use serde_json::json;

use super::invite::grants;
use super::{Failures, Outcome, Session, reload};
use crate::admin::GrantsInfo;
use crate::config::{CheckedConfig, Key as Setting, Raw};
use crate::error::{Exit, Failure, codes};
use crate::identity::keystore;
use crate::policy::PolicyError;
use crate::policy::error::Spot;
use crate::policy::folder::{self, Wanted};
use crate::policy::names::SCHEMA;
use crate::policy::network_file::replace;

mod explain;
mod trial;

/// Arguments of `policy`.
#[derive(Debug, Args)]
pub struct PolicyArgs {
    #[command(subcommand)]
    verb: PolicyVerb,
}

#[derive(Debug, Subcommand)]
enum PolicyVerb {
    /// Check the policy folder as a node does before it takes it
    Check(Where),
    /// Ask all tests of the policy folder, or try another folder out
    Test(trial::TestArgs),
    /// Write the policies of the folder in one form
    Fmt(FmtArgs),
    /// Show what policies can speak of, as a Cedar schema
    Schema,
    /// Make the running node read its policies again
    Reload,
    /// Show why something is allowed or denied
    Explain(explain::ExplainArgs),
}

#[derive(Debug, Args)]
pub(super) struct Where {
    /// Another folder than that of the node
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
    /// What strangers get: open, friends or closed; that of the running node, where nothing is said
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
}

#[derive(Debug, Args)]
struct FmtArgs {
    #[command(flatten)]
    at: Where,
    /// Change nothing, only tell which files would change
    #[arg(long)]
    check: bool,
}

/// Does something with the policy folder.
///
/// # Errors
/// What is wrong with it, or with what was asked.
pub fn run(session: &Session, args: PolicyArgs) -> Outcome {
    match args.verb {
        PolicyVerb::Check(at) => check(session, &at),
        PolicyVerb::Test(args) => trial::run(session, &args),
        PolicyVerb::Fmt(args) => fmt(session, &args),
        PolicyVerb::Schema => schema(session),
        PolicyVerb::Reload => reload::run(session),
        PolicyVerb::Explain(args) => explain::run(session, &args),
    }
}

/// A folder, and what a node would load it for.
#[derive(Debug)]
struct Place {
    dir: PathBuf,
    wanted: Wanted,
    /// What the running node tells of itself; `None` when none runs.
    running: Option<GrantsInfo>,
}

impl Place {
    fn of(session: &Session, at: &Where) -> Result<Self, Failures> {
        let named = at.policy.clone().map(|name| (Setting::PolicyProfile, Raw::Text(name)));
        let config = CheckedConfig::load(&session.sources(named.into_iter().collect()))
            .map_err(Failures::from)?;
        let files = config.files();
        // A node that never ran has no key. Then no key of its own is trusted, which a folder can tell.
        let own = match files.identity_key().exists() {
            true => Key::of_peer(&keystore::identity(&files)?.public().to_peer_id()),
            false => None,
        };
        let dir = match &at.dir {
            Some(dir) if dir.is_dir() => dir.clone(),
            Some(dir) => return Err(no_folder(dir).into()),
            None => files.policy(),
        };
        // Flags of its own may have told it what strangers get.
        let running = session.client().ok().and_then(|client| grants(&client).ok());
        let running = running.map(|(_, grants)| grants);
        let its = running.as_ref().and_then(|grants| grants.policy.parse::<Access>().ok());
        let access = if at.policy.is_some() { config.access } else { its.or(config.access) };
        Ok(Self { dir, wanted: Wanted { access, own }, running })
    }
}

fn no_folder(dir: &Path) -> Failure {
    let text = format!("there is no folder {}", dir.display());
    Failure::new(&codes::POL_014, text)
}

fn check(session: &Session, at: &Where) -> Outcome {
    let place = Place::of(session, at)?;
    let loaded = folder::load(&place.dir, &place.wanted, unix_ms())?;
    let profile = loaded.compiled.access.name();
    let network = data_encoding::HEXLOWER.encode(&loaded.compiled.trust.network);
    let value = json!({
        "schema": "peerloom/policy-check/1", "folder": place.dir.display().to_string(),
        "policies": loaded.policies, "tests": loaded.tests, "profile": profile, "network": network,
    });
    session.out.either(&value, || {
        format!(
            "the policies are right: {} and {}\n  profile  {profile}\n  folder   {}",
            count(loaded.policies, "own policy", "own policies"),
            count(loaded.tests, "test", "tests"),
            place.dir.display(),
        )
    })?;
    Ok(Exit::DONE)
}

fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

fn schema(session: &Session) -> Outcome {
    let value = json!({ "schema": "peerloom/policy-schema/1", "cedar": SCHEMA });
    session.out.either(&value, || SCHEMA.to_owned())?;
    Ok(Exit::DONE)
}

fn fmt(session: &Session, args: &FmtArgs) -> Outcome {
    let place = Place::of(session, &args.at)?;
    // Nothing is written unless all files can be.
    let mut drafts = Vec::new();
    let files = folder::cedar_files(&place.dir)?;
    for path in &files {
        let text = folder::read(path)?.unwrap_or_default();
        let pretty = pretty(path, &text)?;
        if pretty != text {
            drafts.push((path, pretty));
        }
    }
    if !args.check {
        for (path, text) in &drafts {
            let unwritable = |source| PolicyError::Unreadable { path: path.to_path_buf(), source };
            replace(path, text.as_bytes()).map_err(unwritable)?;
        }
    }
    let names: Vec<String> = drafts.iter().map(|(path, _)| path.display().to_string()).collect();
    let value = json!({
        "schema": "peerloom/policy-fmt/1", "files": files.len(), "changed": names, "written": !args.check,
    });
    session.out.either(&value, || {
        let all = count(files.len(), "file", "files");
        match (names.is_empty(), args.check) {
            (true, _) => format!("nothing to change in {all}"),
            (false, true) => format!("would change\n  {}", names.join("\n  ")),
            (false, false) => format!("changed\n  {}", names.join("\n  ")),
        }
    })?;
    Ok(if args.check && !names.is_empty() { Exit::UNVERIFIED } else { Exit::DONE })
}

/// The same policies in the usual form. The formatter checks itself that they mean the same.
fn pretty(path: &Path, text: &str) -> Result<String, PolicyError> {
    // Refuses what nests so deep that the formatter must not see it, with the place.
    let rules = crate::policy::source::rules(path, text)?;
    if rules.is_empty() {
        return Ok(text.to_owned());
    }
    let config = Config { line_width: 100, indent_width: 2 };
    let pretty = policies_str_to_pretty(text, &config).map_err(|error| PolicyError::Syntax {
        spot: Spot::file(path),
        why: crate::text::one_line(&error.to_string()),
    })?;
    Ok(format!("{}\n", pretty.trim_end()))
}

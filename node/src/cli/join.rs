//! `peerloom join`: accept an invitation with the running node.
//! Invariant: the link is read from the command line or from standard input, and written nowhere.
//! Not here: making invitations (`invite`).

use clap::Args;
use serde_json::json;

use super::invite::about;
use super::{Outcome, Session};
use crate::admin::JoinedInfo;
use crate::audit::utc;
use crate::error::{Exit, Failure, codes};
use crate::text::one_line;

/// Arguments of `join`.
#[derive(Debug, Args)]
pub struct JoinArgs {
    /// The link, or `-` to read it from standard input, where others cannot see it in the list of
    /// processes
    #[arg(value_name = "LINK")]
    link: String,
}

/// What strangers get at this node, in words.
fn policy(access: &str) -> String {
    let words = match access {
        "open" => "strangers may take part through this node",
        _ => "this node deals with members only; `peerloom run --policy` names another policy",
    };
    format!("{}: {words}", one_line(access))
}

/// Accepts an invitation.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: &JoinArgs) -> Outcome {
    let link = match args.link.as_str() {
        "-" => {
            let mut line = String::new();
            let read = std::io::stdin().read_line(&mut line);
            read.map_err(|error| Failure::new(&codes::CLI_002, error.to_string()))?;
            line
        }
        link => link.to_owned(),
    };
    let joined: JoinedInfo =
        session.client()?.post("/api/v1/invites/accept", &json!({ "link": link.trim() }))?;
    let value = serde_json::to_value(&joined).unwrap_or_default();
    session.out.either(&value, || {
        format!(
            "joined the network of {}\n  about  {}\n  allows {}\n  until  {}\n  policy {}",
            one_line(&joined.grant.root),
            about(&joined.grant.about),
            joined.grant.actions.join(", "),
            utc(joined.grant.expires_ms),
            policy(&joined.policy),
        )
    })?;
    match (&joined.through, &joined.trouble) {
        (Some(through), _) => session.out.note(&format!("connected to {}", one_line(through))),
        (None, Some(trouble)) => session.out.note(&format!(
            "nobody of the invitation could be reached yet ({}); the node keeps the grant and shows it to \
             whoever it meets",
            one_line(trouble)
        )),
        (None, None) => session.out.note("the invitation names no address; connect to a member"),
    }
    Ok(Exit::DONE)
}

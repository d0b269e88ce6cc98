//! `peerloom grant`: what this node holds and gave, and taking it back.
//! Invariant: what is taken back is named by an id or a peer, never guessed.
//! Not here: invitations (`invite`).

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::invite::{about, find, grants, short};
use super::{Outcome, Session};
use crate::audit::utc;
use crate::error::Exit;
use crate::text::one_line;

/// Arguments of `grant`.
#[derive(Debug, Args)]
pub struct GrantArgs {
    #[command(subcommand)]
    verb: GrantVerb,
}

#[derive(Debug, Subcommand)]
enum GrantVerb {
    /// List what this node holds and what it granted
    Ls,
    /// Take back a grant, or everything that a peer was granted
    Revoke {
        /// The id of a grant, the beginning of it, or a PeerId
        #[arg(value_name = "ID|PEER")]
        what: String,
    },
}

/// Lists or takes back grants.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: GrantArgs) -> Outcome {
    match args.verb {
        GrantVerb::Ls => ls(session),
        GrantVerb::Revoke { what } => revoke(session, &what),
    }
}

fn ls(session: &Session) -> Outcome {
    let (value, grants) = grants(&session.client()?)?;
    session.out.either(&value, || {
        let mut text = format!("network {}\n", short(&grants.network));
        for root in &grants.roots {
            text.push_str(&format!("  trusts {}\n", one_line(root)));
        }
        text.push_str("\nheld by this node\n");
        let held: Vec<_> = grants
            .held
            .iter()
            .map(|held| {
                let state = if held.in_force { "in force" } else { "other network" };
                vec![
                    short(&held.id).to_owned(),
                    about(&held.about),
                    format!("{} actions", held.actions.len()),
                    utc(held.expires_ms),
                    state.to_owned(),
                ]
            })
            .collect();
        let table = session.out.table(&["ID", "ABOUT", "ALLOWS", "UNTIL", "STATE"], &held);
        text.push_str(if held.is_empty() { "  nothing" } else { &table });
        text.push_str("\n\ngiven by this node\n");
        let given: Vec<_> = grants
            .given
            .iter()
            .filter(|given| !given.invite)
            .map(|given| {
                vec![
                    short(&given.id).to_owned(),
                    given.peer.as_deref().map(one_line).unwrap_or_default(),
                    given.role.clone(),
                    about(&given.about),
                    utc(given.expires_ms),
                    given.state.clone(),
                ]
            })
            .collect();
        let head = ["ID", "PEER", "ROLE", "ABOUT", "UNTIL", "STATE"];
        let table = session.out.table(&head, &given);
        text.push_str(if given.is_empty() { "  nothing" } else { &table });
        text
    })?;
    Ok(Exit::DONE)
}

fn revoke(session: &Session, what: &str) -> Outcome {
    let client = session.client()?;
    let body = if what.parse::<peerloom_shared::PeerId>().is_ok() {
        json!({ "peer": what })
    } else {
        let (_, grants) = grants(&client)?;
        json!({ "id": find(grants.given.iter(), what)?.id })
    };
    let answer: Value = client.post("/api/v1/grants/revoke", &body)?;
    session.out.either(&answer, || format!("{} is taken back", one_line(what)))?;
    Ok(Exit::DONE)
}

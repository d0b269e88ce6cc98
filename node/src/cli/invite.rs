//! `peerloom invite`: make, list and take back invitations.
//! Invariant: the link goes to standard output once; it is a secret of those who may use it.
//! Not here: accepting one (`join`), what was granted through one (`grant`).

use clap::{Args, Subcommand};
use fast_qr::{ECL, QRBuilder};
use peerloom_shared::grant::Role;
use serde_json::{Value, json};

use super::client::Client;
use super::{Outcome, Session, room};
use crate::admin::{GivenInfo, GrantsInfo, InviteMade};
use crate::audit::utc;
use crate::error::{Exit, Failure, codes};
use crate::text::one_line;

/// Arguments of `invite`.
#[derive(Debug, Args)]
pub struct InviteArgs {
    #[command(subcommand)]
    verb: InviteVerb,
}

#[derive(Debug, Subcommand)]
enum InviteVerb {
    /// Make an invitation and print its link
    Create(CreateArgs),
    /// List the invitations that this node made
    Ls,
    /// Take an invitation back: nobody can accept it any more
    Revoke {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// Take back as well what those were granted who came by it
        #[arg(long)]
        with_guests: bool,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// Invite to this room only, instead of the whole network
    #[arg(long, value_name = "ROOM")]
    room: Option<String>,
    /// What the guest may do: visitor, member or relay
    #[arg(long, value_name = "ROLE", default_value = "member", value_parser = role)]
    role: Role,
    /// How long it can be accepted, such as 30m, 24h or 7d
    #[arg(long, value_name = "TIME", default_value = "24h", value_parser = life)]
    expires: u64,
    /// How many may accept it; 0 is without limit
    #[arg(long, value_name = "N", default_value_t = 1)]
    uses: u16,
    /// Address of the page that the link opens; usually this node's own
    #[arg(long, value_name = "URL")]
    page: Option<String>,
    /// Draw the link as a QR code as well
    #[arg(long)]
    qr: bool,
}

fn role(text: &str) -> Result<Role, String> {
    text.parse().map_err(|error| format!("it {error}"))
}

/// A time in ms.
fn life(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit_ms = match text.get(digits.len()..).unwrap_or_default() {
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err("write it like 30m, 24h or 7d".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "it is not a whole number".to_owned())?;
    let max = peerloom_shared::limits::GRANT_LIFE_MS_MAX;
    match number.checked_mul(unit_ms) {
        Some(ms) if (1..=max).contains(&ms) => Ok(ms),
        _ => Err("it must be more than nothing and at most 90d".to_owned()),
    }
}

/// Makes, lists or takes back invitations.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: InviteArgs) -> Outcome {
    match args.verb {
        InviteVerb::Create(args) => create(session, args),
        InviteVerb::Ls => ls(session),
        InviteVerb::Revoke { id, with_guests } => revoke(session, &id, with_guests),
    }
}

fn create(session: &Session, args: CreateArgs) -> Outcome {
    let client = session.client()?;
    let room = args.room.as_deref().map(room::checked).transpose()?;
    let page = args.page.unwrap_or_else(|| client.page());
    let body = json!({
        "room": room,
        "role": args.role.name(),
        "lifeMs": args.expires,
        "maxUses": args.uses,
        "page": page,
    });
    let made: InviteMade = client.post("/api/v1/invites/create", &body)?;
    let value = serde_json::to_value(&made).unwrap_or_default();
    session.out.either(&value, || made.link.clone())?;
    if args.qr && !session.out.is_json() {
        session.out.data(&drawn(&made.link)?)?;
    }
    let whom = match made.max_uses {
        0 => "for everybody who has it".to_owned(),
        1 => "for one".to_owned(),
        many => format!("for {many}"),
    };
    let what = room.map_or_else(|| "the whole network".to_owned(), |room| format!("room {room}"));
    session.out.note(&format!(
        "role {} · {what} · {whom} · until {}\n\
         whoever sees the link can use it; take it back with: peerloom invite revoke {}",
        made.role,
        utc(made.expires_ms),
        short(&made.id),
    ));
    Ok(Exit::DONE)
}

/// The link as half blocks, two rows of modules a line, light where a terminal is dark.
fn drawn(link: &str) -> Result<String, Failure> {
    let code = QRBuilder::new(link)
        .ecl(ECL::L)
        .build()
        .map_err(|error| Failure::new(&codes::INV_005, error.to_string()))?;
    Ok(code.to_str())
}

/// The beginning of an id that people read.
#[must_use]
pub fn short(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// What this node holds and gave.
///
/// # Errors
/// When the node cannot be asked.
pub fn grants(client: &Client) -> Result<(Value, GrantsInfo), Failure> {
    let value: Value = client.get("/api/v1/grants")?;
    let grants = super::status::parse(&value)?;
    Ok((value, grants))
}

/// The one among these whose id begins so.
///
/// # Errors
/// When there is none, or more than one.
pub fn find<'a>(
    mut given: impl Iterator<Item = &'a GivenInfo>,
    id: &str,
) -> Result<&'a GivenInfo, Failure> {
    let id = id.trim().to_ascii_lowercase();
    let mut begins = given.by_ref().filter(|given| !id.is_empty() && given.id.starts_with(&id));
    match (begins.next(), begins.next()) {
        (Some(given), None) => Ok(given),
        (Some(_), Some(_)) => {
            let text = format!("more than one id begins with `{}`", one_line(&id));
            Err(Failure::new(&codes::CLI_001, text))
        }
        (None, _) => {
            let text = format!("no id begins with `{}`", one_line(&id));
            Err(Failure::new(&codes::INV_006, text))
        }
    }
}

fn ls(session: &Session) -> Outcome {
    let (_, grants) = grants(&session.client()?)?;
    let invites: Vec<_> = grants.given.into_iter().filter(|given| given.invite).collect();
    let value = json!({ "schema": "peerloom/invites/1", "invites": invites });
    if invites.is_empty() && !session.out.is_json() {
        session.out.note("no invitations; `peerloom invite create` makes one");
        return Ok(Exit::DONE);
    }
    session.out.either(&value, || {
        let rows: Vec<_> = invites
            .iter()
            .map(|invite| {
                let uses = match invite.max_uses {
                    0 => invite.uses.to_string(),
                    max => format!("{} of {max}", invite.uses),
                };
                vec![
                    short(&invite.id).to_owned(),
                    invite.role.clone(),
                    about(&invite.about),
                    uses,
                    utc(invite.expires_ms),
                    invite.state.clone(),
                ]
            })
            .collect();
        session.out.table(&["ID", "ROLE", "ABOUT", "USES", "UNTIL", "STATE"], &rows)
    })?;
    Ok(Exit::DONE)
}

/// What a grant is about, for people.
#[must_use]
pub fn about(prefix: &str) -> String {
    let room = prefix
        .strip_prefix("topic/")
        .and_then(peerloom_shared::wire::room_of_topic)
        .map(|room| format!("room {room}"));
    match room {
        Some(room) => room,
        None if prefix.is_empty() => "everything".to_owned(),
        None => one_line(prefix),
    }
}

fn revoke(session: &Session, id: &str, with_guests: bool) -> Outcome {
    let client = session.client()?;
    let (_, grants) = grants(&client)?;
    let id = find(grants.given.iter().filter(|given| given.invite), id)?.id.clone();
    let body = json!({ "id": id, "withGuests": with_guests });
    let answer: Value = client.post("/api/v1/invites/revoke", &body)?;
    session.out.either(&answer, || {
        let guests = if with_guests { ", and what came of it" } else { "" };
        format!("{} is taken back{guests}", short(&id))
    })?;
    Ok(Exit::DONE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_a_bound() {
        assert_eq!(life("90s"), Ok(90_000));
        assert_eq!(life("24h"), Ok(86_400_000));
        assert_eq!(life("90d"), Ok(90 * 86_400_000));
        for bad in ["", "5", "0h", "91d", "1w", "h", "-1h", "99999999999999999999d"] {
            assert!(life(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_longest_link_fits_a_qr_code_that_a_terminal_can_draw() {
        let link = "x".repeat(peerloom_shared::limits::INVITE_CHARS_MAX);
        let drawn = drawn(&link).expect("it fits");
        let width = drawn.lines().map(|line| line.chars().count()).max().unwrap_or_default();
        // Version 25 has 117 modules, and four of quiet on each side.
        assert!(width <= 125, "{width}");
    }
}

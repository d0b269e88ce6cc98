//! `peerloom room`: list, join, leave, members.
//! Invariant: a bad name is refused here, before the node is asked.
//! Not here: talking; that is `chat`.

use clap::{Args, Subcommand};
use peerloom_shared::view::RoomInfo;
use serde_json::{Value, json};

use super::client::Client;
use super::status::parse;
use super::{Outcome, Session};
use crate::error::{Exit, Failure, codes};
use crate::text::{self, one_line};

/// Arguments of `room`.
#[derive(Debug, Args)]
pub struct RoomArgs {
    #[command(subcommand)]
    verb: RoomVerb,
}

#[derive(Debug, Subcommand)]
enum RoomVerb {
    /// List the rooms that the node is in
    Ls,
    /// Join a room; it exists as soon as somebody is in it
    #[command(visible_alias = "join")]
    Create {
        /// The room
        #[arg(value_name = "ROOM")]
        room: String,
        /// Name shown to others from now on
        #[arg(long, value_name = "TEXT")]
        name: Option<String>,
    },
    /// Leave a room
    Leave {
        /// The room
        #[arg(value_name = "ROOM")]
        room: String,
    },
    /// Show who is in a room
    Members {
        /// The room
        #[arg(value_name = "ROOM")]
        room: String,
    },
}

/// Lists, joins or leaves rooms.
///
/// # Errors
/// What the node reported, or why it could not be asked.
pub fn run(session: &Session, args: RoomArgs) -> Outcome {
    match args.verb {
        RoomVerb::Ls => ls(session),
        RoomVerb::Create { room, name } => create(session, &room, name),
        RoomVerb::Leave { room } => leave(session, &room),
        RoomVerb::Members { room } => members(session, &room),
    }
}

/// Checks a room's name.
///
/// # Errors
/// When it is none.
pub fn checked(room: &str) -> Result<String, Failure> {
    text::room(room)
        .map_err(|why| Failure::new(&codes::ROOM_001, format!("`{}`: {why}", one_line(room))))
}

/// How many others are in a room, in words.
#[must_use]
pub fn people(count: usize) -> String {
    match count {
        0 => "nobody else yet".to_owned(),
        1 => "1 other member".to_owned(),
        _ => format!("{count} other members"),
    }
}

/// The rooms that the node is in.
///
/// # Errors
/// When the node cannot be asked.
pub fn rooms(client: &Client) -> Result<(Value, Vec<RoomInfo>), Failure> {
    let value: Value = client.get("/api/v1/rooms")?;
    let rooms = parse(value.get("rooms").unwrap_or(&Value::Null))?;
    Ok((value, rooms))
}

fn ls(session: &Session) -> Outcome {
    let (value, rooms) = rooms(&session.client()?)?;
    if rooms.is_empty() {
        session.out.note("the node is in no room; `peerloom chat lobby` joins one");
    }
    if !rooms.is_empty() || session.out.is_json() {
        session.out.either(&value, || {
            let rows: Vec<_> = rooms
                .iter()
                .map(|room| vec![one_line(&room.name), room.members.len().to_string()])
                .collect();
            session.out.table(&["ROOM", "OTHERS"], &rows)
        })?;
    }
    Ok(Exit::DONE)
}

fn create(session: &Session, room: &str, name: Option<String>) -> Outcome {
    let room = checked(room)?;
    let body = match name {
        Some(name) => json!({ "room": room, "name": name }),
        None => json!({ "room": room }),
    };
    let _answer: Value = session.client()?.post("/api/v1/rooms/join", &body)?;
    let value = json!({ "schema": "peerloom/room-joined/1", "room": room });
    session.out.either(&value, || format!("joined {room}; talk with: peerloom chat {room}"))?;
    Ok(Exit::DONE)
}

fn leave(session: &Session, room: &str) -> Outcome {
    let room = checked(room)?;
    let body = json!({ "room": room });
    let _answer: Value = session.client()?.post("/api/v1/rooms/leave", &body)?;
    let value = json!({ "schema": "peerloom/room-left/1", "room": room });
    session.out.either(&value, || format!("left {room}"))?;
    Ok(Exit::DONE)
}

fn members(session: &Session, room: &str) -> Outcome {
    let name = checked(room)?;
    let (_, rooms) = rooms(&session.client()?)?;
    let room = rooms.into_iter().find(|room| room.name == name).ok_or_else(|| {
        Failure::new(&codes::ROOM_002, format!("the node is not in the room {name}"))
    })?;
    let value =
        json!({ "schema": "peerloom/members/1", "room": room.name, "members": room.members });
    if room.members.is_empty() && !session.out.is_json() {
        session.out.note("nobody else is in the room yet");
        return Ok(Exit::DONE);
    }
    session.out.either(&value, || {
        let rows: Vec<_> = room
            .members
            .iter()
            .map(|member| {
                let name = member.name.as_deref().map(one_line).filter(|name| !name.is_empty());
                vec![name.unwrap_or_else(|| "-".to_owned()), one_line(&member.id)]
            })
            .collect();
        session.out.table(&["NAME", "PEER"], &rows)
    })?;
    Ok(Exit::DONE)
}

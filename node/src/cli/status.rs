//! `peerloom status`: the whole picture.
//! Invariant: `--json` passes the node's answer on whole, with fields this program may not know.
//! Not here: how the picture is made.

use clap::builder::styling::AnsiColor;
use peerloom_shared::view::{Health, Link, LinkState, RoomInfo, Status};
use serde_json::Value;

use super::output::{bold, coloured};
use super::{Outcome, Session, peers, room};
use crate::error::{Exit, Failure, codes};
use crate::text::one_line;

/// Shows the whole picture.
///
/// # Errors
/// When the node cannot be asked.
pub fn run(session: &Session) -> Outcome {
    let value: Value = session.client()?.get("/api/v1/status")?;
    let status: Status = parse(&value)?;
    session.out.either(&value, || text(session, &status))?;
    Ok(Exit::DONE)
}

/// A typed view of an answer.
///
/// # Errors
/// When the answer has another form.
pub fn parse<T: serde::de::DeserializeOwned>(value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|error| {
        Failure::new(&codes::CLI_005, format!("the answer has an unknown form: {error}"))
    })
}

fn text(session: &Session, status: &Status) -> String {
    let mut pairs = vec![
        ("peer", bold(&status.id)),
        ("agent", one_line(&status.agent)),
        ("health", format!("{}: {}", health(status.health), one_line(&status.reason))),
        ("uptime", duration(status.uptime_ms)),
        ("listen", lines(&status.listen)),
        ("reachable", lines(&status.addresses)),
        ("links", status.links.iter().map(link).collect::<Vec<_>>().join("\n")),
        ("rooms", status.rooms.iter().map(room_line).collect::<Vec<_>>().join("\n")),
    ];
    if status.peers.is_empty() {
        pairs.push(("peers", "none".to_owned()));
    }
    pairs.retain(|(_, value)| !value.is_empty());
    let mut text = session.out.pairs(&pairs);
    if !status.peers.is_empty() {
        text.push('\n');
        text.push_str(&peers::table(session, &status.peers));
    }
    text
}

fn lines(addresses: &[String]) -> String {
    addresses.iter().map(|address| one_line(address)).collect::<Vec<_>>().join("\n")
}

fn health(health: Health) -> String {
    match health {
        Health::Offline => coloured(AnsiColor::Red, "offline"),
        Health::Connecting => coloured(AnsiColor::Yellow, "connecting"),
        Health::Degraded => coloured(AnsiColor::Yellow, "degraded"),
        Health::Connected => coloured(AnsiColor::Green, "connected"),
    }
}

fn link(link: &Link) -> String {
    let state = match (link.state, link.retry_in_ms) {
        (LinkState::Connected, _) => coloured(AnsiColor::Green, "connected"),
        (LinkState::Dialing, _) => coloured(AnsiColor::Yellow, "dialing"),
        (LinkState::Waiting, None) => coloured(AnsiColor::Red, "waiting"),
        (LinkState::Waiting, Some(ms)) => {
            let text = format!("waiting {}", duration(ms));
            coloured(AnsiColor::Red, &text)
        }
    };
    let detail = link.detail.as_deref().filter(|_| link.state != LinkState::Connected);
    let detail = detail.map(|detail| format!("  ({})", one_line(detail))).unwrap_or_default();
    format!("{state}  {}{detail}", one_line(&link.address))
}

fn room_line(room: &RoomInfo) -> String {
    format!("{}  {}", one_line(&room.name), room::people(room.members.len()))
}

/// A duration in the two largest units that matter.
#[must_use]
pub fn duration(ms: u64) -> String {
    let s = ms / 1_000;
    match (s / 86_400, s / 3_600 % 24, s / 60 % 60, s % 60) {
        (0, 0, 0, 0) => format!("{ms} ms"),
        (0, 0, 0, s) => format!("{s} s"),
        (0, 0, m, s) => format!("{m} min {s} s"),
        (0, h, m, _) => format!("{h} h {m} min"),
        (d, h, _, _) => format!("{d} d {h} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_readable() {
        let shown = [7, 59_999, 61_000, 3_600_000 * 5, 86_400_000 * 3 + 7_200_000].map(duration);
        assert_eq!(shown, ["7 ms", "59 s", "1 min 1 s", "5 h 0 min", "3 d 2 h"]);
    }
}

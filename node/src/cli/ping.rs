//! `peerloom ping`: round trips to a connected peer.
//! Invariant: exit code 0 means that every ping was answered, 9 that some were.
//! Not here: the measuring.

use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use peerloom_shared::limits;
use peerloom_shared::view::Status;
use serde::Deserialize;
use serde_json::json;

use super::client::Client;
use super::output::error_text;
use super::{Outcome, Session, peers};
use crate::error::{Exit, Failure};
use crate::text::short_id;

/// Arguments of `ping`.
#[derive(Debug, Args)]
pub struct PingArgs {
    /// The peer's id
    #[arg(value_name = "PEER")]
    peer: String,
    /// How many times
    #[arg(short, long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    rtt_ms: f64,
}

/// Measures round trips to a connected peer.
///
/// # Errors
/// When no ping was answered: why the last one was not.
pub fn run(session: &Session, args: &PingArgs) -> Outcome {
    let client = session.client()?;
    let id = peers::peer_id(&args.peer)?;
    let mut answered = Vec::new();
    let mut last_failure = None;
    for number in 1..=args.count {
        let began = Instant::now();
        let answer: Result<Answer, Failure> = client.post("/api/v1/ping", &json!({ "id": id }));
        match answer {
            Ok(Answer { rtt_ms }) => {
                answered.push(rtt_ms);
                if !session.out.is_json() {
                    let way = way(&client, &id);
                    session.out.data(&format!("{} {way}  {rtt_ms:.1} ms", short_id(&id)))?;
                }
            }
            // Waiting does not help: the peer is unknown, denied, or the node is gone.
            Err(failure) if !failure.retryable() => return Err(failure.into()),
            Err(failure) => {
                session.out.note(&error_text(&failure));
                last_failure = Some(failure);
            }
        }
        if number < args.count {
            let pause = Duration::from_millis(limits::CLI_PING_EVERY_MS);
            thread::park_timeout(pause.saturating_sub(began.elapsed()));
        }
    }
    finish(session, &id, args.count, &answered, last_failure)
}

fn finish(
    session: &Session,
    id: &str,
    sent: u32,
    answered: &[f64],
    last_failure: Option<Failure>,
) -> Outcome {
    if session.out.is_json() {
        session.out.json(&json!({
            "schema": "peerloom/ping/1", "id": id, "sent": sent,
            "received": answered.len(), "rttMs": answered,
        }))?;
    } else if answered.len() > 1 {
        let least = answered.iter().copied().fold(f64::INFINITY, f64::min);
        let most = answered.iter().copied().fold(0.0, f64::max);
        let mean = answered.iter().sum::<f64>() / f64::from(sent).min(answered.len() as f64);
        let got = answered.len();
        session.out.note(&format!(
            "{got} of {sent} answered, {least:.1} / {mean:.1} / {most:.1} ms least, mean, most"
        ));
    }
    match last_failure {
        None => Ok(Exit::DONE),
        Some(_) if !answered.is_empty() => Ok(Exit::PARTLY),
        Some(failure) => Err(failure.into()),
    }
}

/// `direct quic`: the path that the last round trip most likely took.
fn way(client: &Client, id: &str) -> String {
    let status: Option<Status> = client.get("/api/v1/status").ok();
    let peer = status.and_then(|status| status.peers.into_iter().find(|peer| peer.id == id));
    let Some(peer) = peer else {
        return String::new();
    };
    let best = peer.connections.iter().find(|connection| connection.path == peer.path);
    let transport = best.map_or("", |connection| peers::transport(connection.transport));
    format!("{} {transport}", peers::path(peer.path))
}

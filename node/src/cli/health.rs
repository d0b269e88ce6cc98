//! `peerloom health`: for people, and for service managers that ask every few seconds.
//! Invariant: needs no token; exit code 0 only when the node does its work.
//! Not here: what makes a node ready.

use serde_json::{Value, json};

use super::{Outcome, Session};
use crate::error::{Exit, Failure, codes};

/// Tells whether the node is alive and does its work.
///
/// # Errors
/// When the node cannot be reached.
pub fn run(session: &Session) -> Outcome {
    let client = session.client()?;
    let (status, body) = client.public("/readyz")?;
    let answer: Value = serde_json::from_str(&body).map_err(|_| {
        Failure::new(&codes::CLI_005, format!("/readyz answered with HTTP status {status}"))
    })?;
    let ready = status == 200;
    let reasons = answer.get("reasons").and_then(Value::as_array).cloned().unwrap_or_default();
    let value = json!({
        "schema": "peerloom/health/1", "live": true, "ready": ready, "reasons": reasons,
    });
    session.out.either(&value, || {
        if ready {
            return "ready".to_owned();
        }
        let reasons = reasons.iter().filter_map(Value::as_str);
        reasons.fold("not ready".to_owned(), |text, reason| format!("{text}\n  {reason}"))
    })?;
    Ok(if ready { Exit::DONE } else { Exit::FAILURE })
}

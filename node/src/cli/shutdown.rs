//! `peerloom shutdown`: stops the running node cleanly.
//! Invariant: exit code 0 means that the node has gone, not only that it was asked.
//! Not here: the stopping.

use std::thread;
use std::time::{Duration, Instant};

use peerloom_shared::limits;
use serde_json::{Value, json};

use super::{Outcome, Session};
use crate::error::{Exit, Failure, codes};

/// Stops the running node and waits until it has gone.
///
/// # Errors
/// When the node cannot be asked, or does not go in time.
pub fn run(session: &Session) -> Outcome {
    let client = session.client()?;
    let began = Instant::now();
    let _accepted: Value = client.post("/api/v1/shutdown", &json!({}))?;
    session.out.note("the node is stopping ...");
    while client.public("/livez").is_ok() {
        if began.elapsed() > client.timeout() {
            let text = format!("the node still runs after {} s", began.elapsed().as_secs());
            return Err(Failure::new(&codes::CLI_006, text).into());
        }
        thread::park_timeout(Duration::from_millis(limits::CLI_POLL_MS));
    }
    let value = json!({ "schema": "peerloom/shutdown/1", "stopped": true });
    session.out.either(&value, || "the node has stopped".to_owned())?;
    Ok(Exit::DONE)
}

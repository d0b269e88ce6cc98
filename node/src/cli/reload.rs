//! `peerloom reload`: the running node reads its rules and settings again.
//! Invariant: a bad file changes nothing; the node says what is wrong with it.
//! Not here: the reading.

use serde_json::{Value, json};

use super::{Outcome, Session};
use crate::error::Exit;

/// Makes the running node read its rules and settings again.
///
/// # Errors
/// What the node found wrong, or why it could not be asked.
pub fn run(session: &Session) -> Outcome {
    let answer: Value = session.client()?.post("/api/v1/reload", &json!({}))?;
    session.out.either(&answer, || {
        let names = |field: &str| {
            let names = answer.get(field).and_then(Value::as_array).into_iter().flatten();
            names.filter_map(Value::as_str).collect::<Vec<_>>().join(", ")
        };
        let mut text = "rules and settings were read again\n".to_owned();
        for (label, field) in [("changed", "applied"), ("needs a restart", "needsRestart")] {
            let names = names(field);
            if !names.is_empty() {
                text.push_str(&format!("  {label}: {names}\n"));
            }
        }
        text
    })?;
    Ok(Exit::DONE)
}

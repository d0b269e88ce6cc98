//! `peerloom version`.
//! Invariant: works without settings, data folder and node.
//! Not here: the version of a running node; `status` shows it.

use serde_json::json;

use super::{Outcome, Session};
use crate::error::Exit;

/// Shows the version.
///
/// # Errors
/// When standard output fails.
pub fn run(session: &Session) -> Outcome {
    let version = env!("CARGO_PKG_VERSION");
    let target = format!("{}-{}", std::env::consts::ARCH, std::env::consts::OS);
    let value = json!({ "schema": "peerloom/version/1", "version": version, "target": target });
    session.out.either(&value, || format!("peerloom {version} ({target})"))?;
    Ok(Exit::DONE)
}

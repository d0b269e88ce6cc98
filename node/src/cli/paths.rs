//! `peerloom paths`: where files are.
//! Invariant: nothing is made or read; it works without a node.
//! Not here: what the files hold.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::output::dim;
use super::{Outcome, Session};
use crate::error::Exit;

/// Shows where files are.
///
/// # Errors
/// When the settings are wrong or standard output fails.
pub fn run(session: &Session) -> Outcome {
    let config = session.config()?;
    let files = config.files();
    let file = session.sources(Vec::new()).file();
    let rows: [(&str, &str, Option<PathBuf>); 10] = [
        ("config", "config", file),
        ("dataDir", "data folder", Some(files.dir().to_owned())),
        ("identityKey", "identity key", Some(files.identity_key())),
        ("webrtcPem", "webrtc certificate", Some(files.webrtc_pem())),
        ("adminToken", "API token", Some(config.token_file.clone())),
        ("store", "database", Some(files.store())),
        ("lock", "lock", Some(files.lock())),
        ("running", "running node", Some(files.running())),
        ("rules", "rules", Some(files.rules())),
        ("audit", "audit log", Some(files.audit())),
    ];
    let mut value = json!({ "schema": "peerloom/paths/1" });
    if let Some(object) = value.as_object_mut() {
        for (key, _, path) in &rows {
            let text = path.as_ref().map(|path| Value::from(path.display().to_string()));
            object.insert((*key).to_owned(), text.unwrap_or_default());
        }
    }
    session.out.either(&value, || {
        let pairs = rows.map(|(_, label, path)| {
            let shown = path.map_or_else(
                || "none (see `peerloom config path`)".to_owned(),
                |path| {
                    let missing =
                        if path.exists() { String::new() } else { dim("  (not there yet)") };
                    format!("{}{missing}", path.display())
                },
            );
            (label, shown)
        });
        session.out.pairs(&pairs)
    })?;
    Ok(Exit::DONE)
}

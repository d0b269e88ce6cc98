//! `peerloom key`: show, export, import.
//! Invariant: a key is never shown, never written over, and changed only while no node runs.
//! Not here: the form of key files.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use clap::{Args, Subcommand};
use libp2p::identity::Keypair;
use serde_json::json;

use super::output::stdout_is_terminal;
use super::{Outcome, Session};
use crate::error::{Exit, Failure, codes};
use crate::identity::keystore;
use crate::identity::secret_file::SecretError;
use crate::lock::DataLock;
use crate::paths::DataFiles;

/// Arguments of `key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    verb: KeyVerb,
}

#[derive(Debug, Subcommand)]
enum KeyVerb {
    /// Show the peer id and the public key
    Show,
    /// Write the private key into a new file
    Export {
        /// The new file, or - for a pipe
        #[arg(value_name = "FILE")]
        file: String,
    },
    /// Make the key of a file this node's identity
    Import {
        /// The file, as `key export` makes it
        #[arg(value_name = "FILE")]
        file: String,
        /// Replace an existing key and keep it as a backup
        #[arg(long)]
        force: bool,
    },
}

/// Shows, exports or imports the identity key.
///
/// # Errors
/// When a file is refused or cannot be written.
pub fn run(session: &Session, args: KeyArgs) -> Outcome {
    let files = session.config()?.files();
    match args.verb {
        KeyVerb::Show => show(session, &files),
        KeyVerb::Export { file } => export(session, &files, &file),
        KeyVerb::Import { file, force } => import(session, &files, &file, force),
    }
}

fn show(session: &Session, files: &DataFiles) -> Outcome {
    let key = keystore::identity(files)?;
    let id = key.public().to_peer_id().to_string();
    let public = public_hex(&key)?;
    let path = files.identity_key().display().to_string();
    let value = json!({
        "schema": "peerloom/key/1", "id": id, "kind": "ed25519", "publicKey": public, "file": path,
    });
    session.out.either(&value, || {
        let pairs =
            [("peer", id), ("kind", "ed25519".to_owned()), ("public key", public), ("file", path)];
        session.out.pairs(&pairs)
    })?;
    Ok(Exit::DONE)
}

fn public_hex(key: &Keypair) -> Result<String, Failure> {
    let public = key
        .public()
        .try_into_ed25519()
        .map_err(|error| Failure::new(&codes::KEY_003, error.to_string()))?;
    Ok(public.to_bytes().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn export(session: &Session, files: &DataFiles, file: &str) -> Outcome {
    let key = keystore::identity(files)?;
    if file != "-" {
        keystore::write_key(Path::new(file), &key)?;
        session.out.note(&format!("the private key is in {file}: whoever has it is this peer"));
        return Ok(Exit::DONE);
    }
    if stdout_is_terminal() {
        return Err(Failure::new(&codes::KEY_007, "standard output is a terminal").into());
    }
    let bytes = keystore::encode(&key).map_err(|why| Failure::new(&codes::KEY_003, why))?;
    let mut stdout = io::stdout();
    stdout.write_all(&bytes).and_then(|()| stdout.flush()).map_err(|error| {
        Failure::new(&codes::CLI_002, format!("cannot write to standard output: {error}"))
    })?;
    Ok(Exit::DONE)
}

fn import(session: &Session, files: &DataFiles, file: &str, force: bool) -> Outcome {
    let key = keystore::read_key(Path::new(file)).map_err(|error| {
        if let SecretError::Missing { path } = &error {
            return Failure::new(&codes::KEY_004, format!("there is no file {}", path.display()));
        }
        error.into()
    })?;
    keystore::open_folder(files)?;
    let _lock = DataLock::take(files)?;
    let path = files.identity_key();
    let there =
        fs::exists(&path).map_err(|source| SecretError::Io { path: path.clone(), source })?;
    if there && !force {
        let text = format!("{} exists already", path.display());
        return Err(Failure::new(&codes::KEY_005, text).into());
    }
    let backup = keystore::replace_identity(files, &key)?;
    let id = key.public().to_peer_id().to_string();
    let backup = backup.map(|path| path.display().to_string());
    let value = json!({ "schema": "peerloom/key-import/1", "id": id, "backup": backup });
    session.out.either(&value, || match &backup {
        Some(backup) => format!("this node is now {id}\nthe old key is in {backup}"),
        None => format!("this node is now {id}"),
    })?;
    Ok(Exit::DONE)
}

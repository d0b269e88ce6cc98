//! The secrets of a data folder: identity key, webrtc-direct certificate, API token.
//! Invariant: a secret that exists is used or refused, never replaced by a new one.
//! Not here: how secret files are read and written; who uses the secrets.
//!
//! `identity.key` holds the libp2p private-key protobuf (type Ed25519) and nothing else, the form in
//! which go-libp2p and js-libp2p store keys, so a key can be carried between programs.
//! `admin.token` holds 64 hexadecimal digits and a line feed, `webrtc.pem` a PEM bundle.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use libp2p::identity::{KeyType, Keypair};
use peerloom_shared::limits;
use thiserror::Error;
use zeroize::Zeroizing;

use super::secret_file::{self, SecretError};
use crate::error::{Code, Coded, codes};
use crate::paths::DataFiles;

/// The token of the control API.
#[derive(Clone)]
pub struct Token(Zeroizing<String>);

impl Token {
    /// The token's text, for comparison or for one request.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// What can be wrong with a data folder as such.
#[derive(Debug, Error)]
pub enum FolderError {
    /// It cannot be made or used.
    #[error("cannot use the data folder {}", path.display())]
    Io {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It is not a folder.
    #[error("the data folder {} is not a folder", path.display())]
    Odd {
        /// What was named.
        path: PathBuf,
    },
    /// Other users may write to it.
    #[error("other users may write to the data folder {} (its mode is {mode:04o})", path.display())]
    Open {
        /// The folder.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
}

impl Coded for FolderError {
    fn code(&self) -> &'static Code {
        match self {
            Self::Io { .. } | Self::Odd { .. } => &codes::DATA_002,
            Self::Open { .. } => &codes::DATA_003,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Open { path, .. } => Some(format!(
                "chmod 700 {}, or choose another folder with --data-dir",
                path.display()
            )),
            Self::Io { .. } | Self::Odd { .. } => None,
        }
    }
}

/// Makes the data folder (0700) where it is missing, and refuses one that others may write to. An
/// empty folder that others may read, as `mkdir` makes it, is closed to them; one that holds files
/// is left as it is, because all files of ours in it are 0600.
///
/// # Errors
/// When the folder cannot be used.
pub fn open_folder(files: &DataFiles) -> Result<(), FolderError> {
    let path = files.dir();
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    if let Err(error) = builder.create(path) {
        return Err(match fs::metadata(path) {
            Ok(meta) if !meta.is_dir() => FolderError::Odd { path: path.to_owned() },
            _ => io(error),
        });
    }
    close_folder(path, &fs::metadata(path).map_err(io)?)
}

#[cfg(unix)]
fn close_folder(path: &Path, meta: &fs::Metadata) -> Result<(), FolderError> {
    use std::os::unix::fs::PermissionsExt;
    let mode = meta.permissions().mode() & 0o7777;
    if mode & 0o022 != 0 {
        return Err(FolderError::Open { path: path.to_owned(), mode });
    }
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let io = |source| FolderError::Io { path: path.to_owned(), source };
    if fs::read_dir(path).map_err(io)?.next().is_none() {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(io)?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_folder(_path: &Path, _meta: &fs::Metadata) -> Result<(), FolderError> {
    Ok(())
}

/// The identity of the data folder.
///
/// # Errors
/// When there is none, or the file is refused.
pub fn identity(files: &DataFiles) -> Result<Keypair, SecretError> {
    let path = files.identity_key();
    decode(&path, &secret_file::read(&path)?)
}

/// The identity of the data folder, made when there is none.
///
/// # Errors
/// When the file is refused or cannot be made.
pub fn identity_or_new(files: &DataFiles) -> Result<Keypair, SecretError> {
    let path = files.identity_key();
    let bytes = secret_file::read_or_create(&path, || encode(&Keypair::generate_ed25519()))?;
    decode(&path, &bytes)
}

/// Reads a key file from anywhere.
///
/// # Errors
/// When the file is refused.
pub fn read_key(path: &Path) -> Result<Keypair, SecretError> {
    decode(path, &secret_file::read(path)?)
}

/// Writes a key into a new file.
///
/// # Errors
/// When the file exists or cannot be written.
pub fn write_key(path: &Path, key: &Keypair) -> Result<(), SecretError> {
    let bytes = encode(key).map_err(|why| SecretError::Make { path: path.to_owned(), why })?;
    secret_file::create(path, &bytes)
}

/// Makes `key` the identity of the data folder. A key that is there is kept as a backup, whose path
/// is returned.
///
/// # Errors
/// When a file is refused or cannot be written; the old key is then still in place.
pub fn replace_identity(files: &DataFiles, key: &Keypair) -> Result<Option<PathBuf>, SecretError> {
    let path = files.identity_key();
    let io = |source| SecretError::Io { path: path.clone(), source };
    if !fs::exists(&path).map_err(io)? {
        write_key(&path, key)?;
        return Ok(None);
    }
    let next = path.with_extension("key.import");
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(error)),
        _ => {}
    }
    write_key(&next, key)?;
    let backup = free_backup(&path).map_err(io)?;
    fs::hard_link(&path, &backup).or_else(|_| fs::copy(&path, &backup).map(|_| ())).map_err(io)?;
    // One step from the old key to the new one: at no moment is there none.
    fs::rename(&next, &path).map_err(io)?;
    Ok(Some(backup))
}

fn free_backup(path: &Path) -> io::Result<PathBuf> {
    let mut number = 1_u32;
    loop {
        let candidate = path.with_extension(format!("key.backup-{number}"));
        if !fs::exists(&candidate)? {
            return Ok(candidate);
        }
        number = number.saturating_add(1);
    }
}

/// The bytes of a key file.
///
/// # Errors
/// Why the key cannot be written.
pub fn encode(key: &Keypair) -> Result<Zeroizing<Vec<u8>>, String> {
    key.to_protobuf_encoding().map(Zeroizing::new).map_err(|error| error.to_string())
}

fn decode(path: &Path, bytes: &[u8]) -> Result<Keypair, SecretError> {
    let damaged = |why: String| SecretError::Damaged { path: path.to_owned(), why };
    let key = Keypair::from_protobuf_encoding(bytes)
        .map_err(|error| damaged(format!("it holds no libp2p private key ({error})")))?;
    if key.key_type() != KeyType::Ed25519 {
        let why = format!("its key is of type {}, not Ed25519", key.key_type());
        return Err(damaged(why));
    }
    Ok(key)
}

/// The token of the API, made when there is none.
///
/// # Errors
/// When the file is refused or cannot be made.
pub fn token_or_new(path: &Path) -> Result<Token, SecretError> {
    let bytes = secret_file::read_or_create(path, || {
        let mut random = Zeroizing::new([0; limits::TOKEN_BYTES]);
        getrandom::fill(random.as_mut_slice()).map_err(|error| error.to_string())?;
        let mut text = Zeroizing::new(Vec::with_capacity(limits::TOKEN_BYTES * 2 + 1));
        text.extend(random.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(hex_digit));
        text.push(b'\n');
        Ok(text)
    })?;
    parse_token(path, &bytes)
}

/// The token of the API.
///
/// # Errors
/// When there is none, or the file is refused.
pub fn token(path: &Path) -> Result<Token, SecretError> {
    parse_token(path, &secret_file::read(path)?)
}

const fn hex_digit(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + value - 10 }
}

fn parse_token(path: &Path, bytes: &[u8]) -> Result<Token, SecretError> {
    let text = std::str::from_utf8(bytes).unwrap_or_default().trim_end();
    let right = text.len() == limits::TOKEN_BYTES * 2
        && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if right {
        return Ok(Token(Zeroizing::new(text.to_owned())));
    }
    Err(SecretError::Damaged {
        path: path.to_owned(),
        why: format!("it does not hold {} hexadecimal digits", limits::TOKEN_BYTES * 2),
    })
}

/// The certificate of the webrtc-direct listener, made when there is none. It is kept so that the
/// hash in our addresses survives a restart. `generate` makes a PEM bundle, `parse` reads one.
///
/// # Errors
/// When the file is refused, damaged, or cannot be made.
pub fn webrtc_certificate<C>(
    files: &DataFiles,
    generate: impl FnOnce() -> Result<String, String>,
    parse: impl FnOnce(&str) -> Result<C, String>,
) -> Result<C, SecretError> {
    let path = files.webrtc_pem();
    let bytes = secret_file::read_or_create(&path, || {
        generate().map(|pem| Zeroizing::new(pem.into_bytes()))
    })?;
    let text = std::str::from_utf8(&bytes).map_err(|error| error.to_string());
    text.and_then(parse).map_err(|why| SecretError::Damaged { path, why })
}

#[cfg(test)]
mod tests;

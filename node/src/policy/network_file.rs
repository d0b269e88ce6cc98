//! `network.toml`: which network was joined, and who is trusted there besides this node.
//! Invariant: it is written whole or not at all; the operator's own `entities.toml` is never touched.
//! Not here: reading it with the rest (`folder`), inviting and accepting (`identity`).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use peerloom_shared::grant::{Key, NetworkId};
use peerloom_shared::policy::Trust;

use super::error::PolicyError;

/// The name of the file.
pub const NAME: &str = "network.toml";

/// What the file was before it was written, to be put back.
#[derive(Debug)]
pub struct Before {
    path: PathBuf,
    bytes: Option<Vec<u8>>,
}

impl Before {
    /// Puts the former file back.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn restore(self) -> Result<(), PolicyError> {
        let done = match self.bytes {
            Some(bytes) => replace(&self.path, &bytes),
            None => fs::remove_file(&self.path),
        };
        done.map_err(|source| PolicyError::Unreadable { path: self.path, source })
    }
}

/// Names a network and one root more in the file, beside those that are trusted already.
///
/// # Errors
/// When the folder cannot be read or written.
pub fn join(
    folder: &Path,
    now: &Trust,
    network: NetworkId,
    root: Key,
) -> Result<Before, PolicyError> {
    let path = folder.join(NAME);
    let unwritable = |source| PolicyError::Unreadable { path: path.clone(), source };
    let bytes = match fs::read(&path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => return Err(unwritable(error)),
    };
    // Another network's roots mean nothing in this one.
    let mut roots = if now.network == network { now.roots.clone() } else { Vec::new() };
    if !roots.contains(&root) {
        roots.push(root);
    }
    let roots = roots.iter().filter_map(Key::peer).map(|peer| format!("    \"{peer}\",\n"));
    let text = format!(
        "# Written by `peerloom join`. What entities.toml says about network and roots comes before it;\n\
         # remove this file to leave the network.\n\
         [network]\nid = \"{}\"\n\n[trust]\nroots = [\n{}]\n",
        HEXLOWER.encode(&network),
        roots.collect::<String>(),
    );
    fs::create_dir_all(folder)
        .and_then(|()| replace(&path, text.as_bytes()))
        .map_err(unwritable)?;
    Ok(Before { path, bytes })
}

/// One step from the old file to the new one, which whoever could read the old one can read.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = path.with_extension("new");
    fs::write(&draft, bytes)?;
    if let Ok(old) = fs::metadata(path) {
        fs::set_permissions(&draft, old.permissions())?;
    }
    fs::File::open(&draft)?.sync_all()?;
    fs::rename(&draft, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::entities_file;

    #[test]
    fn what_is_written_is_read_back_and_can_be_put_back() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("policy");
        let key = |n: u8| {
            let secret = libp2p::identity::ed25519::SecretKey::try_from_bytes([n; 32]);
            Key::of(&libp2p::identity::ed25519::Keypair::from(secret.expect("32 bytes")))
        };
        let own = Trust { roots: vec![key(1)], ..Trust::open() };
        let read = || {
            let path = folder.join(NAME);
            let text = fs::read_to_string(&path).expect("written");
            entities_file::parse(&path, &text).expect("good").trust(own.clone())
        };
        let first = join(&folder, &own, own.network, key(2)).expect("written");
        assert_eq!(read(), Trust { roots: vec![key(1), key(2)], ..own.clone() });
        // Another network: its root alone.
        let other = Trust::founded_by(key(3));
        let second = join(&folder, &read(), other.network, key(3)).expect("written");
        assert_eq!(read(), other);
        second.restore().expect("put back");
        assert_eq!(read(), Trust { roots: vec![key(1), key(2)], ..own.clone() });
        first.restore().expect("put back");
        assert!(!folder.join(NAME).exists());
    }
}

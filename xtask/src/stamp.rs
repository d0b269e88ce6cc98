//! Role: decides whether a generated folder is still up to date.
//! Invariant: fresh means that neither the inputs nor the outputs changed by a byte since the
//! stamp was written; times of files do not count. Not here: how anything is generated.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use crate::sh::{self, Outcome};

/// Folders that are never an input: they are generated or fetched.
const GENERATED: [&str; 3] = ["dist", "node_modules", "target"];

/// One generated folder: what it is made from, and where it lies.
#[derive(Debug)]
pub(crate) struct Stamp<'a> {
    /// Name of the stamp file.
    pub(crate) name: &'a str,
    /// Files and folders it is made from.
    pub(crate) inputs: &'a [PathBuf],
    /// Settings that change the output.
    pub(crate) settings: &'a str,
    /// Files and folders it consists of.
    pub(crate) outputs: &'a [PathBuf],
}

impl Stamp<'_> {
    /// The note kept with the stamp when nothing changed since [`Stamp::write`], else none.
    pub(crate) fn fresh(&self) -> Option<String> {
        let kept = std::fs::read_to_string(self.path()).ok()?;
        let (key, note) = kept.split_once('\n')?;
        (self.key().ok()? == key).then(|| note.to_owned())
    }

    /// Remembers the present state, with a note for the next reader.
    pub(crate) fn write(&self, note: &str) -> Outcome {
        let path = self.path();
        let text = format!("{}\n{note}", self.key()?);
        let made = path.parent().map_or(Ok(()), std::fs::create_dir_all);
        made.and_then(|()| std::fs::write(&path, text))
            .map_err(|e| format!("cannot write {}: {e}", path.display()))
    }

    fn path(&self) -> PathBuf {
        sh::target().join("xtask").join(self.name)
    }

    fn key(&self) -> Outcome<String> {
        let inputs = hash(self.inputs)?;
        let outputs = hash(self.outputs)?;
        Ok(format!("{inputs:016x} {outputs:016x} {}", self.settings))
    }
}

/// Hash of names and contents. A listed folder counts with all below it, except what is
/// generated; listed paths count even if their name says that they are generated.
fn hash(paths: &[PathBuf]) -> Outcome<u64> {
    let mut files = BTreeMap::new();
    for path in paths {
        collect(path, &mut files)?;
    }
    let mut hasher = DefaultHasher::new();
    files.hash(&mut hasher);
    Ok(hasher.finish())
}

fn collect(path: &Path, into: &mut BTreeMap<PathBuf, Vec<u8>>) -> Outcome {
    let fault = |e: std::io::Error| format!("cannot read {}: {e}", path.display());
    if path.is_file() {
        into.insert(path.to_path_buf(), std::fs::read(path).map_err(fault)?);
        return Ok(());
    }
    for entry in std::fs::read_dir(path).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        let name = entry.file_name();
        let skipped = GENERATED.iter().any(|dir| name == *dir);
        if !skipped {
            collect(&entry.path(), into)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::hash;
    use std::fs;

    #[test]
    fn a_changed_byte_or_name_changes_the_hash_but_generated_folders_do_not() -> std::io::Result<()>
    {
        let dir = std::env::temp_dir().join(format!("xtask-stamp-{}", std::process::id()));
        fs::create_dir_all(dir.join("node_modules"))?;
        fs::write(dir.join("a.ts"), "one")?;
        let listed = [dir.clone()];
        let first = hash(&listed);
        fs::write(dir.join("node_modules/x.js"), "fetched")?;
        assert_eq!(first, hash(&listed));
        fs::write(dir.join("a.ts"), "two")?;
        assert_ne!(first, hash(&listed));
        fs::write(dir.join("a.ts"), "one")?;
        assert_eq!(first, hash(&listed));
        fs::rename(dir.join("a.ts"), dir.join("b.ts"))?;
        assert_ne!(first, hash(&listed));
        fs::remove_dir_all(dir)
    }
}

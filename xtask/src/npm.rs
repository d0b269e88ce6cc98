//! Role: fetches npm packages and runs npm scripts, but only when something changed.
//! Invariant: what is fetched is what `package-lock.json` says, never newer.
//! Not here: the scripts themselves, which each `package.json` names.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::sh::{self, Outcome};
use crate::stamp::Stamp;

/// One npm project of this repository.
#[derive(Debug)]
pub(crate) struct Project {
    /// Folder, relative to the top.
    pub(crate) dir: &'static str,
    /// What a person calls it.
    pub(crate) title: &'static str,
}

/// The `peerloom` package around the browser module.
pub(crate) const PACKAGE: Project =
    Project { dir: "wasm-peer/npm", title: "the npm package `peerloom`" };
/// The page that the node serves.
pub(crate) const PAGE: Project = Project { dir: "www", title: "the page" };

impl Project {
    /// Where it lies.
    pub(crate) fn path(&self) -> PathBuf {
        sh::root().join(self.dir)
    }

    /// `npm ci`, unless the last one is newer than the lock file.
    pub(crate) fn install(&self) -> Outcome {
        let dir = self.path();
        for needed in ["package.json", "package-lock.json"] {
            if !dir.join(needed).is_file() {
                return Err(format!("{}/{needed} is missing", self.dir));
            }
        }
        let done = modified(&dir.join("node_modules/.package-lock.json"));
        let wanted = ["package.json", "package-lock.json"].map(|f| modified(&dir.join(f)));
        if done.is_some() && wanted.iter().all(|at| *at <= done) {
            return Ok(());
        }
        println!("fetching npm packages for {}", self.title);
        sh::capture(&mut sh::npm(&dir, &["ci", "--no-audit", "--no-fund"])).map(drop)
    }

    /// `npm run build`, unless neither sources nor result changed since the last one.
    pub(crate) fn build(&self, inputs: &[PathBuf], outputs: &[PathBuf]) -> Outcome {
        let name = format!("{}.stamp", self.dir.replace('/', "-"));
        let stamp = Stamp { name: &name, inputs, settings: "", outputs };
        if stamp.fresh().is_some() {
            println!("{}: up to date", self.title);
            return Ok(());
        }
        println!("building {}", self.title);
        sh::run(&mut sh::npm(&self.path(), &["run", "--silent", "build"]))?;
        stamp.write("")
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}

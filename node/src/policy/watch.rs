//! Notices changes of the policy folder.
//! Invariant: a storm of writes costs two loads a second; reading the files is no change.
//! Not here: reading them (`folder`).

use std::io;
use std::path::Path;
use std::time::Duration;

use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use peerloom_shared::limits;
use tokio::sync::mpsc;

use super::rule_files::RulesError;

/// A watch over one folder.
#[derive(Debug)]
pub struct FolderWatch {
    changes: mpsc::Receiver<()>,
    _watcher: RecommendedWatcher,
}

impl FolderWatch {
    /// Begins to watch. The folder is made when it is missing: files that do not exist yet can only be
    /// noticed through it, and editors replace files by renaming.
    ///
    /// # Errors
    /// When the folder cannot be made or watched.
    pub fn start(folder: &Path) -> Result<Self, RulesError> {
        make_folder(folder)
            .map_err(|source| RulesError::Unreadable { path: folder.to_owned(), source })?;
        let unwatchable = |source| RulesError::Unwatchable { path: folder.to_owned(), source };
        // One place is enough: a change that waits already stands for all later ones.
        let (sender, changes) = mpsc::channel(1);
        let on_event = move |event: notify::Result<notify::Event>| {
            if concerns(event) {
                // Full: the reader knows already. Closed: nobody wants to know any more.
                sender.try_send(()).unwrap_or_default();
            }
        };
        let mut watcher = notify::recommended_watcher(on_event).map_err(unwatchable)?;
        watcher.watch(folder, RecursiveMode::NonRecursive).map_err(unwatchable)?;
        Ok(Self { changes, _watcher: watcher })
    }

    /// Waits for the next change and then until the folder has had 500 ms. `None`: watching has ended.
    pub async fn next(&mut self) -> Option<()> {
        self.changes.recv().await?;
        tokio::time::sleep(Duration::from_millis(limits::RULES_DEBOUNCE_MS)).await;
        while self.changes.try_recv().is_ok() {}
        Some(())
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

fn concerns(event: notify::Result<notify::Event>) -> bool {
    match event {
        // Reading the files is an event as well, and must not lead to reading them again.
        Ok(event) => {
            !matches!(event.kind, EventKind::Access(_))
                && event.paths.iter().any(|path| {
                    path.extension().is_some_and(|kind| kind == "toml" || kind == "cedar")
                })
        }
        // Events were lost: look at the folder to be sure.
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests;

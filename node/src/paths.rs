//! Where things are: the default folders and the files inside a data folder.
//! Invariant: the current folder is never searched for anything.
//! Not here: reading or writing any of these files.

use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use etcetera::base_strategy::Xdg;

/// The configuration file for all users of a computer.
pub const SYSTEM_CONFIG: &str = "/etc/peerloom/config.toml";

const FOLDER: &str = "peerloom";

/// The data folder where none is named: `$XDG_DATA_HOME/peerloom`. `None` without a home folder.
#[must_use]
pub fn default_data_dir() -> Option<PathBuf> {
    Xdg::new().ok().map(|dirs| dirs.data_dir().join(FOLDER))
}

/// The user's configuration file: `$XDG_CONFIG_HOME/peerloom/config.toml`. `None` without a home
/// folder.
#[must_use]
pub fn user_config() -> Option<PathBuf> {
    Xdg::new().ok().map(|dirs| dirs.config_dir().join(FOLDER).join("config.toml"))
}

/// The files inside one data folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataFiles {
    dir: PathBuf,
}

impl DataFiles {
    /// The files of the folder `dir`.
    #[must_use]
    pub fn of(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    /// The folder itself.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The identity: a private key, 0600.
    #[must_use]
    pub fn identity_key(&self) -> PathBuf {
        self.dir.join("identity.key")
    }

    /// Certificate and key of the webrtc-direct listener, 0600.
    #[must_use]
    pub fn webrtc_pem(&self) -> PathBuf {
        self.dir.join("webrtc.pem")
    }

    /// The token of the control API, 0600.
    #[must_use]
    pub fn admin_token(&self) -> PathBuf {
        self.dir.join("admin.token")
    }

    /// The database.
    #[must_use]
    pub fn store(&self) -> PathBuf {
        self.dir.join("store.redb")
    }

    /// The lock that a running node holds.
    #[must_use]
    pub fn lock(&self) -> PathBuf {
        self.dir.join("node.lock")
    }

    /// Where the running node's API is: written at the start, removed at a clean stop.
    #[must_use]
    pub fn running(&self) -> PathBuf {
        self.dir.join("node.json")
    }

    /// The folder of the audit log, 0700.
    #[must_use]
    pub fn audit(&self) -> PathBuf {
        self.dir.join("audit")
    }

    /// The folder of rules, policies, groups and tests.
    #[must_use]
    pub fn policy(&self) -> PathBuf {
        self.dir.join("policy")
    }

    /// Who may connect.
    #[must_use]
    pub fn rules(&self) -> PathBuf {
        self.policy().join("rules.toml")
    }
}

//! Role: finds the programs the tasks need, and gets Chromium where that is possible.
//! Invariant: a missing program ends in one message that says what to install.
//! Not here: Rust's own parts (`wasm_std`), npm packages (`npm`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh::{self, Outcome};

/// The oldest Node.js that runs the page's tools and the tests.
const NODE_MAJOR_MIN: u32 = 20;

/// Checks Node.js and npm.
pub(crate) fn require_node() -> Outcome {
    let install = format!(
        "install Node.js {NODE_MAJOR_MIN} or newer with npm: from https://nodejs.org/ or with your \
         system's package manager"
    );
    let version = sh::capture(sh::command("node").arg("--version"))
        .map_err(|why| format!("{why}; {install}"))?;
    let version = version.trim();
    if node_major(version).is_none_or(|major| major < NODE_MAJOR_MIN) {
        return Err(format!("Node.js {version} is too old; {install}"));
    }
    let found = sh::capture(&mut sh::npm(&sh::root(), &["--version"]));
    found.map(drop).map_err(|why| format!("{why}; {install}"))
}

fn node_major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// The Chromium for browser tests: `PEERLOOM_CHROMIUM`, else one on PATH, else Debian's package.
pub(crate) fn chromium() -> Outcome<PathBuf> {
    if let Some(named) = std::env::var_os("PEERLOOM_CHROMIUM").map(PathBuf::from) {
        return if named.is_file() {
            Ok(named)
        } else {
            Err(format!("PEERLOOM_CHROMIUM names {}, which is no file", named.display()))
        };
    }
    if let Some(found) = chromium_on_path() {
        return Ok(found);
    }
    let advice =
        "the browser tests need Chromium: install it, or set PEERLOOM_CHROMIUM to its path";
    if !can_apt() {
        return Err(advice.to_owned());
    }
    println!("installing Chromium with apt-get (about 1 minute)");
    apt_install(&["chromium"]).map_err(|why| format!("{why}; {advice}"))?;
    chromium_on_path().ok_or_else(|| advice.to_owned())
}

fn chromium_on_path() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(sh::which)
}

/// Whether we may install Debian packages: Debian-like, apt-get at hand, and root.
pub(crate) fn can_apt() -> bool {
    let root = sh::capture(Command::new("id").arg("-u")).is_ok_and(|id| id.trim() == "0");
    root && Path::new("/etc/debian_version").exists() && sh::which("apt-get").is_some()
}

/// Installs Debian packages, without questions and without recommended extras.
pub(crate) fn apt_install(packages: &[&str]) -> Outcome {
    let apt = |args: &[&str]| {
        let mut cmd = sh::command("apt-get");
        cmd.args(["-q", "-y"]).args(args).env("DEBIAN_FRONTEND", "noninteractive");
        sh::capture(&mut cmd).map(drop)
    };
    apt(&["update"])?;
    apt(&[&["install", "--no-install-recommends"], packages].concat())
}

#[cfg(test)]
mod tests {
    use super::node_major;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(node_major("v20.20.2"), Some(20));
        assert_eq!(node_major("v8.0.0"), Some(8));
        assert_eq!(node_major("20"), None);
    }
}

//! Role: finds the programs the tasks need, and gets Chromium where that is possible.
//! Invariant: a missing program ends in one message that says what to install.
//! Not here: Rust's own parts (`wasm_std`), npm packages (`npm`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh::{self, Outcome};

/// The oldest Node.js that runs the page's tools and the tests: major and minor version.
const NODE_MIN: (u32, u32) = (20, 19);
/// What runs `#[wasm_bindgen_test]` in a browser. Its version must equal wasm-bindgen's.
const WASM_RUNNER: &str = "wasm-bindgen-test-runner";
const WASM_BINDGEN: &str = "0.2.108";

/// Checks Node.js and npm.
pub(crate) fn require_node() -> Outcome {
    let install = format!(
        "install Node.js {}.{} or newer with npm: from https://nodejs.org/ or with your \
         system's package manager",
        NODE_MIN.0, NODE_MIN.1
    );
    let version = sh::capture(sh::command("node").arg("--version"))
        .map_err(|why| format!("{why}; {install}"))?;
    let version = version.trim();
    if node_version(version).is_none_or(|found| found < NODE_MIN) {
        return Err(format!("Node.js {version} is too old; {install}"));
    }
    let found = sh::capture(&mut sh::npm(&sh::root(), &["--version"]));
    found.map(drop).map_err(|why| format!("{why}; {install}"))
}

fn node_version(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.strip_prefix('v')?.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// The runner of the browser crates' own tests, compiled where it is missing.
pub(crate) fn wasm_test_runner() -> Outcome<PathBuf> {
    let tools = sh::target().join("tools");
    let runner = tools.join("bin").join(WASM_RUNNER);
    if !runner.is_file() {
        println!("compiling {WASM_RUNNER} (once: about 3 minutes)");
        let what = ["install", "wasm-bindgen-cli", "--version", WASM_BINDGEN, "--locked"];
        let mut cmd = sh::cargo(&what);
        sh::run(cmd.args(["--quiet", "--bin", WASM_RUNNER, "--root"]).arg(&tools))?;
    }
    Ok(runner)
}

/// The driver of Chromium for those tests: on PATH, else Debian's package.
pub(crate) fn chromedriver() -> Outcome<PathBuf> {
    let advice = "the browser crates' own tests need chromedriver on PATH";
    if sh::which("chromedriver").is_none() && can_apt() {
        println!("installing chromedriver with apt-get (about 1 minute)");
        apt_install(&["chromium-driver"]).map_err(|why| format!("{why}; {advice}"))?;
    }
    sh::which("chromedriver").ok_or_else(|| advice.to_owned())
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
    use super::node_version;

    #[test]
    fn node_versions_are_read() {
        assert_eq!(node_version("v20.20.2"), Some((20, 20)));
        assert_eq!(node_version("v8.0.0"), Some((8, 0)));
        assert_eq!(node_version("20"), None);
    }
}

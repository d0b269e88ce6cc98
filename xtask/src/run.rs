//! Role: `cargo xtask run`: from a fresh checkout to a running node in one command.
//! Invariant: a second start rebuilds nothing; the node takes over this process, so that its
//! streams and Ctrl-C are its own. Not here: how the browser peer is built (`web`).

use std::process::Command;

use crate::sh::{self, Outcome};
use crate::web::{self, Wanted};

/// Builds all that is missing, then becomes `peerloom run`.
pub(crate) fn verb(args: &[String]) -> Outcome {
    let mut parts = args.splitn(2, |arg| arg == "--");
    let ours = parts.next().unwrap_or_default();
    let theirs = parts.next().unwrap_or_default();
    let mut release = false;
    for arg in ours {
        match arg.as_str() {
            "--release" => release = true,
            other => {
                return Err(format!(
                    "unknown argument `{other}`; what is meant for the node comes after two \
                     dashes: cargo xtask run -- {other}"
                ));
            }
        }
    }
    web::build(&Wanted { release, ..Wanted::default() })?;
    let folder = if release { "release" } else { "debug" };
    let binary =
        sh::target().join(folder).join(format!("peerloom{}", std::env::consts::EXE_SUFFIX));
    let hint = if binary.exists() { "" } else { " (first time: about 10 minutes on 2 cores)" };
    println!("building the node{hint}");
    let mut cargo = sh::cargo(&["build", "--package", "peerloom-node"]);
    if release {
        cargo.arg("--release");
    }
    sh::run(&mut cargo)?;
    println!("starting the node\n");
    let mut node = sh::command(&binary.to_string_lossy());
    if let Ok(here) = std::env::current_dir() {
        node.current_dir(here);
    }
    node.arg("run").args(theirs);
    become_it(&mut node)
}

#[cfg(unix)]
fn become_it(node: &mut Command) -> Outcome {
    use std::os::unix::process::CommandExt;
    let why = node.exec();
    Err(format!("cannot start `{}`: {why}", sh::shown(node)))
}

#[cfg(not(unix))]
fn become_it(node: &mut Command) -> Outcome {
    sh::run(node)
}

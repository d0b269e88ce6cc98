//! Role: starts other programs and says in plain words what went wrong with them.
//! Invariant: a failure names the whole command; child builds never see the variables that
//! `cargo run` sets for this program. Not here: which programs to start, and why.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What every step returns: done, or one text for the person in front of the screen.
pub(crate) type Outcome<T = ()> = Result<T, String>;

/// What a program wrote on standard output while we passed it on, and whether it ended well.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) ok: bool,
    pub(crate) output: String,
}

/// The top folder of the repository.
pub(crate) fn root() -> PathBuf {
    let ours = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    ours.parent().map_or_else(|| ours.clone(), Path::to_path_buf)
}

/// Cargo's target folder: this program lies in `<target>/debug/`, whatever the settings say.
pub(crate) fn target() -> PathBuf {
    let exe = std::env::current_exe().ok();
    let found = exe.as_deref().and_then(Path::parent).and_then(Path::parent);
    found
        .filter(|dir| dir.join("CACHEDIR.TAG").exists())
        .map_or_else(|| root().join("target"), Path::to_path_buf)
}

/// A command in the top folder, free of the variables `cargo run` set for us: build scripts that
/// watch them would otherwise rebuild each time a person changes between cargo and xtask.
pub(crate) fn command(program: &str) -> Command {
    let mut cmd = Command::new(program);
    cmd.current_dir(root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        let ours = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_"];
        if text == "CARGO" || ours.iter().any(|start| text.starts_with(start)) {
            cmd.env_remove(&name);
        }
    }
    cmd
}

/// The cargo that started us.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let program = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let mut cmd = command(&program);
    cmd.args(args);
    cmd
}

/// npm in the given folder.
pub(crate) fn npm(dir: &Path, args: &[&str]) -> Command {
    let mut cmd = command(if cfg!(windows) { "npm.cmd" } else { "npm" });
    cmd.current_dir(dir).args(args);
    cmd
}

/// Runs to the end with our own standard streams.
pub(crate) fn run(cmd: &mut Command) -> Outcome {
    let status = cmd.status().map_err(|e| cannot_start(cmd, &e))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` failed ({status})", shown(cmd))) }
}

/// Runs to the end and returns standard output; what it wrote on standard error becomes part of
/// the message when it fails.
pub(crate) fn capture(cmd: &mut Command) -> Outcome<String> {
    let done = cmd.stdin(Stdio::null()).output().map_err(|e| cannot_start(cmd, &e))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("`{}` failed ({}): {}", shown(cmd), done.status, said.trim()))
}

/// Runs to the end and returns standard output; standard error is ours, so progress is seen.
pub(crate) fn output(cmd: &mut Command) -> Outcome<String> {
    let done = cmd.stderr(Stdio::inherit()).output().map_err(|e| cannot_start(cmd, &e))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("`{}` failed ({})", shown(cmd), done.status))
}

/// Runs to the end; standard output is shown line by line and returned as well.
pub(crate) fn tee(cmd: &mut Command) -> Outcome<Ran> {
    let mut child = cmd
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| cannot_start(cmd, &e))?;
    let mut output = String::new();
    if let Some(pipe) = child.stdout.take() {
        for line in BufReader::new(pipe).split(b'\n') {
            let line = line.map_err(|e| format!("reading from `{}`: {e}", shown(cmd)))?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            output.push_str(&line);
            output.push('\n');
        }
    }
    let status = child.wait().map_err(|e| format!("waiting for `{}`: {e}", shown(cmd)))?;
    Ok(Ran { ok: status.success(), output })
}

/// Where PATH has this program.
pub(crate) fn which(program: &str) -> Option<PathBuf> {
    let dirs = std::env::var_os("PATH")?;
    let suffixes: &[&str] = if cfg!(windows) { &[".exe", ".cmd"] } else { &[""] };
    std::env::split_paths(&dirs)
        .flat_map(|dir| suffixes.iter().map(move |end| dir.join(format!("{program}{end}"))))
        .find(|path| path.is_file())
}

/// The command as a person would type it.
pub(crate) fn shown(cmd: &Command) -> String {
    let program = Path::new(cmd.get_program());
    let name = program.file_name().unwrap_or(cmd.get_program()).to_string_lossy();
    let args = cmd.get_args().map(|arg| format!(" {}", arg.to_string_lossy()));
    name.into_owned() + &args.collect::<String>()
}

fn cannot_start(cmd: &Command, why: &std::io::Error) -> String {
    if why.kind() == std::io::ErrorKind::NotFound {
        return format!("cannot start `{}`: it is not installed, or not on PATH", shown(cmd));
    }
    format!("cannot start `{}`: {why}", shown(cmd))
}

//! The program itself: where it is, and one run of it from start to end.
//! Invariant: a run sees nothing of the user's settings and ends by its deadline.
//! Not here: nodes that keep running (`process`).

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::{PATIENCE, wait_until};

/// The program under test: `PEERLOOM_BIN`, or the one that was built beside the tests.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn program() -> PathBuf {
    let built = || {
        let tests = std::env::current_exe().expect("the path of the tests");
        let folder = tests.ancestors().nth(2).expect("a folder above the tests");
        folder.join(format!("peerloom{}", std::env::consts::EXE_SUFFIX))
    };
    let path = std::env::var_os("PEERLOOM_BIN").map_or_else(built, PathBuf::from);
    assert!(path.exists(), "{} is missing: cargo build -p peerloom-node", path.display());
    path
}

/// The program with nothing of the user's settings; `home` stands for the home folder.
#[must_use]
pub fn command(home: &Path) -> Command {
    let mut command = Command::new(program());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("PEERLOOM_") || name.starts_with("XDG_") {
            command.env_remove(name);
        }
    }
    command.env("HOME", home).current_dir(home);
    command
}

/// How a run ended.
#[derive(Debug)]
pub struct Ran {
    /// The exit code; `None` after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Ran {
    /// Expects one failure: its exit code, its code, once, with a hint, and nothing on standard output.
    ///
    /// # Panics
    /// When anything differs.
    pub fn expect_failure(&self, exit: i32, code: &str) {
        assert_eq!(self.code, Some(exit), "exit code; wanted {code}: {self:?}");
        let head = format!("error[{code}]: ");
        assert_eq!(self.stderr.matches(&head).count(), 1, "one {head}: {self:?}");
        assert_eq!(self.stderr.matches("error[").count(), 1, "one message: {self:?}");
        assert!(self.stderr.contains("help: "), "says what to do: {self:?}");
        assert!(!self.stderr.contains("panicked"), "{self:?}");
        assert_eq!(self.stdout, "", "nothing on standard output");
    }

    /// Expects success and gives standard output.
    ///
    /// # Panics
    /// When the exit code is another than 0.
    #[must_use]
    pub fn expect_success(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        &self.stdout
    }
}

/// Runs the program to its end.
///
/// # Panics
/// When it does not end within [`PATIENCE`].
#[must_use]
pub fn run(home: &Path, args: &[&str]) -> Ran {
    run_with(home, args, "")
}

/// [`run`] with a text on standard input.
///
/// # Panics
/// As [`run`].
#[must_use]
pub fn run_with(home: &Path, args: &[&str], input: &str) -> Ran {
    // Files, not pipes: nothing has to be read while the program runs.
    let folder = tempfile::tempdir().expect("a folder");
    let (out, err) = (folder.path().join("out"), folder.path().join("err"));
    let mut child = command(home)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(File::create(&out).expect("a file"))
        .stderr(File::create(&err).expect("a file"))
        .spawn()
        .expect("the program starts");
    if let Some(mut stdin) = child.stdin.take() {
        // A program that failed already reads no input.
        stdin.write_all(input.as_bytes()).unwrap_or_default();
    }
    let mut running = Running(child);
    let status = running.wait(PATIENCE, &format!("the end of peerloom {}", args.join(" ")));
    let text = |path| String::from_utf8_lossy(&std::fs::read(path).expect("a file")).into_owned();
    Ran { code: status.code(), stdout: text(&out), stderr: text(&err) }
}

/// A process that does not outlive this value.
#[derive(Debug)]
pub struct Running(pub Child);

impl Running {
    /// Waits for its end.
    ///
    /// # Panics
    /// When it does not end in time.
    pub fn wait(&mut self, deadline: Duration, what: &str) -> ExitStatus {
        wait_until(deadline, what, || self.0.try_wait().expect("our child"))
    }

    /// Sends a signal by its name, such as `INT`.
    ///
    /// # Panics
    /// When there is no such process any more.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("sh")
            .args(["-c", "kill -$0 $1", name, &self.0.id().to_string()])
            .status()
            .expect("a shell");
        assert!(sent.success(), "SIG{name} was not sent");
    }

    /// Ends it at once, without a word.
    pub fn kill(&mut self) {
        // It may have ended already.
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
    }
}

//! Role: a child process that answers one line of JSON with another, and its CPU time.
//! Invariant: no child outlives the program: each ends when its standard input does, or is killed.
//! Not here: what the lines mean.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any order takes.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a process may take to end by itself.
const END: Duration = Duration::from_secs(5);
/// The unit of `/proc/PID/stat`; the same on all Linux systems that people use.
const TICKS_A_SECOND: f64 = 100.0;

/// See the module's text.
pub(crate) struct Process {
    child: Child,
    orders: Option<ChildStdin>,
    answers: Receiver<String>,
    what: String,
}

impl Process {
    pub(crate) fn start(mut command: Command) -> Result<Self, String> {
        let what = format!("{command:?}");
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|why| format!("cannot start {what}: {why}"))?;
        let orders = child.stdin.take();
        let output = child.stdout.take().ok_or("a child without output")?;
        let (sender, answers) = sync_channel(16);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self { child, orders, answers, what })
    }

    /// Waits for a line.
    pub(crate) fn answer(&mut self) -> Result<Value, String> {
        let line = self
            .answers
            .recv_timeout(ANSWER)
            .map_err(|why| format!("{} does not answer: {why}", self.what))?;
        serde_json::from_str(&line).map_err(|why| format!("{} said `{line}`: {why}", self.what))
    }

    /// Sends a line and waits for the answer.
    pub(crate) fn ask(&mut self, order: &Value) -> Result<Value, String> {
        let orders = self.orders.as_mut().ok_or("a child without input")?;
        writeln!(orders, "{order}").map_err(|why| format!("{}: {why}", self.what))?;
        self.answer()
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.orders.take());
        let end = Instant::now() + END;
        while Instant::now() < end {
            if let Ok(Some(_)) = self.child.try_wait() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        if self.child.kill().is_ok() {
            self.child.wait().map(drop).unwrap_or_default();
        }
    }
}

/// CPU seconds that these processes and all their descendants have used until now.
pub(crate) fn cpu_seconds(of: &[u32]) -> f64 {
    let all = table();
    let mut wanted = of.to_vec();
    let mut ticks = 0.0;
    while let Some(id) = wanted.pop() {
        let Some(stat) = all.get(&id) else { continue };
        ticks += stat.ticks;
        wanted.extend(all.iter().filter(|(_, other)| other.parent == id).map(|(id, _)| *id));
    }
    ticks / TICKS_A_SECOND
}

struct Stat {
    parent: u32,
    /// Its own, and those of children that ended.
    ticks: f64,
}

fn table() -> BTreeMap<u32, Stat> {
    let Ok(folder) = fs::read_dir("/proc") else { return BTreeMap::new() };
    folder
        .flatten()
        .filter_map(|entry| {
            let id: u32 = entry.file_name().to_str()?.parse().ok()?;
            let text = fs::read_to_string(entry.path().join("stat")).ok()?;
            // The name before it may contain anything.
            let (_, rest) = text.rsplit_once(") ")?;
            let fields: Vec<&str> = rest.split(' ').collect();
            let number = |at: usize| fields.get(at)?.parse::<f64>().ok();
            let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
            Some((id, Stat { parent: fields.get(1)?.parse().ok()?, ticks }))
        })
        .collect()
}

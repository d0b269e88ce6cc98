//! Role: one measurement of one subject in fresh processes.
//! Invariant: a measurement counts only if every byte arrived, which the hash proves.
//! Not here: in which order subjects take their turns (`main`), what comes out of it (`report`).

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::pattern;
use crate::process::{Process, cpu_seconds};

const MIB: u64 = 1024 * 1024;
/// Bytes that open windows and fill caches before the clock starts.
const WARM_UP: u64 = 4 * MIB;
/// Of each kind of round trip.
const ROUND_TRIPS: u64 = 300;

/// What runs a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Runner {
    /// This program, with a transport of this name.
    Rust(&'static str),
    /// `js/peer.mjs` in Node.
    Node,
    /// Two peer connections of one page.
    Channel,
    /// Our page in Chromium.
    Page,
}

/// What is measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) key: &'static str,
    pub(crate) title: &'static str,
    pub(crate) server: Runner,
    pub(crate) client: Runner,
    /// `up`: the dialer sends; `down`: the listener sends.
    pub(crate) way: &'static str,
    /// So many that it takes some seconds.
    pub(crate) mib: u64,
}

/// What came out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample {
    pub(crate) gbit: f64,
    pub(crate) cpu_per_gb: f64,
    pub(crate) load: f64,
    pub(crate) echo: Vec<f64>,
    pub(crate) open: Vec<f64>,
}

impl Sample {
    /// The mean of both turns of a round; the times of all.
    pub(crate) fn mean(of: &[Self]) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "two")]
        let mean = |value: fn(&Self) -> f64| of.iter().map(value).sum::<f64>() / of.len() as f64;
        Self {
            gbit: mean(|s| s.gbit),
            cpu_per_gb: mean(|s| s.cpu_per_gb),
            load: mean(|s| s.load),
            echo: of.iter().flat_map(|s| s.echo.clone()).collect(),
            open: of.iter().flat_map(|s| s.open.clone()).collect(),
        }
    }
}

/// Runs one measurement.
///
/// # Errors
/// When a process fails, or a byte is lost.
pub(crate) fn measure(subject: &Subject, js: &Path) -> Result<Sample, String> {
    let load = load();
    let mut server = match subject.server {
        // The page has both ends.
        Runner::Channel | Runner::Page => None,
        Runner::Rust(_) | Runner::Node => Some(start(subject.server, "serve", None, js)?),
    };
    let address = server
        .as_mut()
        .map(|server| server.answer().map(|line| text(&line, "address")))
        .transpose()?;
    let mut client = start(subject.client, "dial", address.as_deref(), js)?;
    client.answer()?;
    let ids: Vec<u32> = server.iter().map(Process::id).chain([client.id()]).collect();
    transfer(&mut client, subject.way, WARM_UP)?;
    let before = cpu_seconds(&ids);
    let bytes = subject.mib.saturating_mul(MIB);
    let seconds = transfer(&mut client, subject.way, bytes)?;
    let cpu = cpu_seconds(&ids) - before;
    let mut sample = Sample { load, ..Sample::default() };
    #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
    let gigabytes = bytes as f64 / 1e9;
    sample.gbit = gigabytes * 8.0 / seconds;
    sample.cpu_per_gb = cpu / gigabytes;
    if matches!(subject.client, Runner::Rust(_) | Runner::Node) {
        sample.echo = times(&client.ask(&json!({ "echo": ROUND_TRIPS }))?);
        sample.open = times(&client.ask(&json!({ "open": ROUND_TRIPS }))?);
    }
    Ok(sample)
}

fn transfer(client: &mut Process, way: &str, bytes: u64) -> Result<f64, String> {
    let done = client.ask(&json!({ way: bytes }))?;
    let (found, wanted) = (text(&done, "sha256"), pattern::sha256(bytes));
    if found != wanted {
        return Err(format!("bytes were lost: {done} instead of {wanted}"));
    }
    done.get("seconds").and_then(Value::as_f64).ok_or_else(|| format!("no time in {done}"))
}

fn start(runner: Runner, role: &str, address: Option<&str>, js: &Path) -> Result<Process, String> {
    let mut command = match runner {
        Runner::Rust(stack) => {
            let program = std::env::current_exe().map_err(|why| why.to_string())?;
            let mut command = Command::new(program);
            command.args([role, stack]);
            command
        }
        Runner::Node => node(js, "peer.mjs", role),
        Runner::Channel => node(js, "browser.mjs", "channel"),
        Runner::Page => node(js, "browser.mjs", "page"),
    };
    command.args(address);
    Process::start(command)
}

fn node(js: &Path, script: &str, role: &str) -> Command {
    let mut command = Command::new("node");
    command.arg(js.join(script)).arg(role);
    command
}

fn text(line: &Value, name: &str) -> String {
    line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn times(line: &Value) -> Vec<f64> {
    let list = line.get("micros").and_then(Value::as_array);
    list.map(|list| list.iter().filter_map(Value::as_f64).collect()).unwrap_or_default()
}

/// Of the last minute.
pub(crate) fn load() -> f64 {
    std::fs::read_to_string("/proc/loadavg")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse().ok())
        .unwrap_or(f64::NAN)
}

//! Role: what each stage of `cargo xtask test` does.
//! Invariant: a check counts as one test; a test run counts its own tests, and one that ran no
//! test has failed. Not here: order, headings and summary (`test`).

use std::path::PathBuf;
use std::process::Command;

use crate::count::{self, Tally};
use crate::npm::{self, Project};
use crate::sh::{self, Outcome};
use crate::wasm_std::{self, WasmStd};
use crate::web::{self, Wanted};
use crate::{layers, sizes, tools};

/// Everything but this program, always selected together: cargo then chooses the same features
/// for every dependency, and all native stages share one set of compiled crates.
const OURS: [&str; 3] = ["--workspace", "--exclude", "xtask"];

/// Tests of whole processes and sockets; those that measure memory have a process of their own.
const WHOLE: [&str; 4] = ["--test", "it", "--test", "hostile"];

/// The node's program.
const NODE: &str = "peerloom";
/// The program of the example of WebRTC: our side of tests that want streams of their own.
const ECHO: &str = "webrtc-echo";

const INTEROP: Project = Project { dir: "tests/interop/js", title: "the foreign peer's tests" };
const INTEROP_BROWSER: Project =
    Project { dir: "tests/interop/browser", title: "the foreign browser peer's tests" };
/// Tests with a go-libp2p peer; they build it, and are left out where there is no Go.
const GO_PEER: (&str, &str) = ("tests/interop/go", "the Go peer's tests");
/// Where Go's own installer puts it; not everybody's PATH has it.
const GO_INSTALLED: &str = "/usr/local/go/bin/go";
const BROWSER: Project = Project { dir: "tests/browser", title: "the browser tests" };

/// What a stage found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) tally: Tally,
    /// One line for each thing that failed.
    pub(crate) failures: Vec<String>,
}

/// A stage: its name, what it does, and the doing; `true` asks for the released module's size.
pub(crate) type Stage = (&'static str, &'static str, fn(bool) -> Report);

/// All stages in the order that lets later ones reuse what earlier ones compiled.
pub(crate) const STAGES: [Stage; 10] = [
    ("fmt", "the Rust format", fmt),
    ("gates", "layering and sizes", gates),
    ("clippy", "clippy, native and wasm32", clippy),
    ("unit", "unit and documentation tests", unit),
    ("web", "the browser peer, its npm package and the page", build_web),
    ("wasm", "the browser crates' own tests, in a browser", wasm),
    ("page", "checks and tests of the npm package and the page", page),
    ("it", "whole nodes, as real processes", integration),
    ("interop", "foreign peers against the node", interop),
    ("browser", "real browsers against the node", browser),
];

impl Report {
    /// Counts one check.
    fn check(&mut self, what: &str, done: Outcome) {
        match done {
            Ok(()) => self.tally.passed += 1,
            Err(why) => self.fail(format!("{what}: {why}")),
        }
    }

    /// Runs a command as one check.
    fn step(&mut self, what: &str, cmd: &mut Command) {
        println!("{what}: {}", sh::shown(cmd));
        self.check(what, sh::run(cmd));
    }

    /// Runs tests and counts them.
    fn tests(&mut self, what: &str, cmd: &mut Command) {
        println!("{what}: {}", sh::shown(cmd));
        match sh::tee(cmd) {
            Err(why) => self.fail(format!("{what}: {why}")),
            Ok(ran) => {
                let tally = count::tests(&ran.output);
                self.tally = self.tally.plus(tally);
                if tally.failed > 0 {
                    self.failures.push(format!("{what}: {} failed", tally.failed));
                } else if !ran.ok {
                    self.fail(format!("{what}: `{}` failed", sh::shown(cmd)));
                } else if tally.passed == 0 {
                    self.fail(format!("{what}: no test ran"));
                }
            }
        }
    }

    /// Does what tests need first; says whether they can start.
    fn prepare(&mut self, what: &str, done: Outcome) -> bool {
        let ready = done.is_ok();
        if let Err(why) = done {
            self.fail(format!("{what}: {why}"));
        }
        ready
    }

    fn fail(&mut self, line: String) {
        println!("{line}");
        self.tally.failed += 1;
        self.failures.push(line);
    }
}

fn fmt(_: bool) -> Report {
    let mut report = Report::default();
    report.step("format", &mut sh::cargo(&["fmt", "--all", "--", "--check"]));
    report
}

fn gates(_: bool) -> Report {
    let mut report = Report::default();
    report.check("layers", layers::check_all());
    report.check("sizes", sizes::check_all());
    report
}

fn clippy(_: bool) -> Report {
    let mut report = Report::default();
    let mut lint = |what: &str, args: &[&str]| {
        let mut cmd = sh::cargo(&["clippy", "--quiet"]);
        report.step(what, cmd.args(args).args(["--", "-D", "warnings"]));
    };
    lint("native", &["--workspace", "--all-targets", "--features", "xtask/bindgen"]);
    let pure = ["--package", "peerloom-shared", "--package", "peerloom-webrtc", "--lib"];
    lint("the pure parts without features", &pure);
    let wasm =
        ["peerloom-wasm-peer", "peerloom-shared", "peerloom-webrtc", "peerloom-webrtc-example"]
            .map(|package| ["--package", package])
            .concat();
    let features = "peerloom-shared/net,peerloom-webrtc/browser";
    let how = ["--features", features, "--profile", "wasm-dev"];
    let target = ["--target", wasm_std::TARGET];
    match WasmStd::get() {
        Ok(WasmStd::Toolchain) => lint("wasm32", &[&wasm[..], &how, &target].concat()),
        Ok(WasmStd::Debian) => {
            println!("wasm32: left out, Debian's compiler for wasm32 has no clippy");
        }
        Err(why) => report.check("wasm32", Err(why)),
    }
    report
}

fn unit(_: bool) -> Report {
    let mut report = Report::default();
    let mut tests = |what: &str, args: &[&[&str]]| {
        let mut cmd = sh::cargo(&["test"]);
        report.tests(what, cmd.args(args.concat()));
    };
    tests("unit tests", &[&OURS, &["--lib", "--bins"]]);
    tests("documentation tests", &[&OURS, &["--doc"]]);
    tests("tests of the tasks", &[&["--package", "xtask", "--features", "bindgen"]]);
    report
}

fn build_web(release_size: bool) -> Report {
    let mut report = Report::default();
    report.check("build for browsers", web::build(&Wanted::default()));
    if release_size {
        report.check("size of the released module", web::release_size());
    }
    report
}

fn wasm(_: bool) -> Report {
    let mut report = Report::default();
    match WasmStd::get() {
        Ok(WasmStd::Toolchain) => {}
        Ok(WasmStd::Debian) => {
            println!("left out: Debian's compiler for wasm32 builds the module, not its tests");
            return report;
        }
        Err(why) => {
            report.fail(why);
            return report;
        }
    }
    let ready = tools::chromium().and_then(|_| {
        let runner = tools::wasm_test_runner()?;
        Ok((runner, tools::chromedriver()?))
    });
    let (runner, driver) = match ready {
        Ok(found) => found,
        Err(why) => {
            report.fail(why);
            return report;
        }
    };
    // One after the other, so that each of them has to have run some.
    let mut tests = |what: &str, package: &[&str]| {
        let mut cmd = sh::cargo(&["test", "--test", "browser"]);
        cmd.args(package).args(["--profile", "wasm-dev", "--target", wasm_std::TARGET]);
        cmd.env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUNNER", &runner);
        cmd.env("CHROMEDRIVER", &driver).env("WASM_BINDGEN_TEST_TIMEOUT", "60");
        report.tests(what, &mut cmd);
    };
    tests("tests of the browser peer", &["--package", "peerloom-wasm-peer"]);
    let webrtc = ["--package", "peerloom-webrtc", "--features", "browser"];
    tests("tests of WebRTC in browsers", &webrtc);
    report
}

fn page(_: bool) -> Report {
    let mut report = Report::default();
    for project in [npm::PACKAGE, npm::PAGE] {
        let fetched = tools::require_node().and_then(|()| project.install());
        if report.prepare(project.title, fetched) {
            let dir = project.path();
            let (check, tests) =
                (format!("check {}", project.dir), format!("test {}", project.dir));
            report.step(&check, &mut sh::npm(&dir, &["run", "--silent", "check"]));
            report.tests(&tests, &mut sh::npm(&dir, &["test", "--silent"]));
        }
    }
    report
}

fn integration(_: bool) -> Report {
    let mut report = Report::default();
    if let Some(node) = node(&mut report) {
        let mut cmd = sh::cargo(&["test"]);
        cmd.args(OURS).args(WHOLE).env("PEERLOOM_BIN", node);
        report.tests("integration tests", &mut cmd);
    }
    report
}

fn interop(_: bool) -> Report {
    let mut report = Report::default();
    if let Some(mut cmd) = node_against(&mut report, &INTEROP) {
        report.tests(INTEROP.title, &mut cmd);
    }
    // It opens our page too, with what the browser tests have for that.
    if report.prepare(BROWSER.title, BROWSER.install())
        && let Some(mut cmd) = node_against(&mut report, &INTEROP_BROWSER)
    {
        report.tests(INTEROP_BROWSER.title, &mut cmd);
    }
    let (dir, title) = GO_PEER;
    let installed = || Some(PathBuf::from(GO_INSTALLED)).filter(|path| path.is_file());
    let Some(go) = sh::which("go").or_else(installed) else {
        println!("{title}: left out, there is no Go; it is at https://go.dev/dl/");
        return report;
    };
    let mut cmd = sh::command("node");
    cmd.args(["--test", "--test-concurrency=1", "--test-force-exit", "--test-reporter=tap"]);
    cmd.arg("go.test.mjs").current_dir(sh::root().join(dir));
    cmd.env("PEERLOOM_BIN", built(NODE)).env("PEERLOOM_ECHO", built(ECHO)).env("PEERLOOM_GO", go);
    report.tests(title, &mut cmd);
    report
}

fn browser(_: bool) -> Report {
    let mut report = Report::default();
    let example = match web::example() {
        Ok(dir) => dir,
        Err(why) => {
            report.fail(format!("the example of WebRTC for browsers: {why}"));
            return report;
        }
    };
    if let Some(mut cmd) = node_against(&mut report, &BROWSER) {
        cmd.env("PEERLOOM_WEBRTC_EXAMPLE", example);
        report.tests(BROWSER.title, &mut cmd);
    }
    report
}

/// The npm tests of a project, with a Chromium found, the page built and the node built.
fn node_against(report: &mut Report, project: &Project) -> Option<Command> {
    let chromium = match tools::chromium() {
        Ok(path) => path,
        Err(why) => {
            report.fail(format!("Chromium: {why}"));
            return None;
        }
    };
    if !report.prepare("build for browsers", web::build(&Wanted::default()))
        || !report.prepare(project.title, project.install())
    {
        return None;
    }
    let node = node(report)?;
    let mut cmd = sh::npm(&project.path(), &["test", "--silent"]);
    cmd.env("PEERLOOM_BIN", node).env("PEERLOOM_ECHO", built(ECHO));
    cmd.env("PEERLOOM_CHROMIUM", chromium);
    Some(cmd)
}

/// Builds the node; together with the integration tests, because their selection of packages
/// and features is the one that all stages share.
fn node(report: &mut Report) -> Option<PathBuf> {
    let mut cmd = sh::cargo(&["build"]);
    cmd.args(OURS).arg("--bins").args(WHOLE);
    println!("building the node");
    let done = sh::run(&mut cmd);
    report.prepare("the node", done).then(|| built(NODE))
}

/// Where cargo puts a program.
fn built(name: &str) -> PathBuf {
    sh::target().join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

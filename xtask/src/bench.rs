//! Role: starts the measurements of `benches/` with all that they need.
//! Invariant: what is compared with comes from locked versions.
//! Not here: measuring.

use crate::npm::Project;
use crate::sh::{self, Outcome};
use crate::tools;
use crate::wasm_std::WasmStd;
use crate::web;

const MANIFEST: &str = "benches/Cargo.toml";
const PAGE: &str = "peerloom-bench-page";
const PROFILE: &str = "wasm-release";
const JS: Project = Project { dir: "benches/js", title: "the benchmark" };

pub(crate) fn verb(args: &[String]) -> Outcome {
    match args.split_first() {
        Some((what, rest)) if what == "webrtc" => webrtc(what, rest),
        Some((what, [])) if what == "policy" => {
            println!("building the benchmark");
            let parts = ["bench", "--package", "peerloom-node", "--bench", "decisions"];
            sh::run(&mut sh::cargo(&parts))
        }
        Some(_) | None => Err("`bench` needs one word that says what: webrtc or policy".to_owned()),
    }
}

fn webrtc(what: &str, rest: &[String]) -> Outcome {
    tools::require_node()?;
    let chromium = tools::chromium()?;
    JS.install()?;
    page()?;
    println!("building the benchmark");
    let mut cmd = sh::cargo(&["run", "--release", "--manifest-path", MANIFEST]);
    cmd.args(["--package", "peerloom-bench", "--target-dir"]).arg(sh::target());
    cmd.args(["--", what, "--json"]).arg(sh::target().join("bench-webrtc.json")).args(rest);
    sh::run(cmd.env("PEERLOOM_CHROMIUM", chromium))
}

/// Our peer in a page, built as the released module is.
fn page() -> Outcome {
    let std = WasmStd::get()?;
    let out = std.target_dir();
    let target = out.parent().ok_or("a target folder without a parent")?;
    println!("building the benchmark's page");
    let mut cmd = std.cargo_build();
    cmd.args(["--manifest-path", MANIFEST, "--package", PAGE, "--profile", PROFILE]);
    sh::run(cmd.arg("--target-dir").arg(target))?;
    let module = out.join(PROFILE).join(format!("{}.wasm", PAGE.replace('-', "_")));
    sh::run(web::bindgen().arg("bind").arg(module).arg(JS.path().join("page")))
}

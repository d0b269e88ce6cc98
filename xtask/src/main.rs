//! Role: the project's tasks, one verb per file: run, web, test, bench, layers, sizes.
//! Invariant: this program needs nothing but std, so it starts at once and says what follows.
//! Not here: binding the browser module, which has a program of its own (`bindgen/main.rs`).

mod bench;
mod count;
mod layers;
mod npm;
mod run;
mod scan;
mod sh;
mod sizes;
mod stages;
mod stamp;
mod test;
mod tools;
mod wasm_std;
mod web;

use std::process::ExitCode;

const HELP: &str = "\
Peerloom project tasks

  cargo xtask run [--release] [-- ARGS]   get what is missing, build everything, start a node;
                                          ARGS go to `peerloom run`
  cargo xtask web [--release] [--why] [--wasm-only]
                                          build the browser peer, its npm package and the page;
                                          --why lists which crates the module's bytes come from,
                                          --wasm-only leaves out the npm package and the page
  cargo xtask test [STAGE...] [--keep-going] [--release-size]
                                          all tests, or only the named stages:
                                          fmt gates clippy unit web wasm page it interop browser
  cargo xtask bench webrtc [--rounds N] [--only KEY,KEY]
                                          how fast WebRTC is, beside others, in about 10 minutes
  cargo xtask bench policy                how fast a node decides and verifies grants
  cargo xtask layers                      check which package depends on what
  cargo xtask sizes                       check sizes of files and functions, and banned calls

Environment: XTASK_WASM_STD=toolchain|rustup|debian takes only that way to the wasm32 standard
library. PEERLOOM_CHROMIUM=PATH names the Chromium for the browser tests.
";

/// The command line was wrong: nothing was done.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let Some((verb, rest)) = args.split_first() else {
        print!("{HELP}");
        return ExitCode::from(USAGE);
    };
    let done = match verb.as_str() {
        "run" => run::verb(rest),
        "web" => web::verb(rest),
        "test" => return test::verb(rest),
        "bench" => bench::verb(rest),
        "layers" => layers::verb(rest),
        "sizes" => sizes::verb(rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(())
        }
        other => {
            eprintln!("xtask: there is no verb `{other}`\n\n{HELP}");
            return ExitCode::from(USAGE);
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("\nxtask {verb}: {why}");
            ExitCode::FAILURE
        }
    }
}

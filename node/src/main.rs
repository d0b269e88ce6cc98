//! The program `peerloom`: arguments in, exit code out.
//! Invariant: the only place that turns an outcome into the process's exit code.
//! Not here: what the verbs do; everything is in the library, where tests reach it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use clap::Parser;
use peerloom_node::cli::{self, Cli};

fn main() -> ExitCode {
    // Two TLS providers are in the dependency graph; without a choice the DTLS of WebRTC panics.
    // An error means that a choice was made before, which is all that is wanted.
    drop(rustls::crypto::ring::default_provider().install_default());
    match Cli::try_parse() {
        Ok(cli) => cli::run(cli).into(),
        Err(error) => cli::refused(&error).into(),
    }
}

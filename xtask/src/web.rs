//! Role: `cargo xtask web`: the browser peer, its npm package and the page, each only when stale.
//! Invariant: the module is bound by the wasm-bindgen version it was compiled with, and a
//! released module never exceeds its size limit. Not here: where std for wasm32 comes from.

use std::path::{Path, PathBuf};

use crate::npm;
use crate::sh::{self, Outcome};
use crate::stamp::Stamp;
use crate::tools;
use crate::wasm_std::WasmStd;

/// The module without extension; cargo writes it and wasm-bindgen's files keep the name.
const MODULE: &str = "peerloom_wasm_peer";

/// The example of the WebRTC crate, which tests open in pages of their own.
const EXAMPLE: &str = "peerloom-webrtc-example";

/// Limit for a released module: 3 seconds on a 2 Mbit/s line. 1 KB = 1000 bytes.
const GZIP_KB_MAX: u64 = 700;

/// What to build.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// The small module, which takes much longer to build.
    pub(crate) release: bool,
    /// Also list which crates the bytes come from.
    pub(crate) why: bool,
    /// Leave out the npm package and the page.
    pub(crate) wasm_only: bool,
}

impl Wanted {
    fn profile(self) -> &'static str {
        if self.release { "wasm-release" } else { "wasm-dev" }
    }
}

/// Sizes of a bound module in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Size {
    raw: u64,
    gzip: u64,
}

/// The verb.
pub(crate) fn verb(args: &[String]) -> Outcome {
    let mut wanted = Wanted::default();
    for arg in args {
        match arg.as_str() {
            "--release" => wanted.release = true,
            "--why" => wanted.why = true,
            "--wasm-only" => wanted.wasm_only = true,
            other => return Err(format!("unknown argument `{other}`")),
        }
    }
    build(&wanted)
}

/// Builds everything a browser needs.
pub(crate) fn build(wanted: &Wanted) -> Outcome {
    if !wanted.wasm_only {
        tools::require_node()?;
    }
    let wasm = compile(wanted)?;
    let bound = npm::PACKAGE.path().join("dist/wasm");
    let size = bind(&wasm, &bound, stamp_name(wanted.release), wanted.release)?;
    println!("browser module: {}", size.text());
    if wanted.why {
        sh::run(bindgen().arg("why").arg(&wasm))?;
    }
    if wanted.release {
        size.check()?;
    }
    if wanted.wasm_only { Ok(()) } else { packages(&bound) }
}

/// Builds the released module aside, for its size alone; the page keeps the module it has.
pub(crate) fn release_size() -> Outcome {
    let wasm = compile(&Wanted { release: true, ..Wanted::default() })?;
    let out = sh::target().join("xtask/release-size");
    let size = bind(&wasm, &out, stamp_name(true), true)?;
    println!("browser module, released: {}", size.text());
    size.check()
}

/// Builds the example as a module for tests, where no page of the node finds it; gives its folder.
pub(crate) fn example() -> Outcome<PathBuf> {
    let std = WasmStd::get()?;
    let profile = Wanted::default().profile();
    let module = format!("{}.wasm", EXAMPLE.replace('-', "_"));
    println!("building the example of WebRTC for browsers");
    sh::run(std.cargo_build().args(["--package", EXAMPLE, "--lib", "--profile", profile]))?;
    let out = sh::target().join("xtask/webrtc-example");
    bind(&std.target_dir().join(profile).join(module), &out, "bind-example.stamp", false)?;
    Ok(out)
}

fn compile(wanted: &Wanted) -> Outcome<PathBuf> {
    let std = WasmStd::get()?;
    let profile = wanted.profile();
    let wasm = std.target_dir().join(profile).join(format!("{MODULE}.wasm"));
    let hint = match (wasm.exists(), wanted.release) {
        (true, _) => "",
        (false, false) => " (first time: about 4 minutes on 2 cores)",
        (false, true) => " for release (first time: about 10 minutes on 2 cores)",
    };
    println!("building the browser peer{hint}");
    let mut cargo = std.cargo_build();
    sh::run(cargo.args(["--package", "peerloom-wasm-peer", "--profile", profile]))?;
    Ok(wasm)
}

fn stamp_name(release: bool) -> &'static str {
    if release { "bind-release.stamp" } else { "bind-dev.stamp" }
}

/// Writes the module and its JavaScript into `out`.
fn bind(wasm: &Path, out: &Path, name: &str, release: bool) -> Outcome<Size> {
    let inputs = [wasm.to_path_buf(), sh::root().join("xtask/src/bindgen")];
    let outputs = [out.to_path_buf()];
    let stamp =
        Stamp { name, inputs: &inputs, settings: &out.to_string_lossy(), outputs: &outputs };
    if let Some(size) = stamp.fresh().as_deref().and_then(Size::read) {
        return Ok(size);
    }
    println!("binding it to JavaScript (the first time wasm-bindgen is compiled: about 2 minutes)");
    if out.exists() {
        std::fs::remove_dir_all(out).map_err(|e| format!("cannot empty {}: {e}", out.display()))?;
    }
    let mut cmd = bindgen();
    cmd.arg("bind").arg(wasm).arg(out);
    if release {
        npm::PACKAGE.install()?;
        cmd.arg("--release").arg(npm::PACKAGE.path().join("node_modules/binaryen/bin/wasm-opt"));
    }
    let ran = sh::output(&mut cmd)?;
    let size = Size::read(&ran).ok_or("xtask-bindgen did not say the module's size")?;
    stamp.write(&ran)?;
    Ok(size)
}

/// The program that binds a module to JavaScript.
pub(crate) fn bindgen() -> std::process::Command {
    sh::cargo(&[
        "run",
        "--quiet",
        "--package",
        "xtask",
        "--bin",
        "xtask-bindgen",
        "--features",
        "bindgen",
        "--",
    ])
}

/// The npm package, then the page, which imports it.
fn packages(bound: &Path) -> Outcome {
    let (package, page) = (npm::PACKAGE, npm::PAGE);
    let dist = package.path().join("dist");
    package.install()?;
    package.build(&[package.path(), bound.to_path_buf()], std::slice::from_ref(&dist))?;
    page.install()?;
    page.build(&[page.path(), dist], &[page.path().join("dist")])
}

impl Size {
    fn read(text: &str) -> Option<Self> {
        let (raw, gzip) = text.trim().split_once(' ')?;
        Some(Self { raw: raw.parse().ok()?, gzip: gzip.parse().ok()? })
    }

    fn text(self) -> String {
        format!("{} KB, {} KB gzip", self.raw.div_ceil(1000), self.gzip.div_ceil(1000))
    }

    fn check(self) -> Outcome {
        if self.gzip <= GZIP_KB_MAX * 1000 {
            return Ok(());
        }
        Err(format!(
            "the released browser module has {}; the limit is {GZIP_KB_MAX} KB gzip \
             (`cargo xtask web --release --why` lists where the bytes come from)",
            self.text()
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn the_limit_counts_compressed_bytes() {
        assert_eq!(Size::read("1500 700000\n"), Some(Size { raw: 1500, gzip: 700_000 }));
        assert!(Size { raw: 9_000_000, gzip: 700_000 }.check().is_ok());
        assert!(Size { raw: 1, gzip: 700_001 }.check().is_err());
        assert_eq!(Size::read("none"), None);
    }
}

//! Role: finds or gets a standard library for wasm32, and gives the cargo that builds with it.
//! Invariant: says which of the three ways it took, and touches the system only in the third.
//! Not here: what is built (`web`).

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::sh::{self, Outcome};
use crate::tools;

/// The target of the browser peer.
pub(crate) const TARGET: &str = "wasm32-unknown-unknown";

/// Debian's compiler, its cargo, the sources of std, and the linker of the same LLVM.
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "lld-19"];
const DEBIAN_LINKER: &str = "wasm-ld-19";

const ADVICE: &str = "no standard library for wasm32-unknown-unknown. Any one of these helps:\n  \
    rustup target add wasm32-unknown-unknown\n  \
    the wasm32 standard library package of your system, for the rustc on PATH\n  \
    Debian, as root: apt-get install rustc-web cargo-web rust-web-src lld-19";

/// Where the standard library for wasm32 comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WasmStd {
    /// The active toolchain has it.
    Toolchain,
    /// Debian's sources, compiled by Debian's compiler together with our code.
    Debian,
}

impl WasmStd {
    /// Takes the first way that works; `XTASK_WASM_STD` leaves only one.
    pub(crate) fn get() -> Outcome<Self> {
        let only = std::env::var("XTASK_WASM_STD").ok();
        let allowed = |way: &str| only.as_deref().is_none_or(|named| named == way);
        if allowed("toolchain") && in_toolchain() {
            println!("wasm32 standard library: in the active toolchain");
            return Ok(Self::Toolchain);
        }
        if allowed("rustup") && add_with_rustup() {
            println!("wasm32 standard library: from `rustup target add {TARGET}`");
            return Ok(Self::Toolchain);
        }
        if allowed("debian") && debian()? {
            println!("wasm32 standard library: built from Debian's {}", DEBIAN_PACKAGES.join(", "));
            return Ok(Self::Debian);
        }
        Err(ADVICE.to_owned())
    }

    /// `cargo build` for wasm32; add package and profile.
    pub(crate) fn cargo_build(self) -> Command {
        let mut cmd = match self {
            Self::Toolchain => sh::cargo(&["build"]),
            Self::Debian => debian_cargo(),
        };
        cmd.args(["--target", TARGET]);
        cmd
    }

    /// The folder with the profiles' folders of [`WasmStd::cargo_build`].
    pub(crate) fn target_dir(self) -> PathBuf {
        match self {
            Self::Toolchain => sh::target(),
            Self::Debian => debian_target(),
        }
        .join(TARGET)
    }
}

fn in_toolchain() -> bool {
    let Ok(sysroot) = sh::capture(sh::command("rustc").args(["--print", "sysroot"])) else {
        return false;
    };
    let lib = Path::new(sysroot.trim()).join("lib/rustlib").join(TARGET).join("lib");
    let Ok(mut entries) = std::fs::read_dir(lib) else {
        return false;
    };
    entries.any(|e| e.is_ok_and(|e| e.file_name().to_string_lossy().starts_with("libstd-")))
}

fn add_with_rustup() -> bool {
    if sh::which("rustup").is_none() {
        return false;
    }
    println!("adding the wasm32 standard library with rustup (about 20 MB)");
    match sh::capture(sh::command("rustup").args(["target", "add", TARGET])) {
        Ok(_) => in_toolchain(),
        Err(why) => {
            println!("that did not work, trying the next way: {why}");
            false
        }
    }
}

/// Whether Debian's packages are there, after installing them if we may.
fn debian() -> Outcome<bool> {
    if debian_present() {
        return Ok(true);
    }
    if !tools::can_apt() {
        return Ok(false);
    }
    println!("installing {} with apt-get (about 150 MB)", DEBIAN_PACKAGES.join(", "));
    tools::apt_install(&DEBIAN_PACKAGES).map_err(|why| format!("{why}\n{ADVICE}"))?;
    Ok(debian_present())
}

fn debian_present() -> bool {
    let programs = ["/usr/bin/rustc", "/usr/bin/cargo"].iter().all(|p| Path::new(p).is_file());
    let sysroot = sh::capture(sh::command("/usr/bin/rustc").args(["--print", "sysroot"]));
    let sources = sysroot.is_ok_and(|dir| {
        Path::new(dir.trim()).join("lib/rustlib/src/rust/library/std/Cargo.toml").exists()
    });
    programs && sources && sh::which(DEBIAN_LINKER).is_some()
}

/// A target folder of its own: two compilers in one would rebuild for each other.
fn debian_target() -> PathBuf {
    sh::target().join("debian-wasm")
}

fn debian_cargo() -> Command {
    let mut cmd = sh::command("/usr/bin/cargo");
    cmd.args(["build", "-Z", "build-std=std,panic_abort"])
        // `-Z build-std` is for nightly compilers; this variable lets a stable one do it.
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTC", "/usr/bin/rustc")
        .env("CARGO_TARGET_DIR", debian_target())
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", DEBIAN_LINKER)
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("RUSTDOC");
    cmd
}

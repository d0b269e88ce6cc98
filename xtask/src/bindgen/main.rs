//! Role: binds a compiled browser module to JavaScript, and tells where its bytes come from.
//! Invariant: wasm-bindgen is used as a library of the locked version, because its schema must
//! equal the one the module was compiled with. Not here: when to do it (`xtask web`).

mod snip;
mod why;

use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};

use flate2::Compression;
use flate2::write::GzEncoder;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["bind", wasm, out] => bind(wasm.as_ref(), out.as_ref(), None),
        ["bind", wasm, out, "--release", wasm_opt] => {
            bind(wasm.as_ref(), out.as_ref(), Some(wasm_opt.as_ref()))
        }
        ["why", wasm] => read(wasm.as_ref()).and_then(|bytes| why::print(&bytes)),
        _ => Err("usage: xtask-bindgen bind WASM OUT [--release WASM_OPT] | why WASM".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("xtask-bindgen: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What rustc uses. All that wasm-opt knows would let it write modules that no browser reads yet.
const FEATURES: [&str; 8] = [
    "--mvp-features",
    "--enable-bulk-memory",
    "--enable-bulk-memory-opt",
    "--enable-reference-types",
    "--enable-sign-ext",
    "--enable-nontrapping-float-to-int",
    "--enable-multivalue",
    "--enable-mutable-globals",
];
/// Throws, with the reason, when the engine of Node.js does not take the module.
const CHECK: &str = "new WebAssembly.Module(require('fs').readFileSync(process.argv[1]))";
const MERGE: &str = "--duplicate-function-elimination";
/// More find nothing.
const MERGE_ROUNDS: usize = 6;

/// Writes module, JavaScript and types into `out`, then prints the module's raw and gzip size. For a
/// release `wasm_opt` is binaryen's program of that name.
fn bind(wasm: &Path, out: &Path, wasm_opt: Option<&Path>) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).typescript(true).omit_default_module_path(true);
    bindgen.remove_producers_section(wasm_opt.is_some());
    let made = bindgen.web(true).and_then(|b| b.generate(out));
    made.map_err(|e| format!("wasm-bindgen: {e:#}"))?;
    let stem = bindgen.stem().map_err(|e| format!("{e:#}"))?;
    let module = out.join(format!("{stem}_bg.wasm"));
    if let Some(wasm_opt) = wasm_opt {
        shrink(&module, wasm_opt)?;
    }
    let bytes = read(&module)?;
    println!("{} {}", bytes.len(), gzip_len(&bytes).map_err(|e| format!("gzip: {e}"))?);
    Ok(())
}

/// Takes out what is never called, merges functions that are alike to the last instruction until
/// none are left, sorts the others by name, so that copies of one generic function stand together
/// and compress well (7 % of the gzip size), and then drops the names. All only now: wasm-bindgen
/// itself reads sections that an earlier strip would have removed. Optimising for size would rename
/// and mix the functions, and the result compresses worse; of its passes those are here that do not.
fn shrink(module: &Path, wasm_opt: &Path) -> Result<(), String> {
    let snipped = snip::snip(&read(module)?)?;
    std::fs::write(module, snipped)
        .map_err(|e| format!("cannot write {}: {e}", module.display()))?;
    let mut command = Command::new("node");
    command.arg(wasm_opt).arg(module).arg("-o").arg(module).args(FEATURES);
    command.args([MERGE, "--vacuum", "--remove-unused-brs"]);
    // Each round makes callers alike whose callees were merged before.
    command.args([MERGE; MERGE_ROUNDS]).args(["--remove-unused-names", "--vacuum", MERGE, MERGE]);
    command.args(["--precompute", "--optimize-instructions", "--vacuum", MERGE, MERGE, MERGE]);
    // What is set twice, passed for nothing, or set to be read once.
    command.args(["--rse", "--vacuum", MERGE, MERGE, "--dae-optimizing", "--vacuum", MERGE, MERGE]);
    command.args(["--simplify-locals-nostructure", "--rse", "--vacuum", MERGE, MERGE, MERGE]);
    command.args([
        "--remove-unused-module-elements",
        "--reorder-functions-by-name",
        "--strip-debug",
    ]);
    ran(&mut command, "wasm-opt")?;
    let mut check = Command::new("node");
    check.arg("--eval").arg(CHECK).arg(module);
    ran(&mut check, "the check that the module is one")
}

fn ran(command: &mut Command, what: &str) -> Result<(), String> {
    let status = command.status().map_err(|e| format!("cannot run node: {e}"))?;
    if status.success() { Ok(()) } else { Err(format!("{what} failed ({status})")) }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

fn gzip_len(bytes: &[u8]) -> std::io::Result<usize> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.len())
}

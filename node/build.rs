//! Tells cargo when the page that this program carries has changed.
//! Invariant: a plain `cargo build` needs no Node.js; without a built page a placeholder stands in.
//! Not here: building the page (`cargo xtask run` does), and embedding it (`src/admin/assets.rs`).

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let built = Path::new("../www/dist");
    if built.join("index.html").exists() {
        println!("cargo::rerun-if-changed=../www/dist");
    } else if Path::new("../www").exists() {
        // A watched path that does not exist would make every build start over, so the folder
        // above is watched until the page appears in it.
        println!("cargo::rerun-if-changed=../www");
    }
}

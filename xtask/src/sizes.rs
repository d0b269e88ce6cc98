//! Role: `cargo xtask sizes`: limits for files and functions, and calls nobody may make.
//! Invariant: an exception stands in [`ALLOWED`] with its reason, and only while it is used.
//! Not here: reading Rust (`scan`), dependencies (`layers`).

use std::path::Path;

use crate::scan::{self, Function};
use crate::sh::{self, Outcome};

/// Read on one screen.
const FUNCTION_LINES_MAX: usize = 70;
/// Proofread in one sitting.
const FILE_LINES_MAX: usize = 400;
/// An actor carries messages; there is no room for logic.
const ACTOR_LINES_MAX: usize = 200;
/// Past that a type is missing.
const PARAMS_MAX: usize = 5;

/// Folders that hold nothing of our own, beside all whose name starts with a dot.
const FOREIGN: [&str; 3] = ["dist", "node_modules", "target"];

/// Where the banned calls are looked for.
const BANNED_IN: [&str; 4] = ["node/src/", "shared/src/", "wasm-peer/src/", "webrtc/src/"];

/// Calls nobody may make, each with its reason.
const BANNED: [(&str, &str); 5] = [
    ("do_send(", "it loses errors and ignores the mailbox's bound; ask through a Handle"),
    ("unbounded_channel(", "memory must be bounded; choose a capacity"),
    ("mpsc::unbounded(", "memory must be bounded; choose a capacity"),
    ("tokio::spawn(", "every task has an owner and an end; spawn through the root"),
    ("actix::spawn(", "every task has an owner and an end; spawn through the root"),
];

/// An exception from [`BANNED`].
#[derive(Debug)]
struct Allowed {
    file: &'static str,
    call: &'static str,
    #[expect(dead_code, reason = "it is there for the reader")]
    reason: &'static str,
}

const ALLOWED: [Allowed; 2] = [
    Allowed {
        file: "node/src/root.rs",
        call: "tokio::spawn(",
        reason: "this is the root's own spawn, which all others use",
    },
    Allowed {
        file: "node/src/node.rs",
        call: "actix::spawn(",
        reason: "starts the root itself on the actors' thread; the node watches its end",
    },
];

/// The verb.
pub(crate) fn verb(args: &[String]) -> Outcome {
    if let Some(arg) = args.first() {
        return Err(format!("unknown argument `{arg}`"));
    }
    check_all()
}

/// Checks every file of ours and lists all findings.
pub(crate) fn check_all() -> Outcome {
    let mut files = Vec::new();
    collect(&sh::root(), "", &mut files)?;
    let mut findings = Vec::new();
    let mut rust = 0_usize;
    for (name, text) in &files {
        if name.ends_with(".rs") {
            rust += 1;
            findings.extend(rust_findings(name, text, &ALLOWED));
        } else {
            findings.extend(file_length(name, text.lines().count()));
            if name.ends_with(".go") {
                findings.extend(go_findings(name, text));
            }
        }
    }
    findings.extend(unused(&files, &ALLOWED));
    if rust == 0 {
        return Err("there is no Rust file here".to_owned());
    }
    if findings.is_empty() {
        println!("sizes: {rust} Rust and {} TypeScript and Go files hold", files.len() - rust);
        return Ok(());
    }
    Err(format!("too large, or banned:\n  {}", findings.join("\n  ")))
}

/// Our Rust, TypeScript and Go files with their contents; Rust tests are left out.
fn collect(dir: &Path, prefix: &str, into: &mut Vec<(String, String)>) -> Outcome {
    let fault = |e: std::io::Error| format!("cannot read {}: {e}", dir.display());
    let mut entries: Vec<_> =
        std::fs::read_dir(dir).map_err(fault)?.collect::<Result<_, _>>().map_err(fault)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        if entry.file_type().map_err(fault)?.is_dir() {
            if !name.starts_with('.') && !FOREIGN.contains(&name.as_str()) {
                collect(&entry.path(), &format!("{path}/"), into)?;
            }
        } else if is_measured(&path) {
            into.push((path, std::fs::read_to_string(entry.path()).map_err(fault)?));
        }
    }
    Ok(())
}

fn is_measured(path: &str) -> bool {
    let extension = Path::new(path).extension().and_then(|e| e.to_str()).unwrap_or_default();
    let test = path.split('/').any(|part| part == "tests" || part == "tests.rs");
    matches!(extension, "ts" | "go") || (extension == "rs" && !test)
}

fn file_length(name: &str, lines: usize) -> Option<String> {
    let max = if name.ends_with("/actor.rs") { ACTOR_LINES_MAX } else { FILE_LINES_MAX };
    (lines > max).then(|| format!("{name}: {lines} lines without tests (at most {max})"))
}

fn rust_findings(name: &str, text: &str, allowed: &[Allowed]) -> Vec<String> {
    let code = scan::code_only(text);
    let code = scan::before_tests(&code);
    let mut findings: Vec<String> = file_length(name, code.lines().count()).into_iter().collect();
    for function in scan::functions(code) {
        findings.extend(function_findings(name, &function));
    }
    if BANNED_IN.iter().any(|dir| name.starts_with(dir)) {
        for (number, line) in (1_usize..).zip(code.lines()) {
            findings
                .extend(banned(name, line, allowed).map(|why| format!("{name}:{number}: {why}")));
        }
    }
    findings
}

/// Long Go functions. `gofmt` puts the first and the last line of each at the margin.
fn go_findings(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let mut open = None;
    for (line, code) in (1_usize..).zip(text.lines()) {
        if let Some(rest) = code.strip_prefix("func ")
            && code.ends_with(['{', '('])
        {
            open = Some((line, rest));
        } else if code == "}"
            && let Some((first, rest)) = open.take()
        {
            let lines = line - first + 1;
            if lines > FUNCTION_LINES_MAX {
                let head = rest.trim_end_matches(" {");
                findings.push(format!(
                    "{name}:{first}: `{head}` has {lines} lines (at most {FUNCTION_LINES_MAX})"
                ));
            }
        }
    }
    findings
}

fn function_findings(file: &str, function: &Function) -> Vec<String> {
    let Function { name, line, lines, params } = function;
    let mut findings = Vec::new();
    if *lines > FUNCTION_LINES_MAX {
        findings.push(format!(
            "{file}:{line}: `{name}` has {lines} lines (at most {FUNCTION_LINES_MAX})"
        ));
    }
    if *params > PARAMS_MAX {
        findings.push(format!(
            "{file}:{line}: `{name}` has {params} parameters (at most {PARAMS_MAX})"
        ));
    }
    findings
}

fn banned<'a>(
    file: &'a str,
    line: &'a str,
    allowed: &'a [Allowed],
) -> impl Iterator<Item = String> + 'a {
    let excused =
        move |call: &str| allowed.iter().any(|entry| entry.file == file && entry.call == call);
    BANNED
        .iter()
        .filter(move |(call, _)| line.contains(call) && !excused(call))
        .map(|(call, reason)| format!("`{call}` is banned: {reason}"))
}

/// Exceptions that no longer excuse anything.
fn unused(files: &[(String, String)], allowed: &[Allowed]) -> Vec<String> {
    let used = |entry: &Allowed| {
        files.iter().any(|(name, text)| name == entry.file && text.contains(entry.call))
    };
    let stale = allowed.iter().filter(|entry| !used(entry));
    stale.map(|e| format!("{}: the exception for `{}` is not used", e.file, e.call)).collect()
}

#[cfg(test)]
mod tests {
    use super::{Allowed, file_length, go_findings, is_measured, rust_findings, unused};

    fn findings(name: &str, text: &str) -> Vec<String> {
        rust_findings(name, text, &[])
    }

    #[test]
    fn a_long_function_is_found_and_one_line_less_is_not() {
        let of = |lines: usize| format!("fn long() {{\n{}}}\n", "    step();\n".repeat(lines - 2));
        assert_eq!(findings("node/src/a.rs", &of(70)), Vec::<String>::new());
        let found = findings("node/src/a.rs", &of(71));
        assert_eq!(found, ["node/src/a.rs:1: `long` has 71 lines (at most 70)"]);
    }

    #[test]
    fn a_long_file_is_found_but_its_tests_do_not_count() {
        let body = "const A: u8 = 1;\n".repeat(400);
        let tests = format!("#[cfg(test)]\nmod tests {{\n{body}}}\n");
        assert!(findings("node/src/a.rs", &format!("{body}{tests}")).is_empty());
        let found = findings("node/src/a.rs", &format!("\n{body}{tests}"));
        assert_eq!(found, ["node/src/a.rs: 401 lines without tests (at most 400)"]);
        assert!(file_length("www/src/a.ts", 401).is_some());
    }

    #[test]
    fn a_long_actor_is_found() {
        let body = "const A: u8 = 1;\n".repeat(201);
        assert_eq!(findings("node/src/policy/actor.rs", &body).len(), 1);
        assert!(findings("node/src/actor.rs", "fn a() {}").is_empty());
        assert!(findings("node/src/policy/messages.rs", &body).is_empty());
    }

    #[test]
    fn a_sixth_parameter_is_found() {
        let five = "fn five(&self, a: A, b: B, c: C, d: D, e: E) {}";
        assert!(findings("node/src/a.rs", five).is_empty());
        let six = "fn six(a: A, b: B, c: C, d: D, e: E, f: F) {}";
        assert_eq!(findings("node/src/a.rs", six).len(), 1);
    }

    #[test]
    fn each_banned_call_is_found_in_code_but_not_in_comments_tests_or_other_folders() {
        for (call, _) in super::BANNED {
            let bad = format!("fn a() {{\n    x.{call}y);\n}}\n");
            let found = findings("node/src/a.rs", &bad);
            assert_eq!(found.len(), 1, "{call}: {found:?}");
            assert!(found.iter().all(|text| text.starts_with("node/src/a.rs:2: ")), "{found:?}");
            assert!(findings("node/src/a.rs", &format!("// {call}\n")).is_empty());
            assert_eq!(findings("webrtc/src/a/b.rs", &bad).len(), 1);
            assert!(findings("xtask/src/a.rs", &bad).is_empty());
            let test = format!("#[cfg(test)]\nmod tests {{\n{bad}}}\n");
            assert!(findings("node/src/a.rs", &test).is_empty());
        }
    }

    #[test]
    fn an_exception_excuses_one_call_in_one_file_and_is_reported_when_unused() {
        let allowed = [Allowed { file: "node/src/a.rs", call: "tokio::spawn(", reason: "test" }];
        let text = "fn a() { tokio::spawn(x); }";
        assert!(rust_findings("node/src/a.rs", text, &allowed).is_empty());
        assert_eq!(rust_findings("node/src/b.rs", text, &allowed).len(), 1);
        assert!(unused(&[("node/src/a.rs".into(), text.into())], &allowed).is_empty());
        assert_eq!(unused(&[("node/src/a.rs".into(), String::new())], &allowed).len(), 1);
    }

    #[test]
    fn a_long_go_function_is_found_and_one_line_less_is_not() {
        let of = |lines: usize| {
            let body = "\tstep()\n".repeat(lines - 2);
            format!(
                "func short() {{ step() }}\n\ntype a struct {{\n}}\n\nfunc (p *peer) long() {{\n{body}}}\n"
            )
        };
        assert_eq!(go_findings("a.go", &of(70)), Vec::<String>::new());
        let found = go_findings("a.go", &of(71));
        assert_eq!(found, ["a.go:6: `(p *peer) long()` has 71 lines (at most 70)"]);
    }

    #[test]
    fn our_own_sources_are_measured_and_rust_tests_are_not() {
        assert!(is_measured("shared/src/wire.rs") && is_measured("www/src/main.ts"));
        assert!(is_measured("tests/interop/go/main.go"));
        assert!(!is_measured("tests/it/main.rs") && !is_measured("shared/src/wire/tests.rs"));
        assert!(!is_measured("README.md"));
    }
}

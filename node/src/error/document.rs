//! The published list of codes, `docs/errors.md`, written from the code table.
//! Invariant: the file in the repository equals [`text`]; a test compares them.
//! Not here: the table.

use super::{Code, Kind, codes};

const HEAD: &str = "# Error codes

Every failure that Peerloom shows has one of these codes: on the command line, in an API answer, on
the page and in the npm package. A code keeps its meaning for ever. This file is written from the
table in `node/src/error/codes.rs`; a test compares both.

`again` says whether the same request may succeed later without a change. `exit` is the exit code of
a command that fails with it, `HTTP` the status of an API answer that carries it.

| Exit code | Meaning |
|--|--|
| 0 | done |
| 1 | failure |
| 2 | wrong use of the command line |
| 3 | bad configuration or policy |
| 4 | the node does not run or cannot be reached |
| 5 | denied by policy or token |
| 6 | not found |
| 7 | timed out |
| 8 | a verification failed |
| 9 | partly done |
| 70 | the node restarted itself three times in 60 s and gave up |
| 130, 143 | ended at once by Ctrl-C, by a termination signal |
";

/// The whole document.
#[must_use]
pub fn text() -> String {
    let mut text = HEAD.to_owned();
    let mut area = "";
    for code in codes::ALL {
        let next = code.id.split('-').next().unwrap_or_default();
        if next != area {
            area = next;
            text.push_str(&format!("\n## {}\n", area_title(area)));
        }
        text.push_str(&section(code));
    }
    text
}

fn section(code: &Code) -> String {
    let again = match code.kind {
        Kind::Retry => "yes",
        Kind::Reject => "no",
        Kind::Fatal => "no, something has to change first",
    };
    format!(
        "\n### {}\n\n**{}.** {}\n\nWhat to do: {}\n\nagain: {again} · exit {} · HTTP {}\n",
        code.id,
        code.title,
        code.why,
        code.hint,
        code.exit.number(),
        code.http,
    )
}

fn area_title(area: &str) -> &'static str {
    match area {
        "CLI" => "Command line",
        "CFG" => "Configuration",
        "KEY" => "Keys and secret files",
        "DATA" => "Data folder and database",
        "AUD" => "Audit log",
        "POL" => "Policy",
        "NET" => "Network",
        "API" => "Control API",
        "AUTH" => "Access to the control API",
        "NODE" => "Running node",
        "ROOM" => "Rooms",
        "DHT" => "Distributed hash table",
        "WEB" => "Browser peer",
        _ => "Others",
    }
}

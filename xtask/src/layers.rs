//! Role: `cargo xtask layers`: who may depend on whom, checked on what cargo really resolves.
//! Invariant: each row of the layering table is one or more rules here, for native and wasm32.
//! Not here: rules about single calls (`sizes`) and methods (clippy).

use crate::sh::{self, Outcome};
use crate::wasm_std;

/// Dependencies that may exist in one package, built with the given features for one target.
/// A name that ends in `*` stands for all names that start so.
#[derive(Debug)]
struct Rule {
    package: &'static str,
    features: &'static [&'static str],
    /// The browser's target; else this machine's.
    wasm: bool,
    /// Nowhere below the package.
    never: &'static [&'static str],
    /// Not as its own dependency; what libraries use below is their business.
    never_own: &'static [&'static str],
    /// Its own dependencies are among these; empty: any.
    only_own: &'static [&'static str],
    /// Features it may switch on itself, for one of its own dependencies.
    features_own: &'static [(&'static str, &'static [&'static str])],
}

const OPEN: Rule = Rule {
    package: "",
    features: &[],
    wasm: false,
    never: &[],
    never_own: &[],
    only_own: &[],
    features_own: &[],
};

const SHELL_PARTS: &[&str] = &["actix*", "cedar-policy*", "peerloom-node", "peerloom-wasm-peer"];

/// The protocol without features: no runtime, no swarm, no browser.
const PURE: Rule = Rule {
    package: "peerloom-shared",
    never: &[
        "actix*",
        "async-std",
        "cedar-policy*",
        "js-sys",
        "libp2p",
        "libp2p-core",
        "libp2p-swarm",
        "peerloom-node",
        "peerloom-wasm-peer",
        "smol",
        "tokio*",
        "wasm-bindgen*",
        "web-sys",
        "web-time",
        "futures-timer",
    ],
    only_own: &[
        "bao-tree",
        "blake3",
        "chacha20poly1305",
        "cid",
        "data-encoding",
        "ed25519-dalek",
        "libp2p-identity",
        "multiaddr",
        "prost",
        "rand",
        "serde",
        "thiserror",
    ],
    ..OPEN
};

/// WebRTC without a platform: codecs and rules, of use to any project.
const RTC: Rule = Rule {
    package: "peerloom-webrtc",
    never: &[
        "actix*",
        "cedar-policy*",
        "futures*",
        "js-sys",
        "libp2p*",
        "peerloom-node",
        "peerloom-shared",
        "peerloom-wasm-peer",
        "tokio*",
        "wasm-bindgen*",
        "web-sys",
        "web-time",
    ],
    only_own: &["bytes", "prost", "thiserror"],
    ..OPEN
};

/// WebRTC on native sockets knows nothing of ours.
const RTC_NATIVE: Rule = Rule {
    package: "peerloom-webrtc",
    features: &["native"],
    never: &["actix*", "cedar-policy*", "peerloom-node", "peerloom-shared", "peerloom-wasm-peer"],
    never_own: &["js-sys", "wasm-bindgen*", "web-sys"],
    ..OPEN
};

/// WebRTC in a browser has no native parts.
const RTC_BROWSER: Rule = Rule {
    features: &["browser"],
    wasm: true,
    never_own: &["dimpl", "is", "sctp-proto", "tokio"],
    ..RTC_NATIVE
};

/// The protocol with its libp2p glue: still no shell, and of tokio only what runs anywhere.
const NET: Rule = Rule {
    package: "peerloom-shared",
    features: &["net"],
    never: SHELL_PARTS,
    never_own: &["js-sys", "wasm-bindgen*", "web-sys"],
    features_own: &[("tokio", &["default", "macros", "sync"])],
    ..OPEN
};

/// The native shell knows no browser.
const NODE: Rule = Rule {
    package: "peerloom-node",
    never: &["peerloom-wasm-peer"],
    never_own: &["js-sys", "wasm-bindgen*", "web-sys"],
    ..OPEN
};

/// The browser shell knows no actors and no native parts.
const BROWSER: Rule = Rule {
    package: "peerloom-wasm-peer",
    never: &["actix*", "cedar-policy*", "peerloom-node", "redb"],
    features_own: &[("tokio", &["default", "macros", "sync"])],
    ..OPEN
};

const RULES: [Rule; 11] = [
    PURE,
    Rule { wasm: true, ..PURE },
    NET,
    Rule { wasm: true, ..NET },
    NODE,
    BROWSER,
    Rule { wasm: true, ..BROWSER },
    RTC,
    Rule { wasm: true, ..RTC },
    RTC_NATIVE,
    RTC_BROWSER,
];

/// The verb.
pub(crate) fn verb(args: &[String]) -> Outcome {
    if let Some(arg) = args.first() {
        return Err(format!("unknown argument `{arg}`"));
    }
    check_all()
}

/// Checks every rule and lists all violations.
pub(crate) fn check_all() -> Outcome {
    let mut broken = Vec::new();
    for rule in &RULES {
        broken.extend(check(rule, &tree(rule)?));
    }
    if broken.is_empty() {
        println!("layers: {} rules hold", RULES.len());
        return Ok(());
    }
    Err(format!("the layering is broken:\n  {}", broken.join("\n  ")))
}

fn tree(rule: &Rule) -> Outcome<String> {
    let mut cmd = sh::cargo(&["tree", "--prefix", "depth", "--edges", "normal,features"]);
    cmd.args(["--package", rule.package]);
    if !rule.features.is_empty() {
        cmd.args(["--features", &rule.features.join(",")]);
    }
    if rule.wasm {
        cmd.args(["--target", wasm_std::TARGET]);
    }
    sh::capture(&mut cmd)
}

/// One line of `cargo tree --prefix depth --edges features`.
#[derive(Debug, PartialEq, Eq)]
struct Entry<'a> {
    depth: usize,
    name: &'a str,
    /// Set where the line is about a feature of the package.
    feature: Option<&'a str>,
}

fn entry(line: &str) -> Option<Entry<'_>> {
    let digits = line.find(|c: char| !c.is_ascii_digit())?;
    let (depth, rest) = line.split_at_checked(digits)?;
    let mut words = rest.split_whitespace();
    let name = words.next()?;
    let feature = (words.next() == Some("feature")).then(|| words.next()).flatten();
    Some(Entry { depth: depth.parse().ok()?, name, feature: feature.map(|f| f.trim_matches('"')) })
}

fn check(rule: &Rule, tree: &str) -> Vec<String> {
    let entries: Vec<Entry<'_>> = tree.lines().filter_map(entry).collect();
    if entries.first().is_none_or(|top| top.name != rule.package) {
        return vec![format!("{}: cargo tree says nothing about it", title(rule))];
    }
    let mut broken: Vec<String> =
        entries.iter().skip(1).filter_map(|e| violation(rule, e)).collect();
    broken.sort();
    broken.dedup();
    broken
}

fn violation(rule: &Rule, entry: &Entry<'_>) -> Option<String> {
    let (name, own) = (entry.name, entry.depth == 1);
    let says = |what: &str| Some(format!("{} {what}", title(rule)));
    if listed(rule.never, name) {
        return says(&format!("must not depend on {name}, not even through others"));
    }
    if own && listed(rule.never_own, name) {
        return says(&format!("must not depend on {name} itself"));
    }
    if own && !rule.only_own.is_empty() && !listed(rule.only_own, name) {
        return says(&format!("may not depend on {name}: it is not in the list of its layer"));
    }
    let feature = entry.feature.filter(|_| own)?;
    let allowed = rule.features_own.iter().find(|(package, _)| *package == name)?;
    if allowed.1.contains(&feature) {
        return None;
    }
    says(&format!("must not switch on the feature `{feature}` of {name}"))
}

fn title(rule: &Rule) -> String {
    let features = match rule.features {
        [] => String::new(),
        some => format!(" with {}", some.join(", ")),
    };
    let target = if rule.wasm { "wasm32" } else { "native" };
    format!("{}{features} ({target})", rule.package)
}

fn listed(names: &[&str], name: &str) -> bool {
    names.iter().any(|listed| match listed.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => *listed == name,
    })
}

#[cfg(test)]
mod tests {
    use super::{BROWSER, Entry, NET, NODE, PURE, RULES, Rule, check, entry};

    fn tree(package: &str, lines: &[&str]) -> String {
        let top = format!("0{package} v0.1.0 (/somewhere/{package})");
        [&[top.as_str()], lines].concat().join("\n")
    }

    /// The rule holds for the harmless lines and breaks, once, when `bad` is added.
    fn breaks(rule: &Rule, harmless: &[&str], bad: &str, word: &str) {
        assert_eq!(check(rule, &tree(rule.package, harmless)), Vec::<String>::new());
        let broken = check(rule, &tree(rule.package, &[harmless, &[bad]].concat()));
        assert_eq!(broken.len(), 1, "{broken:?}");
        assert!(broken.iter().all(|text| text.contains(word)), "{broken:?}");
    }

    #[test]
    fn lines_of_cargo_tree_are_read() {
        let plain = Entry { depth: 12, name: "futures", feature: None };
        assert_eq!(entry("12futures v0.3.34 (*)"), Some(plain));
        let feature = Entry { depth: 1, name: "tokio", feature: Some("sync") };
        assert_eq!(entry("1tokio feature \"sync\""), Some(feature));
        assert_eq!(entry(""), None);
    }

    #[test]
    fn the_pure_protocol_has_no_runtime_below_it() {
        let harmless = ["1prost v0.14.4", "2bytes v1.10.1"];
        breaks(&PURE, &harmless, "3tokio v1.54.0", "must not depend on tokio");
        breaks(&PURE, &harmless, "2actix-rt feature \"default\"", "actix-rt");
        breaks(&PURE, &harmless, "1regex v1.0.0", "not in the list");
    }

    #[test]
    fn the_glue_has_two_features_of_tokio_and_no_shell() {
        let harmless = [
            "1tokio feature \"sync\"",
            "2tokio v1.54.0",
            "3web-sys v0.3.85",
            "2tokio feature \"rt\"",
        ];
        breaks(&NET, &harmless, "1tokio feature \"rt\"", "feature `rt` of tokio");
        breaks(&NET, &harmless, "1web-sys v0.3.85", "web-sys itself");
        breaks(&NET, &harmless, "2actix v0.13.5", "actix");
        breaks(&NET, &harmless, "1peerloom-node v0.1.0", "peerloom-node");
    }

    #[test]
    fn the_shells_do_not_know_each_other() {
        let native = ["1actix v0.13.5", "4wasm-bindgen v0.2.108"];
        breaks(&NODE, &native, "1peerloom-wasm-peer v0.1.0", "peerloom-wasm-peer");
        breaks(&NODE, &native, "1wasm-bindgen v0.2.108", "wasm-bindgen itself");
        let browser = ["1wasm-bindgen v0.2.108", "1tokio feature \"macros\""];
        breaks(&BROWSER, &browser, "2cedar-policy v4.14.0", "cedar-policy");
        breaks(&BROWSER, &browser, "1peerloom-node v0.1.0", "peerloom-node");
        breaks(&BROWSER, &browser, "1tokio feature \"full\"", "feature `full`");
    }

    #[test]
    fn an_empty_answer_breaks_every_rule() {
        assert!(RULES.iter().all(|rule| check(rule, "").len() == 1));
    }
}

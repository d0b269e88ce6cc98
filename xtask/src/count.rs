//! Role: reads how many tests ran from what test runners print.
//! Invariant: counts only the runners' own summary lines, with or without colours.
//! Not here: running anything (`stages`).

/// Passed and failed tests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
}

impl Tally {
    /// Both numbers added.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self { passed: self.passed + other.passed, failed: self.failed + other.failed }
    }
}

/// The sum of all summaries in the text: of cargo test, node --test and vitest.
pub(crate) fn tests(output: &str) -> Tally {
    let sums = output.lines().map(|line| summary(&without_colours(line)));
    sums.fold(Tally::default(), Tally::plus)
}

fn summary(line: &str) -> Tally {
    let line = line.trim();
    if let Some(rest) = line.strip_prefix("test result:") {
        return labelled(rest);
    }
    // node --test: `# pass 3` in TAP, `ℹ pass 3` for people.
    if let Some(rest) = line.strip_prefix("# ").or_else(|| line.strip_prefix("ℹ ")) {
        let number = |word| rest.strip_prefix(word).and_then(|n| n.trim().parse().ok());
        return Tally {
            passed: number("pass ").unwrap_or(0),
            // A cancelled test ran into a deadline: it did not pass.
            failed: number("fail ").or_else(|| number("cancelled ")).unwrap_or(0),
        };
    }
    // vitest: `Tests  1 failed | 11 passed (12)`.
    line.strip_prefix("Tests  ").map(labelled).unwrap_or_default()
}

/// Numbers that stand before the words `passed` and `failed`.
fn labelled(text: &str) -> Tally {
    let words: Vec<&str> = text.split([' ', ';', '|', ',']).filter(|w| !w.is_empty()).collect();
    let mut tally = Tally::default();
    for pair in words.windows(2) {
        if let [number, word] = pair {
            let number = number.parse().unwrap_or(0);
            match *word {
                "passed" => tally.passed += number,
                "failed" => tally.failed += number,
                _ => {}
            }
        }
    }
    tally
}

/// Drops terminal escapes like `ESC [ 32 m`.
fn without_colours(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part.find(|c: char| c.is_ascii_alphabetic()).map_or(part.len(), |at| at + 1);
        plain.push_str(part.get(end..).unwrap_or_default());
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::{Tally, tests};

    #[test]
    fn summaries_of_all_runners_are_added() {
        let output = "running 3 tests\n\
            test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s\n\
            test result: FAILED. 1 passed; 2 failed; 0 ignored\n\
            # tests 5\n# suites 0\n# pass 4\n# fail 1\n# cancelled 1\n# skipped 0\n\
            \u{1b}[34mℹ pass 10\u{1b}[39m\n\u{1b}[34mℹ fail 0\u{1b}[39m\n\
            \u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[31m1 failed\u{1b}[39m\u{1b}[22m | \u{1b}[32m11 passed\u{1b}[39m (12)\n";
        assert_eq!(tests(output), Tally { passed: 29, failed: 5 });
    }

    #[test]
    fn other_lines_do_not_count() {
        let output = "ok 1 - sends 100 passed\n# pass through\n Test Files  2 passed (2)\npass 3\n";
        assert_eq!(tests(output), Tally::default());
    }
}

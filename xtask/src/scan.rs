//! Role: reads Rust source just well enough to measure it: comments and literals blanked out,
//! functions found by their braces. Invariant: line numbers stay those of the file.
//! Not here: limits (`sizes`), and macros, whose bodies are measured as they are written.

/// One function with a body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    /// Line of `fn`, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace.
    pub(crate) lines: usize,
    /// Parameters without `self`.
    pub(crate) params: usize,
}

/// The text with every comment, string and character literal replaced by blanks.
pub(crate) fn code_only(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut code = String::with_capacity(text.len());
    let mut at = 0;
    while let Some(now) = chars.get(at) {
        let skip = literal_or_comment(&chars, at);
        if skip == 0 {
            code.push(*now);
        }
        let skipped = chars.iter().skip(at).take(skip);
        code.extend(skipped.map(|c| if *c == '\n' { '\n' } else { ' ' }));
        at += skip.max(1);
    }
    code
}

/// The part before a test module at the end of a file (give it [`code_only`] text).
pub(crate) fn before_tests(code: &str) -> &str {
    for (at, _) in code.match_indices("#[cfg(") {
        let rest = code.get(at..).unwrap_or_default();
        let test = rest.starts_with("#[cfg(test)]") || rest.starts_with("#[cfg(all(test");
        let item =
            rest.lines().skip(1).map(str::trim).find(|l| !l.is_empty() && !l.starts_with('#'));
        let module = item.is_some_and(|l| l.starts_with("mod ") && l.ends_with('{'));
        if test && module {
            return code.get(..at).unwrap_or(code);
        }
    }
    code
}

/// All functions with a body (give it [`code_only`] text).
pub(crate) fn functions(code: &str) -> Vec<Function> {
    let chars: Vec<char> = code.chars().collect();
    let mut found = Vec::new();
    let mut line = 1;
    for (at, c) in chars.iter().enumerate() {
        match c {
            '\n' => line += 1,
            'f' => found.extend(function_at(&chars, at, line)),
            _ => {}
        }
    }
    found
}

fn get(chars: &[char], at: usize) -> char {
    chars.get(at).copied().unwrap_or('\0')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn before(chars: &[char], at: usize) -> char {
    at.checked_sub(1).map_or('\0', |at| get(chars, at))
}

/// Length of the comment or literal that starts here; 0 if code starts here.
fn literal_or_comment(chars: &[char], at: usize) -> usize {
    let rest = chars.get(at..).unwrap_or_default();
    match (get(chars, at), get(chars, at + 1)) {
        ('/', '/') => rest.iter().position(|c| *c == '\n').unwrap_or(rest.len()),
        ('/', '*') => block_comment(rest),
        ('"', _) => quoted(rest),
        ('r', '"' | '#') if raw_may_start(chars, at) => raw_string(rest),
        ('\'', _) => character(rest),
        _ => 0,
    }
}

fn block_comment(rest: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let step = match (get(rest, at), get(rest, at + 1)) {
            ('/', '*') => {
                depth += 1;
                2
            }
            ('*', '/') => {
                depth = depth.saturating_sub(1);
                2
            }
            _ => 1,
        };
        at += step;
        if depth == 0 {
            return at;
        }
    }
    rest.len()
}

fn quoted(rest: &[char]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match get(rest, at) {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// `r` starts a raw string at a word's start, or after the `b` or `c` that starts the word.
fn raw_may_start(chars: &[char], at: usize) -> bool {
    let previous = before(chars, at);
    let prefixed = matches!(previous, 'b' | 'c') && !is_word(before(chars, at.saturating_sub(1)));
    !is_word(previous) || prefixed
}

fn raw_string(rest: &[char]) -> usize {
    let hashes = rest.iter().skip(1).take_while(|c| **c == '#').count();
    if get(rest, 1 + hashes) != '"' {
        return 0; // a raw identifier
    }
    let closes = |at: usize| get(rest, at) == '"' && (1..=hashes).all(|n| get(rest, at + n) == '#');
    let end = (hashes + 2..rest.len()).find(|at| closes(*at));
    end.map_or(rest.len(), |at| at + 1 + hashes)
}

/// A character literal; a lifetime has no closing quote and counts as code.
fn character(rest: &[char]) -> usize {
    if get(rest, 1) == '\\' {
        let end = rest.iter().skip(3).position(|c| *c == '\'');
        return end.map_or(1, |n| n + 4);
    }
    if get(rest, 2) == '\'' { 3 } else { 0 }
}

fn function_at(chars: &[char], at: usize, line: usize) -> Option<Function> {
    let keyword = get(chars, at) == 'f' && get(chars, at + 1) == 'n' && !is_word(before(chars, at));
    if !keyword || !get(chars, at + 2).is_whitespace() {
        return None;
    }
    let start = (at + 2..chars.len()).find(|n| !get(chars, *n).is_whitespace())?;
    let name: String = chars.iter().skip(start).take_while(|c| is_word(**c)).collect();
    if name.is_empty() {
        return None; // a function type, or a name that a macro fills in
    }
    let mut at_params = start + name.chars().count();
    if get(chars, at_params) == '<' {
        at_params = closing(chars, at_params)? + 1;
    }
    if get(chars, at_params) != '(' {
        return None;
    }
    let after = closing(chars, at_params)?;
    let params = count_params(chars.get(at_params + 1..after)?);
    let end = closing(chars, body_start(chars, after + 1)?)?;
    let breaks = chars.get(at..end)?.iter().filter(|c| **c == '\n').count();
    Some(Function { name, line, lines: breaks + 1, params })
}

/// The index of the bracket that closes the one at `open`. Only `<` counts angle brackets, and
/// not those of `->` and `=>`.
fn closing(chars: &[char], open: usize) -> Option<usize> {
    let (up, down) = match get(chars, open) {
        '<' => ('<', '>'),
        '(' => ('(', ')'),
        _ => ('{', '}'),
    };
    let mut depth = 0_usize;
    for at in open..chars.len() {
        let c = get(chars, at);
        if c == up {
            depth += 1;
        } else if c == down && !(down == '>' && matches!(before(chars, at), '-' | '=')) {
            depth = depth.checked_sub(1)?;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// Where the body opens after the parameters; none when a `;` ends the declaration first.
fn body_start(chars: &[char], from: usize) -> Option<usize> {
    let mut square = 0_usize; // the `;` of `[u8; 4]` ends nothing
    for at in from..chars.len() {
        match get(chars, at) {
            '[' => square += 1,
            ']' => square = square.saturating_sub(1),
            ';' if square == 0 => return None,
            '{' => return Some(at),
            _ => {}
        }
    }
    None
}

fn count_params(list: &[char]) -> usize {
    let mut depth = 0_usize;
    let mut params = vec![String::new()];
    for (at, c) in list.iter().enumerate() {
        match c {
            '(' | '[' | '{' | '<' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            '>' if before(list, at) != '-' => depth = depth.saturating_sub(1),
            ',' if depth == 0 => {
                params.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(last) = params.last_mut() {
            last.push(*c);
        }
    }
    let own = |param: &String| {
        let name = param.split(':').next().unwrap_or_default();
        name.split(|c| !is_word(c)).any(|word| word == "self")
    };
    params.iter().filter(|p| !p.trim().is_empty() && !own(p)).count()
}

#[cfg(test)]
mod tests {
    use super::{Function, before_tests, code_only, functions};

    fn only(text: &str) -> Function {
        let mut all = functions(&code_only(text));
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn literals_and_comments_are_blanked_and_lines_kept() {
        let text = "a(\"}\\\"{\"); // {\n/* { /* } */ */ b('{', '\\'', 'x: &'static str); r#\"\"{\"#; br\"{\"";
        let code = code_only(text);
        assert_eq!(code.lines().count(), 2);
        assert!(!code.contains('{') && !code.contains('}'), "{code}");
        assert!(code.contains("&'static str"), "{code}");
        assert_eq!(code_only("r#type = 1"), "r#type = 1");
    }

    #[test]
    fn lines_and_parameters_are_counted() {
        let f = only(
            "\nimpl X {\n  pub async fn go<F: Fn(u8) -> u8>(&mut self, a: [u8; 3], b: M<u8, u8>, f: F) -> [u8; 4]\n  where F: Send {\n    {}\n  }\n}\n",
        );
        assert_eq!(f, Function { name: "go".into(), line: 3, lines: 4, params: 3 });
        assert_eq!(only("fn f(a: impl Fn(u8, u8) -> u8, (x, y): (u8, u8),) {}").params, 2);
    }

    #[test]
    fn declarations_and_function_types_are_no_functions() {
        assert!(
            functions("trait T { fn a(&self) -> [u8; 2]; } type F = fn (u8) -> u8;").is_empty()
        );
        assert_eq!(functions("fn outer() { fn inner() {} }").len(), 2);
    }

    #[test]
    fn a_test_module_ends_the_measured_part_and_a_test_helper_does_not() {
        let helper = "fn a() {}\n#[cfg(test)]\nfn helper() {}\nfn b() {}\n";
        assert_eq!(before_tests(helper), helper);
        let module = format!("{helper}#[cfg(test)]\n#[expect(x)]\nmod tests {{\n}}\n");
        assert_eq!(before_tests(&module), helper);
    }
}

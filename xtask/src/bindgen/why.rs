//! Role: adds up a module's code size by crate, from the names the linker left in it.
//! Invariant: reads only bounds-checked bytes; a broken module is an error, never a panic.
//! Not here: shrinking anything.

use std::collections::BTreeMap;

/// How many crates are listed; the rest is one line.
const CRATES_SHOWN: usize = 30;

const SECTION_CUSTOM: u8 = 0;
const SECTION_IMPORT: u8 = 2;
const SECTION_CODE: u8 = 10;
const SECTION_DATA: u8 = 11;
const NAMES_OF_FUNCTIONS: u8 = 1;

/// What a module's sections say about size.
#[derive(Debug, Default)]
struct Module {
    imports: u32,
    /// Bytes of each function body, in the order of definition.
    bodies: Vec<u32>,
    data: usize,
    names: BTreeMap<u32, String>,
}

/// Prints code bytes by crate, the largest first.
pub(crate) fn print(wasm: &[u8]) -> Result<(), String> {
    let module = parse(wasm).ok_or("this is no complete WebAssembly module")?;
    let mut crates: Vec<(String, u64)> = by_crate(&module).into_iter().collect();
    crates.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    let total: u64 = crates.iter().map(|(_, bytes)| bytes).sum();
    println!("code bytes by crate, before binding and compression (the function's home counts)");
    for (name, bytes) in crates.iter().take(CRATES_SHOWN) {
        println!("{bytes:>9}  {:>4.1} %  {name}", percent(*bytes, total));
    }
    let rest: u64 = crates.iter().skip(CRATES_SHOWN).map(|(_, bytes)| bytes).sum();
    println!("{rest:>9}  {:>4.1} %  all others", percent(rest, total));
    println!("{total:>9}  code in {} functions; data {} bytes", module.bodies.len(), module.data);
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "one decimal of a share is shown")]
fn percent(part: u64, whole: u64) -> f64 {
    100.0 * part as f64 / whole.max(1) as f64
}

fn by_crate(module: &Module) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for (index, bytes) in (module.imports..).zip(&module.bodies) {
        let name = module.names.get(&index).map_or("", String::as_str);
        *sums.entry(home(name)).or_default() += u64::from(*bytes);
    }
    sums
}

/// The crate a demangled name starts with: `<a::B as c::D>::e` lives in `a`. A builtin type has
/// no crate, so its trait's counts.
fn home(symbol: &str) -> String {
    let name = format!("{:#}", rustc_demangle::demangle(symbol));
    let first = |text: &str| {
        let start = text.find(|c: char| c.is_alphabetic() || c == '_')?;
        let (krate, _) = text.get(start..)?.split_once("::")?;
        let plain = krate.chars().all(|c| c.is_alphanumeric() || c == '_');
        plain.then(|| krate.to_owned())
    };
    let by_trait = || name.split_once(" as ").and_then(|(_, rest)| first(rest));
    first(&name).or_else(by_trait).unwrap_or_else(|| "(other)".to_owned())
}

fn parse(wasm: &[u8]) -> Option<Module> {
    let mut bytes = Bytes(wasm.strip_prefix(b"\0asm\x01\0\0\0")?);
    let mut module = Module::default();
    while !bytes.0.is_empty() {
        let id = bytes.byte()?;
        let mut body = bytes.block()?;
        match id {
            SECTION_IMPORT => module.imports = imported_functions(&mut body)?,
            SECTION_CODE => {
                for _ in 0..body.number()? {
                    module.bodies.push(u32::try_from(body.block()?.0.len()).ok()?);
                }
            }
            SECTION_DATA => module.data = body.0.len(),
            SECTION_CUSTOM if body.text()? == "name" => module.names = names(&mut body)?,
            _ => {}
        }
    }
    Some(module)
}

fn imported_functions(body: &mut Bytes<'_>) -> Option<u32> {
    let mut functions = 0;
    for _ in 0..body.number()? {
        body.text()?;
        body.text()?;
        match body.byte()? {
            0 => {
                body.number()?;
                functions += 1;
            }
            // Table: type, limits. Memory: limits. Global: type, mutability. Tag: attribute, type.
            1 => {
                body.byte()?;
                body.limits()?;
            }
            2 => body.limits()?,
            3 => {
                body.byte()?;
                body.byte()?;
            }
            4 => {
                body.byte()?;
                body.number()?;
            }
            _ => return None,
        }
    }
    Some(functions)
}

fn names(body: &mut Bytes<'_>) -> Option<BTreeMap<u32, String>> {
    let mut names = BTreeMap::new();
    while !body.0.is_empty() {
        let kind = body.byte()?;
        let mut list = body.block()?;
        if kind == NAMES_OF_FUNCTIONS {
            for _ in 0..list.number()? {
                names.insert(list.number()?, list.text()?);
            }
        }
    }
    Some(names)
}

/// The bytes not read yet.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    /// An unsigned LEB128 number of at most 32 bits.
    fn number(&mut self) -> Option<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.byte()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn block(&mut self) -> Option<Bytes<'a>> {
        let len = usize::try_from(self.number()?).ok()?;
        let (block, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(Bytes(block))
    }

    fn text(&mut self) -> Option<String> {
        Some(String::from_utf8_lossy(self.block()?.0).into_owned())
    }

    fn limits(&mut self) -> Option<()> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 == 1 {
            self.number()?;
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::{by_crate, home, parse};

    #[test]
    fn a_symbol_belongs_to_the_crate_of_its_type() {
        assert_eq!(home("libp2p_swarm::Swarm<T>::poll_next"), "libp2p_swarm");
        assert_eq!(home("<libp2p_kad::Key as core::fmt::Debug>::fmt"), "libp2p_kad");
        assert_eq!(home("<u32 as core::fmt::Display>::fmt"), "core");
        assert_eq!(home("_ZN4core3fmt5write17h0123456789abcdefE"), "core");
        assert_eq!(home("memcpy"), "(other)");
    }

    #[test]
    fn sizes_follow_the_names_of_a_small_module() {
        let mut wasm = b"\0asm\x01\0\0\0".to_vec();
        // One imported function "a"."b"; one body of 2 bytes; its name at index 1.
        wasm.extend_from_slice(b"\x02\x07\x01\x01a\x01b\x00\x00");
        wasm.extend_from_slice(b"\x0a\x04\x01\x02\x00\x0b");
        wasm.extend_from_slice(b"\x00\x10\x04name\x01\x09\x01\x01\x06kad::x");
        let sums = parse(&wasm).map(|module| by_crate(&module));
        assert_eq!(sums, Some([("kad".to_owned(), 2)].into()));
        wasm.pop();
        assert!(parse(&wasm).is_none(), "the name section is cut short");
    }
}

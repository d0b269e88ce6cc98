//! Role: takes ciphers and hashes out of a bound module that its one Noise handshake never chooses.
//! Invariant: what is taken out traps when it is called; a list that fits nothing is an error.
//! Not here: code that input from outside could reach.

use std::collections::BTreeSet;

use walrus::{FunctionBuilder, FunctionId, FunctionKind, LocalId, Module, ModuleConfig};

/// The crate `snow` chooses by a text at run time, so the compiler keeps all it could choose. libp2p has
/// one text, `Noise_XX_25519_ChaChaPoly_SHA256` (libp2p Noise specification, section 2).
const NEVER_CHOSEN: [&str; 4] = [
    "<snow::resolvers::default::CipherAesGcm as ",
    "<snow::resolvers::default::HashBLAKE2b as ",
    "<snow::resolvers::default::HashBLAKE2s as ",
    "<snow::resolvers::default::HashSHA512 as ",
];

/// The module without them.
pub(crate) fn snip(wasm: &[u8]) -> Result<Vec<u8>, String> {
    let config = || {
        let mut config = ModuleConfig::new();
        config.generate_producers_section(false);
        config
    };
    let mut module = config().parse(wasm).map_err(|e| format!("cannot read the module: {e:#}"))?;
    for start in NEVER_CHOSEN {
        let found: BTreeSet<FunctionId> = module
            .funcs
            .iter_local()
            .map(|(id, _)| id)
            .filter(|id| named(&module, *id).is_some_and(|name| name.starts_with(start)))
            .collect();
        if found.is_empty() {
            return Err(format!(
                "the module has no function `{start}...`: mend the list in snip.rs"
            ));
        }
        for id in found {
            trap(&mut module, id);
        }
    }
    walrus::passes::gc::run(&mut module);
    Ok(module.emit_wasm())
}

fn named(module: &Module, id: FunctionId) -> Option<String> {
    let name = module.funcs.get(id).name.as_deref()?;
    Some(format!("{:#}", rustc_demangle::demangle(name)))
}

fn trap(module: &mut Module, id: FunctionId) {
    let kind = module.types.get(module.funcs.get(id).ty());
    let (params, results) = (kind.params().to_vec(), kind.results().to_vec());
    let args: Vec<LocalId> = params.iter().map(|kind| module.locals.add(*kind)).collect();
    let mut builder = FunctionBuilder::new(&mut module.types, &params, &results);
    builder.func_body().unreachable();
    module.funcs.get_mut(id).kind = FunctionKind::Local(builder.local_func(args));
}

//! The policy folder as a whole: lists, policies, entities, tests; one load checks everything.
//! Invariant: a folder that is wrong anywhere gives an error and nothing else.
//! Not here: when it is loaded (`actor`), what is in force (`keeper`).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use peerloom_shared::grant::{Key, NetworkId};
use peerloom_shared::limits::{POLICIES_MAX, POLICY_FILE_BYTES_MAX, POLICY_FILES_MAX};
use peerloom_shared::policy::{Access, Rules as Lists, Trust};

use super::assertions::{self, Asker};
use super::compile::{self, Own};
use super::engine::{CedarEngine, Compiled};
use super::error::{PolicyError, Spot};
use super::names::Names;
use super::rule::Rule;
use super::tests_file::Assertion;
use super::{entities_file, network_file, rule_files, source, tests_file};
use crate::toml_text::Place;

const RULES: &str = "rules.toml";
const ENTITIES: &str = "entities.toml";
const TESTS: &str = "tests.toml";
const CEDAR: &str = "cedar";

/// What a folder is loaded for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// The profile, where the operator names one.
    pub access: Option<Access>,
    /// This node's own key; `None` for a key that cannot sign grants, or none at all.
    pub own: Option<Key>,
}

impl Wanted {
    /// Network and roots where no file says otherwise.
    #[must_use]
    pub fn trust(&self) -> Trust {
        match self.own {
            Some(own) if self.access.unwrap_or_default() == Access::Open => {
                Trust { roots: vec![own], ..Trust::open() }
            }
            Some(own) => Trust::founded_by(own),
            None => Trust::open(),
        }
    }

    /// The profile in a network. Whoever joined somebody else's must not open it to strangers by
    /// forgetting to name one.
    fn access_in(&self, network: NetworkId) -> Access {
        let joined = network != self.trust().network;
        self.access.unwrap_or(if joined { Access::Closed } else { Access::default() })
    }
}

/// A folder that is right.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The allow and deny lists.
    pub lists: Lists,
    /// What decides the rest.
    pub compiled: Compiled,
    /// How many own policies there are.
    pub policies: usize,
    /// How many tests were asked.
    pub tests: usize,
    /// Differs when a file differs.
    pub print: u64,
}

/// A folder whose files fit together, and of which nothing was asked yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The allow and deny lists.
    pub lists: Lists,
    /// What decides the rest.
    pub compiled: Compiled,
    /// How many own policies there are.
    pub policies: usize,
    /// The assertions.
    pub tests: Vec<Assertion>,
    tests_path: PathBuf,
    print: u64,
}

impl Draft {
    /// Makes sure, at this Unix time in ms, that the operator is not locked out and that every own policy
    /// is tested.
    ///
    /// # Errors
    /// The first policy at fault.
    pub fn guard(&self, now_ms: u64) -> Result<(), PolicyError> {
        assertions::not_locked_out(&CedarEngine::new(self.compiled.clone()), now_ms)?;
        let rules = self.compiled.rules.list().iter().map(Arc::as_ref);
        let own: Vec<&Rule> = rules.filter(|rule| rule.origin.is_some()).collect();
        assertions::covered(&own, &self.tests, &self.tests_path)
    }

    /// Whoever asks the tests, at this Unix time in ms.
    ///
    /// # Errors
    /// As [`Asker::new`].
    pub fn asker(&self, now_ms: u64) -> Result<Asker<'_>, PolicyError> {
        Asker::new(&self.lists, &self.compiled, now_ms)
    }
}

/// Loads the folder `dir` and asks its tests, at this Unix time in ms. A folder that is not there is an
/// empty one.
///
/// # Errors
/// The first thing that is wrong.
pub fn load(dir: &Path, wanted: &Wanted, now_ms: u64) -> Result<Loaded, PolicyError> {
    let draft = draft(dir, wanted)?;
    draft.guard(now_ms)?;
    let tests = assertions::ask_all(&draft.asker(now_ms)?, &draft.tests)?;
    let Draft { lists, compiled, policies, print, .. } = draft;
    Ok(Loaded { lists, compiled, policies, tests, print })
}

/// Reads the folder `dir`, and nothing more.
///
/// # Errors
/// The first file or policy that is wrong.
pub fn draft(dir: &Path, wanted: &Wanted) -> Result<Draft, PolicyError> {
    let mut print = DefaultHasher::new();
    let lists_path = dir.join(RULES);
    let lists = rule_files::load(&lists_path)?;
    format!("{lists:?}").hash(&mut print);
    let names = Arc::new(Names::new().map_err(PolicyError::Internal)?);

    // Written by `peerloom join`; what the operator writes comes before it.
    let network_path = dir.join(network_file::NAME);
    let network = read(&network_path)?.unwrap_or_default();
    network.hash(&mut print);
    let network = entities_file::parse(&network_path, &network)?;

    let entities_path = dir.join(ENTITIES);
    let entities = read(&entities_path)?.unwrap_or_default();
    entities.hash(&mut print);
    let entities = entities_file::parse(&entities_path, &entities)?;

    let (mut rules, mut texts) = (Vec::new(), BTreeMap::new());
    for path in cedar_files(dir)? {
        // A file that went away meanwhile will be noticed by the watch.
        let text = read(&path)?.unwrap_or_default();
        (&path, &text).hash(&mut print);
        rules.extend(source::rules(&path, &text)?);
        texts.insert(path, text);
    }
    few_enough(&rules)?;

    let tests_path = dir.join(TESTS);
    let tests = read(&tests_path)?.unwrap_or_default();
    tests.hash(&mut print);
    let tests = tests_file::parse(&tests_path, &tests)?;

    let roster = entities.roster(&entities_path, &names)?;
    let trust = entities.trust(network.trust(wanted.trust()));
    let access = wanted.access_in(trust.network);
    let policies = rules.len();
    let own = Own { rules, texts, roster, trust };
    let compiled = compile::compile(names, access, own)?;
    Ok(Draft { lists, compiled, policies, tests, tests_path, print: print.finish() })
}

fn few_enough(rules: &[Rule]) -> Result<(), PolicyError> {
    match rules.get(POLICIES_MAX) {
        None => Ok(()),
        Some(rule) => {
            let why = format!("more than {POLICIES_MAX} policies");
            Err(PolicyError::TooMuch { spot: compile::spot_of(rule), why })
        }
    }
}

/// The files with policies, in the order of their names.
///
/// # Errors
/// When the folder cannot be read, or has too many.
pub fn cedar_files(dir: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: dir.to_owned(), source };
    let entries = match fs::read_dir(dir) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(unreadable(error)),
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.map_err(unreadable)?.path();
        // Editors keep drafts in files whose names begin with a dot.
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|extension| extension == CEDAR) {
            files.push(path);
        }
        if files.len() > POLICY_FILES_MAX {
            let why = format!("more than {POLICY_FILES_MAX} files with policies");
            return Err(PolicyError::TooMuch { spot: Spot::file(dir), why });
        }
    }
    files.sort();
    Ok(files)
}

/// The text of a file of the folder; `None` when it is not there.
///
/// # Errors
/// When it cannot be read, is no text, or is too large.
pub fn read(path: &Path) -> Result<Option<String>, PolicyError> {
    let unreadable = |source| PolicyError::Unreadable { path: path.to_owned(), source };
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    let bound = POLICY_FILE_BYTES_MAX;
    let mut bytes = Vec::new();
    file.take(bound.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > bound {
        let why = format!("the file is larger than {bound} bytes");
        return Err(PolicyError::TooMuch { spot: Spot::file(path), why });
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes());
        let spot = Spot::at(path, Place::of(&text, good));
        PolicyError::Syntax { spot, why: "this is no UTF-8".to_owned() }
    })?;
    Ok(Some(text))
}

#[cfg(test)]
mod tests;

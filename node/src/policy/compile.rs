//! From rules, roster and trust to what decides: ids that differ, strict validation, the profile added.
//! Invariant: what compiles fits the schema as a whole.
//! Not here: reading files (`folder`), the node's own tests (`assertions`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use cedar_policy::{PolicySet, Schema, ValidationMode, Validator};
use peerloom_shared::policy::{Access, Trust};

use super::engine::Compiled;
use super::error::{PolicyError, Spot};
use super::names::{Kind, Names, SCHEMA};
use super::roster::{ANONYMOUS, Roster};
use super::rule::Rule;
use super::slices::Rules;
use super::source::{self, offset_of, words};
use crate::toml_text::Place;

/// What a node's own files add to the profile.
#[derive(Debug)]
pub struct Own {
    /// Its policies.
    pub rules: Vec<Rule>,
    /// The texts they came from.
    pub texts: BTreeMap<PathBuf, String>,
    /// Groups, roles, topics.
    pub roster: Roster,
    /// Which network, and whom it trusts.
    pub trust: Trust,
}

/// The text of a profile's policies.
const fn profile(access: Access) -> &'static str {
    match access {
        Access::Open => include_str!("profiles/open.cedar"),
        Access::Friends => include_str!("profiles/friends.cedar"),
        Access::Closed => include_str!("profiles/closed.cedar"),
    }
}

const BASE: &str = include_str!("profiles/base.cedar");

/// The rules of a profile.
///
/// # Errors
/// When they are wrong, which would be our mistake.
pub fn profile_rules(access: Access) -> Result<Vec<Rule>, PolicyError> {
    let mut rules = Vec::new();
    for text in [BASE, profile(access)] {
        rules.extend(source::rules(Path::new(access.name()), text)?);
    }
    for rule in &mut rules {
        rule.origin = None;
    }
    Ok(rules)
}

/// Puts everything together.
///
/// # Errors
/// Ids that are not unique, and policies that do not fit the schema.
pub fn compile(names: Arc<Names>, access: Access, own: Own) -> Result<Compiled, PolicyError> {
    let mut rules = profile_rules(access)?;
    rules.extend(own.rules);
    differ(&rules)?;
    for rule in rules.iter().filter(|rule| rule.origin.is_some()) {
        known_groups(rule, &own.roster, &names)?;
    }
    validate(&rules, &own.texts)?;
    let rules = Rules::new(&names, rules, &own.roster).map_err(PolicyError::Internal)?;
    Ok(Compiled {
        access,
        names,
        rules: Arc::new(rules),
        roster: Arc::new(own.roster),
        trust: own.trust,
    })
}

/// Where a rule stands.
#[must_use]
pub fn spot_of(rule: &Rule) -> Spot {
    let spot = match &rule.origin {
        Some(origin) => Spot::at(&origin.file, origin.place),
        None => Spot::profile(),
    };
    spot.of(&rule.id)
}

/// The schema, compiled.
///
/// # Errors
/// When it is wrong, which would be our mistake.
pub fn schema() -> Result<Schema, PolicyError> {
    let parsed = Schema::from_cedarschema_str(SCHEMA);
    parsed.map(|(schema, _)| schema).map_err(|error| PolicyError::Internal(error.to_string()))
}

fn differ(rules: &[Rule]) -> Result<(), PolicyError> {
    let mut seen: BTreeMap<&str, &Rule> = BTreeMap::new();
    for rule in rules {
        if let Some(other) = seen.insert(&rule.id, rule) {
            return Err(PolicyError::Twice { spot: spot_of(rule), other: spot_of(other) });
        }
    }
    Ok(())
}

/// Cedar knows kinds of entities only. A group that is not there is most likely a slip.
fn known_groups(rule: &Rule, roster: &Roster, names: &Names) -> Result<(), PolicyError> {
    let anonymous = names.entity(Kind::Group, ANONYMOUS);
    let unknown = rule
        .looks
        .groups
        .iter()
        .find(|circle| roster.above(circle).is_none() && anonymous.as_ref() != Some(circle));
    match unknown {
        None => Ok(()),
        Some(circle) => Err(PolicyError::Unfit {
            spot: spot_of(rule),
            why: format!("`entities.toml` has no {circle}"),
        }),
    }
}

fn validate(rules: &[Rule], texts: &BTreeMap<PathBuf, String>) -> Result<(), PolicyError> {
    let internal = |error: &dyn std::fmt::Display| PolicyError::Internal(error.to_string());
    let schema = schema()?;
    let mut set = PolicySet::new();
    for rule in rules {
        set.add(rule.policy.clone()).map_err(|error| internal(&error))?;
    }
    let result = Validator::new(schema).validate(&set, ValidationMode::Strict);
    // In the order of loading, so that the same files give the same message.
    let mut wrong: Vec<_> = result
        .validation_errors()
        .filter_map(|error| {
            let id: &str = error.policy_id().as_ref();
            let place = rules.iter().position(|rule| rule.id.as_ref() == id)?;
            Some((place, offset_of(error), error))
        })
        .collect();
    wrong.sort_by_key(|(place, offset, _)| (*place, *offset));
    let Some((place, offset, error)) = wrong.into_iter().next() else {
        if result.validation_passed() {
            return Ok(());
        }
        return Err(internal(&result));
    };
    let Some(rule) = rules.get(place) else { return Err(internal(error)) };
    let mut spot = spot_of(rule);
    if let (Some(origin), Some(offset)) = (&rule.origin, offset) {
        // Cedar counts from where the piece of this policy begins.
        let text = texts.get(&origin.file).map(String::as_str).unwrap_or_default();
        let start = source::piece_start(text, origin.place);
        spot = spot.moved(Place::of(text, start.saturating_add(offset)));
    }
    let why = words(error);
    // Cedar begins with the id, which the place tells already.
    let id = format!("for policy `{}`, ", rule.id);
    Err(PolicyError::Unfit { spot, why: why.strip_prefix(&id).unwrap_or(&why).to_owned() })
}

//! The policies cut into slices: those that one kind of question can need, and no others.
//! Invariant: a slice leaves out only what its kind of question cannot satisfy; order is that of loading.
//! Not here: asking (`engine`).

use std::collections::BTreeMap;
use std::sync::Arc;

use cedar_policy::{Entity, EntityUid, PolicySet};
use peerloom_shared::grant::Prefix;
use peerloom_shared::policy::Action;

use super::names::{Kind, Names};
use super::roster::Roster;
use super::rule::{Looks, Rule};

/// All policies of one set.
#[derive(Clone, Debug)]
pub struct Rules {
    list: Vec<Arc<Rule>>,
    places: BTreeMap<Arc<str>, usize>,
    slices: BTreeMap<Key, Arc<Slice>>,
}

/// Principal, action, resource.
type Key = (Kind, Action, Kind);

/// What one kind of question needs.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// The policies.
    pub set: PolicySet,
    /// The same, in the order in which they were loaded.
    pub rules: Vec<Arc<Rule>>,
    /// What they look at.
    pub looks: Looks,
    /// The beginnings of names that they mention, as entities.
    pub namespaces: Vec<(Prefix, EntityUid)>,
    /// The groups and roles that they mention and that lie in others.
    pub circles: Vec<Entity>,
}

/// Kinds of principals that are asked about.
const PRINCIPALS: [Kind; 2] = [Kind::Peer, Kind::LocalUser];

impl Rules {
    /// Cuts the rules. Ids must differ.
    ///
    /// # Errors
    /// When Cedar does not take one of them, which would be our mistake.
    pub fn new(names: &Names, list: Vec<Rule>, roster: &Roster) -> Result<Self, String> {
        let list: Vec<_> = list.into_iter().map(Arc::new).collect();
        let places = list.iter().enumerate().map(|(place, rule)| (Arc::clone(&rule.id), place));
        let mut rules = Self { places: places.collect(), slices: BTreeMap::new(), list };
        // Many keys need the same rules; each such slice is made once.
        let mut made: BTreeMap<Vec<usize>, Arc<Slice>> = BTreeMap::new();
        for principal in PRINCIPALS {
            for action in Action::ALL {
                for resource in Kind::ALL.into_iter().filter(|kind| kind.is_resource()) {
                    let wanted: Vec<usize> = rules
                        .list
                        .iter()
                        .enumerate()
                        .filter(|(_, rule)| rule.may_concern(principal, action, resource))
                        .map(|(place, _)| place)
                        .collect();
                    let slice = match made.get(&wanted) {
                        Some(slice) => Arc::clone(slice),
                        None => {
                            let slice = Arc::new(rules.slice(names, &wanted, roster)?);
                            made.insert(wanted, Arc::clone(&slice));
                            slice
                        }
                    };
                    rules.slices.insert((principal, action, resource), slice);
                }
            }
        }
        Ok(rules)
    }

    /// All rules, in the order in which they were loaded.
    #[must_use]
    pub fn list(&self) -> &[Arc<Rule>] {
        &self.list
    }

    /// The rule with this id.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<&Arc<Rule>> {
        self.list.get(self.place(id)?)
    }

    /// The place of a rule in the order of loading.
    #[must_use]
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// What a question of this kind needs.
    #[must_use]
    pub fn slice_of(&self, principal: Kind, action: Action, resource: Kind) -> Option<&Slice> {
        self.slices.get(&(principal, action, resource)).map(Arc::as_ref)
    }

    fn slice(&self, names: &Names, wanted: &[usize], roster: &Roster) -> Result<Slice, String> {
        let mut slice = Slice::default();
        for place in wanted {
            let Some(rule) = self.list.get(*place) else { continue };
            slice.looks.join(&rule.looks);
            slice.set.add(rule.policy.clone()).map_err(|error| error.to_string())?;
            slice.rules.push(Arc::clone(rule));
        }
        let entity = |prefix: &Prefix| {
            names.entity(Kind::Namespace, prefix.as_str()).map(|entity| (prefix.clone(), entity))
        };
        slice.namespaces = slice.looks.namespaces.iter().filter_map(entity).collect();
        // A group that lies in no other needs no entity: nothing can be asked about it.
        for circle in &slice.looks.groups {
            let above = roster.above(circle).filter(|above| !above.is_empty());
            if let Some(above) = above {
                let above = above.iter().cloned().collect();
                slice.circles.push(Entity::new_no_attrs(circle.clone(), above));
            }
        }
        Ok(slice)
    }
}

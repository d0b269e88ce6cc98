//! The policies cut into slices: those that one kind of question can need, and no others.
//! Invariant: a slice leaves out only what its kind of question cannot satisfy; order is that of loading.
//! Not here: asking (`engine`).

use std::collections::{BTreeMap, BTreeSet, HashMap};
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

/// Parts by the places of their rules: many slices have the same.
type Parts = BTreeMap<Vec<usize>, Arc<Part>>;

/// Principal, action, resource.
type Key = (Kind, Action, Kind);

/// What one kind of question needs, cut again by whom or what the scope of a policy names.
#[derive(Clone, Debug, Default)]
pub struct Slice {
    /// By anchor ([`Rule::anchor`]).
    parts: HashMap<Option<EntityUid>, Arc<Part>>,
    /// The beginnings of names that the policies mention, as entities.
    pub namespaces: Vec<(Prefix, EntityUid)>,
}

/// Policies of one kind of question and one anchor.
#[derive(Clone, Debug, Default)]
pub struct Part {
    /// The policies.
    pub set: PolicySet,
    /// The same, with their places in the order in which they were loaded.
    rules: Vec<(usize, Arc<Rule>)>,
    /// What they look at.
    looks: Looks,
    /// The groups and roles that they mention and that lie in others.
    circles: Vec<Entity>,
}

/// The policies of a slice that one question can need.
#[derive(Clone, Debug)]
pub struct Chosen<'a> {
    /// Those whose scope names nothing, and those whose scope names what the question is about.
    pub parts: Vec<&'a Part>,
    /// What the resource is in.
    pub around: Vec<EntityUid>,
}

impl Slice {
    /// The policies for a question about these: principal, resource, and all that is around them.
    #[must_use]
    pub fn parts<'a>(&self, about: impl Iterator<Item = &'a EntityUid>) -> Vec<&Part> {
        let anchors = std::iter::once(None).chain(about.cloned().map(Some));
        let mut parts: Vec<&Part> = Vec::new();
        for anchor in anchors {
            let Some(part) = self.parts.get(&anchor).map(Arc::as_ref) else { continue };
            // A peer may act on itself, and be in a group twice.
            if !parts.iter().any(|known| std::ptr::eq(*known, part)) {
                parts.push(part);
            }
        }
        parts
    }
}

impl Chosen<'_> {
    /// Whether the value of this attribute can make a difference.
    #[must_use]
    pub fn looks_at(&self, attribute: &str) -> bool {
        self.parts.iter().any(|part| part.looks.at(attribute))
    }

    /// Whether a policy mentions this group or role.
    #[must_use]
    pub fn mentions(&self, entity: &EntityUid) -> bool {
        self.parts.iter().any(|part| part.looks.groups.contains(entity))
    }

    /// The groups and roles that the policies mention and that lie in others.
    #[must_use]
    pub fn circles(&self) -> Vec<Entity> {
        let mut circles: Vec<Entity> = Vec::new();
        for circle in self.parts.iter().flat_map(|part| &part.circles) {
            if !circles.iter().any(|known| known.uid() == circle.uid()) {
                circles.push(circle.clone());
            }
        }
        circles
    }

    /// The policies, in the order in which they were loaded.
    #[must_use]
    pub fn rules(&self) -> Vec<&Arc<Rule>> {
        let mut rules: Vec<_> = self.parts.iter().flat_map(|part| &part.rules).collect();
        rules.sort_by_key(|(place, _)| *place);
        rules.into_iter().map(|(_, rule)| rule).collect()
    }
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
        let mut parts = Parts::new();
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
                            let slice = Arc::new(rules.slice(names, &wanted, roster, &mut parts)?);
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

    fn slice(
        &self,
        names: &Names,
        wanted: &[usize],
        roster: &Roster,
        made: &mut Parts,
    ) -> Result<Slice, String> {
        let mut by_anchor: BTreeMap<Option<EntityUid>, Vec<usize>> = BTreeMap::new();
        let mut namespaces = BTreeSet::new();
        for place in wanted {
            let Some(rule) = self.list.get(*place) else { continue };
            namespaces.extend(&rule.looks.namespaces);
            by_anchor.entry(rule.anchor().cloned()).or_default().push(*place);
        }
        let entity = |prefix: &Prefix| {
            names.entity(Kind::Namespace, prefix.as_str()).map(|entity| (prefix.clone(), entity))
        };
        let mut slice = Slice {
            parts: HashMap::new(),
            namespaces: namespaces.into_iter().filter_map(entity).collect(),
        };
        for (anchor, places) in by_anchor {
            let part = match made.get(&places) {
                Some(part) => Arc::clone(part),
                None => {
                    let part = Arc::new(self.part(&places, roster)?);
                    made.insert(places, Arc::clone(&part));
                    part
                }
            };
            slice.parts.insert(anchor, part);
        }
        Ok(slice)
    }

    fn part(&self, places: &[usize], roster: &Roster) -> Result<Part, String> {
        let mut part = Part::default();
        for place in places {
            let Some(rule) = self.list.get(*place) else { continue };
            part.looks.join(&rule.looks);
            part.set.add(rule.policy.clone()).map_err(|error| error.to_string())?;
            part.rules.push((*place, Arc::clone(rule)));
        }
        // A group that lies in no other needs no entity: nothing can be asked about it.
        for circle in &part.looks.groups {
            let above = roster.above(circle).filter(|above| !above.is_empty());
            if let Some(above) = above {
                let above = above.iter().cloned().collect();
                part.circles.push(Entity::new_no_attrs(circle.clone(), above));
            }
        }
        Ok(part)
    }
}

#[cfg(test)]
mod tests;

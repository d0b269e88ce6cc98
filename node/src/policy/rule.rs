//! One policy as it was loaded: its id and reason, what it can be about, what it looks at.
//! Invariant: a rule that could decide a question is never found to be about something else.
//! Not here: reading files (`source`), which rules one question needs (`slices`).

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, Effect, EntityUid, Policy, PrincipalConstraint, ResourceConstraint,
};
use peerloom_shared::grant::Prefix;
use peerloom_shared::policy::Action;
use serde_json::Value;

use super::names::{Kind, action_of, kind_of};
use crate::toml_text::Place;

/// Where a rule stands: the file, and in it line and column. The profiles' have no file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The file.
    pub file: PathBuf,
    /// Where in it.
    pub place: Place,
}

/// One policy.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its `@id`.
    pub id: Arc<str>,
    /// Its `@reason`.
    pub reason: Arc<str>,
    /// Where it stands; `None` for one of the profile's.
    pub origin: Option<Origin>,
    /// Whether it forbids.
    pub forbids: bool,
    /// The policy itself.
    pub policy: Policy,
    /// The actions that its scope names; `None` where it leaves them open.
    pub actions: Option<BTreeSet<Action>>,
    /// What it looks at.
    pub looks: Looks,
    principal: PrincipalConstraint,
    resource: ResourceConstraint,
}

/// What a policy looks at, so that a question carries no more.
#[derive(Clone, Debug, Default)]
pub struct Looks {
    attributes: BTreeSet<String>,
    whole: bool,
    /// The beginnings of names that it mentions.
    pub namespaces: BTreeSet<Prefix>,
    /// The groups and roles that it mentions.
    pub groups: BTreeSet<EntityUid>,
}

impl Looks {
    /// Whether the value of this attribute can make a difference.
    #[must_use]
    pub fn at(&self, attribute: &str) -> bool {
        self.whole || self.attributes.contains(attribute)
    }

    /// Adds what another one looks at.
    pub fn join(&mut self, other: &Self) {
        self.whole |= other.whole;
        self.attributes.extend(other.attributes.iter().cloned());
        self.namespaces.extend(other.namespaces.iter().cloned());
        self.groups.extend(other.groups.iter().cloned());
    }

    fn of(policy: &Policy) -> Result<Self, String> {
        let json = policy.to_json().map_err(|error| error.to_string())?;
        let mut looks = Self::default();
        looks.walk(&json, false);
        for entity in policy.entity_literals() {
            match kind_of(&entity) {
                Some(Kind::Namespace) => {
                    let text = entity.id().unescaped();
                    let prefix = Prefix::new(text)
                        .map_err(|error| format!("Namespace::\"{text}\": {error}"))?;
                    looks.namespaces.insert(prefix);
                }
                Some(Kind::Group | Kind::Role) => {
                    looks.groups.insert(entity);
                }
                Some(
                    Kind::Peer
                    | Kind::LocalUser
                    | Kind::Node
                    | Kind::Admin
                    | Kind::Protocol
                    | Kind::Topic
                    | Kind::Content
                    | Kind::DhtKey
                    | Kind::Relay
                    | Kind::Mailbox
                    | Kind::Route,
                )
                | None => {}
            }
        }
        Ok(looks)
    }

    /// Collects the names of attributes. A policy that takes the whole context, and not a part of it,
    /// looks at everything.
    fn walk(&mut self, json: &Value, of_attribute: bool) {
        match json {
            Value::Object(fields) => {
                let takes_context = fields.get("Var").and_then(Value::as_str) == Some("context");
                self.whole |= takes_context && !of_attribute;
                for (name, value) in fields {
                    if name == "attr" {
                        self.attribute(value);
                    }
                    self.walk(value, name == "left" && fields.contains_key("attr"));
                }
            }
            Value::Array(values) => values.iter().for_each(|value| self.walk(value, false)),
            Value::String(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }

    fn attribute(&mut self, value: &Value) {
        match value {
            Value::String(name) => {
                self.attributes.insert(name.clone());
            }
            // `has a.b` names several.
            Value::Array(names) => names.iter().for_each(|name| self.attribute(name)),
            Value::Object(_) | Value::Number(_) | Value::Bool(_) | Value::Null => {}
        }
    }
}

impl Rule {
    /// A rule around a policy.
    ///
    /// # Errors
    /// When the policy names an action or a beginning of names that cannot exist.
    pub fn new(
        policy: Policy,
        id: &str,
        reason: &str,
        origin: Option<Origin>,
    ) -> Result<Self, String> {
        let named = |entity: &EntityUid| {
            action_of(entity).ok_or_else(|| format!("there is no {entity} in the schema"))
        };
        let actions = match policy.action_constraint() {
            ActionConstraint::Any => None,
            ActionConstraint::Eq(action) => Some(BTreeSet::from([named(&action)?])),
            ActionConstraint::In(actions) => {
                Some(actions.iter().map(named).collect::<Result<_, _>>()?)
            }
        };
        Ok(Self {
            id: id.into(),
            reason: reason.into(),
            origin,
            forbids: policy.effect() == Effect::Forbid,
            actions,
            looks: Looks::of(&policy)?,
            principal: policy.principal_constraint(),
            resource: policy.resource_constraint(),
            policy,
        })
    }

    /// Whether its scope can be about this action, this kind of principal and this kind of resource.
    #[must_use]
    pub fn may_concern(&self, principal: Kind, action: Action, resource: Kind) -> bool {
        self.names_action(action)
            && match &self.principal {
                PrincipalConstraint::Any => true,
                // Groups and roles are around peers only.
                PrincipalConstraint::In(around) => is_around(around, principal),
                PrincipalConstraint::Eq(entity) => kind_of(entity) == Some(principal),
                PrincipalConstraint::Is(name) | PrincipalConstraint::IsIn(name, _) => {
                    Kind::find(name.basename()) == Some(principal)
                }
            }
            && match &self.resource {
                ResourceConstraint::Any => true,
                ResourceConstraint::In(around) => is_around(around, resource),
                ResourceConstraint::Eq(entity) => kind_of(entity) == Some(resource),
                ResourceConstraint::Is(name) | ResourceConstraint::IsIn(name, _) => {
                    Kind::find(name.basename()) == Some(resource)
                }
            }
    }

    /// What its scope names, the resource first: a question that is not about this, nor about anything in
    /// it, cannot meet the rule. `None` where the scope names neither.
    #[must_use]
    pub fn anchor(&self) -> Option<&EntityUid> {
        let of_resource = match &self.resource {
            ResourceConstraint::In(entity)
            | ResourceConstraint::Eq(entity)
            | ResourceConstraint::IsIn(_, entity) => Some(entity),
            ResourceConstraint::Any | ResourceConstraint::Is(_) => None,
        };
        let of_principal = match &self.principal {
            PrincipalConstraint::In(entity)
            | PrincipalConstraint::Eq(entity)
            | PrincipalConstraint::IsIn(_, entity) => Some(entity),
            PrincipalConstraint::Any | PrincipalConstraint::Is(_) => None,
        };
        of_resource.or(of_principal)
    }

    /// Whether its scope has this action.
    #[must_use]
    pub fn names_action(&self, action: Action) -> bool {
        self.actions.as_ref().is_none_or(|actions| actions.contains(&action))
    }

    /// Whether its scope has this principal, of which all that is around it is known.
    #[must_use]
    pub fn concerns_principal(&self, principal: &EntityUid, around: &[EntityUid]) -> bool {
        let within = |entity| principal == entity || around.contains(entity);
        match &self.principal {
            PrincipalConstraint::Any => true,
            PrincipalConstraint::In(entity) => within(entity),
            PrincipalConstraint::Eq(entity) => principal == entity,
            PrincipalConstraint::Is(name) => principal.type_name() == name,
            PrincipalConstraint::IsIn(name, entity) => {
                principal.type_name() == name && within(entity)
            }
        }
    }

    /// The same of a resource.
    #[must_use]
    pub fn concerns_resource(&self, resource: &EntityUid, around: &[EntityUid]) -> bool {
        let within = |entity| resource == entity || around.contains(entity);
        match &self.resource {
            ResourceConstraint::Any => true,
            ResourceConstraint::In(entity) => within(entity),
            ResourceConstraint::Eq(entity) => resource == entity,
            ResourceConstraint::Is(name) => resource.type_name() == name,
            ResourceConstraint::IsIn(name, entity) => {
                resource.type_name() == name && within(entity)
            }
        }
    }
}

/// Whether something of this kind can be in, or be, this entity.
fn is_around(entity: &EntityUid, inner: Kind) -> bool {
    match kind_of(entity) {
        Some(Kind::Group | Kind::Role) => inner == Kind::Peer,
        Some(Kind::Namespace) => {
            matches!(inner, Kind::Topic | Kind::Content | Kind::DhtKey)
        }
        Some(kind) => kind == inner,
        None => false,
    }
}

//! One question in Cedar's words: principal, action, resource, context, and the entities behind them.
//! Invariant: only what is proven becomes a fact, and only what the policies look at is written down.
//! Not here: deciding; what the words mean (`schema.cedarschema`).

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use peerloom_shared::defence::group::Group;
use peerloom_shared::grant::path_of;
use peerloom_shared::policy::{Question, Resource, Subject, Trust};
use peerloom_shared::{PeerId, policy::Action};

use super::beside::{Beside, Shown};
use super::names::{Kind, Names};
use super::roster::{ANONYMOUS, Roster};
use super::slices::{Chosen, Slice};
use super::words::{as_peer, key_text, net_of, owner, resource};

/// What is true about one question.
#[derive(Clone, Debug)]
pub struct Facts {
    /// Whether the peer's own key is a root.
    pub is_root: bool,
    /// Whether it is a member.
    pub member: bool,
    /// Whether a grant of its own allows this action on this resource.
    pub granted: bool,
    /// Whether a grant of its own allows this action on anything.
    pub granted_elsewhere: bool,
    /// Who acts.
    pub principal: EntityUid,
    /// The kind of the principal.
    pub principal_kind: Kind,
    /// What the principal is in.
    pub around: Vec<EntityUid>,
    /// What.
    pub action: EntityUid,
    /// On what.
    pub resource: EntityUid,
    /// The kind of the resource.
    pub resource_kind: Kind,
    path: Option<Vec<u8>>,
}

/// What the facts are read with.
#[derive(Clone, Copy, Debug)]
pub struct Reader<'a> {
    /// The fixed words.
    pub names: &'a Names,
    /// Groups, roles, classes.
    pub roster: &'a Roster,
    /// Who is trusted.
    pub trust: &'a Trust,
    /// The roots as peers.
    pub roots: &'a BTreeSet<PeerId>,
}

impl Reader<'_> {
    /// The facts of a question, and of what stands beside it. `None` before a handshake, when nobody is
    /// there to have a fact about.
    #[must_use]
    pub fn read(&self, question: &Question<'_>, beside: &Beside) -> Option<Facts> {
        let path = path_of(question.resource);
        let (resource_kind, id) = resource(question.resource);
        let mut facts = Facts {
            is_root: false,
            member: false,
            granted: false,
            granted_elsewhere: false,
            principal: self.names.entity(Kind::LocalUser, "operator")?,
            principal_kind: Kind::LocalUser,
            around: beside.groups.clone(),
            action: self.names.action(question.action)?,
            resource: self.names.entity(resource_kind, id)?,
            resource_kind,
            path,
        };
        match question.subject {
            Subject::Local => {}
            Subject::Address(_) => return None,
            Subject::Peer { id, addr, .. } => {
                facts.principal_kind = Kind::Peer;
                facts.principal = self.names.entity(Kind::Peer, id.to_base58())?;
                facts.is_root = question.held.is_root || self.roots.contains(id);
                facts.member = facts.is_root
                    || Shown::all(question, beside).any(|shown| {
                        *shown.network() == self.trust.network
                            && self.trust.roots.contains(&shown.root())
                    });
                let of_grants = |holds: &dyn Fn(Shown<'_>) -> bool| {
                    Shown::all(question, beside)
                        .any(|shown| self.counts(shown, question.resource) && holds(shown))
                };
                facts.granted = facts
                    .path
                    .as_deref()
                    .is_some_and(|path| of_grants(&|shown| shown.allows(question.action, path)));
                facts.granted_elsewhere =
                    facts.granted || of_grants(&|shown| shown.actions().contains(question.action));
                // The address of a relayed peer is its relay's.
                let own = addr.filter(|_| !is_relayed(question.subject));
                facts.around.extend(self.roster.around(id, own));
                if facts.around.is_empty() && !facts.member {
                    facts.around.extend(self.names.entity(Kind::Group, ANONYMOUS));
                }
            }
        }
        Some(facts)
    }

    /// Whether the word of whoever granted this counts for this resource under the rules in force,
    /// which may be newer than the check of the grant.
    pub(super) fn counts(&self, shown: Shown<'_>, resource: &Resource) -> bool {
        *shown.network() == self.trust.network
            && (self.trust.roots.contains(&shown.root())
                || owner(resource).is_some_and(|owner| owner == shown.root()))
    }

    /// The request for Cedar, and the entities behind it.
    ///
    /// # Errors
    /// In words, when Cedar does not take a part of it, which would be our mistake.
    pub fn write(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        beside: &Beside,
        chosen: &Chosen<'_>,
    ) -> Result<(Request, Entities), String> {
        let context = Context::from_pairs(self.context(facts, question, beside, chosen));
        let context = context.map_err(|error| error.to_string())?;
        let request = Request::new(
            facts.principal.clone(),
            facts.action.clone(),
            facts.resource.clone(),
            context,
            None,
        );
        let request = request.map_err(|error| error.to_string())?;
        let mut entities = vec![self.principal(facts, question, chosen)?];
        if facts.resource != facts.principal {
            entities.push(self.resource(facts, question, chosen)?);
        }
        entities.extend(self.owner(facts, question, chosen));
        entities.extend(chosen.circles());
        let entities =
            Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        Ok((request, entities))
    }

    fn context(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        beside: &Beside,
        chosen: &Chosen<'_>,
    ) -> Vec<(String, RestrictedExpression)> {
        type Value = RestrictedExpression;
        let text = |text: &str| Value::new_string(text.to_owned());
        let path = if is_relayed(question.subject) { "relayed" } else { "direct" };
        let mut pairs = Vec::with_capacity(8);
        let mut tell = |name: &str, value: &dyn Fn() -> Value| {
            if chosen.looks_at(name) {
                pairs.push((name.to_owned(), value()));
            }
        };
        let now = i64::try_from(question.now_ms).unwrap_or(i64::MAX);
        tell("now", &|| Value::new_long(now));
        tell("path", &|| text(path));
        tell("class", &|| text(question.held.class.name()));
        tell("is_root", &|| Value::new_bool(facts.is_root));
        tell("member", &|| Value::new_bool(facts.member));
        tell("granted", &|| Value::new_bool(facts.granted));
        tell("granted_elsewhere", &|| Value::new_bool(facts.granted_elsewhere));
        tell("grants", &|| Value::new_set(self.grants(question, beside).iter().map(|it| text(it))));
        pairs
    }

    /// All that the grants allow, in words.
    fn grants(&self, question: &Question<'_>, beside: &Beside) -> BTreeSet<String> {
        let mut words = BTreeSet::new();
        if matches!(question.subject, Subject::Local) {
            return words;
        }
        for shown in Shown::all(question, beside) {
            if self.counts(shown, question.resource) {
                let word = |action: Action| format!("{action} {}", shown.prefix());
                words.extend(shown.actions().iter().map(word));
            }
        }
        words
    }

    fn principal(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        chosen: &Chosen<'_>,
    ) -> Result<Entity, String> {
        let mut attributes = HashMap::new();
        if let Subject::Peer { addr: Some(ip), .. } = question.subject {
            if chosen.looks_at("ip") {
                let ip = RestrictedExpression::new_ip(ip.to_canonical().to_string());
                attributes.insert("ip".to_owned(), ip);
            }
            if chosen.looks_at("net") {
                let net = RestrictedExpression::new_string(net_of(&Group::of_ip(*ip)));
                attributes.insert("net".to_owned(), net);
            }
        }
        let around = facts.around.iter().filter(|entity| chosen.mentions(entity));
        entity(facts.principal.clone(), attributes, around.cloned().collect())
    }

    fn resource(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        chosen: &Chosen<'_>,
    ) -> Result<Entity, String> {
        let mut attributes = HashMap::new();
        let mut tell = |name: &str, value: RestrictedExpression| {
            attributes.insert(name.to_owned(), value);
        };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        match question.resource {
            Resource::Topic(name) => {
                if chosen.looks_at("class") {
                    tell("class", text(self.roster.class_of(name).name()));
                }
                if chosen.looks_at("name") {
                    tell("name", text(name));
                }
            }
            Resource::Protocol(name) | Resource::Content(name) if chosen.looks_at("name") => {
                tell("name", text(name));
            }
            Resource::Key(key) if chosen.looks_at("name") => tell("name", text(&key_text(key))),
            Resource::Mailbox(peer) if chosen.looks_at("owner") => {
                self.point(*peer, "owner", &mut tell)
            }
            Resource::Route(peer) if chosen.looks_at("to") => self.point(*peer, "to", &mut tell),
            Resource::Protocol(_)
            | Resource::Content(_)
            | Resource::Key(_)
            | Resource::Mailbox(_)
            | Resource::Route(_)
            | Resource::Node
            | Resource::Peer(_)
            | Resource::Address(_)
            | Resource::Relay(_)
            | Resource::Admin => {}
        }
        entity(facts.resource.clone(), attributes, chosen.around.iter().cloned().collect())
    }

    fn point(&self, to: PeerId, name: &str, tell: &mut dyn FnMut(&str, RestrictedExpression)) {
        if let Some(peer) = self.names.entity(Kind::Peer, to.to_base58()) {
            tell(name, RestrictedExpression::new_entity_uid(peer));
        }
    }

    /// The policies of a slice that a question can need.
    #[must_use]
    pub fn choose<'a>(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        slice: &'a Slice,
    ) -> Chosen<'a> {
        let around = self.around_resource(facts, question, slice);
        let ends = [&facts.principal, &facts.resource];
        let parts = slice.parts(ends.into_iter().chain(&facts.around).chain(&around));
        Chosen { parts, around }
    }

    /// What the resource is in: the beginnings of its name that the slice mentions, or the groups of a
    /// peer.
    fn around_resource(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        slice: &Slice,
    ) -> Vec<EntityUid> {
        if let Some(peer) = as_peer(question.resource) {
            return self.roster.around(&peer, None);
        }
        let has_names = matches!(facts.resource_kind, Kind::Topic | Kind::Content | Kind::DhtKey);
        let Some(path) = facts.path.as_ref().filter(|_| has_names) else { return Vec::new() };
        let fitting = slice.namespaces.iter().filter(|(prefix, _)| prefix.covers(path));
        fitting.map(|(_, entity)| entity.clone()).collect()
    }

    /// The peer that a mailbox or a way leads to, with its groups.
    fn owner(&self, facts: &Facts, question: &Question<'_>, chosen: &Chosen<'_>) -> Option<Entity> {
        let (peer, word) = match question.resource {
            Resource::Mailbox(peer) => (peer, "owner"),
            Resource::Route(peer) => (peer, "to"),
            Resource::Node
            | Resource::Peer(_)
            | Resource::Address(_)
            | Resource::Protocol(_)
            | Resource::Topic(_)
            | Resource::Key(_)
            | Resource::Relay(_)
            | Resource::Content(_)
            | Resource::Admin => return None,
        };
        let around = self.roster.around(peer, None);
        if around.is_empty() || !chosen.looks_at(word) {
            return None;
        }
        let owner = self.names.entity(Kind::Peer, peer.to_base58())?;
        let parents = around.into_iter().collect();
        (owner != facts.principal).then(|| Entity::new_no_attrs(owner, parents))
    }
}

/// Whether bytes come through a relay.
fn is_relayed(subject: &Subject) -> bool {
    matches!(subject, Subject::Peer { relayed: true, .. })
}

fn entity(
    entity: EntityUid,
    attributes: HashMap<String, RestrictedExpression>,
    parents: HashSet<EntityUid>,
) -> Result<Entity, String> {
    if attributes.is_empty() {
        return Ok(Entity::new_no_attrs(entity, parents));
    }
    Entity::new(entity, attributes, parents).map_err(|error| error.to_string())
}

//! One question in Cedar's words: principal, action, resource, context, and the entities behind them.
//! Invariant: only what is proven becomes a fact, and only what the slice looks at is written down.
//! Not here: deciding; what the words mean (`schema.cedarschema`).

use std::collections::{BTreeSet, HashMap, HashSet};

use cedar_policy::{Context, Entities, Entity, EntityUid, Request, RestrictedExpression};
use data_encoding::HEXLOWER;
use peerloom_shared::defence::group::Group;
use peerloom_shared::grant::{Key, path_of};
use peerloom_shared::policy::{Question, Resource, Subject, Trust, target_of};
use peerloom_shared::{PeerId, policy::Action};

use super::beside::{Beside, Shown};
use super::names::{Kind, Names};
use super::roster::{ANONYMOUS, Roster};
use super::slices::Slice;

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
        slice: &Slice,
    ) -> Result<(Request, Entities), String> {
        let context = Context::from_pairs(self.context(facts, question, beside, slice));
        let context = context.map_err(|error| error.to_string())?;
        let request = Request::new(
            facts.principal.clone(),
            facts.action.clone(),
            facts.resource.clone(),
            context,
            None,
        );
        let request = request.map_err(|error| error.to_string())?;
        let mut entities = vec![self.principal(facts, question, slice)?];
        if facts.resource != facts.principal {
            entities.push(self.resource(facts, question, slice)?);
        }
        entities.extend(self.owner(facts, question, slice));
        entities.extend(slice.circles.iter().cloned());
        let entities =
            Entities::from_entities(entities, None).map_err(|error| error.to_string())?;
        Ok((request, entities))
    }

    fn context(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        beside: &Beside,
        slice: &Slice,
    ) -> Vec<(String, RestrictedExpression)> {
        type Value = RestrictedExpression;
        let text = |text: &str| Value::new_string(text.to_owned());
        let path = if is_relayed(question.subject) { "relayed" } else { "direct" };
        let mut pairs = Vec::with_capacity(8);
        let mut tell = |name: &str, value: &dyn Fn() -> Value| {
            if slice.looks.at(name) {
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
        slice: &Slice,
    ) -> Result<Entity, String> {
        let mut attributes = HashMap::new();
        if let Subject::Peer { addr: Some(ip), .. } = question.subject {
            if slice.looks.at("ip") {
                let ip = RestrictedExpression::new_ip(ip.to_canonical().to_string());
                attributes.insert("ip".to_owned(), ip);
            }
            if slice.looks.at("net") {
                let net = RestrictedExpression::new_string(net_of(&Group::of_ip(*ip)));
                attributes.insert("net".to_owned(), net);
            }
        }
        let around: HashSet<_> = facts.around.iter().cloned().collect();
        entity(facts.principal.clone(), attributes, around)
    }

    fn resource(
        &self,
        facts: &Facts,
        question: &Question<'_>,
        slice: &Slice,
    ) -> Result<Entity, String> {
        let mut attributes = HashMap::new();
        let mut tell = |name: &str, value: RestrictedExpression| {
            attributes.insert(name.to_owned(), value);
        };
        let text = |text: &str| RestrictedExpression::new_string(text.to_owned());
        let looks = &slice.looks;
        match question.resource {
            Resource::Topic(name) => {
                if looks.at("class") {
                    tell("class", text(self.roster.class_of(name).name()));
                }
                if looks.at("name") {
                    tell("name", text(name));
                }
            }
            Resource::Protocol(name) | Resource::Content(name) if looks.at("name") => {
                tell("name", text(name));
            }
            Resource::Key(key) if looks.at("name") => tell("name", text(&key_text(key))),
            Resource::Mailbox(peer) if looks.at("owner") => self.point(*peer, "owner", &mut tell),
            Resource::Route(peer) if looks.at("to") => self.point(*peer, "to", &mut tell),
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
        let around = self.around_resource(facts, question, slice);
        entity(facts.resource.clone(), attributes, around.into_iter().collect())
    }

    fn point(&self, to: PeerId, name: &str, tell: &mut dyn FnMut(&str, RestrictedExpression)) {
        if let Some(peer) = self.names.entity(Kind::Peer, to.to_base58()) {
            tell(name, RestrictedExpression::new_entity_uid(peer));
        }
    }

    /// What the resource is in: the beginnings of its name that the slice mentions, or the groups of a
    /// peer.
    #[must_use]
    pub fn around_resource(
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
    fn owner(&self, facts: &Facts, question: &Question<'_>, slice: &Slice) -> Option<Entity> {
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
        if around.is_empty() || !slice.looks.at(word) {
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

/// Which entity a resource is. An address is the peer at its far end, if it names one.
fn resource(resource: &Resource) -> (Kind, String) {
    const ITSELF: &str = "self";
    match resource {
        Resource::Node => (Kind::Node, ITSELF.to_owned()),
        Resource::Admin => (Kind::Admin, ITSELF.to_owned()),
        Resource::Peer(id) => (Kind::Peer, id.to_base58()),
        Resource::Relay(id) => (Kind::Relay, id.to_base58()),
        Resource::Mailbox(id) => (Kind::Mailbox, id.to_base58()),
        Resource::Route(id) => (Kind::Route, id.to_base58()),
        Resource::Protocol(name) => (Kind::Protocol, name.clone()),
        Resource::Topic(name) => (Kind::Topic, name.clone()),
        Resource::Content(name) => (Kind::Content, name.clone()),
        Resource::Key(key) => (Kind::DhtKey, key_text(key)),
        Resource::Address(address) => match target_of(address) {
            Some(peer) => (Kind::Peer, peer.to_base58()),
            None => (Kind::Node, "elsewhere".to_owned()),
        },
    }
}

fn as_peer(resource: &Resource) -> Option<PeerId> {
    match resource {
        Resource::Peer(id) => Some(*id),
        Resource::Address(address) => target_of(address),
        Resource::Node
        | Resource::Protocol(_)
        | Resource::Topic(_)
        | Resource::Key(_)
        | Resource::Relay(_)
        | Resource::Content(_)
        | Resource::Mailbox(_)
        | Resource::Route(_)
        | Resource::Admin => None,
    }
}

/// The key of whoever owns a resource by its very name.
#[must_use]
pub fn owner(resource: &Resource) -> Option<Key> {
    match resource {
        Resource::Mailbox(id) | Resource::Peer(id) | Resource::Route(id) => Key::of_peer(id),
        Resource::Node
        | Resource::Address(_)
        | Resource::Protocol(_)
        | Resource::Topic(_)
        | Resource::Key(_)
        | Resource::Relay(_)
        | Resource::Content(_)
        | Resource::Admin => None,
    }
}

/// A key of the DHT as text, in such a way that two keys never have the same.
fn key_text(key: &[u8]) -> String {
    match std::str::from_utf8(key) {
        Ok(text) if !text.starts_with("0x") => text.to_owned(),
        Ok(_) | Err(_) => format!("0x{}", HEXLOWER.encode(key)),
    }
}

fn net_of(group: &Group) -> String {
    match group {
        Group::Loopback => "loopback".to_owned(),
        Group::V4([a, b, c]) => format!("{a}.{b}.{c}.0/24"),
        Group::V6(bytes) => {
            let [a, b, c, d, e, f] = *bytes;
            let part = |high, low| u16::from_be_bytes([high, low]);
            let ip = std::net::Ipv6Addr::new(part(a, b), part(c, d), part(e, f), 0, 0, 0, 0, 0);
            format!("{ip}/48")
        }
        Group::Relay(peer) => peer.to_string(),
        Group::Name(name) => name.clone(),
    }
}

//! `policy/tests.toml`: what the operator expects of the policies, as assertions.
//! Invariant: each assertion is one whole question; a missing file has none.
//! Not here: asking them (`assertions`).

use std::path::Path;

use peerloom_shared::PeerId;
use peerloom_shared::grant::{ActionSet, Prefix, resource_of};
use peerloom_shared::limits::{POLICY_TEST_GRANTS_MAX, POLICY_TESTS_MAX};
use peerloom_shared::policy::{Action, Class, Resource};
use toml::de::DeTable;

use super::error::{PolicyError, Spot};
use super::toml_file::{self, Source};
use crate::toml_text::{self, Item, Place};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// This node itself.
    Local,
    /// A peer of whom nothing is known.
    Anonymous,
    /// A peer with a grant that makes it a member and allows nothing by itself.
    Member,
    /// A trusted root.
    Root,
    /// This peer.
    Peer(PeerId),
}

impl std::str::FromStr for Who {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "local" => Ok(Self::Local),
            "anonymous" => Ok(Self::Anonymous),
            "member" => Ok(Self::Member),
            "root" => Ok(Self::Root),
            _ => text.parse().map(Self::Peer).map_err(drop),
        }
    }
}

/// A grant that the one who asks holds, from a trusted root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestGrant {
    /// What it allows.
    pub actions: ActionSet,
    /// On what.
    pub prefix: Prefix,
}

/// One assertion.
#[derive(Clone, Debug)]
pub struct Assertion {
    /// Where it stands, with its name.
    pub spot: Spot,
    /// Who asks.
    pub who: Who,
    /// To do what.
    pub action: Action,
    /// On what.
    pub on: Resource,
    /// Groups that the one who asks is in, beyond those of `entities.toml`.
    pub groups: Vec<String>,
    /// The same of roles.
    pub roles: Vec<String>,
    /// Grants that it holds.
    pub grants: Vec<TestGrant>,
    /// The address it comes from.
    pub ip: Option<std::net::IpAddr>,
    /// Whether it comes through a relay.
    pub relayed: bool,
    /// What it says it is.
    pub class: Class,
    /// When, Unix time in ms; now, where nothing is said.
    pub at_ms: Option<u64>,
    /// Whether it should be allowed.
    pub allowed: bool,
    /// The policy that should decide.
    pub by: Option<String>,
}

const KEYS: [&str; 13] = [
    "name", "who", "do", "on", "groups", "roles", "grants", "ip", "path", "class", "at", "expect",
    "by",
];

/// Parses the file's text.
///
/// # Errors
/// The first thing wrong with it.
pub fn parse(file: &Path, text: &str) -> Result<Vec<Assertion>, PolicyError> {
    toml_file::parse(file, text, |source, items| {
        let mut found = Vec::new();
        for item in items {
            if item.key != "test" {
                return Err(source.unknown(&item, &["test"]));
            }
            let tables = source.tables(&item)?;
            if tables.len() > POLICY_TESTS_MAX {
                return Err(source.too_many(item.key_place, "tests", POLICY_TESTS_MAX));
            }
            for (place, table) in tables {
                found.push(assertion(source, place, table)?);
            }
        }
        Ok(found)
    })
}

/// What a test must say.
#[derive(Default)]
struct Said {
    who: Option<Who>,
    action: Option<Action>,
    on: Option<Resource>,
    allowed: Option<bool>,
}

fn assertion(
    source: &Source<'_>,
    place: Place,
    table: &DeTable<'_>,
) -> Result<Assertion, PolicyError> {
    let mut said = Said::default();
    let mut test = Assertion {
        spot: Spot::at(source.file, place),
        who: Who::Anonymous,
        action: Action::ConnectIn,
        on: Resource::Node,
        groups: Vec::new(),
        roles: Vec::new(),
        grants: Vec::new(),
        ip: None,
        relayed: false,
        class: Class::Unknown,
        at_ms: None,
        allowed: false,
        by: None,
    };
    for item in toml_text::items(source.text, table) {
        entry(source, &item, &mut test, &mut said)?;
    }
    let missing = |key: &str| source.wrong(place, format!("the test does not say `{key}`"));
    test.who = said.who.ok_or_else(|| missing("who"))?;
    test.action = said.action.ok_or_else(|| missing("do"))?;
    test.on = said.on.ok_or_else(|| missing("on"))?;
    test.allowed = said.allowed.ok_or_else(|| missing("expect"))?;
    Ok(test)
}

fn entry(
    source: &Source<'_>,
    item: &Item<'_>,
    test: &mut Assertion,
    said: &mut Said,
) -> Result<(), PolicyError> {
    let no = |value: &str, what: &str| source.no(item.value_place, value, what);
    match item.key {
        "groups" => test.groups = source.list(item, "name")?,
        "roles" => test.roles = source.list(item, "name")?,
        "grants" => test.grants = grants(source, item)?,
        key if !KEYS.contains(&key) => return Err(source.unknown(item, &KEYS)),
        key => {
            let text = source.text(item)?;
            match key {
                "name" => test.spot = test.spot.of(&crate::text::one_line(text)),
                "who" => said.who = Some(text.parse().map_err(|()| no(text, WHO))?),
                "do" => said.action = Some(Action::find(text).ok_or_else(|| no(text, "action"))?),
                "on" => said.on = Some(resource_of(text).ok_or_else(|| no(text, RESOURCE))?),
                "ip" => test.ip = Some(text.parse().map_err(|_| no(text, "IP address"))?),
                "path" => {
                    test.relayed = match text {
                        "direct" => false,
                        "relayed" => true,
                        _ => return Err(no(text, "path: direct or relayed")),
                    };
                }
                "class" => test.class = class(text).ok_or_else(|| no(text, CLASS))?,
                "at" => {
                    let at = super::time::parse(text).ok_or_else(|| no(text, super::time::FORM))?;
                    test.at_ms = Some(at);
                }
                "by" => test.by = Some(text.to_owned()),
                _ => {
                    said.allowed = match text {
                        "allow" => Some(true),
                        "deny" => Some(false),
                        _ => return Err(no(text, "expectation: allow or deny")),
                    };
                }
            }
        }
    }
    Ok(())
}

const WHO: &str = "subject: local, anonymous, member, root or a PeerId";
const CLASS: &str = "class: native, browser or unknown";
/// What a resource on a command line or in a test looks like.
pub const RESOURCE: &str = "resource such as topic/NAME, protocol//x/1, peer/ID, node or admin";

fn class(text: &str) -> Option<Class> {
    [Class::Unknown, Class::Native, Class::Browser].into_iter().find(|class| class.name() == text)
}

fn grants(source: &Source<'_>, item: &Item<'_>) -> Result<Vec<TestGrant>, PolicyError> {
    let tables = source.tables(item)?;
    if tables.len() > POLICY_TEST_GRANTS_MAX {
        return Err(source.too_many(item.value_place, "grants", POLICY_TEST_GRANTS_MAX));
    }
    let mut grants = Vec::new();
    for (_, table) in tables {
        let mut grant = TestGrant::default();
        for item in toml_text::items(source.text, table) {
            match item.key {
                "actions" => {
                    let names: Vec<String> = source.list(&item, "name")?;
                    let found = names.iter().map(|name| {
                        Action::find(name)
                            .ok_or_else(|| source.no(item.value_place, name, "action"))
                    });
                    grant.actions = found.collect::<Result<_, _>>()?;
                }
                "prefix" => {
                    let text = source.text(&item)?;
                    grant.prefix = Prefix::new(text)
                        .map_err(|error| source.wrong(item.value_place, error.to_string()))?;
                }
                _ => return Err(source.unknown(&item, &["actions", "prefix"])),
            }
        }
        grants.push(grant);
    }
    Ok(grants)
}

//! `policy/entities.toml`: which network this is, whom it trusts, groups, roles, classes of topics.
//! Invariant: only a file that is right as a whole counts; a missing one says nothing.
//! Not here: what groups and classes mean (`roster`).

use std::collections::BTreeMap;
use std::path::Path;

use data_encoding::HEXLOWER_PERMISSIVE;
use peerloom_shared::PeerId;
use peerloom_shared::grant::{Key, NetworkId, Prefix};
use peerloom_shared::limits::{
    POLICY_GROUPS_MAX, POLICY_ID_BYTES_MAX, POLICY_MEMBERS_MAX, POLICY_ROOTS_MAX, POLICY_TOPICS_MAX,
};
use peerloom_shared::policy::{Cidr, Trust};

use super::error::{PolicyError, Spot};
use super::names::{Kind, Names};
use super::roster::{ANONYMOUS, Circle, Roster, TopicClass};
use super::toml_file::{self, Source};
use crate::toml_text::{Item, Place};

/// What the file says.
#[derive(Debug, Default)]
pub struct EntitiesFile {
    network: Option<NetworkId>,
    roots: Option<Vec<Key>>,
    circles: BTreeMap<(Kind, String), Circle>,
    places: BTreeMap<(Kind, String), Place>,
    classes: BTreeMap<Prefix, TopicClass>,
}

impl EntitiesFile {
    /// Network and roots: what the file names, in place of `usual`.
    #[must_use]
    pub fn trust(&self, usual: Trust) -> Trust {
        Trust {
            network: self.network.unwrap_or(usual.network),
            roots: self.roots.clone().unwrap_or(usual.roots),
        }
    }

    /// Groups, roles and topics.
    ///
    /// # Errors
    /// Groups that are in others that do not exist, in a ring, or too deep.
    pub fn roster(&self, file: &Path, names: &Names) -> Result<Roster, PolicyError> {
        Roster::new(names, &self.circles, &self.classes).map_err(|(key, error)| {
            let spot = match self.places.get(&key) {
                Some(place) => Spot::at(file, *place),
                None => Spot::file(file),
            };
            PolicyError::Entry { spot: spot.of(&key.1), why: error.to_string(), hint: None }
        })
    }
}

/// Parses the file's text.
///
/// # Errors
/// The first thing wrong with it.
pub fn parse(file: &Path, text: &str) -> Result<EntitiesFile, PolicyError> {
    toml_file::parse(file, text, |source, items| {
        let mut found = EntitiesFile::default();
        for item in items {
            match item.key {
                "network" => found.network = network(source, &item)?,
                "trust" => found.roots = trust(source, &item)?,
                "groups" => circles(source, &item, Kind::Group, &mut found)?,
                "roles" => circles(source, &item, Kind::Role, &mut found)?,
                "topics" => found.classes = topics(source, &item)?,
                _ => {
                    let known = ["network", "trust", "groups", "roles", "topics"];
                    return Err(source.unknown(&item, &known));
                }
            }
        }
        bounded(source, &found)?;
        Ok(found)
    })
}

fn bounded(source: &Source<'_>, found: &EntitiesFile) -> Result<(), PolicyError> {
    let start = Place { line: 1, column: 1 };
    let members = found.circles.values().map(|it| it.members.len().saturating_add(it.nets.len()));
    let counts = [
        (found.circles.len(), "groups and roles", POLICY_GROUPS_MAX),
        (members.sum(), "members of groups and roles", POLICY_MEMBERS_MAX),
        (found.classes.len(), "topics with a class", POLICY_TOPICS_MAX),
        (found.roots.as_ref().map_or(0, Vec::len), "roots", POLICY_ROOTS_MAX),
    ];
    match counts.into_iter().find(|(count, _, max)| count > max) {
        Some((_, what, max)) => Err(source.too_many(start, what, max)),
        None => Ok(()),
    }
}

fn network(source: &Source<'_>, section: &Item<'_>) -> Result<Option<NetworkId>, PolicyError> {
    let mut found = None;
    for item in source.table(section)? {
        let id = match item.key {
            "id" => {
                let text = source.text(&item)?;
                let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).unwrap_or_default();
                bytes.try_into().map_err(|_| source.no(item.value_place, text, NETWORK_ID))?
            }
            "founder" => {
                let text = source.text(&item)?;
                let key = text.parse().ok().and_then(|peer: PeerId| Key::of_peer(&peer));
                let key = key.ok_or_else(|| source.no(item.value_place, text, ED25519))?;
                Trust::founded_by(key).network
            }
            _ => return Err(source.unknown(&item, &["id", "founder"])),
        };
        if found.replace(id).is_some() {
            return Err(source.wrong(item.key_place, "give either `id` or `founder`"));
        }
    }
    Ok(found)
}

const NETWORK_ID: &str = "network: 64 hexadecimal digits";
const ED25519: &str = "PeerId of an Ed25519 key";

fn trust(source: &Source<'_>, section: &Item<'_>) -> Result<Option<Vec<Key>>, PolicyError> {
    let mut found = None;
    for item in source.table(section)? {
        match item.key {
            "roots" => {
                let peers: Vec<PeerId> = source.list(&item, ED25519)?;
                let keys = peers.iter().map(|peer| {
                    Key::of_peer(peer)
                        .ok_or_else(|| source.no(item.value_place, &peer.to_string(), ED25519))
                });
                found = Some(keys.collect::<Result<Vec<_>, _>>()?);
            }
            _ => return Err(source.unknown(&item, &["roots"])),
        }
    }
    Ok(found)
}

fn circles(
    source: &Source<'_>,
    section: &Item<'_>,
    kind: Kind,
    found: &mut EntitiesFile,
) -> Result<(), PolicyError> {
    for entry in source.table(section)? {
        let name = entry.key.to_owned();
        if name.is_empty() || name.len() > POLICY_ID_BYTES_MAX {
            let why = format!("a name has 1 to {POLICY_ID_BYTES_MAX} bytes");
            return Err(source.wrong(entry.key_place, why));
        }
        if kind == Kind::Group && name == ANONYMOUS {
            let why = "everybody of whom nothing is known is in `anonymous`; choose another name";
            return Err(source.wrong(entry.key_place, why));
        }
        let mut circle = Circle::default();
        for item in source.table(&entry)? {
            match item.key {
                "members" => {
                    circle.members = source.list(&item, "PeerId")?.into_iter().collect();
                }
                "nets" => circle.nets = source.list::<Cidr>(&item, "IP address or range")?,
                "groups" if kind == Kind::Group => {
                    let names: Vec<String> = source.list(&item, "name")?;
                    circle.within.extend(names.into_iter().map(|name| (Kind::Group, name)));
                }
                "roles" => {
                    let names: Vec<String> = source.list(&item, "name")?;
                    circle.within.extend(names.into_iter().map(|name| (Kind::Role, name)));
                }
                _ if kind == Kind::Group => {
                    let known = ["members", "nets", "groups", "roles"];
                    return Err(source.unknown(&item, &known));
                }
                _ => return Err(source.unknown(&item, &["members", "nets", "roles"])),
            }
        }
        found.places.insert((kind, name.clone()), entry.key_place);
        found.circles.insert((kind, name), circle);
    }
    Ok(())
}

fn topics(
    source: &Source<'_>,
    section: &Item<'_>,
) -> Result<BTreeMap<Prefix, TopicClass>, PolicyError> {
    let mut classes = BTreeMap::new();
    for item in source.table(section)? {
        let Some(class) = TopicClass::ALL.into_iter().find(|class| class.name() == item.key) else {
            return Err(source.unknown(&item, &TopicClass::ALL.map(TopicClass::name)));
        };
        for name in source.list::<String>(&item, "topic")? {
            let prefix = Prefix::new(&name)
                .map_err(|error| source.wrong(item.value_place, error.to_string()))?;
            if classes.insert(prefix, class).is_some() {
                let why = format!("`{name}` has two classes");
                return Err(source.wrong(item.value_place, why));
            }
        }
    }
    Ok(classes)
}

//! Who is in which group and role, and which class a topic has.
//! Invariant: what is around a group is known as a whole: no loops, at most four deep.
//! Not here: the file that says so (`entities_file`), what it allows (policies).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use cedar_policy::EntityUid;
use peerloom_shared::PeerId;
use peerloom_shared::grant::Prefix;
use peerloom_shared::limits::POLICY_GROUP_DEPTH_MAX;
use peerloom_shared::policy::Cidr;

use super::names::{Kind, Names};

/// The group of peers of whom nothing is known.
pub const ANONYMOUS: &str = "anonymous";

/// What a topic's name says about who it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopicClass {
    /// Everybody.
    Open,
    /// Whoever holds a grant.
    Members,
    /// The network itself.
    System,
}

impl TopicClass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Open, Self::Members, Self::System];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Members => "members",
            Self::System => "system",
        }
    }
}

/// What every Peerloom node takes these names for.
const CLASSES: [(&str, TopicClass); 2] =
    [("peerloom/members", TopicClass::Members), ("peerloom/system", TopicClass::System)];

/// A group or a role as it was written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Circle {
    /// Peers in it.
    pub members: BTreeSet<PeerId>,
    /// Addresses of peers in it.
    pub nets: Vec<Cidr>,
    /// The groups and roles that it is in.
    pub within: Vec<(Kind, String)>,
}

/// Why circles make no order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CircleError {
    /// One lies in one that is not there.
    #[error("there is no {} `{name}`", kind.name())]
    Unknown {
        /// Group or role.
        kind: Kind,
        /// Its name.
        name: String,
    },
    /// One lies in itself, or too deep.
    #[error("they lie in each other more than {POLICY_GROUP_DEPTH_MAX} deep, or in a ring")]
    TooDeep,
}

/// All groups, roles and topic classes.
#[derive(Clone, Debug, Default)]
pub struct Roster {
    peers: BTreeMap<PeerId, Arc<[EntityUid]>>,
    nets: Vec<(Cidr, Arc<[EntityUid]>)>,
    circles: BTreeMap<EntityUid, Arc<[EntityUid]>>,
    classes: BTreeMap<Prefix, TopicClass>,
}

impl Roster {
    /// The roster of these circles and, beyond the usual ones, these classes of topics.
    ///
    /// # Errors
    /// The name of the circle at fault and what is wrong with it.
    pub fn new(
        names: &Names,
        circles: &BTreeMap<(Kind, String), Circle>,
        classes: &BTreeMap<Prefix, TopicClass>,
    ) -> Result<Self, ((Kind, String), CircleError)> {
        let mut roster = Self::default();
        for (name, class) in CLASSES {
            roster.classes.extend(Prefix::new(name).ok().map(|prefix| (prefix, class)));
        }
        roster.classes.extend(classes.iter().map(|(prefix, class)| (prefix.clone(), *class)));
        let mut members: BTreeMap<PeerId, BTreeSet<EntityUid>> = BTreeMap::new();
        for (key, circle) in circles {
            let around = above(circles, key).map_err(|error| (key.clone(), error))?;
            let entity = |(kind, name): &(Kind, String)| names.entity(*kind, name);
            let above: Arc<[EntityUid]> = around.iter().filter_map(entity).collect();
            let Some(itself) = entity(key) else { continue };
            let with_itself: Arc<[EntityUid]> =
                above.iter().cloned().chain([itself.clone()]).collect();
            for peer in &circle.members {
                members.entry(*peer).or_default().extend(with_itself.iter().cloned());
            }
            roster.nets.extend(circle.nets.iter().map(|net| (*net, Arc::clone(&with_itself))));
            roster.circles.insert(itself, above);
        }
        roster.peers = members
            .into_iter()
            .map(|(peer, around)| (peer, around.into_iter().collect()))
            .collect();
        Ok(roster)
    }

    /// The groups and roles that a peer is in, with all that these are in.
    #[must_use]
    pub fn around(&self, peer: &PeerId, ip: Option<IpAddr>) -> Vec<EntityUid> {
        let mut around = self.peers.get(peer).map(|around| around.to_vec()).unwrap_or_default();
        let Some(ip) = ip else { return around };
        for (net, more) in &self.nets {
            if net.contains(ip) {
                around.extend(more.iter().cloned());
            }
        }
        around
    }

    /// What a group or role is in; `None` where there is none of this name.
    #[must_use]
    pub fn above(&self, circle: &EntityUid) -> Option<&Arc<[EntityUid]>> {
        self.circles.get(circle)
    }

    /// The class of a topic: the longest beginning of its name that has one decides.
    #[must_use]
    pub fn class_of(&self, topic: &str) -> TopicClass {
        let fitting = self.classes.iter().filter(|(prefix, _)| prefix.covers(topic.as_bytes()));
        let longest = fitting.max_by_key(|(prefix, _)| prefix.as_str().len());
        longest.map_or(TopicClass::Open, |(_, class)| *class)
    }
}

/// All that a circle lies in, level by level.
fn above(
    circles: &BTreeMap<(Kind, String), Circle>,
    key: &(Kind, String),
) -> Result<BTreeSet<(Kind, String)>, CircleError> {
    let (mut level, mut around) = (BTreeSet::from([key]), BTreeSet::new());
    for _ in 0..POLICY_GROUP_DEPTH_MAX {
        let mut next = BTreeSet::new();
        for inner in level {
            let (kind, name) = inner;
            let unknown = || CircleError::Unknown { kind: *kind, name: name.clone() };
            next.extend(&circles.get(inner).ok_or_else(unknown)?.within);
        }
        if next.is_empty() {
            return Ok(around);
        }
        around.extend(next.iter().map(|key| (*key).clone()));
        level = next;
    }
    Err(CircleError::TooDeep)
}

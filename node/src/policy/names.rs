//! The words of the schema: kinds of entities, actions, and attributes, as Cedar wants them.
//! Invariant: every word here is in `schema.cedarschema`; a test validates all of them.
//! Not here: what a question's entities look like (`facts`).

use std::str::FromStr;

use cedar_policy::{EntityId, EntityTypeName, EntityUid};
use peerloom_shared::grant::ActionSet;
use peerloom_shared::policy::Action;

/// The schema, version 1.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// A kind of entity that policies can name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A role.
    Role,
    /// A group.
    Group,
    /// A peer with a proven key.
    Peer,
    /// This node, for its operator.
    LocalUser,
    /// The beginning of names.
    Namespace,
    /// This node as a whole.
    Node,
    /// The control interface.
    Admin,
    /// A protocol.
    Protocol,
    /// A gossip topic.
    Topic,
    /// Content.
    Content,
    /// A key of the DHT.
    DhtKey,
    /// A relay.
    Relay,
    /// A mailbox.
    Mailbox,
    /// The way to a peer.
    Route,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Role,
        Self::Group,
        Self::Peer,
        Self::LocalUser,
        Self::Namespace,
        Self::Node,
        Self::Admin,
        Self::Protocol,
        Self::Topic,
        Self::Content,
        Self::DhtKey,
        Self::Relay,
        Self::Mailbox,
        Self::Route,
    ];

    /// Its name in the schema.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::Group => "Group",
            Self::Peer => "Peer",
            Self::LocalUser => "LocalUser",
            Self::Namespace => "Namespace",
            Self::Node => "Node",
            Self::Admin => "Admin",
            Self::Protocol => "Protocol",
            Self::Topic => "Topic",
            Self::Content => "Content",
            Self::DhtKey => "DhtKey",
            Self::Relay => "Relay",
            Self::Mailbox => "Mailbox",
            Self::Route => "Route",
        }
    }

    /// The kind with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it can be acted on.
    #[must_use]
    pub const fn is_resource(self) -> bool {
        !matches!(self, Self::Role | Self::Group | Self::LocalUser | Self::Namespace)
    }
}

/// Cedar's forms of all fixed words, made once.
#[derive(Clone, Debug)]
pub struct Names {
    kinds: Vec<EntityTypeName>,
    actions: Vec<EntityUid>,
}

impl Names {
    /// All words.
    ///
    /// # Errors
    /// When Cedar does not take one of them, which would be our mistake.
    pub fn new() -> Result<Self, String> {
        let named = |name: &str| {
            EntityTypeName::from_str(name).map_err(|error| format!("the name {name}: {error}"))
        };
        let kinds =
            Kind::ALL.into_iter().map(|kind| named(kind.name())).collect::<Result<_, _>>()?;
        let of_action = named("Action")?;
        let mut actions = Action::ALL;
        actions.sort_by_key(|action| ActionSet::bit(*action));
        let actions = actions.into_iter().map(|action| {
            EntityUid::from_type_name_and_id(of_action.clone(), EntityId::new(action.name()))
        });
        Ok(Self { kinds, actions: actions.collect() })
    }

    /// The entity of this kind with this id. `None` cannot happen: the table has all kinds.
    #[must_use]
    pub fn entity(&self, kind: Kind, id: impl AsRef<str>) -> Option<EntityUid> {
        let place = Kind::ALL.into_iter().position(|other| other == kind)?;
        let name = self.kinds.get(place)?.clone();
        Some(EntityUid::from_type_name_and_id(name, EntityId::new(id)))
    }

    /// The entity of an action. `None` cannot happen: the table has all actions.
    #[must_use]
    pub fn action(&self, action: Action) -> Option<EntityUid> {
        self.actions.get(usize::try_from(ActionSet::bit(action)).ok()?).cloned()
    }
}

/// What kind of entity this is; `None` for an action and for kinds that are never asked about.
#[must_use]
pub fn kind_of(entity: &EntityUid) -> Option<Kind> {
    Kind::find(entity.type_name().basename())
}

/// The action that this entity stands for.
#[must_use]
pub fn action_of(entity: &EntityUid) -> Option<Action> {
    Action::find(entity.id().unescaped())
}

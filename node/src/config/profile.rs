//! Resource presets: what a node gives to others.
//! Invariant: every number comes from `peerloom_shared::limits`.
//! Not here: who may use it; that is policy.

use peerloom_shared::limits;

/// A resource preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// A public node that relays for many.
    Relay,
    /// A node of a home or office network.
    Lan,
    /// A node at the edge: behind NAT or on a small machine. The default.
    Edge,
}

/// The numbers of a preset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProfileLimits {
    /// Inbound connections.
    pub inbound_max: u32,
    /// Relay reservations given.
    pub reservations_max: usize,
    /// Relay circuits carried.
    pub circuits_max: usize,
    /// Upper bound of a gossip mesh.
    pub gossip_mesh_high: usize,
    /// Whether peers of private address ranges are exempt from the bound per IP group.
    pub private_groups_unbounded: bool,
    /// Whether private addresses that a remote peer told of may be dialled.
    pub dials_private: bool,
}

impl Profile {
    /// All presets.
    pub const ALL: [Self; 3] = [Self::Relay, Self::Lan, Self::Edge];

    /// The word used in settings.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Relay => "relay",
            Self::Lan => "lan",
            Self::Edge => "edge",
        }
    }

    /// The preset of a word.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Its numbers.
    #[must_use]
    pub const fn limits(self) -> ProfileLimits {
        let home = ProfileLimits {
            inbound_max: limits::INBOUND_MAX,
            reservations_max: limits::RESERVATIONS_MAX,
            circuits_max: limits::CIRCUITS_MAX,
            gossip_mesh_high: limits::GOSSIP_MESH_HIGH_NODE,
            private_groups_unbounded: false,
            dials_private: false,
        };
        match self {
            Self::Edge => home,
            // One household or office is one IP group, so the bound would shut its members out.
            Self::Lan => {
                ProfileLimits { private_groups_unbounded: true, dials_private: true, ..home }
            }
            Self::Relay => ProfileLimits {
                inbound_max: limits::INBOUND_RELAY_MAX,
                reservations_max: limits::RESERVATIONS_RELAY_MAX,
                circuits_max: limits::CIRCUITS_RELAY_MAX,
                gossip_mesh_high: limits::GOSSIP_MESH_HIGH_RELAY,
                ..home
            },
        }
    }

    /// Whether peers on the same LAN are looked for unless a setting says otherwise. Not on a relay:
    /// in a data centre the neighbours are strangers, and their networks dislike multicast.
    #[must_use]
    pub const fn mdns(self) -> bool {
        !matches!(self, Self::Relay)
    }
}

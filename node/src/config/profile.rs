//! Resource presets: what a node gives to others.
//! Invariant: a preset is a name; its numbers stand with what they bound.
//! Not here: the numbers (`peerloom_shared::net::Profile`); who may use them (policy).

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

    /// Whether peers on the same LAN are looked for unless a setting says otherwise. Not on a relay:
    /// in a data centre the neighbours are strangers, and their networks dislike multicast.
    #[must_use]
    pub const fn mdns(self) -> bool {
        !matches!(self, Self::Relay)
    }
}

//! The closed list of things that policy decides about.
//! Invariant: names are stable: they stand in rule files, audit lines and metrics.
//! Not here: who may do them.

use std::fmt;

/// One kind of operation. Every effect of a peer belongs to exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// A connection that a remote peer opens to us.
    ConnectIn,
    /// A connection that we open.
    ConnectOut,
    /// Speaking one protocol on a connection.
    ProtocolOpen,
    /// A reservation on a relay.
    RelayReserve,
    /// A circuit through a relay.
    RelayCircuit,
    /// Following a topic.
    TopicSubscribe,
    /// Being the author of a message on a topic.
    TopicPublish,
    /// Passing on what others wrote on a topic.
    TopicRelay,
    /// Reading what was said on a topic before.
    TopicHistory,
    /// Storing a record in the DHT.
    DhtPut,
    /// Saying in the DHT that one has something.
    DhtProvide,
    /// Asking the DHT.
    DhtQuery,
    /// Reading content.
    ContentFetch,
    /// Having content kept.
    ContentPin,
    /// Sending a direct message.
    DmSend,
    /// Leaving a message in a mailbox.
    MailboxPut,
    /// Emptying a mailbox.
    MailboxTake,
    /// Passing an envelope one hop on.
    HopForward,
    /// Making an invitation.
    InviteMint,
    /// Taking a grant back.
    GrantRevoke,
    /// Reading the state of a peer through its control interface.
    AdminRead,
    /// Changing the state of a peer through its control interface.
    AdminWrite,
    /// Loading new rules.
    PolicyReload,
}

impl Action {
    /// All actions, in the order of their declaration.
    pub const ALL: [Self; 23] = [
        Self::ConnectIn,
        Self::ConnectOut,
        Self::ProtocolOpen,
        Self::RelayReserve,
        Self::RelayCircuit,
        Self::TopicSubscribe,
        Self::TopicPublish,
        Self::TopicRelay,
        Self::TopicHistory,
        Self::DhtPut,
        Self::DhtProvide,
        Self::DhtQuery,
        Self::ContentFetch,
        Self::ContentPin,
        Self::DmSend,
        Self::MailboxPut,
        Self::MailboxTake,
        Self::HopForward,
        Self::InviteMint,
        Self::GrantRevoke,
        Self::AdminRead,
        Self::AdminWrite,
        Self::PolicyReload,
    ];

    /// The stable name, such as `connect.in`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ConnectIn => "connect.in",
            Self::ConnectOut => "connect.out",
            Self::ProtocolOpen => "protocol.open",
            Self::RelayReserve => "relay.reserve",
            Self::RelayCircuit => "relay.circuit",
            Self::TopicSubscribe => "topic.subscribe",
            Self::TopicPublish => "topic.publish",
            Self::TopicRelay => "topic.relay",
            Self::TopicHistory => "topic.history",
            Self::DhtPut => "dht.put",
            Self::DhtProvide => "dht.provide",
            Self::DhtQuery => "dht.query",
            Self::ContentFetch => "content.fetch",
            Self::ContentPin => "content.pin",
            Self::DmSend => "dm.send",
            Self::MailboxPut => "mailbox.put",
            Self::MailboxTake => "mailbox.take",
            Self::HopForward => "hop.forward",
            Self::InviteMint => "invite.mint",
            Self::GrantRevoke => "grant.revoke",
            Self::AdminRead => "admin.read",
            Self::AdminWrite => "admin.write",
            Self::PolicyReload => "policy.reload",
        }
    }

    /// The action with this name.
    #[must_use]
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.name() == name)
    }

    /// Whether only the operator of this peer may do it, unless an engine says otherwise.
    #[must_use]
    pub const fn is_operators(self) -> bool {
        matches!(
            self,
            Self::InviteMint
                | Self::GrantRevoke
                | Self::AdminRead
                | Self::AdminWrite
                | Self::PolicyReload
        )
    }

    /// Whether a stranger needs a grant for it even where everything else is open.
    pub(super) const fn needs_grant(self) -> bool {
        matches!(self, Self::MailboxPut | Self::MailboxTake)
    }

    /// Whether it is done over a connection of the subject itself, so that the allow lists apply. The
    /// others can reach us through neighbours, and then nothing but the author's key is known.
    pub(super) const fn is_connections(self) -> bool {
        matches!(
            self,
            Self::ConnectIn
                | Self::ConnectOut
                | Self::ProtocolOpen
                | Self::RelayReserve
                | Self::RelayCircuit
        )
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

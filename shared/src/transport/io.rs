//! What the transport machine is told and what it asks for.
//! Invariant: every [`Output::Listen`] and [`Output::Reserve`] is answered by one [`Input::Listened`].
//! Not here: any decision.

use crate::{Multiaddr, PeerId};

/// What happened outside.
#[derive(Clone, Debug)]
pub enum Input {
    /// Listen on these addresses; those not listed any more are left as they are.
    Listen(Vec<Multiaddr>),
    /// The answer to [`Output::Listen`] and to [`Output::Reserve`]: whether the transport took it on.
    /// For a reservation, [`Input::Reserved`] follows when the relay agrees.
    Listened {
        /// The ticket of the request.
        ticket: u64,
        /// Whether it was taken on, or why not, in plain words.
        result: Result<(), String>,
    },
    /// A listener ended.
    ListenerClosed {
        /// The address given in [`Output::Listen`] or [`Output::Reserve`]; `None` when it is not known.
        address: Option<Multiaddr>,
        /// Why, in plain words.
        reason: String,
    },
    /// A connected peer that serves as relay.
    RelaySeen {
        /// The relay.
        peer: PeerId,
        /// The direct address over which we dialled it.
        address: Multiaddr,
    },
    /// The last connection to that relay closed, or it serves no longer.
    RelayGone {
        /// The relay.
        peer: PeerId,
    },
    /// The relay took or renewed our reservation.
    Reserved {
        /// The relay.
        relay: PeerId,
        /// The circuit addresses that lead to us; may be empty, then they are made from the request.
        addrs: Vec<Multiaddr>,
    },
    /// The relay refused, or the reservation ended.
    ReservationLost {
        /// The relay.
        relay: PeerId,
        /// Why, in plain words.
        reason: String,
    },
    /// How many reservations to hold. 0 for a peer that the internet can reach.
    WantRelays(usize),
}

/// What the shell must do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Listen.
    Listen {
        /// Comes back in [`Input::Listened`].
        ticket: u64,
        /// Where.
        address: Multiaddr,
    },
    /// Ask a relay for a reservation.
    Reserve {
        /// Comes back in [`Input::Listened`].
        ticket: u64,
        /// The relay.
        relay: PeerId,
        /// What to listen on: `<address of the relay>/p2p/<relay>/p2p-circuit`.
        address: Multiaddr,
    },
    /// Give a reservation back: close its listener.
    Release {
        /// The relay.
        relay: PeerId,
    },
    /// Listening on an address failed. Said once for each new reason; it is tried again.
    ListenFailed {
        /// The address.
        address: Multiaddr,
        /// Why, in plain words.
        reason: String,
    },
    /// [`super::Transport::circuit_addresses`] or [`super::Transport::listening`] changed.
    AddressesChanged,
}

//! The answering side: who has shown what, and what of it counts.
//! Invariant: what was taken back or has ended is taken from its holder at once.
//! Not here: asking others (`showing`), what the rights allow (`policy`).

mod lists;
mod shown;

use std::collections::VecDeque;
use std::sync::Arc;

use libp2p_identity::PeerId;

use lists::InForce;
use shown::Shown;

use crate::bounded::BoundedMap;
use crate::defence::group::Group;
use crate::grant::{Chain, ChainCache, GrantId, Key, Revocations, Rights, SignedList};
use crate::limits::{GRANT_COUNTED_MAX, HELD_PEERS_MAX};
use crate::machine::Machine;
use crate::ordered::{BTreeMap, BTreeSet};
use crate::policy::{Access, Held, Trust};
use crate::room_key::SignedRoomKey;
use crate::time::{Mono, Now};
use crate::wire::{AuthRequest, AuthStatus};

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// The rule set, its trust or its access, may have changed.
    Policy {
        /// Which network this is, and whom it trusts.
        trust: Trust,
        /// What strangers get.
        access: Access,
    },
    /// The chains that we hold ourselves: what we are issued has to be better.
    Credentials(Vec<Chain>),
    /// Our own keys: the uses of what they grant are counted here.
    Issuers(BTreeSet<Key>),
    /// Uses that were counted before, from disk.
    Counted(Vec<(GrantId, Key)>),
    /// A list of revocations that is on disk.
    Revoked(Box<SignedList>),
    /// Lists of revocations that a peer brought.
    Offered {
        /// Where the peer comes from.
        source: Group,
        /// Their bytes.
        lists: Vec<Vec<u8>>,
    },
    /// Keys of members' rooms that a peer brought, which are not known here.
    Keys {
        /// Where the peer comes from.
        source: Group,
        /// The keys.
        keys: Vec<SignedRoomKey>,
    },
    /// A peer shows grants.
    Asked {
        /// Comes back with the answer.
        ticket: u64,
        /// Who shows them.
        peer: PeerId,
        /// Where it comes from.
        source: Group,
        /// What it shows.
        request: Box<AuthRequest>,
    },
}

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// A peer has proven this now, in place of what it had proven before.
    Hold {
        /// Which peer.
        peer: PeerId,
        /// What it has proven.
        held: Held,
    },
    /// Answer a peer. What is allowed depends on rules, so the shell completes it.
    Answer {
        /// The number that came with the question.
        ticket: u64,
        /// Who asked.
        peer: PeerId,
        /// How it ended.
        status: AuthStatus,
        /// Which grant does not count and why.
        reason: Option<String>,
        /// When the first of the grants that count ends, Unix time in ms.
        expires_ms: Option<u64>,
        /// Lists of revocations that it lacks.
        lists: Vec<Vec<u8>>,
    },
    /// A grant of ours was used by a new holder: keep it.
    Count {
        /// The link.
        id: GrantId,
        /// Who used it.
        holder: Key,
    },
    /// A peer showed what we granted it, itself or by an invite of ours: it may be granted something that
    /// lasts longer.
    Arrived {
        /// Who.
        peer: PeerId,
        /// The chain that it showed.
        chain: Chain,
        /// What it gives.
        rights: Arc<Rights>,
    },
    /// A peer issued this chain to us: keep it and show it from now on.
    Received(Chain),
    /// A key of a members' room, made by a root: write it to disk, then put it in use.
    RoomKey(Box<SignedRoomKey>),
    /// A list of revocations that is new: write it to disk, then put it in force.
    Listed(Box<SignedList>),
}

/// The machine.
#[derive(Debug)]
pub struct Judging {
    local: PeerId,
    trust: Trust,
    access: Access,
    ours: Vec<Chain>,
    issuers: BTreeSet<Key>,
    counted: BoundedMap<GrantId, BTreeSet<Key>>,
    revocations: Revocations,
    lists: BTreeMap<Key, InForce>,
    checked: ChainCache<Group>,
    shown: BoundedMap<PeerId, Shown>,
    /// When the first of all grants that were shown ends, Unix time in ms; or earlier.
    next_end_ms: Option<u64>,
    outputs: VecDeque<Output>,
    last: Now,
}

impl Judging {
    /// A machine for the peer `local`, in the open network.
    #[must_use]
    pub fn new(local: PeerId) -> Self {
        let trust = Trust::open();
        Self {
            local,
            access: Access::Open,
            ours: Vec::new(),
            issuers: BTreeSet::new(),
            counted: BoundedMap::new(GRANT_COUNTED_MAX),
            revocations: Revocations::new(trust.network),
            lists: BTreeMap::new(),
            checked: ChainCache::new(),
            shown: BoundedMap::new(HELD_PEERS_MAX),
            next_end_ms: None,
            outputs: VecDeque::new(),
            last: Now::new(Mono::ZERO, 0),
            trust,
        }
    }

    /// What was taken back, as far as this peer knows.
    #[must_use]
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    /// How many checked chains and how many peers are remembered.
    #[must_use]
    pub fn sizes(&self) -> (usize, usize) {
        (self.checked.len(), self.shown.len())
    }

    fn set_policy(&mut self, now: Now, trust: Trust, access: Access) {
        let same = self.trust == trust && self.access == access;
        if self.trust.network != trust.network {
            self.revocations = Revocations::new(trust.network);
            self.lists.clear();
        }
        for root in &trust.roots {
            // More roots than lists fit: those beyond have none, so nothing of theirs can be taken back.
            if self.revocations.follow(*root).is_err() {
                break;
            }
        }
        (self.trust, self.access) = (trust, access);
        if !same {
            self.recheck(now);
        }
    }
}

impl Machine for Judging {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        self.last = now;
        match input {
            Input::Policy { trust, access } => self.set_policy(now, trust, access),
            Input::Credentials(chains) => self.ours = chains,
            Input::Issuers(keys) => self.issuers = keys,
            Input::Counted(uses) => {
                for (id, holder) in uses {
                    self.note_use(id, holder);
                }
            }
            Input::Revoked(list) => self.revoked(now, &list),
            Input::Offered { source, lists } => self.offered(now, &source, &lists),
            Input::Keys { source, keys } => self.keys_offered(now, &source, keys),
            Input::Asked { ticket, peer, source, request } => {
                self.receive(now, &request.issued);
                self.judge(now, ticket, (peer, source), *request);
            }
        }
    }

    fn tick(&mut self, now: Now) {
        self.last = now;
        self.expire(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        self.next_end_ms.map(|end| self.last.mono.after(end.saturating_sub(self.last.unix_ms)))
    }
}

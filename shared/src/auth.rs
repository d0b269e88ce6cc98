//! Showing grants to peers and judging what they show: `/peerloom/auth/1`, as a machine.
//! Invariant: only verified rights leave here; what was taken back or has ended is taken from its holder
//! at once; tables are bounded, whatever strangers send.
//! Not here: what the rights allow (`policy`), streams (`net`), keys and files (the shells).

mod asking;
mod refusal;
mod shown;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use libp2p_identity::PeerId;

pub use asking::{Allowance, Failure};
pub use refusal::Refusal;

use asking::Asking;
use shown::Shown;

use crate::bounded::BoundedMap;
use crate::defence::group::Group;
use crate::grant::{
    Audience, Chain, ChainCache, GrantId, Key, RevocationList, Revocations, Rights,
};
use crate::limits::{GRANT_COUNTED_MAX, HELD_PEERS_MAX};
use crate::machine::Machine;
use crate::policy::{Access, Class, Held, Trust};
use crate::time::{Mono, Now};
use crate::wire::{AuthAnswer, AuthRequest, AuthStatus};

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
    /// The chains that we hold ourselves, and show from now on.
    Credentials(Vec<Chain>),
    /// Our own keys: the uses of what they grant are counted here.
    Issuers(BTreeSet<Key>),
    /// Uses that were counted before, from disk.
    Counted(Vec<(GrantId, Key)>),
    /// A list of revocations that is on disk.
    Revoked(Box<RevocationList>),
    /// A peer shows grants.
    Asked {
        /// Comes back with the answer.
        ticket: u64,
        /// Who shows them.
        peer: PeerId,
        /// Where it comes from.
        source: Group,
        /// What it shows.
        request: AuthRequest,
    },
    /// A connected peer speaks the protocol.
    Speaks(PeerId),
    /// The last connection to a peer has ended.
    Gone(PeerId),
    /// What we asked for was answered, or not.
    Answered {
        /// By whom.
        peer: PeerId,
        /// The answer.
        answer: Result<AuthAnswer, Failure>,
    },
    /// Chains for a peer to keep, which we issued to it.
    Issue {
        /// To whom.
        peer: PeerId,
        /// Which.
        chain: Chain,
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
    },
    /// Show our grants to a peer.
    Ask {
        /// Which peer.
        peer: PeerId,
        /// What to send.
        request: AuthRequest,
    },
    /// What a peer allows us has changed.
    Allowed(PeerId),
    /// A grant of ours was used by a new holder: keep it.
    Count {
        /// The link.
        id: GrantId,
        /// Who used it.
        holder: Key,
    },
    /// A peer came in by an invite: whoever issued it may grant it something that lasts.
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
}

/// The machine.
#[derive(Debug)]
pub struct Auth {
    local: PeerId,
    class: Class,
    trust: Trust,
    access: Access,
    issuers: BTreeSet<Key>,
    counted: BoundedMap<GrantId, BTreeSet<Key>>,
    revocations: Revocations,
    checked: ChainCache<Group>,
    shown: BoundedMap<PeerId, Shown>,
    /// When the first of all grants that were shown ends, Unix time in ms; or earlier.
    next_end_ms: Option<u64>,
    asking: Asking,
    outputs: VecDeque<Output>,
    last: Now,
}

impl Auth {
    /// A machine for the peer `local`, which is a `class`, in the open network.
    #[must_use]
    pub fn new(local: PeerId, class: Class) -> Self {
        let trust = Trust::open();
        Self {
            local,
            class,
            access: Access::Open,
            issuers: BTreeSet::new(),
            counted: BoundedMap::new(GRANT_COUNTED_MAX),
            revocations: Revocations::new(trust.network),
            checked: ChainCache::new(),
            shown: BoundedMap::new(HELD_PEERS_MAX),
            next_end_ms: None,
            asking: Asking::default(),
            outputs: VecDeque::new(),
            last: Now::new(Mono::ZERO, 0),
            trust,
        }
    }

    /// What a connected peer allows us, as it said last.
    #[must_use]
    pub fn allowance(&self, peer: &PeerId) -> Option<&Allowance> {
        self.asking.allowance(peer)
    }

    /// What was taken back, as far as this peer knows.
    #[must_use]
    pub const fn revocations(&self) -> &Revocations {
        &self.revocations
    }

    fn set_policy(&mut self, now: Now, trust: Trust, access: Access) {
        let same = self.trust == trust && self.access == access;
        if self.trust.network != trust.network {
            self.revocations = Revocations::new(trust.network);
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
        // What others said before may rest on rules of theirs, which are as old as ours.
        self.asking.again(now, None);
    }

    fn revoked(&mut self, now: Now, list: &RevocationList) {
        if self.revocations.follow(list.issuer()).is_err() {
            return;
        }
        if self.revocations.apply(list, now.unix_ms).is_ok() {
            self.recheck(now);
        }
    }

    fn show(&self) -> AuthRequest {
        AuthRequest {
            network: self.trust.network,
            grants: self.asking.grants(),
            class: self.class,
            issued: Vec::new(),
        }
    }

    fn ask(&mut self, now: Now) {
        while let Some((peer, issued)) = self.asking.due(now) {
            let request = AuthRequest { issued, ..self.show() };
            self.outputs.push_back(Output::Ask { peer, request });
        }
    }

    fn answered(&mut self, now: Now, peer: PeerId, answer: Result<AuthAnswer, Failure>) {
        if self.asking.answered(now, peer, answer) {
            self.outputs.push_back(Output::Allowed(peer));
        }
    }

    /// A chain that was issued to us: it has to be right, ours, and no narrower in time than one that we
    /// have from the same root on the same things. Whether it counts, others decide.
    fn receive(&mut self, now: Now, chains: &[Vec<u8>]) {
        let Some(holder) = Audience::of_peer(&self.local) else { return };
        for bytes in chains {
            let Ok(chain) = Chain::decode(bytes) else { continue };
            let root = chain.root().body();
            let known = self.asking.holds_from(&root.issuer, &root.network);
            let context = crate::grant::Context {
                network: &root.network,
                now_ms: now.unix_ms,
                holder,
                roots: &[root.issuer],
                owners: &[],
                revocations: &self.revocations,
            };
            // Only from whom we hold something already: strangers cannot fill our folder.
            if known && chain.verify(&context).is_ok() && self.asking.prefers(&chain) {
                self.outputs.push_back(Output::Received(chain));
            }
        }
    }
}

impl Machine for Auth {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        self.last = now;
        match input {
            Input::Policy { trust, access } => self.set_policy(now, trust, access),
            Input::Credentials(chains) => {
                self.asking.set_chains(chains);
                self.asking.again(now, None);
            }
            Input::Issuers(keys) => self.issuers = keys,
            Input::Counted(uses) => {
                for (id, holder) in uses {
                    self.note_use(id, holder);
                }
            }
            Input::Revoked(list) => self.revoked(now, &list),
            Input::Asked { ticket, peer, source, request } => {
                self.receive(now, &request.issued);
                self.judge(now, ticket, (peer, source), request);
            }
            Input::Speaks(peer) => self.asking.follow(now, peer),
            Input::Gone(peer) => self.asking.forget(&peer),
            Input::Answered { peer, answer } => self.answered(now, peer, answer),
            Input::Issue { peer, chain } => {
                self.asking.issue(peer, chain);
                self.asking.again(now, Some(peer));
            }
        }
        self.ask(now);
    }

    fn tick(&mut self, now: Now) {
        self.last = now;
        self.expire(now);
        self.ask(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        let end =
            self.next_end_ms.map(|end| self.last.mono.after(end.saturating_sub(self.last.unix_ms)));
        self.asking.next_due().into_iter().chain(end).min()
    }
}

#[cfg(test)]
mod tests;

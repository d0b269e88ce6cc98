//! The asking side: whom we have shown our grants, what they allow us, when to show them again.
//! Invariant: one question under way a peer; connected peers only, so the table is as small as they are.
//! Not here: what others show us (`shown`).

use std::collections::BTreeMap;

use libp2p_identity::PeerId;

use crate::grant::{ActionSet, Chain, Key, NetworkId};
use crate::limits::{AUTH_AGAIN_MS_MAX, AUTH_AGAIN_MS_MIN, AUTH_CHAINS_MAX};
use crate::policy::Access;
use crate::time::{Mono, Now};
use crate::wire::{AuthAnswer, AuthStatus};

/// Why there was no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The peer does not speak the protocol after all.
    Unsupported,
    /// No answer in time, or a broken one.
    Broken,
}

/// What a peer allows us, as it said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// How it took what we showed.
    pub status: AuthStatus,
    /// The actions that it allows on something.
    pub allowed: ActionSet,
    /// When the first of our grants there ends, Unix time in ms.
    pub expires_ms: Option<u64>,
    /// What strangers get there.
    pub access: Access,
    /// Which grant does not count and why, as it says. Safe to show.
    pub reason: Option<String>,
    /// The number of its rule set.
    pub epoch: u64,
}

#[derive(Debug)]
struct Peer {
    due: Option<Mono>,
    under_way: bool,
    issued: Vec<Chain>,
    sent: usize,
    allowance: Option<Allowance>,
}

/// See the module's text.
#[derive(Debug, Default)]
pub(super) struct Asking {
    chains: Vec<Chain>,
    peers: BTreeMap<PeerId, Peer>,
}

impl Asking {
    pub(super) fn set_chains(&mut self, chains: Vec<Chain>) {
        self.chains = chains;
        self.chains.truncate(AUTH_CHAINS_MAX);
    }

    pub(super) fn grants(&self) -> Vec<Vec<u8>> {
        self.chains.iter().map(Chain::encode).collect()
    }

    /// Whether we hold something of this root.
    pub(super) fn holds_from(&self, root: &Key, network: &NetworkId) -> bool {
        self.chains
            .iter()
            .map(|chain| chain.root().body())
            .any(|body| body.issuer == *root && body.network == *network)
    }

    /// Whether the chain gives something that lasts longer than what we have on the same things.
    pub(super) fn prefers(&self, chain: &Chain) -> bool {
        let new = chain.last().terms();
        self.chains.iter().map(|chain| chain.last().terms()).all(|old| {
            old.prefix != new.prefix
                || !new.actions.is_within(old.actions)
                || new.expires_ms > old.expires_ms
        })
    }

    pub(super) fn allowance(&self, peer: &PeerId) -> Option<&Allowance> {
        self.peers.get(peer)?.allowance.as_ref()
    }

    pub(super) fn follow(&mut self, now: Now, peer: PeerId) {
        self.peers.entry(peer).or_insert_with(|| Peer {
            due: Some(now.mono),
            under_way: false,
            issued: Vec::new(),
            sent: 0,
            allowance: None,
        });
    }

    pub(super) fn forget(&mut self, peer: &PeerId) {
        self.peers.remove(peer);
    }

    /// Asks a peer, or all, again as soon as possible.
    pub(super) fn again(&mut self, now: Now, only: Option<PeerId>) {
        for (peer, state) in &mut self.peers {
            if only.is_none_or(|only| only == *peer) {
                state.due = Some(now.mono);
            }
        }
    }

    /// A chain for a connected peer to keep.
    pub(super) fn issue(&mut self, peer: PeerId, chain: Chain) {
        if let Some(state) = self.peers.get_mut(&peer)
            && state.issued.len() < AUTH_CHAINS_MAX
        {
            state.issued.push(chain);
        }
    }

    /// The next peer to ask, with the chains that are issued to it.
    pub(super) fn due(&mut self, now: Now) -> Option<(PeerId, Vec<Vec<u8>>)> {
        let (peer, state) = self
            .peers
            .iter_mut()
            .find(|(_, state)| !state.under_way && state.due.is_some_and(|due| due <= now.mono))?;
        state.under_way = true;
        state.due = None;
        state.sent = state.issued.len();
        Some((*peer, state.issued.iter().map(Chain::encode).collect()))
    }

    /// Whether what the peer allows us has changed.
    pub(super) fn answered(
        &mut self,
        now: Now,
        peer: PeerId,
        answer: Result<AuthAnswer, Failure>,
    ) -> bool {
        let Some(state) = self.peers.get_mut(&peer) else { return false };
        state.under_way = false;
        let answer = match answer {
            Ok(answer) => answer,
            Err(Failure::Unsupported) => return false,
            Err(Failure::Broken) => {
                state.due = state.due.or(Some(now.mono.after(AUTH_AGAIN_MS_MIN)));
                return false;
            }
        };
        state.issued.drain(..state.sent);
        let life = answer.expires_ms.map(|end| end.saturating_sub(now.unix_ms) / 2);
        let pause = if answer.status == AuthStatus::Busy {
            AUTH_AGAIN_MS_MIN
        } else {
            life.unwrap_or(AUTH_AGAIN_MS_MAX).clamp(AUTH_AGAIN_MS_MIN, AUTH_AGAIN_MS_MAX)
        };
        state.due = state.due.or(Some(now.mono.after(pause)));
        let before = state.allowance.take();
        let allowance = Allowance {
            status: answer.status,
            allowed: answer.allowed,
            expires_ms: answer.expires_ms,
            access: answer.access,
            reason: answer.reason,
            epoch: answer.epoch,
        };
        let changed = before.as_ref() != Some(&allowance);
        state.allowance = Some(allowance);
        changed
    }

    pub(super) fn next_due(&self) -> Option<Mono> {
        self.peers.values().filter(|peer| !peer.under_way).filter_map(|peer| peer.due).min()
    }
}

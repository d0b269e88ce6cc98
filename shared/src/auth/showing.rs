//! The asking side: to whom we have shown our grants, what they allow us, when to show them again.
//! Invariant: one question under way a peer; connected peers only, so the table is as small as they are.
//! Not here: what others show us (`judging`).

use std::collections::VecDeque;
use std::sync::Arc;

use libp2p_identity::PeerId;

use super::receiving::wanted;
use crate::grant::{ActionSet, Audience, Chain, Key, NetworkId};
use crate::limits::{AUTH_AGAIN_MS_MAX, AUTH_AGAIN_MS_MIN, AUTH_CHAINS_MAX, AUTH_LISTS_MAX};
use crate::machine::Machine;
use crate::policy::{Access, Class, Trust};
use crate::time::{Mono, Now};
use crate::wire::{AuthAnswer, AuthRequest, AuthStatus};

/// What happened outside.
#[derive(Debug)]
pub enum Input {
    /// Which network we are in; also when rules have changed.
    Network(NetworkId),
    /// The chains that we hold, and show from now on.
    Credentials(Vec<Chain>),
    /// A list of revocations is in force here: all peers should know it within seconds.
    List {
        /// Whose list.
        issuer: Key,
        /// Its version.
        version: u64,
        /// Its bytes.
        bytes: Arc<Vec<u8>>,
    },
    /// Keys are missing here, or there are new ones to hand on: ask all peers again.
    Again,
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
    /// A chain for a connected peer to keep, which we issued to it.
    Issue {
        /// To whom.
        peer: PeerId,
        /// Which.
        chain: Box<Chain>,
    },
}

/// What to do.
#[derive(Debug)]
pub enum Output {
    /// Show our grants to a peer.
    Ask {
        /// Which peer.
        peer: PeerId,
        /// What to send.
        request: AuthRequest,
    },
    /// What a peer allows us has changed.
    Allowed(PeerId),
    /// A peer issued this chain to us: keep it and show it from now on.
    Received(Chain),
}

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
    id: PeerId,
    due: Option<Mono>,
    under_way: bool,
    issued: Vec<Chain>,
    sent: usize,
    lists: Vec<Arc<Vec<u8>>>,
    lists_sent: usize,
    /// It was asked with a chain that came by an invite, and may have something that lasts longer by now.
    asked_as_guest: bool,
    allowance: Option<Allowance>,
}

/// A question that is to be asked now.
struct Due {
    peer: PeerId,
    issued: Vec<Vec<u8>>,
    lists: Vec<Vec<u8>>,
}

/// The machine.
#[derive(Debug)]
pub struct Showing {
    local: PeerId,
    network: NetworkId,
    class: Class,
    chains: Vec<Chain>,
    known: Vec<(Key, u64)>,
    peers: Vec<Peer>,
    outputs: VecDeque<Output>,
}

impl Showing {
    /// A machine for the peer `local`, which is a `class`, in the open network.
    #[must_use]
    pub fn new(local: PeerId, class: Class) -> Self {
        Self {
            local,
            network: Trust::open().network,
            class,
            chains: Vec::new(),
            known: Vec::new(),
            peers: Vec::new(),
            outputs: VecDeque::new(),
        }
    }

    fn ask(&mut self, now: Now) {
        while let Some(Due { peer, issued, lists }) = self.due(now) {
            let request = AuthRequest {
                network: self.network,
                grants: self.grants(),
                class: self.class,
                issued,
                lists,
                known: self.known.clone(),
                // Who may have which depends on rules, so the shell puts them in.
                keys: Vec::new(),
            };
            self.outputs.push_back(Output::Ask { peer, request });
        }
    }

    fn set_chains(&mut self, chains: Vec<Chain>) {
        self.chains = chains;
        self.chains.truncate(AUTH_CHAINS_MAX);
    }

    fn grants(&self) -> Vec<Vec<u8>> {
        self.chains.iter().map(Chain::encode).collect()
    }

    /// What a connected peer allows us, as it said last.
    #[must_use]
    pub fn allowance(&self, peer: &PeerId) -> Option<&Allowance> {
        self.peers.iter().find(|known| known.id == *peer)?.allowance.as_ref()
    }

    fn follow(&mut self, now: Now, peer: PeerId) {
        if self.find(peer).is_none() {
            self.peers.push(Peer {
                id: peer,
                due: Some(now.mono),
                under_way: false,
                issued: Vec::new(),
                sent: 0,
                lists: Vec::new(),
                lists_sent: 0,
                asked_as_guest: false,
                allowance: None,
            });
        }
    }

    fn find(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|known| known.id == peer)
    }

    fn forget(&mut self, peer: &PeerId) {
        self.peers.retain(|known| known.id != *peer);
    }

    /// Asks a peer, or all, again as soon as possible.
    fn again(&mut self, now: Now, only: Option<PeerId>) {
        for state in &mut self.peers {
            if only.is_none_or(|only| only == state.id) {
                state.due = Some(now.mono);
            }
        }
    }

    /// Whether a peer can be asked.
    #[must_use]
    pub fn knows(&self, peer: &PeerId) -> bool {
        self.peers.iter().any(|known| known.id == *peer)
    }

    /// Whether a chain of ours ends behind an invite's key.
    fn is_guest(&self) -> bool {
        self.chains.iter().any(|chain| {
            let place = chain.len().checked_sub(2);
            let above = place.and_then(|place| chain.links().nth(place));
            above.is_some_and(|link| matches!(link.terms().audience, Audience::Invite(_)))
        })
    }

    fn receive(&mut self, now: Now, issued: &[Vec<u8>]) {
        for bytes in issued {
            let chain = wanted((&self.local, now.unix_ms), &self.chains, None, bytes);
            self.outputs.extend(chain.map(Output::Received));
        }
    }

    /// A chain for a connected peer to keep.
    fn issue(&mut self, peer: PeerId, chain: Chain) {
        if let Some(state) = self.find(peer)
            && state.issued.len() < AUTH_CHAINS_MAX
        {
            state.issued.push(chain);
        }
    }

    /// A list to tell every peer of.
    fn spread(&mut self, issuer: Key, version: u64, bytes: &Arc<Vec<u8>>) {
        match self.known.iter_mut().find(|(known, _)| *known == issuer) {
            Some((_, at)) if *at >= version => return,
            Some((_, at)) => *at = version,
            None => self.known.push((issuer, version)),
        }
        for peer in &mut self.peers {
            // What finds no place, the peer gets when it asks.
            if peer.lists.len() < AUTH_LISTS_MAX {
                peer.lists.push(Arc::clone(bytes));
            }
        }
    }

    /// The next peer to ask, with what is for it alone.
    fn due(&mut self, now: Now) -> Option<Due> {
        let state = self
            .peers
            .iter_mut()
            .find(|state| !state.under_way && state.due.is_some_and(|due| due <= now.mono))?;
        state.under_way = true;
        state.due = None;
        state.sent = state.issued.len();
        // One message holds one list of full size.
        state.lists_sent = state.lists.len().min(1);
        let lists = state.lists.iter().take(state.lists_sent).map(|list| list.to_vec()).collect();
        let issued = state.issued.iter().map(Chain::encode).collect();
        Some(Due { peer: state.id, issued, lists })
    }

    /// Whether what the peer allows us has changed.
    fn answered(&mut self, now: Now, peer: PeerId, answer: Result<AuthAnswer, Failure>) -> bool {
        if let Ok(answer) = &answer {
            self.receive(now, &answer.issued);
        }
        let is_guest = self.is_guest();
        let Some(state) = self.find(peer) else { return false };
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
        state.lists.drain(..state.lists_sent);
        let life = answer.expires_ms.map(|end| end.saturating_sub(now.unix_ms) / 2);
        let pause = if !state.lists.is_empty() {
            0
        } else if answer.status == AuthStatus::Busy || !answer.lists.is_empty() {
            // There may be more lists than those.
            AUTH_AGAIN_MS_MIN
        } else if is_guest && !state.asked_as_guest {
            state.asked_as_guest = true;
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
}

impl Machine for Showing {
    type Input = Input;
    type Output = Output;

    fn handle(&mut self, now: Now, input: Input) {
        match input {
            Input::Network(network) => {
                if self.network != network {
                    self.known.clear();
                }
                self.network = network;
                // What others said before may rest on rules of theirs, which are as old as ours.
                self.again(now, None);
            }
            Input::Credentials(chains) => {
                self.set_chains(chains);
                self.again(now, None);
            }
            Input::List { issuer, version, bytes } => {
                self.spread(issuer, version, &bytes);
                self.again(now, None);
            }
            Input::Again => self.again(now, None),
            Input::Speaks(peer) => self.follow(now, peer),
            Input::Gone(peer) => self.forget(&peer),
            Input::Answered { peer, answer } => {
                if self.answered(now, peer, answer) {
                    self.outputs.push_back(Output::Allowed(peer));
                }
            }
            Input::Issue { peer, chain } => {
                self.issue(peer, *chain);
                self.again(now, Some(peer));
            }
        }
        self.ask(now);
    }

    fn tick(&mut self, now: Now) {
        self.ask(now);
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    fn next_wake(&self) -> Option<Mono> {
        self.peers.iter().filter(|peer| !peer.under_way).filter_map(|peer| peer.due).min()
    }
}

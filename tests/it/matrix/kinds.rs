//! Who asks: nine kinds of peers, and the grants that each of them shows.
//! Invariant: what is wrong with a grant is one thing only; all else about it is right.
//! Not here: what they ask for (`wire`), what they get (`matrix.tsv`).

use std::sync::atomic::{AtomicU8, Ordering};

use libp2p::PeerId;
use libp2p::identity::Keypair;
use peerloom_shared::grant::{
    ActionSet, Audience, Body, Chain, Entry, Key, Prefix, Reason, RevocationList, Role, SignedList,
    Signer, Target, Terms,
};
use peerloom_shared::policy::{Action, Class, Trust};

use crate::inside::unix_ms;

use super::asker::Make;

const HOUR_MS: u64 = 3_600_000;
/// What stands before the signed bytes of a link (docs/grants.md).
const DOMAIN: &[u8] = b"peerloom-grant-v1:";
/// The room that everybody is tested on.
pub(crate) const ROOM: &str = "lobby";
/// Its topic.
pub(crate) const TOPIC: &str = "peerloom/open/lobby";
/// What a member of another room holds grants for.
const ELSEWHERE: &str = "topic/peerloom/open/attic";

/// A kind of asker: a column of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Shows nothing.
    Anonymous,
    /// Holds what a member holds.
    Member,
    /// Holds every right, on another room alone.
    Elsewhere,
    /// Was a member, until the root took that back.
    Revoked,
    /// Was a member, until the node's operator barred it.
    Banned,
    /// Was a member until an hour ago.
    Expired,
    /// Shows another peer's grant of every right.
    Audience,
    /// Shows a grant of every right by the same root for another network.
    Network,
    /// Shows what a member of another room passed on: every right on everything.
    Delegated,
}

impl Kind {
    pub(crate) const ALL: [Self; 9] = [
        Self::Anonymous,
        Self::Member,
        Self::Elsewhere,
        Self::Revoked,
        Self::Banned,
        Self::Expired,
        Self::Audience,
        Self::Network,
        Self::Delegated,
    ];

    /// Its column.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Member => "member",
            Self::Elsewhere => "elsewhere",
            Self::Revoked => "revoked",
            Self::Banned => "banned",
            Self::Expired => "expired",
            Self::Audience => "audience",
            Self::Network => "network",
            Self::Delegated => "delegated",
        }
    }
}

/// A network: the key that founded it.
pub(crate) struct Network {
    root: Signer,
    pub(crate) trust: Trust,
    nonce: AtomicU8,
}

fn everything() -> ActionSet {
    Action::ALL.into_iter().collect()
}

fn signer() -> Signer {
    Signer::generate()
}

impl Network {
    pub(crate) fn found() -> Self {
        let root = signer();
        let trust = Trust::founded_by(Key::of(&root));
        Self { root, trust, nonce: AtomicU8::new(0) }
    }

    /// The PeerId of the root's key, by which settings name it.
    pub(crate) fn founder(&self) -> PeerId {
        Key::of(&self.root).peer().expect("a key")
    }

    /// The terms of a member, on everything that begins so.
    fn terms(&self, to: Key, prefix: &str) -> Terms {
        Terms {
            audience: Audience::Peer(to),
            actions: Role::Member.actions(),
            not_before_ms: unix_ms() - 2 * HOUR_MS,
            expires_ms: unix_ms() + HOUR_MS,
            depth: 0,
            max_uses: 0,
            nonce: [self.nonce.fetch_add(1, Ordering::Relaxed); 8],
            prefix: Prefix::new(prefix).expect("a prefix"),
        }
    }

    fn mint(&self, terms: Terms) -> Chain {
        Chain::mint(self.trust.network, &self.root, terms).expect("a grant")
    }

    /// What a member holds.
    pub(crate) fn member(&self, to: PeerId) -> Chain {
        self.mint(self.terms(Key::of_peer(&to).expect("a key"), ""))
    }

    /// A link that nobody may add: by somebody who may add links, but has less himself.
    fn over_delegated(&self, to: Key) -> Chain {
        let between = signer();
        let narrow = Terms { depth: 1, ..self.terms(Key::of(&between), ELSEWHERE) };
        let parent = self.mint(narrow);
        let body = Body {
            network: self.trust.network,
            parent: parent.last().id(),
            issuer: Key::of(&between),
            terms: Terms {
                actions: everything(),
                not_before_ms: parent.last().terms().not_before_ms,
                expires_ms: parent.last().terms().expires_ms,
                ..self.terms(to, "")
            },
        };
        let signature = between.sign(&[DOMAIN, &body.encode()].concat());
        let bytes = [parent.encode(), body.encode(), signature].concat();
        Chain::decode(&bytes).expect("well-formed")
    }

    /// The grants that a peer of this kind shows.
    pub(crate) fn shown(&self, kind: Kind, who: PeerId) -> Vec<Chain> {
        let key = Key::of_peer(&who).expect("a key");
        let chain = match kind {
            Kind::Anonymous => return Vec::new(),
            Kind::Member | Kind::Revoked | Kind::Banned => self.member(who),
            Kind::Elsewhere => {
                self.mint(Terms { actions: everything(), ..self.terms(key, ELSEWHERE) })
            }
            Kind::Expired => {
                let ended = unix_ms() - HOUR_MS;
                self.mint(Terms { expires_ms: ended, ..self.terms(key, "") })
            }
            Kind::Audience => {
                let other = Key::of(&signer());
                self.mint(Terms { actions: everything(), ..self.terms(other, "") })
            }
            Kind::Network => {
                let elsewhere = Self::found().trust.network;
                let terms = Terms { actions: everything(), ..self.terms(key, "") };
                Chain::mint(elsewhere, &self.root, terms).expect("a grant")
            }
            Kind::Delegated => self.over_delegated(key),
        };
        vec![chain]
    }

    /// A new peer of this kind.
    pub(crate) fn peer(&self, kind: Kind, class: Class) -> Make {
        let key = Keypair::generate_ed25519();
        let chains = self.shown(kind, key.public().to_peer_id());
        Make { author: key.clone(), key, class, trust: self.trust.clone(), chains }
    }

    /// The root takes back what it granted to these.
    pub(crate) fn take_back(&self, peers: &[Make]) -> SignedList {
        let entries = peers.iter().flat_map(|peer| &peer.chains).map(|chain| Entry {
            target: Target::Grant(chain.last().id()),
            time_ms: chain.last().terms().expires_ms,
            reason: Reason::MISUSED,
        });
        let entries: Vec<_> = entries.collect();
        let list = RevocationList::new(self.trust.network, Key::of(&self.root));
        let list = list.next(unix_ms(), &entries).and_then(|list| list.sign(&self.root));
        list.expect("a list")
    }
}

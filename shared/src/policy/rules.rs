//! The rule set and how it judges: allow and deny lists, and behind them an engine or profile `open`.
//! Invariant: deny beats allow; a snapshot never changes, a new one has a higher epoch.
//! Not here: files and their syntax; the shell parses and swaps snapshots.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use libp2p_identity::PeerId;

use super::subject::{ip_of, is_circuit, target_of};
use super::{
    Access, Action, Cidr, Denial, Engine, Objection, Permit, Question, Resource, Ruling, Subject,
    Trust, Verdict,
};
use crate::limits::POLICY_RULES_MAX;
use crate::ordered::BTreeSet;

const DENY_PEERS: &str = "deny.peers";
const DENY_NETS: &str = "deny.nets";
const ALLOW_LISTS: &str = "allow.lists";
const OPERATOR_ONLY: &str = "operator.only";
const GRANT_MISSING: &str = "grant.missing";
const SUBJECT_UNPROVEN: &str = "subject.unproven";

/// Allow and deny lists. All empty: everybody may connect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Peers that may connect. When this list or `allow_nets` names anybody, only who is named by
    /// one of the two may.
    pub allow_peers: BTreeSet<PeerId>,
    /// Peers that may do nothing, whatever else is said.
    pub deny_peers: BTreeSet<PeerId>,
    /// Ranges from and to which connections are welcome. A relay's address says nothing about the
    /// peer behind it, so relayed peers have to be named.
    pub allow_nets: Vec<Cidr>,
    /// Ranges from and to which nothing is.
    pub deny_nets: Vec<Cidr>,
}

impl Rules {
    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`RulesError::TooMany`] when there are more entries than one decision may look at.
    pub fn check(&self) -> Result<(), RulesError> {
        let entries = self.allow_peers.len()
            + self.deny_peers.len()
            + self.allow_nets.len()
            + self.deny_nets.len();
        if entries > POLICY_RULES_MAX {
            return Err(RulesError::TooMany { entries });
        }
        Ok(())
    }
}

/// Why a rule set is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RulesError {
    /// More entries than one decision may look at.
    #[error("{entries} rules are too many; at most {POLICY_RULES_MAX} are allowed")]
    TooMany {
        /// How many there are.
        entries: usize,
    },
}

/// An immutable rule set. Its holder swaps the whole set, never a part.
#[derive(Clone, Debug)]
pub struct PolicySet {
    rules: Rules,
    trust: Trust,
    engine: Option<Arc<dyn Engine>>,
    epoch: u64,
}

impl PolicySet {
    /// The profile `open` without lists, epoch 0.
    #[must_use]
    pub fn open() -> Self {
        Self::from_rules(Rules::default(), 0)
    }

    /// The profile `open` with these lists. Epochs rise by one with every change.
    #[must_use]
    pub fn from_rules(rules: Rules, epoch: u64) -> Self {
        Self { rules, trust: Trust::open(), engine: None, epoch }
    }

    /// The same, in this network and with this trust.
    #[must_use]
    pub fn trusting(self, trust: Trust) -> Self {
        Self { trust, ..self }
    }

    /// The same, with an engine for what the lists do not decide.
    #[must_use]
    pub fn with_engine(self, engine: Arc<dyn Engine>) -> Self {
        Self { engine: Some(engine), ..self }
    }

    /// Which network this is, and whom it trusts.
    #[must_use]
    pub const fn trust(&self) -> &Trust {
        &self.trust
    }

    /// The number of this rule set.
    #[must_use]
    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// The lists.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What strangers get.
    #[must_use]
    pub fn access(&self) -> Access {
        self.engine.as_ref().map_or(Access::Open, |engine| engine.access())
    }

    /// May the subject do the action on the resource?
    ///
    /// A subject without a proven key may only try to connect. Remote peers never get what belongs to
    /// the operator, unless an engine says so. Whoever a deny list names, as subject or as (part of)
    /// the resource, gets and is given nothing; the operator may still administer the named one, such
    /// as hang up on it. The allow lists decide about connections and what happens on them.
    pub fn authorize(&self, question: &Question<'_>) -> Verdict {
        let Question { subject, action, resource, .. } = *question;
        if let Some(rule) = self.listed(subject, action, resource) {
            return self.deny(action, Cow::Borrowed(rule), None, true);
        }
        let ruled = match &self.engine {
            // Nobody is proven yet, so no rule of an engine can speak of anybody.
            Some(engine) if !matches!(subject, Subject::Address(_)) => engine.rule(question),
            Some(_) | None => return self.judge_openly(subject, action, resource),
        };
        match ruled {
            Ruling::Allow(by) => Verdict::Allow(
                Permit::mint(action, resource.clone(), subject.peer(), self.epoch).by(by),
            ),
            Ruling::Deny(Objection { rules, reason }) => {
                let forbidden = !rules.is_empty();
                let rule = rules.first().map_or(Cow::Borrowed(Denial::NO_RULE), |rule| {
                    Cow::Owned(rule.as_ref().to_owned())
                });
                self.deny(action, rule, reason, forbidden)
            }
        }
    }

    fn judge_openly(&self, subject: &Subject, action: Action, resource: &Resource) -> Verdict {
        let denied = match subject {
            Subject::Peer { .. } if action.is_operators() => Some(OPERATOR_ONLY),
            Subject::Peer { .. } if action.needs_grant() => Some(GRANT_MISSING),
            Subject::Peer { .. } | Subject::Local | Subject::Address(_) => None,
        };
        match denied {
            Some(rule) => self.deny(action, Cow::Borrowed(rule), None, false),
            None => {
                Verdict::Allow(Permit::mint(action, resource.clone(), subject.peer(), self.epoch))
            }
        }
    }

    fn deny(
        &self,
        action: Action,
        rule: Cow<'static, str>,
        reason: Option<Arc<str>>,
        forbidden: bool,
    ) -> Verdict {
        Verdict::Deny(Denial { action, rule, reason, forbidden, epoch: self.epoch })
    }

    /// The list that forbids it.
    fn listed(
        &self,
        subject: &Subject,
        action: Action,
        resource: &Resource,
    ) -> Option<&'static str> {
        if matches!(subject, Subject::Local) && action.is_operators() {
            return None;
        }
        let mut peers = subject.peer().into_iter().chain(resource.peers());
        if peers.any(|peer| self.rules.deny_peers.contains(&peer)) {
            return Some(DENY_PEERS);
        }
        let mut ips = subject.ip().into_iter().chain(resource.ips());
        if ips.any(|ip| within(&self.rules.deny_nets, ip)) {
            return Some(DENY_NETS);
        }
        match subject {
            Subject::Local => self.objection_to_dial(action, resource),
            Subject::Address(ip) => self.objection_to_address(action, *ip),
            Subject::Peer { id, addr, relayed } => {
                let direct = addr.filter(|_| !relayed);
                self.objection_to_peer(action, *id, direct)
            }
        }
    }

    fn objection_to_dial(&self, action: Action, resource: &Resource) -> Option<&'static str> {
        if action != Action::ConnectOut || !self.is_selective() {
            return None;
        }
        let welcome = match resource {
            // The address is not known yet. It is judged when it is, and again once connected.
            Resource::Peer(id) | Resource::Relay(id) => {
                self.rules.allow_peers.contains(id) || !self.rules.allow_nets.is_empty()
            }
            Resource::Address(address) => {
                target_of(address).is_some_and(|id| self.rules.allow_peers.contains(&id))
                    || (!is_circuit(address)
                        && ip_of(address).is_some_and(|ip| within(&self.rules.allow_nets, ip)))
            }
            Resource::Node
            | Resource::Protocol(_)
            | Resource::Topic(_)
            | Resource::Key(_)
            | Resource::Content(_)
            | Resource::Mailbox(_)
            | Resource::Route(_)
            | Resource::Admin => false,
        };
        (!welcome).then_some(ALLOW_LISTS)
    }

    fn objection_to_address(&self, action: Action, ip: IpAddr) -> Option<&'static str> {
        if action != Action::ConnectIn {
            return Some(SUBJECT_UNPROVEN);
        }
        // With allowed peers the handshake has to show first who it is.
        let hopeless = self.is_selective()
            && self.rules.allow_peers.is_empty()
            && !within(&self.rules.allow_nets, ip);
        hopeless.then_some(ALLOW_LISTS)
    }

    fn objection_to_peer(
        &self,
        action: Action,
        id: PeerId,
        direct: Option<IpAddr>,
    ) -> Option<&'static str> {
        let welcome = !action.is_connections()
            || !self.is_selective()
            || self.rules.allow_peers.contains(&id)
            || direct.is_some_and(|ip| within(&self.rules.allow_nets, ip));
        (!welcome).then_some(ALLOW_LISTS)
    }

    fn is_selective(&self) -> bool {
        !self.rules.allow_peers.is_empty() || !self.rules.allow_nets.is_empty()
    }
}

fn within(nets: &[Cidr], ip: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(ip))
}

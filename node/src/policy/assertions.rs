//! Asking the operator's assertions, and guarding that the operator is not locked out.
//! Invariant: a test's question goes the way of every question; what it trusts more is gone after it.
//! Not here: the form of assertions (`tests_file`), when they are asked (`folder`).

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use cedar_policy::EntityUid;
use peerloom_shared::PeerId;
use peerloom_shared::grant::{Audience, Chain, Context, Key, Revocations, Rights, Signer, Terms};
use peerloom_shared::policy::{
    Action, Held, PolicySet, Question, Resource, Rules as Lists, Ruling, Subject, Verdict,
};

use super::beside::{Along, Beside};
use super::compile::{schema, spot_of};
use super::engine::{CedarEngine, Compiled};
use super::error::{PolicyError, Spot};
use super::names::{Kind, action_of};
use super::rule::Rule;
use super::tests_file::{Assertion, TestGrant, Who};

/// A root that only tests know: its seed is public.
const ROOT_SEED: [u8; 32] = *b"peerloom policy tests: the root.";
/// A peer that only tests know.
const PEER_SEED: [u8; 32] = *b"peerloom policy tests: the peer.";
/// Time around now in which a test's grants count, in ms.
const GRANT_MS: u64 = 3_600_000;

/// How a test ended.
#[derive(Debug)]
pub struct Answer {
    /// What was decided and why, in words.
    pub found: String,
    /// Whether it is what was expected.
    pub passed: bool,
}

/// Asks tests of one set of policies.
#[derive(Debug)]
pub struct Asker<'a> {
    lists: &'a Lists,
    engine: Arc<CedarEngine>,
    root: Signer,
    peer: PeerId,
    now_ms: u64,
}

impl<'a> Asker<'a> {
    /// An asker over these lists and policies, at this Unix time in ms. It trusts one root more.
    ///
    /// # Errors
    /// When the keys of tests cannot be made, which would be our mistake.
    pub fn new(lists: &'a Lists, compiled: &Compiled, now_ms: u64) -> Result<Self, PolicyError> {
        let signer = |mut seed: [u8; 32]| {
            let secret = libp2p::identity::ed25519::SecretKey::try_from_bytes(&mut seed);
            secret.map(Signer::from).map_err(|error| PolicyError::Internal(error.to_string()))
        };
        let (root, peer) = (signer(ROOT_SEED)?, signer(PEER_SEED)?);
        let mut compiled = compiled.clone();
        compiled.trust.roots.push(Key::of(&root));
        let peer = libp2p::identity::PublicKey::from(peer.public()).to_peer_id();
        Ok(Self { lists, engine: Arc::new(CedarEngine::new(compiled)), root, peer, now_ms })
    }

    /// Asks one test.
    ///
    /// # Errors
    /// When it names a group that is not there, or a peer whose key holds no grants.
    pub fn ask(&self, test: &Assertion) -> Result<Answer, PolicyError> {
        let now_ms = test.at_ms.unwrap_or(self.now_ms);
        let subject = self.subject(test);
        let held = self.held(test, &subject, now_ms)?;
        let groups = self.groups(test)?;
        let beside = Beside { groups, ..Beside::default() };
        let engine = Along { engine: Arc::clone(&self.engine), beside };
        let set = PolicySet::from_rules(self.lists.clone(), 0).with_engine(Arc::new(engine));
        let verdict = set.authorize(&Question {
            subject: &subject,
            action: test.action,
            resource: &test.on,
            held: &held,
            now_ms,
        });
        let (allowed, by, found) = match verdict {
            Verdict::Allow(permit) => {
                let by: Vec<String> = permit.rules().iter().map(ToString::to_string).collect();
                let found = format!("it is allowed by {}", by.join(", "));
                (true, by, found)
            }
            Verdict::Deny(denial) => {
                let reason = denial.reason.as_ref().map(|it| format!(": {it}")).unwrap_or_default();
                let found = format!("it is denied by {}{reason}", denial.rule);
                (false, vec![denial.rule.into_owned()], found)
            }
        };
        let passed =
            allowed == test.allowed && test.by.as_ref().is_none_or(|wanted| by.contains(wanted));
        Ok(Answer { found, passed })
    }

    fn subject(&self, test: &Assertion) -> Subject {
        let id = match &test.who {
            Who::Local => return Subject::Local,
            Who::Anonymous | Who::Member | Who::Root => self.peer,
            Who::Peer(id) => *id,
        };
        Subject::Peer { id, addr: test.ip, relayed: test.relayed }
    }

    fn held(&self, test: &Assertion, subject: &Subject, now: u64) -> Result<Held, PolicyError> {
        let mut grants = test.grants.clone();
        if test.who == Who::Member {
            grants.push(TestGrant::default());
        }
        let mut rights = Vec::new();
        if let Some(peer) = subject.peer() {
            for grant in grants {
                rights.push(Arc::new(self.rights(test, &peer, &grant, now)?));
            }
        }
        Ok(Held {
            version: 0,
            class: test.class,
            is_root: test.who == Who::Root,
            rights: rights.into(),
        })
    }

    fn rights(
        &self,
        test: &Assertion,
        peer: &PeerId,
        grant: &TestGrant,
        now: u64,
    ) -> Result<Rights, PolicyError> {
        let wrong = |why: String| PolicyError::Entry { spot: test.spot.clone(), why, hint: None };
        let key = Key::of_peer(peer)
            .ok_or_else(|| wrong(format!("the key of {peer} cannot hold grants")))?;
        let audience = Audience::Peer(key);
        let network = self.engine.compiled().trust.network;
        let terms = Terms {
            audience,
            actions: grant.actions,
            not_before_ms: now.saturating_sub(GRANT_MS),
            expires_ms: now.saturating_add(GRANT_MS),
            depth: 0,
            max_uses: 0,
            nonce: [0; 8],
            prefix: grant.prefix.clone(),
        };
        let chain = Chain::mint(network, &self.root, terms);
        let context = Context {
            network: &network,
            now_ms: now,
            holder: audience,
            roots: &[Key::of(&self.root)],
            owners: &[],
            revocations: &Revocations::new(network),
        };
        chain.and_then(|chain| chain.verify(&context)).map_err(|error| wrong(error.to_string()))
    }

    fn groups(&self, test: &Assertion) -> Result<Vec<EntityUid>, PolicyError> {
        let Compiled { names, roster, .. } = self.engine.compiled();
        let named = [(Kind::Group, &test.groups), (Kind::Role, &test.roles)];
        let mut found = BTreeSet::new();
        for (kind, name) in named.iter().flat_map(|(kind, list)| list.iter().map(|it| (*kind, it)))
        {
            let circle = names.entity(kind, name);
            let above = circle.as_ref().and_then(|circle| roster.above(circle));
            let (Some(circle), Some(above)) = (circle, above) else {
                let why = format!("`entities.toml` has no {} `{name}`", kind.name());
                return Err(PolicyError::Entry { spot: test.spot.clone(), why, hint: None });
            };
            found.extend(above.iter().cloned());
            found.insert(circle);
        }
        Ok(found.into_iter().collect())
    }
}

/// Asks all tests and gives how many there are.
///
/// # Errors
/// The first one that fails.
pub fn ask_all(asker: &Asker<'_>, tests: &[Assertion]) -> Result<usize, PolicyError> {
    for test in tests {
        let answer = asker.ask(test)?;
        if !answer.passed {
            return Err(failed(test, answer));
        }
    }
    Ok(tests.len())
}

/// The error of a test that did not pass.
#[must_use]
pub fn failed(test: &Assertion, answer: Answer) -> PolicyError {
    let expected = if test.allowed { "that it is allowed" } else { "that it is denied" };
    PolicyError::Failed { spot: test.spot.clone(), expected, found: answer.found }
}

/// Every action that an own policy names needs a test that allows it and one that denies it.
///
/// # Errors
/// The first policy whose action has none.
pub fn covered(own: &[&Rule], tests: &[Assertion], file: &Path) -> Result<(), PolicyError> {
    for rule in own {
        let named: Vec<Option<Action>> = match &rule.actions {
            Some(actions) => actions.iter().copied().map(Some).collect(),
            None => vec![None],
        };
        for action in named {
            for (allowed, missing) in [(true, "allowed"), (false, "denied")] {
                let fits = |test: &Assertion| {
                    test.allowed == allowed && action.is_none_or(|action| test.action == action)
                };
                if !tests.iter().any(fits) {
                    return Err(PolicyError::Untested {
                        spot: spot_of(rule),
                        tests: file.to_owned(),
                        action: action.map_or("any action", Action::name),
                        missing,
                    });
                }
            }
        }
    }
    Ok(())
}

/// What the operator keeps, whatever the policies say: with these, mistakes can be mended.
const KEPT: [Action; 3] = [Action::PolicyReload, Action::AdminRead, Action::AdminWrite];

/// Makes sure that the operator can still administer this node.
///
/// # Errors
/// What would be forbidden, and by which policy.
pub fn not_locked_out(engine: &CedarEngine, now_ms: u64) -> Result<(), PolicyError> {
    for action in KEPT {
        let question = Question {
            subject: &Subject::Local,
            action,
            resource: &Resource::Admin,
            held: &Held::default(),
            now_ms,
        };
        let judged = engine.judge(&question, &Beside::default());
        if let Ruling::Deny(objection) = judged.ruling {
            let rule = objection.rules.first().and_then(|id| engine.compiled().rules.find(id));
            let spot = rule.map_or(Spot::profile(), |rule| spot_of(rule));
            return Err(PolicyError::LockOut { spot, action: action.name() });
        }
    }
    // A condition may hold at another time: only what can never be about the operator is safe.
    let schema = schema()?;
    let suspicious = |rule: &&Arc<Rule>| {
        rule.forbids
            && KEPT.iter().any(|action| rule.may_concern(Kind::LocalUser, *action, Kind::Admin))
            && rule.policy.get_valid_request_envs(&schema).any(|env| {
                Kind::find(env.principal().basename()) == Some(Kind::LocalUser)
                    && action_of(env.action()).is_some_and(|action| KEPT.contains(&action))
            })
    };
    match engine.compiled().rules.list().iter().find(suspicious) {
        Some(rule) => {
            let named = KEPT.into_iter().find(|action| rule.names_action(*action));
            let action = named.map_or("policy.reload", Action::name);
            Err(PolicyError::LockOut { spot: spot_of(rule), action })
        }
        None => Ok(()),
    }
}

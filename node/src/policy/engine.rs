//! The engine: Cedar decides what the lists leave open.
//! Invariant: never panics, never waits; what cannot be decided is denied, with a reason.
//! Not here: files (`load`), the lists (`peerloom_shared::policy`), observing (`observe`).

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use cedar_policy::{AuthorizationError, Authorizer, Decision, Entities, Request};
use peerloom_shared::PeerId;
use peerloom_shared::limits::{CLOCK_TOLERANCE_MS, DECISION_MS, DECISION_TIMED_MS};
use peerloom_shared::policy::{
    Access, Action, Engine, Held, Objection, Question, RuleIds, Ruling, Trust,
};

use super::beside::Beside;
use super::cache::Decisions;
use super::facts::{Facts, Reader};
use super::names::Names;
use super::roster::Roster;
use super::rule::Rule;
use super::slices::{Chosen, Rules};

/// Said where no rule is about what was asked.
const NOBODY: &str = "no rule of this node allows this to anybody; ask whoever runs it";

/// Everything that decides, compiled. Cheap to clone; clones share all but kept decisions.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// What strangers get.
    pub access: Access,
    /// The fixed words.
    pub names: Arc<Names>,
    /// The policies.
    pub rules: Arc<Rules>,
    /// Groups, roles, topics.
    pub roster: Arc<Roster>,
    /// Which network, and whom it trusts.
    pub trust: Trust,
}

/// Policies in Cedar, as an engine.
#[derive(Debug)]
pub struct CedarEngine {
    compiled: Compiled,
    roots: BTreeSet<PeerId>,
    authorizer: Authorizer,
    kept: Decisions,
}

/// One decision with what led to it.
#[derive(Clone, Debug)]
pub struct Judged {
    /// The decision.
    pub ruling: Ruling,
    /// What was true. Nothing before a handshake.
    pub facts: Option<Facts>,
    /// Policies that could not be evaluated, and why.
    pub errors: Vec<(Arc<str>, String)>,
    /// Whether a policy that took part looks at the clock.
    pub timed: bool,
}

impl CedarEngine {
    /// An engine that has decided nothing yet.
    #[must_use]
    pub fn new(compiled: Compiled) -> Self {
        let roots = compiled.trust.roots.iter().filter_map(|root| root.peer()).collect();
        Self { compiled, roots, authorizer: Authorizer::new(), kept: Decisions::default() }
    }

    /// What it decides with.
    #[must_use]
    pub const fn compiled(&self) -> &Compiled {
        &self.compiled
    }

    /// How facts are read and written down.
    #[must_use]
    pub fn reader(&self) -> Reader<'_> {
        let Compiled { names, roster, trust, .. } = &self.compiled;
        Reader { names, roster, trust, roots: &self.roots }
    }

    /// Decides anew, with this beside the question.
    #[must_use]
    pub fn judge(&self, question: &Question<'_>, beside: &Beside) -> Judged {
        // No input is known to break Cedar. If one does, the node goes on, without allowing it.
        let judged = catch_unwind(AssertUnwindSafe(|| self.try_judge(question, beside)));
        judged.unwrap_or_else(|_| Ok(broken("the engine broke on this question"))).unwrap_or_else(
            |error| {
                tracing::error!(%error, action = question.action.name(), "a question has no form");
                broken(&error)
            },
        )
    }

    fn try_judge(&self, question: &Question<'_>, beside: &Beside) -> Result<Judged, String> {
        let reader = self.reader();
        let Some(facts) = reader.read(question, beside) else {
            return Ok(broken("nobody is proven yet"));
        };
        let rules = &self.compiled.rules;
        let slice = rules
            .slice_of(facts.principal_kind, question.action, facts.resource_kind)
            .ok_or("this kind of question is unknown")?;
        let chosen = reader.choose(&facts, question, slice);
        let (request, entities) = reader.write(&facts, question, beside, &chosen)?;
        let verdict = Verdict::of(&self.authorizer, &request, &entities, &chosen);
        let mut deciding: Vec<_> = verdict
            .by
            .iter()
            .filter_map(|id| rules.place(id).map(|place| (place, rules.find(id))))
            .collect();
        deciding.sort_by_key(|(place, _)| *place);
        let deciding: Vec<_> = deciding.into_iter().filter_map(|(_, rule)| rule).collect();
        let ruling = match (verdict.decision, verdict.errors.first()) {
            // A policy that cannot be evaluated may have been the one that forbids.
            (_, Some((id, _))) => Ruling::Deny(Objection {
                rules: [Arc::clone(id)].into(),
                reason: Some(format!("the policy {id} could not be evaluated").into()),
            }),
            (Decision::Allow, None) => Ruling::Allow(ids(&deciding)),
            (Decision::Deny, None) => Ruling::Deny(Objection {
                rules: ids(&deciding),
                reason: Some(match deciding.first() {
                    Some(rule) => Arc::clone(&rule.reason),
                    None => missing(&facts, &chosen)
                        .or_else(|| self.for_others(question.action, &facts))
                        .unwrap_or_else(|| NOBODY.into()),
                }),
            }),
        };
        let timed = chosen.looks_at("now");
        Ok(Judged { ruling, facts: Some(facts), errors: verdict.errors, timed })
    }

    /// What a rule says that allows the action to others than this kind of principal.
    fn for_others(&self, action: Action, facts: &Facts) -> Option<Arc<str>> {
        let concerns = |rule: &&Arc<Rule>| {
            !rule.forbids
                && rule.names_action(action)
                && rule.concerns_resource(&facts.resource, &[])
        };
        self.compiled.rules.list().iter().find(concerns).map(|rule| Arc::clone(&rule.reason))
    }
}

/// What Cedar says of all parts together: one that forbids outdoes all that permit.
struct Verdict {
    decision: Decision,
    by: Vec<Arc<str>>,
    errors: Vec<(Arc<str>, String)>,
}

impl Verdict {
    fn of(
        authorizer: &Authorizer,
        request: &Request,
        entities: &Entities,
        chosen: &Chosen<'_>,
    ) -> Self {
        let mut verdict = Self { decision: Decision::Deny, by: Vec::new(), errors: Vec::new() };
        let mut forbidden = false;
        for part in &chosen.parts {
            let answer = authorizer.is_authorized(request, &part.set, entities);
            let errors = answer.diagnostics().errors();
            verdict.errors.extend(errors.map(
                |AuthorizationError::PolicyEvaluationError(error)| {
                    let id: &str = error.policy_id().as_ref();
                    (Arc::from(id), error.to_string())
                },
            ));
            let by = answer.diagnostics().reason().map(|id| Arc::from(AsRef::<str>::as_ref(id)));
            match (answer.decision(), forbidden) {
                (Decision::Allow, true) => {}
                (Decision::Allow, false) => {
                    verdict.decision = Decision::Allow;
                    verdict.by.extend(by);
                }
                (Decision::Deny, _) => {
                    let by: Vec<_> = by.collect();
                    if !by.is_empty() && !forbidden {
                        forbidden = true;
                        verdict.decision = Decision::Deny;
                        verdict.by.clear();
                    }
                    verdict.by.extend(by);
                }
            }
        }
        verdict
    }
}

/// What the first rule says that would have allowed it under a condition.
fn missing(facts: &Facts, chosen: &Chosen<'_>) -> Option<Arc<str>> {
    let concerns = |rule: &&Arc<Rule>| {
        !rule.forbids
            && rule.concerns_principal(&facts.principal, &facts.around)
            && rule.concerns_resource(&facts.resource, &chosen.around)
    };
    chosen.rules().into_iter().find(concerns).map(|rule| Arc::clone(&rule.reason))
}

fn ids(rules: &[&Arc<Rule>]) -> RuleIds {
    rules.iter().map(|rule| Arc::clone(&rule.id)).collect()
}

fn broken(why: &str) -> Judged {
    let objection = Objection { rules: RuleIds::default(), reason: Some(why.into()) };
    Judged { ruling: Ruling::Deny(objection), facts: None, errors: Vec::new(), timed: true }
}

impl Engine for CedarEngine {
    fn rule(&self, question: &Question<'_>) -> Ruling {
        if let Some(ruling) = self.kept.get(question) {
            return ruling;
        }
        let judged = self.judge(question, &Beside::default());
        for (id, error) in &judged.errors {
            tracing::error!(policy = %id, %error, "a policy could not be evaluated: denied");
        }
        self.kept.put(question, &judged.ruling, true_until(question, judged.timed));
        judged.ruling
    }

    fn access(&self) -> Access {
        self.compiled.access
    }
}

/// Until when a decision stays true, Unix time in ms: no grant ends or begins before.
fn true_until(question: &Question<'_>, timed: bool) -> u64 {
    let now = question.now_ms;
    let life = if timed { DECISION_TIMED_MS } else { DECISION_MS };
    let end = question.held.changes_ms(now).unwrap_or(u64::MAX);
    now.saturating_add(life).min(end).min(next_begin(question.held, now))
}

/// When the next of the grants that do not count yet begins.
fn next_begin(held: &Held, now: u64) -> u64 {
    let begins =
        held.rights.iter().map(|rights| rights.not_before_ms().saturating_sub(CLOCK_TOLERANCE_MS));
    begins.filter(|begin| *begin > now).min().unwrap_or(u64::MAX)
}

#[cfg(test)]
pub(super) mod tests;

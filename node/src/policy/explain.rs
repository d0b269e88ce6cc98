//! Why a request is allowed or denied: what decided, what else was in question, what each grant counts for.
//! Invariant: the decision is that of the node's own function; what is told about it changes nothing.
//! Not here: reading what was asked (`crate::cli`), the words around it.

use std::collections::BTreeSet;
use std::sync::Arc;

use cedar_policy::{Authorizer, PolicySet as Cedar};
use peerloom_shared::grant::{Audience, Chain, Context, GrantError, Revocations, Rights, path_of};
use peerloom_shared::policy::{
    Action, Class, Held, PolicySet, Question, Resource, Ruling, Subject, Trust, Verdict,
};

use super::beside::{Along, Beside, Noted, Shown};
use super::engine::{CedarEngine, Judged};
use super::folder::Loaded;
use super::rule::Rule;

/// The epoch of a set that is only asked.
const ASKED: u64 = 0;

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who wants to act.
    pub subject: Subject,
    /// What.
    pub action: Action,
    /// On what.
    pub resource: Resource,
    /// What the subject says it is.
    pub class: Class,
    /// When, Unix time in ms.
    pub at_ms: u64,
    /// What it shows.
    pub offers: Vec<Offer>,
    /// The ids in hex of links that were taken back.
    pub revoked: BTreeSet<String>,
}

impl Request {
    /// A question of somebody who shows nothing, at this Unix time in ms.
    #[must_use]
    pub fn new(
        subject: Subject,
        action: Action,
        resource: Resource,
        class: Class,
        at_ms: u64,
    ) -> Self {
        let (offers, revoked) = (Vec::new(), BTreeSet::new());
        Self { subject, action, resource, class, at_ms, offers, revoked }
    }

    /// The first of these links that was taken back.
    fn first_revoked(&self, ids: impl Iterator<Item = String>) -> Option<usize> {
        ids.into_iter().position(|id| self.revoked.contains(&id))
    }
}

/// A grant that somebody shows.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Where it came from, in words.
    pub from: String,
    /// The grant.
    pub grant: Grant,
}

/// The same, in one of its forms.
#[derive(Clone, Debug)]
pub enum Grant {
    /// A chain of links, of which nothing is believed yet.
    Chain(Chain),
    /// Bytes that are no chain.
    Malformed(GrantError),
    /// A text that is no invite, and why.
    NoInvite(String),
    /// One that was verified before, as it was noted down.
    Noted(Noted),
}

/// What a grant counts for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weight {
    /// Where it came from.
    pub from: String,
    /// Whether it counts here and now for anything.
    pub counts: bool,
    /// Whether it allows what is asked.
    pub allows: bool,
    /// The first link that fails, counted from 0; `None` where the whole is at fault, or nothing is.
    pub link: Option<usize>,
    /// The first field that fails.
    pub field: Option<&'static str>,
    /// What is wrong with it, or what it allows.
    pub why: String,
}

/// A policy whose scope has what is asked.
#[derive(Clone, Debug)]
pub struct Part {
    /// The policy.
    pub rule: Arc<Rule>,
    /// Whether its condition holds; an error where it could not be evaluated.
    pub holds: Result<bool, String>,
    /// Whether it decided.
    pub decided: bool,
}

/// What there is to tell.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The decision.
    pub allowed: bool,
    /// The rules that decided, or in place of one what the lists are called.
    pub by: Vec<String>,
    /// In words, why not.
    pub reason: Option<String>,
    /// Whether something forbids it, so that no grant could change it.
    pub forbidden: bool,
    /// Whether the lists decided, so that no policy was asked.
    pub listed: bool,
    /// All policies whose scope has what is asked, in the order of loading.
    pub parts: Vec<Part>,
    /// All that was shown.
    pub grants: Vec<Weight>,
    /// Whether the subject counts as a member.
    pub member: bool,
    /// Whether its key is a root.
    pub root: bool,
    /// Groups and roles that it is in.
    pub around: Vec<String>,
}

/// Field and words of a grant that was taken back.
const REVOKED: (&str, &str) = ("revocation", "this node has taken it back");

/// Asks a folder that is right, and tells why it answers so.
#[must_use]
pub fn explain(loaded: &Loaded, request: &Request) -> Explanation {
    let engine = Arc::new(CedarEngine::new(loaded.compiled.clone()));
    let mut verified = Vec::new();
    let mut beside = Beside::default();
    let mut grants = Vec::new();
    for offer in &request.offers {
        grants.push(weigh(offer, &engine, request, &mut verified, &mut beside));
    }
    let held = Held { class: request.class, rights: verified.into(), ..Held::default() };
    let question = Question {
        subject: &request.subject,
        action: request.action,
        resource: &request.resource,
        held: &held,
        now_ms: request.at_ms,
    };
    let judged = engine.judge(&question, &beside);
    let parts = parts(&engine, &question, &beside, &judged);
    let along = Along { engine: Arc::clone(&engine), beside };
    let set = PolicySet::from_rules(loaded.lists.clone(), ASKED)
        .trusting(loaded.compiled.trust.clone())
        .with_engine(Arc::new(along));
    let verdict = set.authorize(&question);
    let facts = judged.facts.as_ref();
    let mut told = Explanation {
        allowed: verdict.is_allowed(),
        by: Vec::new(),
        reason: None,
        forbidden: false,
        listed: false,
        parts,
        grants,
        member: facts.is_some_and(|facts| facts.member),
        root: facts.is_some_and(|facts| facts.is_root),
        around: facts
            .map(|it| it.around.iter().map(ToString::to_string).collect())
            .unwrap_or_default(),
    };
    match verdict {
        Verdict::Allow(permit) => {
            told.by = permit.rules().iter().map(ToString::to_string).collect();
        }
        Verdict::Deny(denial) => {
            told.forbidden = denial.forbidden;
            told.by = match &judged.ruling {
                Ruling::Deny(objection)
                    if objection.rules.iter().any(|id| **id == *denial.rule) =>
                {
                    objection.rules.iter().map(ToString::to_string).collect()
                }
                Ruling::Deny(_) | Ruling::Allow(_) => vec![denial.rule.to_string()],
            };
            told.listed = LISTS.iter().any(|(name, _)| *name == denial.rule);
            let listed = LISTS.iter().find(|(name, _)| *name == denial.rule);
            let of_lists = listed.map(|(_, reason)| (*reason).to_owned());
            told.reason = of_lists.or_else(|| denial.reason.map(|reason| reason.to_string()));
        }
    }
    if told.listed {
        told.parts.clear();
    }
    told
}

/// What the lists say no by, and what that means.
const LISTS: [(&str, &str); 4] = [
    ("deny.peers", "`rules.toml` denies this peer, or the peer that is asked for"),
    (
        "deny.nets",
        "`rules.toml` denies the network that it comes from, or the one that is asked for",
    ),
    ("allow.lists", "`rules.toml` allows others only"),
    ("subject.unproven", "nobody has proven a key yet, so nothing but connecting can be tried"),
];

/// All policies whose scope has the question. Each is asked alone, so that those count that others outdo.
fn parts(
    engine: &CedarEngine,
    question: &Question<'_>,
    beside: &Beside,
    judged: &Judged,
) -> Vec<Part> {
    let Some(facts) = &judged.facts else { return Vec::new() };
    let rules = &engine.compiled().rules;
    let kinds = (facts.principal_kind, question.action, facts.resource_kind);
    let Some(slice) = rules.slice_of(kinds.0, kinds.1, kinds.2) else { return Vec::new() };
    let reader = engine.reader();
    let chosen = reader.choose(facts, question, slice);
    let Ok((asked, entities)) = reader.write(facts, question, beside, &chosen) else {
        return Vec::new();
    };
    let decided: Vec<&str> = match &judged.ruling {
        Ruling::Allow(by) => by.iter().map(AsRef::as_ref).collect(),
        Ruling::Deny(objection) => objection.rules.iter().map(AsRef::as_ref).collect(),
    };
    let in_scope = |rule: &&Arc<Rule>| {
        rule.concerns_principal(&facts.principal, &facts.around)
            && rule.concerns_resource(&facts.resource, &chosen.around)
    };
    let authorizer = Authorizer::new();
    let alone = |rule: &Arc<Rule>| {
        let set = Cedar::from_policies([rule.policy.clone()]).map_err(|error| error.to_string())?;
        let answer = authorizer.is_authorized(&asked, &set, &entities);
        match answer.diagnostics().errors().next() {
            Some(error) => Err(error.to_string()),
            None => Ok(answer.diagnostics().reason().next().is_some()),
        }
    };
    let part = |rule: &Arc<Rule>| Part {
        rule: Arc::clone(rule),
        holds: alone(rule),
        decided: decided.contains(&rule.id.as_ref()),
    };
    chosen.rules().into_iter().filter(in_scope).map(part).collect()
}

/// Looks at one grant, and puts it to what the subject holds if it counts.
fn weigh(
    offer: &Offer,
    engine: &CedarEngine,
    request: &Request,
    verified: &mut Vec<Arc<Rights>>,
    beside: &mut Beside,
) -> Weight {
    let trust = &engine.compiled().trust;
    let refused = |link, field, why| Weight {
        from: offer.from.clone(),
        counts: false,
        allows: false,
        link,
        field,
        why,
    };
    let of_error = |error: &GrantError| {
        refused(Some(error.link), Some(error.field.name()), error.fault.to_string())
    };
    match &offer.grant {
        Grant::Malformed(error) => of_error(error),
        Grant::NoInvite(why) => refused(None, None, why.clone()),
        Grant::Chain(chain) => {
            let holder = request.subject.peer().and_then(|peer| Audience::of_peer(&peer));
            let Some(holder) = holder else {
                let why = "only a peer with an Ed25519 key holds grants".to_owned();
                return refused(None, Some("audience"), why);
            };
            let context = Context {
                network: &trust.network,
                now_ms: request.at_ms,
                holder,
                roots: &trust.roots,
                owners: &[],
                revocations: &Revocations::new(trust.network),
            };
            match chain.verify(&context) {
                Err(error) => of_error(&error),
                Ok(rights) => {
                    let ids = rights.ids().iter().map(ToString::to_string);
                    if let Some(link) = request.first_revoked(ids) {
                        return refused(Some(link), Some(REVOKED.0), REVOKED.1.to_owned());
                    }
                    let weight = fits(offer, Shown::Verified(&rights), request);
                    verified.push(Arc::new(rights));
                    weight
                }
            }
        }
        Grant::Noted(noted) => {
            let shown = Shown::Noted(noted);
            let trusted = engine.reader().counts(shown, &request.resource);
            let unknown = (!trusted).then_some(("issuer", "nobody here trusts whom it comes from"));
            let failing = failing(noted, request, trust).or(unknown);
            if let Some((field, why)) = failing {
                return refused(None, Some(field), why.to_owned());
            }
            if let Some(link) = request.first_revoked(noted.ids.iter().cloned()) {
                return refused(Some(link), Some(REVOKED.0), REVOKED.1.to_owned());
            }
            beside.noted.push(noted.clone());
            fits(offer, shown, request)
        }
    }
}

/// The first field by which a grant that was noted down counts for nothing, whoever it comes from.
fn failing(
    noted: &Noted,
    request: &Request,
    trust: &Trust,
) -> Option<(&'static str, &'static str)> {
    if !noted.redeemed {
        Some(("audience", "it is an invite that nobody has accepted"))
    } else if noted.network != trust.network {
        Some(("network", "it belongs to another network"))
    } else if !noted.is_valid_at(request.at_ms) {
        Some(("expiry", "it does not count at this time"))
    } else {
        None
    }
}

/// What a grant that counts has to do with the question.
fn fits(offer: &Offer, shown: Shown<'_>, request: &Request) -> Weight {
    let weight = |allows, field, why| Weight {
        from: offer.from.clone(),
        counts: true,
        allows,
        link: None,
        field,
        why,
    };
    let on = match shown.prefix().as_str() {
        "" => "everything".to_owned(),
        prefix => format!("`{prefix}`"),
    };
    let names: Vec<&str> = shown.actions().iter().map(Action::name).collect();
    let path = path_of(&request.resource).unwrap_or_default();
    if !shown.actions().contains(request.action) {
        let all = if names.is_empty() { "nothing by itself".to_owned() } else { names.join(" ") };
        weight(false, Some("actions"), format!("it allows {all} on {on}"))
    } else if !shown.allows(request.action, &path) {
        weight(false, Some("prefix"), format!("it allows {} on {on} only", request.action))
    } else {
        weight(true, None, format!("it allows {} on {on}", request.action))
    }
}

#[cfg(test)]
mod tests;

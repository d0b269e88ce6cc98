//! Whether a question sees all policies that could decide it, whatever the slices leave out.
//! Invariant: the answer of the slices is that of all policies in one set.
//! Not here: what single policies say (`engine`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use cedar_policy::{Authorizer, Decision};
use peerloom_shared::grant::ActionSet;
use peerloom_shared::policy::{Access, Action, Resource, Ruling, Subject};
use proptest::prelude::*;

use super::*;
use crate::policy::beside::Beside;
use crate::policy::engine::tests::{asked, engine, holding, peer, rights_by};

/// When the grants of these tests end, Unix time in ms.
const END: u64 = 1_700_003_600_000;

/// Two peers in groups that lie in others, one in none.
fn town() -> String {
    let (two, three) = (peer(2), peer(3));
    format!(
        "[groups.garden]\nmembers = [\"{two}\"]\ngroups = [\"town\"]\n[groups.town]\n\
         roles = [\"guest\"]\n[groups.office]\nmembers = [\"{two}\", \"{three}\"]\n[roles.guest]\n"
    )
}

fn principals() -> Vec<String> {
    let mut scopes: Vec<String> =
        ["principal", "principal is Peer", "principal is LocalUser"].map(str::to_owned).into();
    for group in ["Group::\"garden\"", "Group::\"town\"", "Group::\"office\"", "Role::\"guest\""] {
        scopes.push(format!("principal in {group}"));
        scopes.push(format!("principal is Peer in {group}"));
    }
    scopes.extend([2, 3].map(|seed| format!("principal == Peer::\"{}\"", peer(seed))));
    scopes.push("principal in Group::\"anonymous\"".to_owned());
    scopes
}

fn resources() -> Vec<String> {
    let mut scopes: Vec<String> = ["resource", "resource is Topic"].map(str::to_owned).into();
    for name in ["topic/a", "topic/a/b", "topic"] {
        scopes.push(format!("resource in Namespace::\"{name}\""));
        scopes.push(format!("resource is Topic in Namespace::\"{name}\""));
    }
    scopes.extend(["a", "a/b", "c"].map(|name| format!("resource == Topic::\"{name}\"")));
    scopes
}

const CONDITIONS: [&str; 7] = [
    "true",
    "context.member",
    "principal in Group::\"town\"",
    "Group::\"garden\" in Role::\"guest\"",
    "resource in Namespace::\"topic/a\"",
    "context.path == \"direct\"",
    // Fails where it is evaluated.
    "context.now + 9223372036854775807 > 0",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn slices_answer_as_the_whole_set_does(
        rules in prop::collection::vec(
            (any::<bool>(), 0..14_usize, 0..11_usize, 0..60_usize), 1..14),
    ) {
        let (principals, resources) = (principals(), resources());
        let mut text = String::new();
        for (number, (forbids, who, what, when)) in rules.iter().enumerate() {
            let effect = if *forbids { "forbid" } else { "permit" };
            let (who, what) = (&principals[*who], &resources[*what]);
            // The condition that fails is the rarest: it decides all by itself.
            let when = CONDITIONS.get(when % 10).filter(|_| *when < 57).unwrap_or(&CONDITIONS[0]);
            writeln!(
                text,
                "@id(\"r{number}\") @reason(\"r\") {effect} ({who}, action == \
                 Action::\"topic.publish\", {what}) when {{ {when} }};"
            ).expect("memory");
        }
        // What Cedar's validator refuses, as a condition that can never be true, is no policy.
        let Ok(engine) = std::panic::catch_unwind(|| engine(Access::Open, &town(), &text)) else {
            return Ok(());
        };
        for seed in [2, 3, 5] {
            let subject = Subject::author(peer(seed));
            let rights = rights_by(1, seed, ActionSet::EMPTY, "", END);
            let held = holding(if seed == 3 { Vec::new() } else { vec![rights] });
            for name in ["a", "a/b", "ab", "c", "d"] {
                let resource = Resource::Topic(name.to_owned());
                let question = asked(&subject, Action::TopicPublish, &resource, &held);
                let judged = engine.judge(&question, &Beside::default());
                let facts = judged.facts.expect("facts");
                let compiled = engine.compiled();
                let slice = compiled
                    .rules
                    .slice_of(facts.principal_kind, question.action, facts.resource_kind)
                    .expect("a slice");
                let mut all = engine.reader().choose(&facts, &question, slice);
                all.parts = slice.parts.values().map(Arc::as_ref).collect();
                let (request, entities) = engine
                    .reader()
                    .write(&facts, &question, &Beside::default(), &all)
                    .expect("right");
                let policies = compiled.rules.list().iter().map(|rule| rule.policy.clone());
                let set = PolicySet::from_policies(policies).expect("ids differ");
                let answer = Authorizer::new().is_authorized(&request, &set, &entities);
                let by: BTreeSet<String> =
                    answer.diagnostics().reason().map(ToString::to_string).collect();
                let broken: BTreeSet<String> =
                    judged.errors.iter().map(|(id, _)| id.to_string()).collect();
                prop_assert_eq!(answer.diagnostics().errors().count(), broken.len(), "{}", &text);
                match &judged.ruling {
                    Ruling::Allow(ids) => {
                        prop_assert_eq!(answer.decision(), Decision::Allow, "{}", &text);
                        let ids: BTreeSet<String> = ids.iter().map(ToString::to_string).collect();
                        prop_assert_eq!(ids, by, "{}", &text);
                    }
                    Ruling::Deny(objection) if broken.is_empty() => {
                        prop_assert_eq!(answer.decision(), Decision::Deny, "{}", &text);
                        let ids: BTreeSet<String> =
                            objection.rules.iter().map(ToString::to_string).collect();
                        prop_assert_eq!(ids, by, "{}", &text);
                    }
                    Ruling::Deny(_) => {}
                }
            }
        }
    }
}

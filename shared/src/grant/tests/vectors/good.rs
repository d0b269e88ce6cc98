//! Chains that count.

use super::*;

fn one(change: impl Fn(&mut Body)) -> Vec<u8> {
    bytes_of(&links(1, |_, body| change(body)))
}

fn at(now_ms: u64, count: u8) -> Scene {
    Scene { now_ms, ..Scene::shown_by(count) }
}

pub(super) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for count in 1..=4 {
        cases.push(Case::new(format!("good/links/{count}"), Scene::shown_by(count), chain(count)));
    }
    for action in Action::ALL {
        let bytes = one(|body| body.terms.actions = ActionSet::EMPTY.with(action));
        cases.push(Case::new(format!("good/action/{action}"), Scene::shown_by(1), bytes));
    }
    for (name, bits) in [("none", 0), ("all", !0), ("unknown only", 1 << 63)] {
        let bytes = one(|body| body.terms.actions = ActionSet::from_bits(bits));
        cases.push(Case::new(format!("good/actions/{name}"), Scene::shown_by(1), bytes));
    }
    let long = "x".repeat(128);
    for (name, text) in [
        ("everything", ""),
        ("longest", &long),
        ("empty segment", "protocol//x/1"),
        ("not ASCII", "topic/花园"),
    ] {
        let bytes = one(|body| body.terms.prefix = Prefix::new(text).unwrap());
        cases.push(Case::new(format!("good/prefix/{name}"), Scene::shown_by(1), bytes));
    }
    let largest = bytes_of(&links(4, |_, body| body.terms.prefix = Prefix::new(&long).unwrap()));
    cases.push(Case::new("good/length/longest chain", Scene::shown_by(4), largest));
    cases.extend(times());
    cases.extend(roots());
    cases.extend(steps());
    cases.extend(revocations());
    cases
}

fn times() -> Vec<Case> {
    let (begin, end) = (terms(0).not_before_ms, terms(0).expires_ms);
    let mut cases: Vec<_> = [
        ("first moment", begin),
        ("before the beginning, within the tolerance", begin - TOLERANCE),
        ("last moment", end - 1),
        ("after the end, within the tolerance", end + TOLERANCE - 1),
    ]
    .into_iter()
    .map(|(name, now_ms)| Case::new(format!("good/time/{name}"), at(now_ms, 1), chain(1)))
    .collect();
    let longest = one(|body| body.terms.expires_ms = body.terms.not_before_ms + LIFE_MAX);
    cases.push(Case::new("good/time/90 days", Scene::shown_by(1), longest));
    let last = one(|body| {
        body.terms.not_before_ms = u64::MAX - 1;
        body.terms.expires_ms = u64::MAX;
    });
    cases.push(Case::new("good/time/end of time", at(u64::MAX - 1, 1), last));
    cases
}

fn roots() -> Vec<Case> {
    let owner = |text: &str| Owner { key: key(0), owned: Prefix::new(text).unwrap() };
    let several = Scene { roots: vec![key(7), key(0)], ..Scene::shown_by(1) };
    let owned = |owners| Scene { roots: Vec::new(), owners, ..Scene::shown_by(1) };
    vec![
        Case::new("good/root/one of several", several, chain(1)),
        Case::new("good/root/owner of exactly this", owned(vec![owner("topic")]), chain(1)),
        Case::new("good/root/owner of more", owned(vec![owner("")]), chain(1)),
        Case::new(
            "good/root/owner of several things",
            owned(vec![owner("content"), owner("topic")]),
            chain(1),
        ),
    ]
}

fn steps() -> Vec<Case> {
    let two = |change: &dyn Fn(u8, &mut Body)| bytes_of(&links(2, change));
    let to_invite = two(&|n, body| {
        if n == 0 {
            body.terms.audience = Audience::Invite(key(1));
        }
    });
    let invite_only = one(|body| body.terms.audience = Audience::Invite(key(1)));
    let holder = Scene { holder: Audience::Invite(key(1)), ..Scene::shown_by(1) };
    let same = two(&|_, body| {
        body.terms = Terms { audience: body.terms.audience, depth: body.terms.depth, ..terms(0) };
    });
    let uses = |above: u16, below: u16| {
        two(&move |n, body| body.terms.max_uses = if n == 0 { above } else { below })
    };
    let unknown = two(&|_, body| body.terms.actions = ActionSet::from_bits(1 << 40));
    let deep = two(&|n, body| body.terms.depth = 255 - n);
    vec![
        Case::new("good/step/through an invite", Scene::shown_by(2), to_invite),
        Case::new("good/step/an invite not yet accepted", holder, invite_only),
        Case::new("good/step/nothing narrower but depth", Scene::shown_by(2), same),
        Case::new("good/step/uses limited below", Scene::shown_by(2), uses(0, 3)),
        Case::new("good/step/uses equal", Scene::shown_by(2), uses(3, 3)),
        Case::new("good/step/uses fewer", Scene::shown_by(2), uses(3, 1)),
        Case::new("good/step/unknown actions passed on", Scene::shown_by(2), unknown),
        Case::new("good/step/greatest depth", Scene::shown_by(2), deep),
    ]
}

fn revocations() -> Vec<Case> {
    let case =
        |name: &str| Case::new(format!("good/not revoked/{name}"), Scene::shown_by(2), chain(2));
    let first = links(1, |_, _| ())[0].id();
    vec![
        case("empty list").after_list(0, &[]),
        case("another peer").after_list(0, &[entry(Target::Peer(key(9)), NOW)]),
        case("the link began later")
            .after_list(0, &[entry(Target::Peer(key(2)), terms(0).not_before_ms)]),
        case("by somebody below").after_list(1, &[entry(Target::Grant(first), NOW + DAY)]),
        case("by a stranger").after_list(9, &[entry(Target::Peer(key(2)), NOW)]),
    ]
}

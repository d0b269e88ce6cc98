//! How fast a node decides, and how fast it verifies what peers show: `cargo xtask bench policy`.
//! Invariant: each call is timed alone, and what is timed is what the node calls.
//! Not here: whether the decisions are right (the tests).

use std::fmt::Write as _;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use cedar_policy::{Authorizer, PolicySet as Cedar};
use libp2p::identity::Keypair;
use libp2p::identity::ed25519::{Keypair as Ed25519, SecretKey};
use peerloom_node::policy::beside::Beside;
use peerloom_node::policy::engine::CedarEngine;
use peerloom_node::policy::folder::{Loaded, Wanted, load};
use peerloom_shared::PeerId;
use peerloom_shared::grant::{
    ActionSet, Audience, Chain, Context, Key, Prefix, Revocations, Rights, Signer, Terms,
};
use peerloom_shared::policy::{Access, Action, Held, PolicySet, Question, Resource, Subject};

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;
/// Actions of the made-up policies, in turn.
const ACTIONS: [Action; 4] =
    [Action::TopicPublish, Action::TopicSubscribe, Action::ContentFetch, Action::DmSend];

type Fallible<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Fallible<()> {
    println!("{:<58} {:>9} {:>9} {:>9}", "", "p50 us", "p99 us", "max us");
    row("the clock alone", &times(200_000, |_| ()));
    for policies in [200, 1_000] {
        decisions(policies)?;
    }
    chains()
}

/// Times each call alone, in ns, after as many calls that are not counted as a tenth.
fn times<T>(count: u32, mut call: impl FnMut(u32) -> T) -> Vec<u128> {
    for number in 0..count / 10 {
        black_box(call(number));
    }
    let mut times = Vec::new();
    for number in 0..count {
        let began = Instant::now();
        black_box(call(number));
        times.push(began.elapsed().as_nanos());
    }
    times.sort_unstable();
    times
}

fn row(what: &str, times: &[u128]) {
    let at = |per_mille: usize| {
        let place = times.len().saturating_mul(per_mille) / 1_000;
        times.get(place.min(times.len().saturating_sub(1))).copied().unwrap_or_default()
    };
    let micros = |nanos: u128| {
        let nanos = u32::try_from(nanos).unwrap_or(u32::MAX);
        format!("{:.2}", f64::from(nanos) / 1_000.0)
    };
    println!("{what:<58} {:>9} {:>9} {:>9}", micros(at(500)), micros(at(990)), micros(at(1_000)));
}

fn signer(seed: u8) -> Fallible<Signer> {
    Ok(Signer::from(SecretKey::try_from_bytes([seed; 32])?))
}

fn peer(seed: u8) -> Fallible<PeerId> {
    Ok(Keypair::ed25519_from_bytes([seed; 32])?.public().to_peer_id())
}

/// A folder of so many policies, which name 50 groups and as many topics as there are policies.
fn folder(policies: usize) -> Fallible<Loaded> {
    let dir = tempfile::tempdir()?;
    let (mut cedar, mut entities, mut tests) = (String::new(), String::new(), String::new());
    for group in 0..50 {
        let peer = peer(100)?;
        write!(entities, "[groups.g{group}]\nmembers = [\"{peer}\"]\n")?;
    }
    for number in 0..policies {
        let action = ACTIONS.get(number % ACTIONS.len()).map_or("", |action| action.name());
        let (kind, group) = (["Topic", "Topic", "Content", "Mailbox"], number % 50);
        let kind = kind.get(number % ACTIONS.len()).copied().unwrap_or_default();
        let effect = if number % 5 == 0 { "forbid" } else { "permit" };
        let scope = if kind == "Mailbox" {
            "resource".to_owned()
        } else {
            format!("resource == {kind}::\"t{number}\"")
        };
        write!(
            cedar,
            "@id(\"p{number}\")\n@reason(\"policy {number} says so\")\n{effect} (principal in \
             Group::\"g{group}\", action == Action::\"{action}\", {scope})\nwhen {{ context.member }};\n\n"
        )?;
    }
    for action in ACTIONS {
        let on = if action == Action::DmSend {
            format!("mailbox/{}", peer(3)?)
        } else if action == Action::ContentFetch {
            "content/none".to_owned()
        } else {
            "topic/none".to_owned()
        };
        for (who, expect) in [("root", "allow"), ("anonymous", "deny")] {
            let name = action.name();
            write!(
                tests,
                "[[test]]\nname = \"{name} {who}\"\nwho = \"{who}\"\ndo = \"{name}\"\non = \"{on}\"\nexpect = \"{expect}\"\n"
            )?;
        }
    }
    for (name, text) in [("many.cedar", cedar), ("entities.toml", entities), ("tests.toml", tests)]
    {
        std::fs::write(dir.path().join(name), text)?;
    }
    let wanted = Wanted { access: Some(Access::Closed), own: Some(Key::of(&signer(1)?)) };
    let loaded = load(dir.path(), &wanted, NOW)?;
    Ok(loaded)
}

fn decisions(policies: usize) -> Fallible<()> {
    let loaded = folder(policies)?;
    let rights = Arc::new(rights(&loaded, 1)?.1);
    let held = Held { rights: [rights].into(), version: 1, ..Held::default() };
    let subject = Subject::author(peer(100)?);
    let engine = Arc::new(CedarEngine::new(loaded.compiled.clone()));
    let set = PolicySet::from_rules(loaded.lists.clone(), 1)
        .trusting(loaded.compiled.trust.clone())
        .with_engine(Arc::clone(&engine) as _);
    let topics: Vec<Resource> =
        (0..policies).map(|number| Resource::Topic(format!("t{number}"))).collect();
    let question = |number: u32| Question {
        subject: &subject,
        action: Action::TopicPublish,
        resource: topics
            .get(usize::try_from(number).unwrap_or_default() % topics.len())
            .unwrap_or(&Resource::Node),
        held: &held,
        now_ms: NOW,
    };
    row(
        &format!("known verdict, {policies} policies, 50 groups"),
        &times(200_000, |number| set.authorize(&question(number % 64))),
    );
    row(
        &format!("new verdict, {policies} policies, 50 groups"),
        &times(20_000, |number| engine.judge(&question(number), &Beside::default())),
    );
    whole(&engine, policies, &question)
}

/// Cedar with all policies in one set, for comparison.
fn whole<'a>(
    engine: &CedarEngine,
    policies: usize,
    question: &impl Fn(u32) -> Question<'a>,
) -> Fallible<()> {
    let compiled = engine.compiled();
    let all = Cedar::from_policies(compiled.rules.list().iter().map(|rule| rule.policy.clone()))?;
    let (reader, beside) = (engine.reader(), Beside::default());
    let first = question(1);
    let facts = reader.read(&first, &beside).ok_or("no facts")?;
    let slice = compiled
        .rules
        .slice_of(facts.principal_kind, first.action, facts.resource_kind)
        .ok_or("no slice")?;
    let chosen = reader.choose(&facts, &first, slice);
    let (request, entities) = reader.write(&facts, &first, &beside, &chosen)?;
    let authorizer = Authorizer::new();
    row(
        &format!("Cedar alone, {policies} policies in one set"),
        &times(2_000, |_| authorizer.is_authorized(&request, &all, &entities)),
    );
    Ok(())
}

/// A chain of so many links from the root to the peer 100, and what it allows.
fn rights(loaded: &Loaded, links: u8) -> Fallible<(Chain, Rights)> {
    let network = loaded.compiled.trust.network;
    let terms = |audience: Audience, depth: u8| -> Fallible<Terms> {
        Ok(Terms {
            audience,
            actions: ActionSet::from_iter(ACTIONS),
            not_before_ms: NOW - HOUR,
            expires_ms: NOW + HOUR,
            depth,
            max_uses: 0,
            nonce: [depth; 8],
            prefix: Prefix::new("topic")?,
        })
    };
    let audience = |place: u8| -> Fallible<Audience> {
        let seed = if place == links { 100 } else { place + 1 };
        Ok(Audience::of_peer(&peer(seed)?).ok_or("no Ed25519 key")?)
    };
    let mut chain = Chain::mint(network, &signer(1)?, terms(audience(1)?, links - 1)?)?;
    for place in 2..=links {
        chain = chain.delegate(&signer(place)?, terms(audience(place)?, links - place)?)?;
    }
    let rights = chain.verify(&context(loaded, &Revocations::new(network))?)?;
    Ok((chain, rights))
}

fn context<'a>(loaded: &'a Loaded, revocations: &'a Revocations) -> Fallible<Context<'a>> {
    let trust = &loaded.compiled.trust;
    Ok(Context {
        network: &trust.network,
        now_ms: NOW,
        holder: Audience::of_peer(&peer(100)?).ok_or("no Ed25519 key")?,
        roots: &trust.roots,
        owners: &[],
        revocations,
    })
}

fn chains() -> Fallible<()> {
    let loaded = folder(0)?;
    let revocations = Revocations::new(loaded.compiled.trust.network);
    for links in [1, 4] {
        let (chain, _) = rights(&loaded, links)?;
        let (bytes, context) = (chain.encode(), context(&loaded, &revocations)?);
        let what = format!("grant of {links} links, {} bytes, decoded and verified", bytes.len());
        row(
            &what,
            &times(2_000, |_| Chain::decode(&bytes).and_then(|chain| chain.verify(&context))),
        );
    }
    // The signature alone, which nothing can be faster than.
    let key = Ed25519::from(SecretKey::try_from_bytes([1; 32])?);
    let (text, public) = ([7; 200], key.public());
    let signature = key.sign(&text);
    row(
        "one Ed25519 signature, for orientation",
        &times(2_000, |_| public.verify(&text, &signature)),
    );
    Ok(())
}

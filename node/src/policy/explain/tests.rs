use libp2p::identity::Keypair;
use libp2p::identity::ed25519::SecretKey;
use peerloom_shared::PeerId;
use peerloom_shared::grant::{ActionSet, Key, Prefix, Signer, Terms};
use peerloom_shared::policy::Access;
use proptest::prelude::*;

use super::*;
use crate::policy::folder::{Wanted, load};

const NOW: u64 = 1_800_000_000_000;
const HOUR: u64 = 3_600_000;

fn signer(seed: u8) -> Signer {
    Signer::from(SecretKey::try_from_bytes([seed; 32]).expect("32 bytes"))
}

fn peer(seed: u8) -> PeerId {
    let secret = Keypair::ed25519_from_bytes([seed; 32]).expect("32 bytes");
    secret.public().to_peer_id()
}

fn closed(files: &[(&str, &str)]) -> Loaded {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        std::fs::write(dir.path().join(name), text).expect("written");
    }
    let wanted = Wanted { access: Some(Access::Closed), own: Some(Key::of(&signer(1))) };
    load(dir.path(), &wanted, NOW).expect("good")
}

fn network(loaded: &Loaded) -> peerloom_shared::grant::NetworkId {
    loaded.compiled.trust.network
}

/// A grant of the root to the peer 2.
fn grant(loaded: &Loaded, change: impl FnOnce(&mut Terms)) -> Offer {
    let mut terms = Terms {
        audience: Audience::of_peer(&peer(2)).expect("Ed25519"),
        actions: ActionSet::from_iter([Action::TopicPublish]),
        not_before_ms: NOW - HOUR,
        expires_ms: NOW + HOUR,
        depth: 0,
        max_uses: 0,
        nonce: [7; 8],
        prefix: Prefix::new("topic/garden").expect("a prefix"),
    };
    change(&mut terms);
    let chain = Chain::mint(network(loaded), &signer(1), terms).expect("a chain");
    Offer { from: "the grant".to_owned(), grant: Grant::Chain(chain) }
}

fn ask(loaded: &Loaded, on: &str, offers: Vec<Offer>) -> Explanation {
    let subject = Subject::Peer { id: peer(2), addr: None, relayed: false };
    let resource = Resource::Topic(on.to_owned());
    let mut request = Request::new(subject, Action::TopicPublish, resource, Class::Unknown, NOW);
    request.offers = offers;
    explain(loaded, &request)
}

#[test]
fn who_shows_nothing_is_told_which_policy_would_have_to_hold() {
    let loaded = closed(&[]);
    let told = ask(&loaded, "garden", Vec::new());
    assert!(!told.allowed && !told.forbidden && !told.listed && !told.member);
    assert_eq!(told.by, ["default.deny"]);
    assert!(told.reason.expect("a reason").contains("ask whoever runs this node"));
    let grants =
        told.parts.iter().find(|part| &*part.rule.id == "closed.grants").expect("in scope");
    assert_eq!(grants.holds, Ok(false));
}

#[test]
fn a_grant_that_fits_decides_and_each_that_does_not_is_named_by_its_field() {
    let loaded = closed(&[]);
    let told = ask(&loaded, "garden/roses", vec![grant(&loaded, |_| {})]);
    assert!(told.allowed && told.member, "{told:?}");
    assert_eq!(told.by, ["closed.grants"]);
    assert!(told.parts.iter().any(|part| part.decided && part.holds == Ok(true)));
    assert!(told.grants.iter().all(|weight| weight.counts && weight.allows));

    let other = closed(&[(
        "entities.toml",
        "[network]\nid = \"0101010101010101010101010101010101010101010101010101010101010101\"\n",
    )]);
    for (counts, field, offer) in [
        (false, "expiry", grant(&loaded, |it| it.expires_ms = NOW - HOUR / 2)),
        (false, "not_before", grant(&loaded, |it| it.not_before_ms = NOW + HOUR / 2)),
        (
            false,
            "audience",
            grant(&loaded, |it| it.audience = Audience::of_peer(&peer(3)).expect("one")),
        ),
        (false, "network", grant(&other, |_| {})),
        (true, "actions", grant(&loaded, |it| it.actions = ActionSet::from_iter([Action::DmSend]))),
        (
            true,
            "prefix",
            grant(&loaded, |it| it.prefix = Prefix::new("topic/gardens").expect("one")),
        ),
    ] {
        let told = ask(&loaded, "garden", vec![offer]);
        let [weight] = told.grants.as_slice() else { panic!("{told:?}") };
        assert!(!told.allowed && !weight.allows, "{field}");
        assert_eq!((weight.counts, weight.field), (counts, Some(field)), "{weight:?}");
        assert_eq!(told.member, counts, "{field}");
    }
}

#[test]
fn a_grant_that_was_taken_back_counts_for_nothing() {
    let loaded = closed(&[]);
    let offer = grant(&loaded, |_| {});
    let Grant::Chain(chain) = &offer.grant else { panic!("a chain") };
    let id = chain.last().id().to_string();
    let subject = Subject::author(peer(2));
    let on = Resource::Topic("garden".to_owned());
    let mut request = Request::new(subject, Action::TopicPublish, on, Class::Unknown, NOW);
    request.offers = vec![offer];
    assert!(explain(&loaded, &request).allowed);
    request.revoked.insert(id);
    let told = explain(&loaded, &request);
    assert!(!told.allowed && !told.member);
    let weight = told.grants.first().expect("one");
    assert_eq!((weight.link, weight.field), (Some(0), Some("revocation")));
}

#[test]
fn a_policy_that_forbids_and_the_lists_outdo_every_grant() {
    let quiet = "@id(\"quiet\")\n@reason(\"the garden sleeps\")\nforbid (principal is Peer, action == \
                 Action::\"topic.publish\", resource == Topic::\"garden\");\n";
    let tests = "[[test]]\nname = \"no\"\nwho = \"root\"\ndo = \"topic.publish\"\non = \"topic/garden\"\n\
                 expect = \"deny\"\n[[test]]\nname = \"yes\"\nwho = \"root\"\ndo = \"topic.publish\"\n\
                 on = \"topic/other\"\nexpect = \"allow\"\n";
    let loaded = closed(&[("quiet.cedar", quiet), ("tests.toml", tests)]);
    let told = ask(&loaded, "garden", vec![grant(&loaded, |_| {})]);
    assert!(!told.allowed && told.forbidden && !told.listed);
    assert_eq!(
        (told.by.as_slice(), told.reason.as_deref()),
        (&["quiet".to_owned()][..], Some("the garden sleeps"))
    );
    let holding: Vec<_> = told.parts.iter().filter(|part| part.holds == Ok(true)).collect();
    assert_eq!(holding.iter().filter(|part| part.decided).count(), 1);
    assert!(holding.len() >= 2, "the policy that would allow it is shown as well");
    assert!(ask(&loaded, "garden/roses", vec![grant(&loaded, |_| {})]).allowed);

    let lists = format!("[deny]\npeers = [\"{}\"]\n", peer(2));
    let loaded = closed(&[("rules.toml", &lists)]);
    let told = ask(&loaded, "garden", vec![grant(&loaded, |_| {})]);
    assert!(!told.allowed && told.listed && told.parts.is_empty());
    assert!(told.reason.expect("a reason").contains("rules.toml"));
}

#[test]
fn what_is_no_grant_is_said_and_nothing_breaks() {
    let loaded = closed(&[]);
    let malformed = Chain::decode(&[1, 2, 3]).expect_err("no chain");
    let no = Offer { from: "a".into(), grant: Grant::NoInvite("it ended".into()) };
    let odd = Offer { from: "b".into(), grant: Grant::Malformed(malformed) };
    let told = ask(&loaded, "garden", vec![no, odd, grant(&loaded, |_| {})]);
    assert!(told.allowed, "one that counts is enough");
    assert_eq!(told.grants.iter().filter(|weight| weight.counts).count(), 1);
    assert_eq!(told.grants.len(), 3);
}

proptest! {
    /// What is explained is what a node decides, for every action, grant and time.
    #[test]
    fn the_decision_is_the_nodes_own(
        action in prop::sample::select(Action::ALL.to_vec()),
        granted in prop::sample::select(Action::ALL.to_vec()),
        on in prop::sample::select(vec!["topic/garden", "topic/garden/x", "topic/other", "node", "content/a", "admin"]),
        prefix in prop::sample::select(vec!["", "topic/garden", "content"]),
        late in 0_u64..3,
    ) {
        let loaded = closed(&[]);
        let offer = grant(&loaded, |it| {
            it.actions = ActionSet::from_iter([granted]);
            it.prefix = Prefix::new(prefix).expect("a prefix");
        });
        let Grant::Chain(chain) = offer.grant.clone() else { panic!("a chain") };
        let now_ms = NOW + late * HOUR;
        let trust = &loaded.compiled.trust;
        let rights = chain.verify(&Context {
            network: &trust.network,
            now_ms,
            holder: Audience::of_peer(&peer(2)).expect("Ed25519"),
            roots: &trust.roots,
            owners: &[],
            revocations: &Revocations::new(trust.network),
        });
        let held = Held { rights: rights.into_iter().map(Arc::new).collect(), ..Held::default() };
        let subject = Subject::author(peer(2));
        let resource = peerloom_shared::grant::resource_of(on).expect("a resource");
        let set = PolicySet::from_rules(loaded.lists.clone(), 1)
            .trusting(trust.clone())
            .with_engine(Arc::new(CedarEngine::new(loaded.compiled.clone())));
        let question = Question { subject: &subject, action, resource: &resource, held: &held, now_ms };
        let decided = set.authorize(&question).is_allowed();
        let mut request = Request::new(subject.clone(), action, resource.clone(), Class::Unknown, now_ms);
        request.offers = vec![offer];
        prop_assert_eq!(explain(&loaded, &request).allowed, decided);
    }
}

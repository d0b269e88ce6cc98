use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::path::Path;

use peerloom_shared::grant::{
    ActionSet, Audience, Chain, Context, Key, Prefix, Revocations, Rights, Signer, Terms, path_of,
};
use peerloom_shared::policy::{Class, PolicySet, Resource, Rules as Lists, Subject, Verdict};
use proptest::prelude::*;

use super::*;
use crate::policy::compile::{Own, compile};
use crate::policy::entities_file;
use crate::policy::source;

const NOW: u64 = 1_700_000_000_000;
const HOUR: u64 = 3_600_000;

pub(super) fn signer(seed: u8) -> Signer {
    let mut seed = [seed; 32];
    libp2p::identity::ed25519::SecretKey::try_from_bytes(&mut seed).expect("32 bytes").into()
}

pub(in crate::policy) fn peer(seed: u8) -> PeerId {
    libp2p::identity::PublicKey::from(signer(seed).public()).to_peer_id()
}

/// The founder of the network of these tests.
fn trust() -> Trust {
    Trust::founded_by(Key::of(&signer(1)))
}

pub(in crate::policy) fn engine(access: Access, entities: &str, policies: &str) -> CedarEngine {
    let names = Arc::new(Names::new().expect("words"));
    let file = Path::new("entities.toml");
    let entities = entities_file::parse(file, entities).expect("right");
    let rules = source::rules(Path::new("own.cedar"), policies).expect("policies");
    let roster = entities.roster(file, &names).expect("groups");
    let own = Own { rules, texts: BTreeMap::new(), roster, trust: trust() };
    CedarEngine::new(compile(names, access, own).expect("fits the schema"))
}

pub(in crate::policy) fn rights_by(
    root: u8,
    holder: u8,
    actions: ActionSet,
    prefix: &str,
    end: u64,
) -> Arc<Rights> {
    let network = trust().network;
    let audience = Audience::Peer(Key::of_peer(&peer(holder)).expect("ed25519"));
    let terms = Terms {
        audience,
        actions,
        not_before_ms: end - 2 * HOUR,
        expires_ms: end,
        depth: 0,
        max_uses: 0,
        nonce: [0; 8],
        prefix: Prefix::new(prefix).expect("a prefix"),
    };
    let chain = Chain::mint(network, &signer(root), terms).expect("terms");
    let context = Context {
        network: &network,
        now_ms: end - HOUR,
        holder: audience,
        roots: &[Key::of(&signer(root))],
        owners: &[],
        revocations: &Revocations::new(network),
    };
    Arc::new(chain.verify(&context).expect("counts"))
}

pub(in crate::policy) fn holding(rights: Vec<Arc<Rights>>) -> Held {
    Held { version: 7, class: Class::Native, is_root: false, rights: rights.into() }
}

fn everything() -> ActionSet {
    Action::ALL.into_iter().collect()
}

/// A resource that fits the action, as the code asks about it; of topics one of each class.
fn fitting(action: Action) -> Vec<Resource> {
    match action {
        Action::ConnectIn => vec![Resource::Node],
        Action::ConnectOut | Action::DmSend => vec![Resource::Peer(peer(9))],
        Action::ProtocolOpen => {
            ["/meshsub", "/ipfs/ping/1.0.0", "/ipfs/id/1.0.0", "/peerloom/auth/1"]
                .map(|id| Resource::Protocol(id.to_owned()))
                .into()
        }
        Action::RelayReserve | Action::RelayCircuit => vec![Resource::Relay(peer(9))],
        Action::TopicSubscribe
        | Action::TopicPublish
        | Action::TopicRelay
        | Action::TopicHistory => {
            ["peerloom/open/lobby", "peerloom/members/garden", "peerloom/system/revocations"]
                .map(|name| Resource::Topic(name.to_owned()))
                .into()
        }
        Action::DhtPut | Action::DhtProvide | Action::DhtQuery => {
            vec![Resource::Key(b"key".to_vec())]
        }
        Action::ContentFetch | Action::ContentPin => vec![Resource::Content("bafy".to_owned())],
        Action::MailboxPut | Action::MailboxTake => vec![Resource::Mailbox(peer(9))],
        Action::HopForward => vec![Resource::Route(peer(9))],
        Action::InviteMint | Action::GrantRevoke => vec![Resource::Node],
        Action::AdminRead | Action::AdminWrite | Action::PolicyReload => vec![Resource::Admin],
    }
}

/// One resource of every kind.
fn every_resource() -> Vec<Resource> {
    let address = format!("/ip4/192.0.2.1/tcp/1/p2p/{}", peer(9)).parse().expect("an address");
    let bare = "/ip4/192.0.2.1/tcp/1".parse().expect("an address");
    let mut all = vec![
        Resource::Node,
        Resource::Admin,
        Resource::Peer(peer(9)),
        Resource::Relay(peer(9)),
        Resource::Mailbox(peer(9)),
        Resource::Route(peer(9)),
        Resource::Address(address),
        Resource::Address(bare),
        Resource::Key(vec![0, 255]),
        Resource::Content("c".to_owned()),
    ];
    all.extend(Action::ALL.into_iter().flat_map(fitting));
    all
}

fn subjects(id: PeerId) -> Vec<Subject> {
    let addr: Option<IpAddr> = Some("192.0.2.7".parse().expect("an address"));
    vec![
        Subject::Local,
        Subject::Peer { id, addr, relayed: false },
        Subject::Peer { id, addr, relayed: true },
        Subject::author(id),
        Subject::Address("192.0.2.7".parse().expect("an address")),
    ]
}

/// The profile `open` is what a node without policies does, but for grants and members' topics.
#[test]
fn open_is_what_the_lists_alone_allow() {
    let plain = PolicySet::from_rules(Lists::default(), 1);
    let engine: Arc<dyn Engine> = Arc::new(engine(Access::Open, "", ""));
    let cedar = plain.clone().with_engine(engine);
    let held = Held::default();
    let mut asked = 0;
    for subject in subjects(peer(2)) {
        for action in Action::ALL {
            for resource in every_resource() {
                let question = Question {
                    subject: &subject,
                    action,
                    resource: &resource,
                    held: &held,
                    now_ms: NOW,
                };
                let is_topic_action = action.name().starts_with("topic.");
                let members = matches!(&resource, Resource::Topic(name)
                    if is_topic_action && name.contains("/members/"))
                    && matches!(subject, Subject::Peer { .. });
                let expected = plain.authorize(&question).is_allowed() && !members;
                let found = cedar.authorize(&question).is_allowed();
                assert_eq!(found, expected, "{subject:?} {action} {resource:?}");
                asked += 1;
            }
        }
    }
    assert!(asked > 2_000, "{asked}");
}

#[test]
fn the_gossip_of_members_rooms_is_for_members() {
    let subject = Subject::author(peer(2));
    let gossip = Resource::Protocol(peerloom_shared::net::MEMBERS_PROTOCOL.to_owned());
    let member = holding(vec![rights_by(1, 2, ActionSet::EMPTY, "", NOW + HOUR)]);
    for access in Access::ALL {
        let engine = engine(access, "", "");
        for (held, expected) in [(&Held::default(), false), (&member, true)] {
            let question = asked(&subject, Action::ProtocolOpen, &gossip, held);
            let ruling = engine.rule(&question);
            assert_eq!(matches!(ruling, Ruling::Allow(_)), expected, "{access}: {ruling:?}");
        }
    }
}

#[test]
fn open_gives_grants_what_it_keeps_from_strangers() {
    let engine = engine(Access::Open, "", "");
    let subject = Subject::author(peer(2));
    let mailbox = Resource::Mailbox(peer(9));
    let put = ActionSet::EMPTY.with(Action::MailboxPut);
    let path = String::from_utf8(path_of(&mailbox).expect("a path")).expect("text");
    let table = [
        (vec![], false),
        (vec![rights_by(1, 2, put, &path, NOW + HOUR)], true),
        // Somebody else's word counts for nothing, the owner's for its own mailbox.
        (vec![rights_by(8, 2, put, &path, NOW + HOUR)], false),
        (vec![rights_by(9, 2, put, &path, NOW + HOUR)], true),
        (vec![rights_by(1, 2, put, "mailbox/other", NOW + HOUR)], false),
        (vec![rights_by(1, 2, put, &path, NOW - HOUR)], false),
    ];
    for (place, (rights, expected)) in table.into_iter().enumerate() {
        let mut held = holding(rights);
        held.version = u64::try_from(place).expect("few");
        let (action, resource) = (Action::MailboxPut, &mailbox);
        let question = Question { subject: &subject, action, resource, held: &held, now_ms: NOW };
        let found = matches!(engine.rule(&question), Ruling::Allow(_));
        assert_eq!(found, expected, "row {place}");
    }
}

const GROUPS: &str = "[groups.shunned]\nmembers = [\"{shunned}\"]\n";
const SHUNNED: &str = "@id(\"own.shunned\") @reason(\"nobody talks to them\")
forbid (principal in Group::\"shunned\", action, resource);";

/// Letters of the table: `a` allowed, `d` denied by no rule allowing it, `f` forbidden by a rule.
fn letter(verdict: &Verdict) -> char {
    match verdict {
        Verdict::Allow(_) => 'a',
        Verdict::Deny(denial) if denial.forbidden => 'f',
        Verdict::Deny(_) => 'd',
    }
}

const COLUMNS: [&str; 9] = [
    "local",
    "anonymous",
    "member",
    "granted",
    "elsewhere",
    "expired",
    "root",
    "banned",
    "shunned",
];

fn cell(set: &PolicySet, column: &str, action: Action, resource: &Resource) -> char {
    let path = path_of(resource).and_then(|path| String::from_utf8(path).ok()).expect("a path");
    let one = ActionSet::EMPTY.with(action);
    let by =
        |seed, actions, prefix: &str, end| holding(vec![rights_by(1, seed, actions, prefix, end)]);
    let (seed, held) = match column {
        "root" => (1, Held { is_root: true, ..Held::default() }),
        "member" => (2, by(2, ActionSet::EMPTY, "", NOW + HOUR)),
        "granted" => (2, by(2, one, &path, NOW + HOUR)),
        "elsewhere" => (2, by(2, everything(), "topic/another-room", NOW + HOUR)),
        "expired" => (2, by(2, one, &path, NOW - HOUR)),
        "banned" => (3, by(3, everything(), "", NOW + HOUR)),
        "shunned" => (4, by(4, everything(), "", NOW + HOUR)),
        _ => (2, Held::default()),
    };
    let subject = if column == "local" { Subject::Local } else { Subject::author(peer(seed)) };
    // As everybody's holdings have: what was decided for one column must not serve another.
    let version = COLUMNS.iter().position(|known| *known == column).expect("a column") as u64;
    let held = Held { version: version + 100, ..held };
    let question = Question { subject: &subject, action, resource, held: &held, now_ms: NOW };
    letter(&set.authorize(&question))
}

/// Every profile, action and kind of subject against the checked-in table.
#[test]
fn the_matrix_is_the_checked_in_one() {
    let mut text = format!(
        "# a allowed, d denied, f forbidden\nprofile\taction\tresource\t{}\n",
        COLUMNS.join("\t")
    );
    let lists = Lists { deny_peers: [peer(3)].into(), ..Lists::default() };
    for access in Access::ALL {
        let entities = GROUPS.replace("{shunned}", &peer(4).to_string());
        let engine: Arc<dyn Engine> = Arc::new(engine(access, &entities, SHUNNED));
        let set = PolicySet::from_rules(lists.clone(), 1).with_engine(engine);
        for action in Action::ALL {
            for resource in fitting(action) {
                let path = path_of(&resource).expect("a path");
                let path = String::from_utf8_lossy(&path).replace(&peer(9).to_string(), "ID");
                write!(text, "{access}\t{action}\t{path}").expect("memory");
                for column in COLUMNS {
                    write!(text, "\t{}", cell(&set, column, action, &resource)).expect("memory");
                }
                text.push('\n');
            }
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/policy/engine/matrix.tsv");
    if std::env::var_os("PEERLOOM_WRITE_DOCS").is_some() {
        std::fs::write(&path, &text).expect("writable");
    }
    let wanted = std::fs::read_to_string(&path).unwrap_or_default();
    for (wanted, found) in wanted.lines().zip(text.lines()) {
        assert_eq!(found, wanted);
    }
    assert_eq!(wanted.lines().count(), text.lines().count());
}

pub(in crate::policy) fn asked<'a>(
    subject: &'a Subject,
    action: Action,
    resource: &'a Resource,
    held: &'a Held,
) -> Question<'a> {
    Question { subject, action, resource, held, now_ms: NOW }
}

#[test]
fn a_denial_says_what_is_missing() {
    let lobby = Resource::Topic("peerloom/open/lobby".to_owned());
    let table = [
        (Access::Friends, Action::ConnectIn, Resource::Node, "invitation"),
        (Access::Friends, Action::AdminRead, Resource::Admin, "only the operator"),
        (Access::Closed, Action::TopicPublish, lobby, "no grant of this action"),
        (Access::Open, Action::MailboxPut, Resource::Mailbox(peer(9)), "ask its owner"),
        (Access::Open, Action::GrantRevoke, Resource::Node, "only the operator"),
    ];
    let subject = Subject::author(peer(2));
    let held = Held::default();
    for (access, action, resource, words) in table {
        let engine = engine(access, "", "");
        let Ruling::Deny(objection) = engine.rule(&asked(&subject, action, &resource, &held))
        else {
            panic!("{access} allows {action}");
        };
        let reason = objection.reason.clone().unwrap_or_default();
        assert!(reason.contains(words), "{access} {action}: {reason}");
        assert!(!objection.is_forbidden());
    }
}

fn a_garden_in_town() -> String {
    format!(
        "[groups.garden]\nmembers = [\"{}\"]\ngroups = [\"town\"]\n[groups.town]\nroles = [\"guest\"]\n\
         [groups.office]\nnets = [\"192.0.2.0/24\"]\n[roles.guest]\n\
         [topics]\nmembers = [\"garden\"]\nopen = [\"garden/gate\"]\n",
        peer(2)
    )
}

/// Own policies can speak of groups, roles, names, addresses, paths, classes, grants and the clock.
#[test]
fn own_policies_see_what_the_schema_says() {
    let entities = a_garden_in_town();
    let held = holding(vec![rights_by(
        1,
        2,
        ActionSet::EMPTY.with(Action::TopicPublish),
        "topic/roses",
        NOW + HOUR,
    )]);
    let addr = Some("192.0.2.7".parse().expect("an address"));
    let direct = Subject::Peer { id: peer(2), addr, relayed: false };
    let relayed = Subject::Peer { id: peer(2), addr, relayed: true };
    let other = Subject::Peer { id: peer(5), addr, relayed: true };
    let topic = |name: &str| Resource::Topic(name.to_owned());
    let mailbox = Resource::Mailbox(peer(2));
    let conditions = [
        ("principal in Role::\"guest\"", &direct, topic("x"), true),
        ("principal in Group::\"office\"", &direct, topic("x"), true),
        ("principal in Group::\"office\"", &other, topic("x"), false),
        ("principal in Group::\"anonymous\"", &other, topic("x"), false),
        ("Group::\"garden\" in Role::\"guest\"", &other, topic("x"), true),
        ("resource in Namespace::\"topic/a\"", &direct, topic("a/b"), true),
        ("resource in Namespace::\"topic/a\"", &direct, topic("a"), true),
        ("resource in Namespace::\"topic/a\"", &direct, topic("ab"), false),
        ("resource is Topic && resource.class == \"members\"", &direct, topic("garden/x"), true),
        ("resource is Topic && resource.class == \"open\"", &direct, topic("garden/gate"), true),
        ("resource is Topic && resource.name like \"*gate\"", &direct, topic("garden/gate"), true),
        (
            "principal is Peer && principal has ip && principal.ip.isInRange(ip(\"192.0.2.0/24\"))",
            &direct,
            topic("x"),
            true,
        ),
        (
            "principal is Peer && principal has net && principal.net == \"192.0.2.0/24\"",
            &direct,
            topic("x"),
            true,
        ),
        ("context.path == \"relayed\"", &relayed, topic("x"), true),
        ("context.path == \"relayed\"", &direct, topic("x"), false),
        ("context.class == \"native\"", &direct, topic("x"), true),
        ("context.grants.contains(\"topic.publish topic/roses\")", &direct, topic("x"), true),
        ("context.granted", &direct, topic("roses/red"), false),
        ("context[\"member\"]", &direct, topic("x"), true),
        ("context.now > 1699999999999 && context.now < 1700000000001", &direct, topic("x"), true),
        ("context has bytes", &direct, topic("x"), false),
        ("resource is Mailbox && resource.owner in Role::\"guest\"", &other, mailbox, true),
    ];
    for (condition, subject, resource, expected) in conditions {
        let is_mailbox = matches!(resource, Resource::Mailbox(_));
        let action = if is_mailbox { Action::MailboxPut } else { Action::TopicHistory };
        let text = format!(
            "@id(\"own.it\") @reason(\"r\") permit (principal, action == Action::\"{action}\", \
             resource) when {{ {condition} }};"
        );
        let engine = engine(Access::Closed, &entities, &text);
        let held = if subject.peer() == Some(peer(2)) {
            held.clone()
        } else {
            holding(vec![rights_by(1, 5, ActionSet::EMPTY, "", NOW + HOUR)])
        };
        let ruling = engine.rule(&asked(subject, action, &resource, &held));
        let by =
            matches!(&ruling, Ruling::Allow(by) if by.iter().any(|id| id.as_ref() == "own.it"));
        assert_eq!(by, expected, "{condition}: {ruling:?}");
    }
}

#[test]
fn a_policy_that_cannot_be_evaluated_denies() {
    let text = "@id(\"own.sum\") @reason(\"r\") forbid (principal is Peer, action == Action::\"dht.put\", \
                resource) when { context.now + 9223372036854775807 > 0 };";
    let engine = engine(Access::Open, "", text);
    let (subject, resource) = (Subject::author(peer(2)), Resource::Key(vec![1]));
    let held = Held::default();
    let ruling = engine.rule(&asked(&subject, Action::DhtPut, &resource, &held));
    let Ruling::Deny(objection) = ruling else { panic!("allowed: {ruling:?}") };
    assert!(objection.is_forbidden());
    assert!(objection.reason.unwrap_or_default().contains("own.sum"));
    let query = engine.rule(&asked(&subject, Action::DhtQuery, &resource, &held));
    assert!(matches!(query, Ruling::Allow(_)), "{query:?}");
}

/// A kept decision ends with the grant behind it, and begins anew with every change of what is held.
#[test]
fn no_allow_outlives_its_grant() {
    let engine = engine(Access::Closed, "", "");
    let (subject, resource) = (Subject::author(peer(2)), Resource::Topic("garden".to_owned()));
    let end = NOW + 30_000 - CLOCK_TOLERANCE_MS;
    let action = Action::TopicPublish;
    let held = holding(vec![rights_by(1, 2, ActionSet::EMPTY.with(action), "topic/garden", end)]);
    let at = |now_ms, held: &Held| {
        let question = Question { subject: &subject, action, resource: &resource, held, now_ms };
        matches!(engine.rule(&question), Ruling::Allow(_))
    };
    assert!(at(NOW, &held) && at(NOW + 29_999, &held));
    assert!(!at(NOW + 30_000, &held));
    assert!(!at(NOW, &Held { version: 8, ..Held::default() }));
    assert!(at(NOW, &held));
    // A grant that begins later is not missed because of a denial that was kept.
    let later = holding(vec![rights_by(
        1,
        2,
        ActionSet::EMPTY.with(action),
        "topic/garden",
        NOW + 2 * HOUR + CLOCK_TOLERANCE_MS + 1_000,
    )]);
    let later = Held { version: 9, ..later };
    assert!(!at(NOW, &later));
    assert!(at(NOW + 1_000, &later));
}

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,20}",
        "[\"\\\\*?:;/.@]{0,8}",
        any::<String>(),
        Just("peerloom/members/x".to_owned())
    ]
}

fn any_resource() -> impl Strategy<Value = Resource> {
    let id = (1_u8..10).prop_map(peer);
    prop_oneof![
        Just(Resource::Node),
        Just(Resource::Admin),
        any_text().prop_map(Resource::Topic),
        any_text().prop_map(Resource::Protocol),
        any_text().prop_map(Resource::Content),
        proptest::collection::vec(any::<u8>(), 0..600).prop_map(Resource::Key),
        (id, 0..5_u8).prop_map(|(id, kind)| match kind {
            0 => Resource::Peer(id),
            1 => Resource::Relay(id),
            2 => Resource::Mailbox(id),
            3 => Resource::Route(id),
            _ => Resource::Address(format!("/dns4/x/tcp/1/p2p/{id}").parse().expect("address")),
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No question makes the engine panic or err, and a kept answer is the fresh one.
    #[test]
    fn every_question_has_an_answer(
        resource in any_resource(),
        action in 0..Action::ALL.len(),
        who in 0..5_usize,
        seed in 1_u8..6,
        ip: std::net::IpAddr,
        access in 0..3_usize,
        now_ms: u64,
        granted: bool,
    ) {
        static ENGINES: std::sync::LazyLock<Vec<CedarEngine>> = std::sync::LazyLock::new(|| {
            let entities = GROUPS.replace("{shunned}", &peer(4).to_string());
            Access::ALL.into_iter().map(|access| engine(access, &entities, SHUNNED)).collect()
        });
        let engine = &ENGINES[access];
        let mut subject = subjects(peer(seed)).swap_remove(who);
        if let Subject::Peer { addr: Some(addr), .. } = &mut subject {
            *addr = ip;
        }
        let held = if granted {
            holding(vec![rights_by(1, seed, everything(), "", NOW + HOUR)])
        } else {
            Held::default()
        };
        let action = Action::ALL[action];
        let question = Question { subject: &subject, action, resource: &resource, held: &held, now_ms };
        let fresh = engine.judge(&question, &Beside::default());
        prop_assert!(fresh.errors.is_empty());
        prop_assert_eq!(fresh.facts.is_none(), matches!(subject, Subject::Address(_)));
        prop_assert_eq!(engine.rule(&question), fresh.ruling.clone());
        prop_assert_eq!(engine.rule(&question), fresh.ruling);
    }
}

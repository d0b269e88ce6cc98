//! Who may do what at a closed node: every action, nine kinds of askers, two classes, over real swarms.
//! Invariant: each cell of `matrix.tsv` is found as it is written there, none is left out.
//! Not here: other profiles and the language of policies (unit tests of the engine).

pub(crate) mod asker;
pub(crate) mod kinds;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use peerloom_node::Options;
use peerloom_shared::auth::judging::Input;
use peerloom_shared::net::auth::Told;
use peerloom_shared::policy::{Access, Action, Class, Resource, Subject};
use peerloom_shared::wire::AuthStatus;
use peerloom_tests::setup::write_rules;

use self::asker::{Asker, Make};
use self::kinds::{Kind, Network, ROOM, TOPIC};
use self::wire::World;
use crate::inside::{Inside, eventually, runtime};

const TABLE: &str = include_str!("matrix.tsv");
const CLASSES: [Class; 2] = [Class::Native, Class::Browser];

/// How a row is found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    /// By doing it over a connection.
    Swarm,
    /// By a bare request to the admin server, which knows tokens and no peers; and by the judge.
    Http,
    /// By asking the node's judge, with what the peer has proven over its connection: there is no
    /// operation for it yet.
    Judge,
}

impl How {
    const fn of(action: Action) -> Self {
        match action {
            Action::ConnectIn
            | Action::ConnectOut
            | Action::ProtocolOpen
            | Action::RelayReserve
            | Action::RelayCircuit
            | Action::TopicSubscribe
            | Action::TopicPublish
            | Action::TopicRelay
            | Action::DhtPut
            | Action::DhtProvide
            | Action::DhtQuery => Self::Swarm,
            Action::AdminRead | Action::AdminWrite | Action::PolicyReload => Self::Http,
            Action::TopicHistory
            | Action::ContentFetch
            | Action::ContentPin
            | Action::DmSend
            | Action::MailboxPut
            | Action::MailboxTake
            | Action::HopForward
            | Action::InviteMint
            | Action::GrantRevoke => Self::Judge,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Swarm => "swarm",
            Self::Http => "http",
            Self::Judge => "judge",
        }
    }
}

type Cells = BTreeMap<(Action, &'static str, Kind), bool>;

/// The table as it is checked in.
fn expected() -> Cells {
    let mut lines = TABLE.lines().filter(|line| !line.starts_with('#'));
    let head: Vec<_> = lines.next().expect("a head").split('\t').collect();
    let columns: Vec<_> = Kind::ALL.iter().map(|kind| kind.name()).collect();
    assert_eq!(head, [&["action", "how", "class"], &columns[..]].concat());
    let mut cells = Cells::new();
    for line in lines {
        let fields: Vec<_> = line.split('\t').collect();
        let [name, how, class, letters @ ..] = &fields[..] else { panic!("a row: {line}") };
        let action = Action::find(name).unwrap_or_else(|| panic!("no action: {line}"));
        assert_eq!(*how, How::of(action).name(), "{line}");
        let class = CLASSES.iter().find(|known| known.name() == *class).expect("a class");
        assert_eq!(letters.len(), Kind::ALL.len(), "{line}");
        for (kind, letter) in Kind::ALL.into_iter().zip(letters) {
            let allowed = match *letter {
                "a" => true,
                "d" => false,
                other => panic!("`{other}` is neither a nor d: {line}"),
            };
            assert!(cells.insert((action, class.name(), kind), allowed).is_none(), "{line}");
        }
    }
    assert_eq!(cells.len(), Action::ALL.len() * CLASSES.len() * Kind::ALL.len());
    cells
}

/// A closed node in somebody's network, in the room.
fn closed(network: &Network) -> Inside {
    let root = network.founder();
    let node = Inside::prepared(Options::default(), |config| {
        config.access = Some(Access::Closed);
        for more in ["/ip4/127.0.0.1/udp/0/quic-v1", "/ip4/127.0.0.1/tcp/0/ws"] {
            config.listen.push(more.parse().expect("an address"));
        }
        write_rules(&config.data_dir, "");
        let entities = format!("[network]\nfounder = \"{root}\"\n[trust]\nroots = [\"{root}\"]\n");
        std::fs::write(config.data_dir.join("policy/entities.toml"), entities).expect("a file");
    });
    node.join(ROOM);
    node
}

/// Members who stop being it: they come in, and are shown out when the node learns of it.
async fn lose(world: &World, network: &Network, all: &[(Kind, Make)]) {
    let of = |kind| {
        let fitting = all.iter().filter(move |(known, _)| *known == kind);
        fitting.map(|(_, make)| make.clone()).collect::<Vec<_>>()
    };
    let (revoked, banned) = (of(Kind::Revoked), of(Kind::Banned));
    let mut here = Vec::new();
    for make in revoked.iter().chain(&banned) {
        let asker = Asker::start(make);
        let told = asker.connect(&world.at(make.class), world.id).await.expect("a member");
        assert_eq!(told.status, AuthStatus::Ok);
        assert!(told.allowed.contains(Action::TopicPublish));
        here.push(asker);
    }
    let list = Input::Revoked(Box::new(network.take_back(&revoked)));
    world.net.tell_auth(Told::Judging(Box::new(list))).await.expect("told");
    let barred: Vec<_> = banned
        .iter()
        .map(|make| format!("{:?}", make.key.public().to_peer_id().to_string()))
        .collect();
    let rules = format!("[deny]\npeers = [{}]\n", barred.join(", "));
    write_rules(&world.node.started.data_dir, &rules);
    world.node.handle.reload_rules().await.expect("good rules");
    for asker in here {
        let gone = || (!asker.is_connected(world.id)).then_some(());
        eventually("whoever is no longer a member is shown out", gone).await;
    }
}

/// How the node takes what a kind shows.
const fn status(kind: Kind) -> Option<AuthStatus> {
    match kind {
        Kind::Anonymous | Kind::Member | Kind::Elsewhere => Some(AuthStatus::Ok),
        Kind::Expired => Some(AuthStatus::Expired),
        Kind::Revoked | Kind::Audience | Kind::Network | Kind::Delegated => {
            Some(AuthStatus::Denied)
        }
        Kind::Banned => None,
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rows that are asked about")]
fn resource(world: &World, action: Action) -> Resource {
    match action {
        Action::TopicHistory => Resource::Topic(TOPIC.to_owned()),
        Action::ContentFetch | Action::ContentPin => Resource::Content("bafy".to_owned()),
        Action::DmSend => Resource::Peer(world.id),
        Action::MailboxPut | Action::MailboxTake => Resource::Mailbox(world.id),
        Action::HopForward => Resource::Route(world.helper.id),
        Action::AdminRead | Action::AdminWrite | Action::PolicyReload => Resource::Admin,
        Action::InviteMint | Action::GrantRevoke => Resource::Node,
        other => panic!("{other} is done, not asked about"),
    }
}

/// What the judge says about an asker, with what it has proven.
fn judged(world: &World, make: &Make, action: Action) -> bool {
    let id = make.key.public().to_peer_id();
    let who = Subject::connected(id, &world.at(make.class));
    world.net.judge().authorize(&who, action, &resource(world, action)).is_ok()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rows of the admin server")]
/// Whether the admin server does something for somebody who brings no token, and does it with one.
fn administers(world: &World, action: Action) -> bool {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build();
    let agent = agent.new_agent();
    let page = world.node.started.page.trim_end_matches('/');
    let token = std::fs::read_to_string(&world.node.started.token_file).expect("a token");
    let token = format!("Bearer {}", token.trim());
    let ask = |bearer: Option<&str>| {
        let (path, body) = match action {
            Action::AdminRead => ("status", None),
            Action::AdminWrite => ("rooms/join", Some(format!("{{\"room\":\"{ROOM}\"}}"))),
            Action::PolicyReload => ("reload", Some("{}".to_owned())),
            other => panic!("{other} is no action of the admin server"),
        };
        let url = format!("{page}/api/v1/{path}");
        let answer = match body {
            None => {
                let request = agent.get(url);
                let request = bearer.into_iter().fold(request, |r, b| r.header("Authorization", b));
                request.call()
            }
            Some(body) => {
                let request = agent.post(url).header("Content-Type", "application/json");
                let request = bearer.into_iter().fold(request, |r, b| r.header("Authorization", b));
                request.send(body)
            }
        };
        answer.expect("an answer").status().as_u16()
    };
    assert_eq!(ask(Some(&token)), 200, "{action}: the operator may");
    match ask(None) {
        401 => false,
        200 => true,
        other => panic!("{action}: {other}"),
    }
}

/// All cells of one asker but `connect.in`.
async fn row(world: &World, kind: Kind, make: &Make, cells: &mut Cells) {
    let (class, name) = (make.class, format!("{} {}", kind.name(), make.class.name()));
    let asker = Asker::start(make);
    let told = asker.connect(&world.at(class), world.id).await;
    assert_eq!(told.map(|told| told.status), status(kind), "{name}");
    drop(asker);
    for (action, done) in world.try_all(make, &name, status(kind).is_some()).await {
        cells.insert((action, class.name(), kind), done);
    }
    if status(kind).is_some() {
        let held = world.net.judge().holdings().of(&make.key.public().to_peer_id());
        assert_eq!(held.class, class, "{name}: it is what it says");
    }
    for action in Action::ALL {
        let done = match How::of(action) {
            How::Swarm => continue,
            How::Judge => judged(world, make, action),
            How::Http => {
                let done = administers(world, action);
                assert_eq!(judged(world, make, action), done, "{name} {action}");
                done
            }
        };
        cells.insert((action, class.name(), kind), done);
    }
}

#[test]
fn every_action_of_every_kind_of_asker_is_as_in_the_table() {
    let expected = expected();
    let network = Network::found();
    let node = closed(&network);
    runtime().block_on(async {
        let helped_by = network.peer(Kind::Member, Class::Native);
        let world = World::new(node, helped_by).await;
        let pairs = || CLASSES.into_iter().flat_map(|class| Kind::ALL.map(|kind| (kind, class)));
        let all: Vec<_> = pairs().map(|(kind, class)| (kind, network.peer(kind, class))).collect();
        lose(&world, &network, &all).await;
        let mut found = Cells::new();
        for (kind, make) in &all {
            row(&world, *kind, make, &mut found).await;
        }
        let stay = all.iter().map(|(kind, make)| {
            let world = &world;
            async move { ((Action::ConnectIn, make.class.name(), *kind), world.stays(make).await) }
        });
        found.extend(futures::future::join_all(stay).await);
        compare(&expected, &found);
    });
}

/// Names every cell that is not as it should be.
fn compare(expected: &Cells, found: &Cells) {
    let letter = |allowed: Option<&bool>| match allowed {
        Some(true) => "a",
        Some(false) => "d",
        None => "nothing",
    };
    let all: BTreeSet<_> = expected.keys().chain(found.keys()).collect();
    let mut wrong = String::new();
    for cell in &all {
        let (wanted, seen) = (expected.get(cell), found.get(cell));
        if wanted != seen {
            let (action, class, kind) = cell;
            let (wanted, seen) = (letter(wanted), letter(seen));
            writeln!(wrong, "{action} {class} {}: {seen}, not {wanted}", kind.name())
                .expect("memory");
        }
    }
    assert!(wrong.is_empty(), "of {} cells these are wrong:\n{wrong}", all.len());
    println!("{} cells as in the table", all.len());
}

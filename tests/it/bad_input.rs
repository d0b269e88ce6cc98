//! Wrong input through the real command line.
//! Invariant: one clear message with its code, the documented exit code, and nothing lost.
//! Not here: wrong input from the network (`forged`).

use std::fs::{self, Permissions};
use std::net::{TcpListener, UdpSocket};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use peerloom_shared::view::Transport;
use peerloom_tests::{Form, NodeProcess, PATIENCE, Ran, Setup, command};

/// `peerloom run` that is expected not to come up.
fn run(setup: &Setup) -> Ran {
    let args = setup.args();
    let args: Vec<_> = args.iter().map(String::as_str).filter(|arg| *arg != "--json").collect();
    command::run(setup.home(), &args)
}

/// A data folder in which a node has run, and the node's id.
fn used() -> (Setup, String) {
    let mut node = Setup::new().start();
    node.running().signal("INT");
    let status = node.running().wait(PATIENCE, "a clean stop");
    assert!(status.success());
    (node.setup().clone(), node.id().to_owned())
}

fn text_of(ran: &Ran, part: &str) {
    assert!(ran.stderr.contains(part), "`{part}` is missing: {ran:?}");
}

#[test]
fn wrong_use_of_the_command_line() {
    let home = tempfile::tempdir().expect("a folder");
    for args in [
        &["run", "--no-such-flag"][..],
        &["no-such-verb"],
        &["run", "--profile"],
        &["ping"],
        &["peers", "connect"],
        &[],
    ] {
        let ran = command::run(home.path(), args);
        assert_eq!(ran.code, Some(2), "{args:?}: {ran:?}");
        assert!(!ran.stderr.is_empty() && ran.stdout.is_empty(), "{args:?}: {ran:?}");
        assert!(!ran.stderr.contains("panicked"), "{ran:?}");
    }
    let close = command::run(home.path(), &["run", "--bootstrp", "x"]);
    text_of(&close, "--bootstrap");
    assert!(!home.path().join(".local").exists(), "nothing was made");
}

#[test]
fn wrong_values_of_flags() {
    for (flag, value) in [
        ("--profile", "huge"),
        ("--listen", "127.0.0.1:7072"),
        ("--listen", "/ip4/127.0.0.1/tcp/99999"),
        ("--listen", "/ip4/127.0.0.1/udp/1/quic"),
        ("--bootstrap", "/ip4/127.0.0.1/tcp/x"),
        ("--bootstrap", "/ip4/0.0.0.0/tcp/7072"),
        ("--bootstrap", "/dns4/example.org/sctp/9"),
        ("--room", "Big Room"),
    ] {
        let setup = Setup::new().arg(flag, value);
        let ran = run(&setup);
        ran.expect_failure(2, "CFG-002");
        text_of(&ran, value);
        text_of(&ran, flag);
        assert!(!setup.data_dir().exists(), "nothing was made");
    }
    let ran = run(&Setup::new().http("localhost"));
    ran.expect_failure(2, "CFG-002");
    text_of(&ran, "flag --http");
}

fn with_config(text: &str) -> Ran {
    let setup = Setup::new();
    let file = setup.home().join("config.toml");
    fs::write(&file, text).expect("a file");
    let ran = run(&setup.clone().arg("--config", &file.display().to_string()));
    assert!(!setup.data_dir().exists(), "nothing was made");
    ran
}

#[test]
fn wrong_configuration_files() {
    let ran = with_config("# mine\nbootstrp = []\n");
    ran.expect_failure(3, "CFG-001");
    text_of(&ran, "config.toml:2:1");
    text_of(&ran, "did you mean `bootstrap`?");

    let ran = with_config("rooms = [\"ok\"\nname = 3\n");
    ran.expect_failure(3, "CFG-004");
    text_of(&ran, "config.toml:");

    let ran = with_config("name = 3\n");
    ran.expect_failure(3, "CFG-002");
    text_of(&ran, "config.toml");

    let ran = run(&Setup::new().arg("--config", "/nowhere/config.toml"));
    ran.expect_failure(3, "CFG-003");
}

#[test]
fn failures_have_a_form_for_programs() {
    let args = Setup::new().arg("--profile", "huge").args();
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let ran = command::run(Path::new("/"), &args);
    let shown: serde_json::Value = serde_json::from_str(&ran.stderr).expect("one JSON object");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    assert_eq!((&shown["code"], &shown["exit"]), (&"CFG-002".into(), &2.into()), "{shown}");
    assert_eq!(shown["schema"], "peerloom/error/1");
    assert_eq!(shown["retryable"], false);
    for field in ["message", "hint", "docs"] {
        assert!(shown[field].as_str().is_some_and(|text| !text.is_empty()), "{field}: {shown}");
    }
}

#[test]
fn two_listeners_on_one_port() {
    let same = "/ip4/127.0.0.1/tcp/7072".to_owned();
    let ran = run(&Setup::new().listen(&[same.clone(), format!("{same}/ws")]));
    ran.expect_failure(2, "CFG-006");
}

#[test]
fn keys_that_others_can_read() {
    let (setup, id) = used();
    let key = setup.data_dir().join("identity.key");
    let bytes = fs::read(&key).expect("a key");
    fs::set_permissions(&key, Permissions::from_mode(0o644)).expect("ours");
    for file in ["identity.key", "admin.token", "webrtc.pem"] {
        let path = setup.data_dir().join(file);
        fs::set_permissions(&path, Permissions::from_mode(0o604)).expect("ours");
        let ran = run(&setup);
        ran.expect_failure(1, "KEY-002");
        text_of(&ran, &format!("chmod 600 {}", setup.data_dir().display()));
        for mended in ["identity.key", file] {
            let path = setup.data_dir().join(mended);
            fs::set_permissions(path, Permissions::from_mode(0o600)).expect("ours");
        }
    }
    assert_eq!(fs::read(&key).expect("a key"), bytes, "left as it was");
    assert_eq!(setup.start().id(), id, "nothing is lost");
}

#[test]
fn keys_that_are_damaged() {
    let (setup, id) = used();
    let key = setup.data_dir().join("identity.key");
    let good = fs::read(&key).expect("a key");
    let mut cut = good.clone();
    cut.truncate(20);
    for bad in [b"not a key".to_vec(), Vec::new(), cut] {
        fs::write(&key, &bad).expect("ours");
        let ran = run(&setup);
        ran.expect_failure(1, "KEY-003");
        text_of(&ran, "identity.key");
        assert_eq!(fs::read(&key).expect("there"), bad, "left as it was");
    }
    fs::remove_file(&key).expect("ours");
    symlink("/nowhere/key", &key).expect("a link");
    let ran = run(&setup);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    text_of(&ran, "error[KEY-");
    fs::remove_file(&key).expect("ours");
    fs::create_dir(&key).expect("ours");
    run(&setup).expect_failure(1, "KEY-004");
    fs::remove_dir(&key).expect("ours");
    fs::write(&key, &good).expect("ours");
    fs::set_permissions(&key, Permissions::from_mode(0o600)).expect("ours");
    assert_eq!(setup.start().id(), id, "nothing is lost");
}

#[test]
fn a_key_is_never_replaced_by_accident() {
    let (setup, id) = used();
    let (other, _) = used();
    let data_dir = setup.data_dir().display().to_string();
    let foreign = other.data_dir().join("identity.key").display().to_string();
    let cli =
        |args: &[&str]| command::run(setup.home(), &[args, &["--data-dir", &data_dir]].concat());
    cli(&["key", "import", &foreign]).expect_failure(1, "KEY-005");
    let key = format!("{data_dir}/identity.key");
    cli(&["key", "export", &key]).expect_failure(1, "KEY-006");
    cli(&["key", "import", "/nowhere/key"]).expect_failure(1, "KEY-004");
    let shown = cli(&["key", "show", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(shown.expect_success()).expect("JSON");
    assert_eq!(shown["id"], id);
    let node = setup.clone().start();
    node.cli(&["key", "import", &foreign, "--force"]).expect_failure(1, "DATA-001");
    assert_eq!(node.id(), id);
}

#[test]
fn data_folders_that_cannot_be_used() {
    let node = Setup::new().start();
    let second = run(node.setup());
    second.expect_failure(1, "DATA-001");
    text_of(&second, &format!("process {}", node.pid()));
    assert_eq!(node.status().id, node.id(), "the first one runs on");

    let setup = Setup::new();
    fs::write(setup.data_dir(), "a file").expect("a file");
    run(&setup).expect_failure(1, "DATA-002");

    let (setup, id) = used();
    fs::set_permissions(setup.data_dir(), Permissions::from_mode(0o777)).expect("ours");
    run(&setup).expect_failure(1, "DATA-003");
    fs::set_permissions(setup.data_dir(), Permissions::from_mode(0o700)).expect("ours");

    let store = setup.data_dir().join("store.redb");
    let good = fs::read(&store).expect("a database");
    fs::write(&store, b"no database at all").expect("ours");
    let ran = run(&setup);
    ran.expect_failure(1, "DATA-005");
    assert_eq!(fs::read(&store).expect("there"), b"no database at all", "left as it was");
    fs::write(&store, good).expect("ours");
    assert_eq!(setup.start().id(), id, "nothing is lost");
}

#[test]
fn rules_that_are_wrong_end_the_start() {
    for (text, code, part) in [
        ("[deny]\npeers = [\"x\"]\n", "POL-003", "rules.toml:2"),
        ("[deny]\npers = []\n", "POL-002", "did you mean `peers`?"),
        ("[deny\n", "POL-001", "rules.toml:1"),
    ] {
        let ran = run(&Setup::new().rules(text));
        ran.expect_failure(3, code);
        text_of(&ran, part);
    }
}

/// The port number of the node's first listener.
fn port(node: &NodeProcess, transport: Transport) -> u16 {
    let address: peerloom_shared::Multiaddr = node.address(transport).parse().expect("an address");
    peerloom_shared::defence::address::Parts::of(&address).port.expect("a port")
}

#[test]
fn ports_that_another_program_uses() {
    let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
    let tcp_port = tcp.local_addr().expect("its address").port();
    let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
    let udp_port = udp.local_addr().expect("its address").port();
    for address in [
        format!("/ip4/127.0.0.1/tcp/{tcp_port}"),
        format!("/ip4/127.0.0.1/tcp/{tcp_port}/ws"),
        format!("/ip4/127.0.0.1/udp/{udp_port}/quic-v1"),
        format!("/ip4/127.0.0.1/udp/{udp_port}/webrtc-direct"),
    ] {
        let ran = run(&Setup::new().listen(std::slice::from_ref(&address)));
        ran.expect_failure(1, "NET-102");
        text_of(&ran, &address);
    }
    let taken = format!("127.0.0.1:{tcp_port}");
    let ran = run(&Setup::new().http(&taken));
    ran.expect_failure(1, "NET-102");
    text_of(&ran, &taken);
}

#[test]
fn ports_that_another_node_uses() {
    let node = Setup::new().listen(&Form::ALL.map(|form| form.at("/ip4/127.0.0.1"))).start();
    for (transport, rest) in [
        (Transport::Quic, "/quic-v1"),
        (Transport::WebrtcDirect, "/webrtc-direct"),
        (Transport::Tcp, ""),
        (Transport::WebSocket, "/ws"),
    ] {
        let kind = if rest.is_empty() || rest == "/ws" { "tcp" } else { "udp" };
        let address = format!("/ip4/127.0.0.1/{kind}/{}{rest}", port(&node, transport));
        let ran = run(&Setup::new().listen(std::slice::from_ref(&address)));
        ran.expect_failure(1, "NET-102");
        text_of(&ran, &address);
    }
}

#[test]
fn an_address_of_another_computer() {
    let ran = run(&Setup::new().listen(&["/ip4/198.51.100.7/tcp/0".to_owned()]));
    ran.expect_failure(1, "NET-103");
}

#[test]
fn commands_without_a_node() {
    let home = tempfile::tempdir().expect("a folder");
    let data = home.path().join("data").display().to_string();
    for verb in
        [&["status"][..], &["peers", "ls"], &["room", "ls"], &["health"], &["chat", "lobby"]]
    {
        let ran = command::run(home.path(), &[verb, &["--data-dir", &data]].concat());
        assert_eq!(ran.code, Some(4), "{verb:?}: {ran:?}");
        text_of(&ran, "error[CLI-00");
        assert_eq!(ran.stdout, "");
    }
    let (setup, _) = used();
    let data = setup.data_dir().display().to_string();
    // No test listens at this address of loopback.
    let args = ["status", "--data-dir", &data, "--api", "http://127.77.0.1:9"];
    command::run(setup.home(), &args).expect_failure(4, "CLI-003");
    let args = ["status", "--data-dir", &data, "--api", "http://198.51.100.7:7070"];
    command::run(setup.home(), &args).expect_failure(2, "CLI-007");
}

#[test]
fn wrong_arguments_of_commands() {
    let node = Setup::new().start();
    let peer = peerloom_shared::PeerId::random().to_string();
    node.cli(&["peers", "connect", "127.0.0.1:7072"]).expect_failure(2, "NET-101");
    node.cli(&["peers", "connect", "/ip4/127.0.0.1"]).expect_failure(2, "NET-101");
    node.cli(&["ping", "12D3Koo"]).expect_failure(2, "NET-107");
    node.cli(&["ping", &peer]).expect_failure(6, "NET-106");
    node.cli(&["peers", "disconnect", &peer]).expect_failure(6, "NET-106");
    node.cli(&["chat", "Big Room"]).expect_failure(2, "ROOM-001");
    node.cli(&["room", "leave", "lobby"]).expect_failure(6, "ROOM-002");
    node.cli(&["dht", "get", "x"]).expect_failure(1, "DHT-003");
    let token = node.setup().home().join("token");
    write_secret(&token, &"0".repeat(64));
    let token = token.display().to_string();
    node.cli(&["status", "--token-file", &token]).expect_failure(5, "AUTH-002");
}

fn write_secret(path: &Path, text: &str) {
    fs::write(path, text).expect("a file");
    fs::set_permissions(path, Permissions::from_mode(0o600)).expect("ours");
}

#[test]
fn wrong_requests_to_the_api() {
    let node = Setup::new().start();
    node.join("lobby");
    let long = "x".repeat(5_000);
    for (path, body, status, code) in [
        ("/api/v1/peers/connect", serde_json::json!({ "address": "nonsense" }), 400, "NET-101"),
        ("/api/v1/peers/connect", serde_json::json!({ "adress": "/ip4/1.2.3.4" }), 400, "API-003"),
        ("/api/v1/rooms/join", serde_json::json!({ "room": "A" }), 400, "ROOM-001"),
        (
            "/api/v1/rooms/send",
            serde_json::json!({ "room": "lobby", "text": " " }),
            400,
            "ROOM-005",
        ),
        (
            "/api/v1/rooms/send",
            serde_json::json!({ "room": "lobby", "text": long }),
            413,
            "ROOM-006",
        ),
        (
            "/api/v1/rooms/send",
            serde_json::json!({ "room": "lobby", "text": "x" }),
            503,
            "ROOM-003",
        ),
        ("/api/v1/dht/get", serde_json::json!({ "key": "" }), 400, "DHT-005"),
        ("/api/v1/nothing", serde_json::json!({}), 404, "API-001"),
        ("/api/v1/status", serde_json::json!({}), 405, "API-002"),
        ("/api/v1/rooms/join", serde_json::json!({ "room": "x".repeat(70_000) }), 413, "API-004"),
    ] {
        let refusal = node.post(path, body).expect_err("wrong");
        assert_eq!((refusal.status, refusal.code.as_str()), (status, code), "{path}: {refusal:?}");
        assert!(!refusal.text.is_empty());
    }
    assert_eq!(node.status().id, node.id());
}

#[test]
fn more_than_others_would_take_is_refused_to_the_caller() {
    let node = Setup::new().room("lobby").start();
    let other = Setup::new().bootstrap(&node.address(Transport::Tcp)).room("lobby").start();
    node.say("lobby", "the mesh is there");
    let began = std::time::Instant::now();
    let mut said = 0;
    let refusal = loop {
        match node.post(
            "/api/v1/rooms/send",
            serde_json::json!({ "room": "lobby", "text": said.to_string() }),
        ) {
            Ok(_) => said += 1,
            Err(refusal) => break refusal,
        }
        let allowed = peerloom_shared::limits::SAY_BURST as usize
            + peerloom_shared::limits::SAY_RATE_PER_S as usize
                * (began.elapsed().as_secs() as usize + 1);
        if said > allowed {
            panic!("{said} messages in {:?} passed", began.elapsed());
        }
        if began.elapsed() > PATIENCE {
            println!("skipped: this machine is too slow to send more than the rate");
            return;
        }
    };
    assert_eq!((refusal.code.as_str(), refusal.retryable), ("ROOM-007", true), "{refusal:?}");
    // All that was taken arrives.
    peerloom_tests::wait_until(PATIENCE, "every message that was taken", || {
        let got =
            other.messages("lobby").iter().filter(|m| m.text.parse::<usize>().is_ok()).count();
        (got == said).then_some(())
    });
}

//! What lines say, how many there are, and what is never in them.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::str::FromStr as _;

use peerloom_shared::Multiaddr;
use peerloom_shared::limits::{AUDIT_KEYS_MAX, AUDIT_LINE_BYTES_MAX, AUDIT_TEXT_CHARS_MAX};

use super::*;

fn address(text: &str) -> Multiaddr {
    text.parse().expect("an address")
}

fn deny(audit: &Audit, subject: &Subject, resource: &Resource, at: Instant) -> Option<Ref> {
    let held = Held::default();
    let action = Action::ConnectIn;
    let question = Question { subject, action, resource, held: &held, now_ms: 0 };
    audit.denied_at(at, &question, &denial(action, "deny.peers"))
}

#[test]
fn one_line_a_second_for_a_key_and_the_rest_is_counted() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let (one, two) = (Subject::author(peer(1)), Subject::author(peer(2)));
    let first = deny(&audit, &one, &Resource::Node, at(0)).expect("a line");
    for ms in 1..1_000 {
        assert_eq!(deny(&audit, &one, &Resource::Node, at(ms)), Some(first), "the same line");
    }
    assert_eq!(audit.reference(&one, &denial(Action::ConnectIn, "deny.peers")), Some(first));
    let other = deny(&audit, &two, &Resource::Node, at(500)).expect("a line of its own");
    let second = deny(&audit, &one, &Resource::Node, at(1_000)).expect("the next second");
    assert_eq!(BTreeSet::from([first, other, second].map(|r| r.to_string())).len(), 3);
    deny(&audit, &one, &Resource::Node, at(1_500)).expect("counted");
    let metrics = audit.shared.metrics.encode();
    assert!(metrics.contains("peerloom_audit_suppressed_total 1000"), "{metrics}");
    finish(&audit, writer);

    let lines = all_lines(folder.path());
    let denied = of_kind(&lines, "denied");
    let refs: Vec<_> = denied.iter().map(|line| line["ref"].as_str().expect("a ref")).collect();
    assert_eq!(refs, [first, other, second].map(|r| r.to_string()));
    let counts: Vec<_> = of_kind(&lines, "suppressed");
    assert_eq!(counts.len(), 2);
    assert!(counts.iter().all(|line| line["who"] == peer(1).to_string()));
    assert_eq!((&counts[0]["count"], &counts[1]["count"]), (&999.into(), &1.into()));
    // The count of a second stands before the line of the next one.
    let place = |wanted: &Value| lines.iter().position(|line| line == wanted);
    assert!(place(&counts[0]) < place(&denied[2]));
}

#[test]
fn made_up_peers_cost_a_bounded_number_of_lines() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let now = Instant::now();
    let mut bytes = vec![0x12, 0x20];
    bytes.extend([0; 32]);
    for number in 0..5_000_u16 {
        bytes[2..4].copy_from_slice(&number.to_be_bytes());
        let id = PeerId::from_bytes(&bytes).expect("a multihash");
        deny(&audit, &Subject::author(id), &Resource::Node, now);
    }
    // Before a handshake an address is all that is known, and a network has many.
    for last in 0..=255 {
        let ip = IpAddr::from([203, 0, 113, last]);
        deny(&audit, &Subject::Address(ip), &Resource::Node, now);
    }
    finish(&audit, writer);
    let lines = all_lines(folder.path());
    assert_eq!(of_kind(&lines, "denied").len(), AUDIT_KEYS_MAX);
    let counts = of_kind(&lines, "suppressed");
    assert_eq!(counts.len(), 1);
    assert_eq!(counts[0]["who"], "others");
    assert_eq!(counts[0]["count"], 5_000 + 256 - AUDIT_KEYS_MAX as u64);
}

#[test]
fn a_network_is_one_key_before_the_handshake() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let now = Instant::now();
    for last in 0..=255 {
        let ip = IpAddr::from([203, 0, 113, last]);
        deny(&audit, &Subject::Address(ip), &Resource::Node, now);
    }
    finish(&audit, writer);
    let lines = all_lines(folder.path());
    assert_eq!(of_kind(&lines, "denied").len(), 1);
    assert_eq!(of_kind(&lines, "suppressed")[0]["count"], 255);
    assert_eq!(of_kind(&lines, "denied")[0]["who"], "203.0.113.0/24");
}

#[test]
fn a_denied_line_says_who_what_and_why() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let subject = Subject::Peer { id: peer(3), addr: Some([192, 0, 2, 77].into()), relayed: true };
    let held = Held { class: peerloom_shared::policy::Class::Browser, ..Held::default() };
    let resource = Resource::Topic("peerloom/open/lobby".to_owned());
    let question = Question {
        subject: &subject,
        action: Action::TopicPublish,
        resource: &resource,
        held: &held,
        now_ms: 5,
    };
    let reference = audit.denied(&question, &denial(Action::TopicPublish, "quiet hours"));
    finish(&audit, writer);
    let lines = all_lines(folder.path());
    let mut line = lines[0].clone();
    let object = line.as_object_mut().expect("an object");
    assert!(object.remove("atMs").and_then(|at| at.as_u64()) > Some(1_700_000_000_000));
    assert_eq!(
        line,
        serde_json::json!({
            "n": 1, "prev": "0".repeat(64), "kind": "denied",
            "ref": reference.expect("a line").to_string(),
            "who": peer(3).to_string(), "net": "192.0.2.0/24", "way": "relayed", "class": "browser",
            "action": "topic.publish", "resource": "topic/peerloom/open/lobby",
            "rule": "quiet%20hours", "epoch": 7,
        })
    );
    let raw = fs::read(&chain::files(folder.path()).expect("files")[0].path).expect("a file");
    let shown = show(raw.split(|byte| *byte == b'\n').next().expect("a line"));
    assert!(shown.contains("(192.0.2.0/24, relayed, browser): topic.publish on topic/"), "{shown}");
}

#[test]
fn every_kind_of_line_is_read_back_and_shown() {
    let grant = Entry::grant(&GrantNote {
        change: GrantChange::Revoked,
        id: peerloom_shared::grant::GrantId::from_bytes([1; 32]),
        issuer: peerloom_shared::grant::Key::from_bytes([2; 32]),
        audience: peerloom_shared::grant::Key::from_bytes([3; 32]),
        actions: [Action::ConnectIn, Action::DhtPut].into_iter().collect(),
        prefix: &peerloom_shared::grant::Prefix::new("topic/garden").expect("a prefix"),
        expires_ms: 9,
    });
    let entries = [
        grant,
        entry(0),
        entry(1),
        entry(2),
        Entry::ReloadFailed { code: "POL-001".to_owned(), text: "line 3".to_owned() },
        Entry::Gap { lines: 4, why: Why::Disk },
        Entry::Recovered { torn: 3, aside: None, lost: 2, altered: true, headless: true },
    ];
    for entry in entries {
        let line = chain::line(5, 0, chain::Hash::NONE, &entry).expect("a line");
        assert_eq!(serde_json::from_slice::<Entry>(&line).expect("the same form"), entry);
        let shown = show(&line);
        assert!(shown.starts_with("1970-01-01 00:00:00  #5  "), "{shown}");
        assert!(!shown.contains('{'), "{shown}");
    }
    let newer = br#"{"n":2,"atMs":0,"prev":"0000000000000000000000000000000000000000000000000000000000000000","kind":"novel","x":1}"#;
    assert!(show(newer).contains("novel"));
    assert_eq!(show(b"\x1b[2Jrubbish"), "[2Jrubbish");
}

#[test]
fn addresses_are_cut_in_every_place() {
    for (ip, net) in [
        ("203.0.113.77", "203.0.113.0/24"),
        ("127.0.0.1", "127.0.0.0/24"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::/48"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        // An IPv6 address with a whole IPv4 address in its first half.
        ("2002:cb00:714d:1::5", "2002:cb00:7100::/40"),
    ] {
        assert_eq!(text::net_text(ip.parse().expect("an address")), net);
    }
    for (whole, cut) in [
        ("/ip4/203.0.113.77/tcp/4001", "address/ip4/203.0.113.0/tcp/4001"),
        ("/ip6/2001:db8:1:2:3:4:5:6/udp/1/quic-v1", "address/ip6/2001:db8:1::/udp/1/quic-v1"),
        ("/ip6/::ffff:203.0.113.77/tcp/1", "address/ip4/203.0.113.0/tcp/1"),
        ("/dns4/203.0.113.77/tcp/1", "address/dns4/203.0.113.0/tcp/1"),
        ("/dns/203-0-113-77.peer.example.org/tcp/1", "address/dns/*.example.org/tcp/1"),
        ("/dnsaddr/example.org", "address/dnsaddr/example.org"),
    ] {
        let (shown, was_cut) = text::resource(&Resource::Address(address(whole)), 256);
        assert_eq!((shown.as_str(), was_cut), (cut, false));
    }
}

#[test]
fn names_are_escaped_cut_and_told_apart_from_each_other() {
    let key = Resource::Key((0..=255).collect());
    let shown = text::resource_shown(&key);
    assert_eq!(shown.len(), "key/".len() + AUDIT_TEXT_CHARS_MAX + "...".len());
    assert!(shown.starts_with("key/000102") && shown.ends_with("..."), "{shown}");
    let short = Resource::Key(vec![0xab; 64]);
    assert_eq!(text::resource_shown(&short), format!("key/{}", "ab".repeat(64)));
    let odd = Resource::Topic("a\u{1b}[2J\n\"b\u{202e}é%41".to_owned());
    let shown = text::resource_shown(&odd);
    assert_eq!(shown, "topic/a%1b[2J%0a\"b%e2%80%ae%c3%a9%2541");
    let long = Resource::Protocol("/x".repeat(5_000));
    assert_eq!(text::resource_shown(&long).len(), "protocol/".len() + AUDIT_TEXT_CHARS_MAX + 3);
    // What was kept whole can be asked for again.
    for whole in [
        Resource::Node,
        Resource::Admin,
        Resource::Peer(peer(1)),
        Resource::Relay(peer(2)),
        Resource::Mailbox(peer(3)),
        Resource::Route(peer(4)),
        Resource::Protocol("/peerloom/auth/1".to_owned()),
        Resource::Content("bafy".to_owned()),
        Resource::Address(address("/ip4/203.0.113.0/tcp/4001")),
        key,
        odd,
    ] {
        let (path, was_cut) = text::resource(&whole, 256);
        assert!(!was_cut && path.bytes().all(|byte| byte.is_ascii_graphic()), "{path}");
        assert_eq!(text::resource_of(&path), Some(whole), "{path}");
    }
    for bad in ["", "x", "peer/x", "key/0g", "topic/%", "topic/%zz", "address/ip4/1", "novel/x"] {
        assert_eq!(text::resource_of(bad), None, "{bad}");
    }
}

#[test]
fn no_payload_and_no_whole_address_is_ever_in_a_file() {
    let folder = tempfile::tempdir().expect("a folder");
    let (audit, writer) = parts(folder.path());
    let ips = ["203.0.113.77", "2001:db8:aaaa:bbbb::77", "::ffff:198.51.100.88"];
    let hosts = [
        "/ip4/203.0.113.77/tcp/1",
        "/ip6/2001:db8:aaaa:bbbb::77/tcp/1",
        "/dns4/203.0.113.77/tcp/1",
    ];
    let rules = PolicySet::from_rules(Rules::default(), 3);
    for (number, action) in Action::ALL.into_iter().enumerate() {
        let id = peer(u8::try_from(number).expect("small"));
        for ip in ips {
            let addr = IpAddr::from_str(ip).expect("an address");
            for subject in [
                Subject::Address(addr),
                Subject::Peer { id, addr: Some(addr), relayed: number % 2 == 0 },
            ] {
                for host in hosts {
                    let resource = Resource::Address(address(host));
                    let held = Held::default();
                    let question = Question {
                        subject: &subject,
                        action,
                        resource: &resource,
                        held: &held,
                        now_ms: 1,
                    };
                    audit.decided(&question, Err(&denial(action, "deny.nets")));
                    let permit =
                        rules.authorize(&Question { subject: &Subject::Local, ..question });
                    audit.decided(&question, permit.permit().as_ref());
                }
            }
        }
    }
    audit.admin("POST", "/api/v1/rooms/send");
    audit.reload_failed("POL-003", "line 3: \"\u{1b}[2J\" is no\npeer");
    finish(&audit, writer);
    let text = whole_folder(folder.path());
    assert!(text.contains("203.0.113.0/24") && text.contains("2001:db8:aaaa::"), "it is not empty");
    for secret in ["203.0.113.77", "aaaa:bbbb", "198.51.100.88", "\u{1b}"] {
        assert!(!text.contains(secret), "{secret}");
    }
    assert!(text.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)));
    check(folder.path()).expect("whole");
}

#[test]
fn the_longest_line_fits() {
    let reference = Ref::new(&[0; 32], 0);
    let longest = Entry::Denied {
        reference: reference.to_string(),
        who: peer(1).to_string(),
        net: Some(text::net_text("ffff:ffff:ffff:ffff::".parse().expect("an address"))),
        way: Some(Way::Relayed),
        class: Some("browser".to_owned()),
        action: "protocol.open".to_owned(),
        // A quotation mark is two characters in JSON.
        resource: text::resource_shown(&Resource::Protocol("\"".repeat(1_000))),
        rule: text::words(&"\"".repeat(1_000)),
        epoch: u64::MAX,
        grants: vec!["f".repeat(64); 16],
    };
    let line = chain::line(u64::MAX, u64::MAX, chain::Hash::NONE, &longest).expect("it fits");
    assert!(line.len() < AUDIT_LINE_BYTES_MAX / 2, "{}", line.len());
}

#[test]
fn references_are_short_and_tell_nothing() {
    let refs: BTreeSet<_> = (0..1_000).map(|n| Ref::new(&[7; 32], n).to_string()).collect();
    assert_eq!(refs.len(), 1_000);
    for name in &refs {
        assert!(
            name.len() == 8 && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
        );
    }
    let other = Ref::new(&[8; 32], 0).to_string();
    assert!(!refs.contains(&other), "another start has other references");
}

#[test]
fn the_newest_lines_are_read_over_the_ends_of_files_and_followed() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let number = |line: &Vec<u8>| chain::LineHead::of(line).expect("a line").n;
    let (mut early, none) = Tailing::open(&folder.join("none"), 10).expect("no folder is no error");
    assert!(none.is_empty() && early.more().expect("nothing yet").is_empty());

    write_log(folder, 40, SMALL);
    for count in [0, 1, 3, 17, 40, 100] {
        let (_, lines) = Tailing::open(folder, count).expect("readable");
        let numbers: Vec<_> = lines.iter().map(number).collect();
        let from = 41 - count.min(40) as u64;
        assert_eq!(numbers, (from..=40).collect::<Vec<_>>());
    }
    let (mut tailing, _) = Tailing::open(folder, 1).expect("readable");
    assert!(tailing.more().expect("readable").is_empty());
    write_log(folder, 30, SMALL);
    let mut numbers = Vec::new();
    loop {
        let lines = tailing.more().expect("readable");
        if lines.is_empty() {
            break;
        }
        numbers.extend(lines.iter().map(number));
    }
    assert_eq!(numbers, (41..=70).collect::<Vec<_>>());
    assert_eq!(Tailing::find(folder, "AAAAAAAA").expect("readable"), None);
}

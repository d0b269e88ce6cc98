use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libp2p_identity::{Keypair, PeerId};
use multiaddr::Multiaddr;
use proptest::prelude::*;

use super::*;
use crate::limits::POLICY_RULES_MAX;

fn peer(seed: u8) -> PeerId {
    Keypair::ed25519_from_bytes([seed; 32]).unwrap().public().to_peer_id()
}

fn rules(allow: &[PeerId], deny: &[PeerId], allow_nets: &[&str], deny_nets: &[&str]) -> PolicySet {
    let nets = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let rules = Rules {
        allow_peers: allow.iter().copied().collect(),
        deny_peers: deny.iter().copied().collect(),
        allow_nets: nets(allow_nets),
        deny_nets: nets(deny_nets),
    };
    PolicySet::from_rules(rules, 7)
}

fn judged(set: &PolicySet, subject: &Subject, action: Action, resource: &Resource) -> Verdict {
    set.authorize(&Question { subject, action, resource, held: &Held::default(), now_ms: 0 })
}

fn rule_of(set: &PolicySet, subject: &Subject, action: Action, resource: &Resource) -> String {
    match judged(set, subject, action, resource) {
        Verdict::Allow(permit) => {
            assert_eq!((permit.action(), permit.epoch()), (action, 7));
            assert_eq!(permit.subject_peer(), subject.peer());
            assert_eq!(permit.redeem(action, resource), Ok(()));
            "-".to_owned()
        }
        Verdict::Deny(denial) => {
            assert_eq!((denial.action, denial.epoch), (action, 7));
            denial.rule.into_owned()
        }
    }
}

/// Column of the table below.
fn column(action: Action) -> usize {
    match action {
        Action::ConnectIn => 0,
        Action::ConnectOut => 1,
        Action::ProtocolOpen | Action::RelayReserve | Action::RelayCircuit => 2,
        Action::TopicSubscribe
        | Action::TopicPublish
        | Action::TopicRelay
        | Action::TopicHistory
        | Action::DhtPut
        | Action::DhtProvide
        | Action::DhtQuery
        | Action::ContentFetch
        | Action::ContentPin
        | Action::DmSend
        | Action::HopForward => 3,
        Action::MailboxPut | Action::MailboxTake => 4,
        Action::InviteMint
        | Action::GrantRevoke
        | Action::AdminRead
        | Action::AdminWrite
        | Action::PolicyReload => 5,
    }
}

const fn rule(letter: u8) -> &'static str {
    match letter {
        b'.' => "-",
        b'p' => "deny.peers",
        b'n' => "deny.nets",
        b'a' => "allow.lists",
        b'o' => "operator.only",
        b'g' => "grant.missing",
        b'u' => "subject.unproven",
        _ => "no such letter",
    }
}

/// Every action, every kind of subject, every list. The subject is a peer at 10.1.2.3; the local
/// peer acts on that peer's address. Columns: connect.in, connect.out, what happens on a connection,
/// what others may bring, mailboxes, the operator's.
#[test]
fn every_action_subject_and_list() {
    let (p, q) = (peer(1), peer(2));
    let ip: IpAddr = "10.1.2.3".parse().unwrap();
    let subjects = [
        ("local", Subject::Local),
        ("direct", Subject::Peer { id: p, addr: Some(ip), relayed: false }),
        ("relayed", Subject::Peer { id: p, addr: Some(ip), relayed: true }),
        ("author", Subject::author(p)),
        ("address", Subject::Address(ip)),
    ];
    #[rustfmt::skip]
    let table = [
        ("nothing",                 rules(&[], &[], &[], &[]),
            ["......", "....go", "....go", "....go", ".uuuuu"]),
        ("deny peer",               rules(&[], &[p], &[], &[]),
            ["ppppp.", "pppppp", "pppppp", "pppppp", ".uuuuu"]),
        ("deny other peer",         rules(&[], &[q], &[], &[]),
            ["......", "....go", "....go", "....go", ".uuuuu"]),
        ("deny net",                rules(&[], &[], &[], &["10.0.0.0/8"]),
            ["nnnnn.", "nnnnnn", "nnnnnn", "....go", "nnnnnn"]),
        ("deny other net",          rules(&[], &[], &[], &["11.0.0.0/8", "::/0"]),
            ["......", "....go", "....go", "....go", ".uuuuu"]),
        ("allow peer",              rules(&[p], &[], &[], &[]),
            ["......", "....go", "....go", "....go", ".uuuuu"]),
        ("allow other peer",        rules(&[q], &[], &[], &[]),
            [".a....", "aaa.go", "aaa.go", "aaa.go", ".uuuuu"]),
        ("allow net",               rules(&[], &[], &["10.0.0.0/8"], &[]),
            ["......", "....go", "aaa.go", "aaa.go", ".uuuuu"]),
        ("allow other net",         rules(&[], &[], &["192.168.0.0/16"], &[]),
            [".a....", "aaa.go", "aaa.go", "aaa.go", "auuuuu"]),
        ("allow other peer or net", rules(&[q], &[], &["10.0.0.0/8"], &[]),
            ["......", "....go", "aaa.go", "aaa.go", ".uuuuu"]),
        ("allow others only",       rules(&[q], &[], &["192.168.0.0/16"], &[]),
            [".a....", "aaa.go", "aaa.go", "aaa.go", ".uuuuu"]),
        ("allow peer, deny net",    rules(&[p], &[], &[], &["10.0.0.0/8"]),
            ["nnnnn.", "nnnnnn", "nnnnnn", "....go", "nnnnnn"]),
        ("allow net, deny peer",    rules(&[], &[p], &["10.0.0.0/8"], &[]),
            ["ppppp.", "pppppp", "pppppp", "pppppp", ".uuuuu"]),
        ("allow and deny peer",     rules(&[p], &[p], &[], &[]),
            ["ppppp.", "pppppp", "pppppp", "pppppp", ".uuuuu"]),
        ("allow and deny net",      rules(&[], &[], &["10.0.0.0/8"], &["10.1.0.0/16"]),
            ["nnnnn.", "nnnnnn", "nnnnnn", "aaa.go", "nnnnnn"]),
    ];
    let address: Multiaddr = format!("/ip4/10.1.2.3/tcp/7072/p2p/{p}").parse().unwrap();
    for (scene, set, expected) in table {
        for ((who, subject), row) in subjects.iter().zip(expected) {
            for action in Action::ALL {
                let resource = match subject {
                    Subject::Local => Resource::Address(address.clone()),
                    Subject::Peer { .. } | Subject::Address(_) => Resource::Node,
                };
                let expected = rule(row.as_bytes()[column(action)]);
                let found = rule_of(&set, subject, action, &resource);
                assert_eq!(found, expected, "{scene}: {who} {action}");
            }
        }
    }
}

#[test]
fn a_denied_peer_as_resource_gets_nothing_from_anybody() {
    let (p, q) = (peer(1), peer(2));
    let set = rules(&[], &[p], &[], &[]);
    for action in Action::ALL {
        for resource in [Resource::Peer(p), Resource::Relay(p)] {
            let expected = if column(action) == 5 { "-" } else { "deny.peers" };
            assert_eq!(rule_of(&set, &Subject::Local, action, &resource), expected);
            assert_eq!(rule_of(&set, &Subject::author(q), action, &resource), "deny.peers");
        }
    }
}

#[test]
fn what_may_be_dialled() {
    let (p, q) = (peer(1), peer(2));
    let on = |text: &str| {
        let text = text.replace("{p}", &p.to_string()).replace("{q}", &q.to_string());
        Resource::Address(text.parse().unwrap())
    };
    let table = [
        (rules(&[p], &[], &[], &[]), Resource::Peer(p), "-"),
        (rules(&[p], &[], &[], &[]), Resource::Peer(q), "allow.lists"),
        // Where ranges are allowed, the address decides once it is known.
        (rules(&[p], &[], &["10.0.0.0/8"], &[]), Resource::Peer(q), "-"),
        (rules(&[p], &[], &[], &[]), Resource::Node, "allow.lists"),
        // A relay is not the peer behind it.
        (rules(&[p], &[], &[], &[]), on("/ip4/10.0.0.1/tcp/1/p2p/{q}/p2p-circuit/p2p/{p}"), "-"),
        (
            rules(&[q], &[], &[], &[]),
            on("/ip4/10.0.0.1/tcp/1/p2p/{q}/p2p-circuit/p2p/{p}"),
            "allow.lists",
        ),
        (rules(&[q], &[], &[], &[]), on("/ip4/10.0.0.1/tcp/1/p2p/{q}/p2p-circuit"), "allow.lists"),
        (
            rules(&[], &[], &["10.0.0.0/8"], &[]),
            on("/ip4/10.0.0.1/tcp/1/p2p/{q}/p2p-circuit/p2p/{p}"),
            "allow.lists",
        ),
        (
            rules(&[], &[q], &[], &[]),
            on("/ip4/10.0.0.1/tcp/1/p2p/{q}/p2p-circuit/p2p/{p}"),
            "deny.peers",
        ),
        (
            rules(&[], &[p], &[], &[]),
            on("/ip4/10.0.0.1/tcp/1/p2p/{q}/p2p-circuit/p2p/{p}"),
            "deny.peers",
        ),
        // Names are not resolved: they lie in no range.
        (
            rules(&[], &[], &["10.0.0.0/8"], &[]),
            on("/dns4/example.org/tcp/1/p2p/{p}"),
            "allow.lists",
        ),
        (rules(&[], &[], &[], &["0.0.0.0/0"]), on("/dns4/example.org/tcp/1/p2p/{p}"), "-"),
        (rules(&[], &[], &[], &["10.0.0.0/8"]), on("/ip6/::ffff:10.0.0.1/tcp/1"), "deny.nets"),
        (rules(&[], &[], &["2001:db8::/32"], &[]), on("/ip6/2001:db8::1/udp/1/quic-v1"), "-"),
    ];
    for (set, resource, expected) in table {
        let found = rule_of(&set, &Subject::Local, Action::ConnectOut, &resource);
        assert_eq!(found, expected, "{resource:?} under {:?}", set.rules());
    }
}

#[test]
fn subjects_are_read_from_remote_addresses() {
    let (p, q) = (peer(1), peer(2));
    let direct = "/ip4/10.1.2.3/udp/7072/quic-v1".parse().unwrap();
    let addr = Some("10.1.2.3".parse().unwrap());
    assert_eq!(Subject::connected(p, &direct), Subject::Peer { id: p, addr, relayed: false });
    let circuit = format!("/ip4/10.1.2.3/tcp/1/p2p/{q}/p2p-circuit").parse().unwrap();
    assert_eq!(Subject::connected(p, &circuit), Subject::Peer { id: p, addr, relayed: true });
    let memory = "/memory/4".parse().unwrap();
    let unplaced = Subject::Peer { id: p, addr: None, relayed: false };
    assert_eq!(Subject::connected(p, &memory), unplaced);
}

#[test]
fn action_names_are_the_published_ones() {
    let names: Vec<_> = Action::ALL.iter().map(|action| action.name()).collect();
    assert_eq!(
        names.join(" "),
        "connect.in connect.out protocol.open relay.reserve relay.circuit topic.subscribe \
         topic.publish topic.relay topic.history dht.put dht.provide dht.query content.fetch \
         content.pin dm.send mailbox.put mailbox.take hop.forward invite.mint grant.revoke \
         admin.read admin.write policy.reload"
    );
    assert_eq!(Action::ALL.iter().collect::<BTreeSet<_>>().len(), 23);
}

#[test]
fn a_permit_covers_its_action_on_its_resource_only() {
    let set = PolicySet::open();
    let topic = Resource::Topic("peerloom/open/lobby".into());
    let permit = || judged(&set, &Subject::Local, Action::TopicPublish, &topic).permit().unwrap();
    assert_eq!(permit().resource(), &topic);
    assert_eq!(permit().redeem(Action::TopicPublish, &topic), Ok(()));
    let mismatch = |wanted| Err(PermitMismatch { granted: Action::TopicPublish, wanted });
    let other = Resource::Topic("peerloom/open/hall".into());
    assert_eq!(permit().redeem(Action::TopicPublish, &other), mismatch(Action::TopicPublish));
    assert_eq!(permit().redeem(Action::TopicSubscribe, &topic), mismatch(Action::TopicSubscribe));
}

#[test]
fn denials_say_what_and_why() {
    let set = rules(&[], &[peer(1)], &[], &[]);
    let verdict = judged(&set, &Subject::author(peer(1)), Action::DhtPut, &Resource::Node);
    assert!(!verdict.is_allowed());
    let denial = verdict.permit().unwrap_err();
    assert_eq!(denial.to_string(), "the rule deny.peers of rule set 7 forbids dht.put");
}

#[test]
fn rule_sets_are_bounded() {
    let net: Cidr = "10.0.0.0/8".parse().unwrap();
    let mut rules = Rules { deny_nets: vec![net; POLICY_RULES_MAX], ..Rules::default() };
    assert_eq!(rules.check(), Ok(()));
    rules.allow_peers.insert(peer(1));
    assert_eq!(rules.check(), Err(RulesError::TooMany { entries: POLICY_RULES_MAX + 1 }));
}

#[test]
fn texts_of_ranges() {
    let good = [
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("192.168.1.7", "192.168.1.7/32"),
        ("2001:DB8::/32", "2001:db8::/32"),
        ("::1", "::1/128"),
        ("::/0", "::/0"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.1.2.3", "10.1.2.3/32"),
    ];
    for (text, shown) in good {
        assert_eq!(text.parse::<Cidr>().map(|net| net.to_string()), Ok(shown.to_owned()));
    }
    let bad = [
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0/8",
        "10.0.0.0/-1",
        "10.0.0.0/+8",
        "10.0.0.0/256",
        "10.0.0.0/8/8",
        " 10.0.0.0/8",
        "example.org/8",
        "::g/1",
    ];
    for text in bad {
        let error = text.parse::<Cidr>().unwrap_err();
        assert!(matches!(error, CidrError::Malformed { .. }), "{text}: {error}");
    }
    assert_eq!("10.0.0.0/33".parse::<Cidr>(), Err(CidrError::TooLong { bits: 33, max: 32 }));
    assert_eq!("::/129".parse::<Cidr>(), Err(CidrError::TooLong { bits: 129, max: 128 }));
    let slip = "10.0.0.1/8".parse::<Cidr>().unwrap_err();
    assert_eq!(
        slip.to_string(),
        "the address has bits behind its prefix; did you mean 10.0.0.0/8?"
    );
    let long = "x".repeat(100_000).parse::<Cidr>().unwrap_err();
    assert!(long.to_string().len() < 200);
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
    ]
}

proptest! {
    #[test]
    fn ranges_read_what_they_show(ip in address(), bits in 0..=128_u8) {
        let net = match Cidr::new(ip, bits) {
            Ok(net) => net,
            Err(CidrError::HostBits { suggestion }) => suggestion.parse().unwrap(),
            Err(_) => return Ok(()),
        };
        prop_assert!(net.contains(ip));
        prop_assert_eq!(net.to_string().parse(), Ok(net));
    }

    /// Membership is: the first `bits` bits are the same, bit by bit.
    #[test]
    fn membership_of_ipv4_is_a_common_prefix(base: u32, other: u32, bits in 0..=32_u8) {
        let common = (0..u32::from(bits)).all(|i| (base ^ other) & (1 << (31 - i)) == 0);
        let base = Ipv4Addr::from_bits(base).into();
        let net: Cidr = match Cidr::new(base, bits) {
            Err(CidrError::HostBits { suggestion }) => suggestion.parse().unwrap(),
            net => net.unwrap(),
        };
        let other = Ipv4Addr::from_bits(other);
        prop_assert_eq!(net.contains(other.into()), common);
        prop_assert_eq!(net.contains(other.to_ipv6_mapped().into()), common);
    }

    #[test]
    fn membership_of_ipv6_is_a_common_prefix(base: u128, flip in 0..128_u8, bits in 0..=128_u8) {
        let ip = |bits| IpAddr::V6(Ipv6Addr::from_bits(bits | 1 << 127));
        let net: Cidr = match Cidr::new(ip(base), bits) {
            Err(CidrError::HostBits { suggestion }) => suggestion.parse().unwrap(),
            net => net.unwrap(),
        };
        let other = IpAddr::V6(Ipv6Addr::from_bits((base | 1 << 127) ^ (1 << (127 - flip))));
        prop_assert_eq!(net.contains(other), flip >= bits);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}") {
        if let Ok(net) = text.parse::<Cidr>() {
            prop_assert_eq!(net.to_string().parse(), Ok(net));
        }
    }
}

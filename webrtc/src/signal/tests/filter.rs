//! Which candidates are tried, by how far away the relay is and by which networks are ours.

use crate::sdp::CandidateLine;
use crate::signal::{CandidateFilter, Network, Reach, Verdict, judge_candidate};

const PUBLIC: [&str; 9] = [
    "8.8.8.8",
    "100.63.255.255",
    "100.128.0.1",
    "172.32.0.1",
    "192.0.1.1",
    "192.167.0.1",
    "198.20.0.1",
    "2001:4860::1",
    "::ffff:8.8.8.8",
];
const PRIVATE: [&str; 13] = [
    "10.1.1.1",
    "100.64.0.1",
    "100.127.255.255",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "192.0.2.1",
    "198.18.0.1",
    "198.19.255.255",
    "2001:db8::1",
    "fd00::1",
    "fc00::1",
    "::ffff:10.0.0.1",
];
const LOOPBACK: [&str; 4] = ["127.0.0.1", "127.255.255.255", "::1", "::ffff:127.0.0.1"];
const NEVER: [&str; 17] = [
    "0.0.0.0",
    "0.1.2.3",
    "100.100.100.200",
    "169.254.1.1",
    "169.254.169.254",
    "192.0.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
    "64:ff9b::a00:1",
    "::ffff:169.254.169.254",
    "::ffff:0.0.0.0",
];
const REACHES: [Reach; 3] = [Reach::Machine, Reach::Site, Reach::World];

fn line(address: &str) -> CandidateLine {
    spoken(&format!("udp 1 {address} 4000"))
}

fn spoken(middle: &str) -> CandidateLine {
    CandidateLine::parse(&format!("candidate:1 1 {middle} typ host")).expect("a candidate")
}

fn network(address: &str, prefix: u8) -> Network {
    Network { address: address.parse().expect("an address"), prefix }
}

#[test]
fn the_nearer_the_relay_the_nearer_the_candidates() {
    for (addresses, tried) in [
        (&PUBLIC[..], [Verdict::Try, Verdict::Try, Verdict::Try]),
        (&PRIVATE, [Verdict::TryNear, Verdict::TryNear, Verdict::Refuse]),
        (&LOOPBACK, [Verdict::TryNear, Verdict::Refuse, Verdict::Refuse]),
        (&NEVER, [Verdict::Refuse, Verdict::Refuse, Verdict::Refuse]),
    ] {
        for address in addresses {
            let found = REACHES.map(|reach| judge_candidate(&line(address), reach, &[]));
            assert_eq!(found, tried, "{address}");
        }
    }
}

#[test]
fn a_network_of_ours_is_open_to_a_peer_from_afar() {
    let ours = [
        network("127.0.0.1", 8),
        network("169.254.7.7", 16),
        network("100.100.100.1", 16),
        network("192.168.1.20", 24),
        network("10.0.0.5", 9),
        network("fd12:3456::77", 64),
        network("fe80::2", 64),
        // A tunnel for everything.
        network("172.16.0.2", 0),
        network("fd77::1", 0),
    ];
    let far = |address: &str| judge_candidate(&line(address), Reach::World, &ours);
    for address in ["192.168.1.1", "192.168.1.255", "10.127.255.255", "fd12:3456::1"] {
        assert_eq!(far(address), Verdict::TryNear, "{address}");
    }
    for address in [
        "192.168.2.1",
        "192.168.0.255",
        "10.128.0.0",
        "172.16.0.1",
        "fd12:3456:0:1::1",
        "fd77::2",
        "127.0.0.1",
        "::1",
        "169.254.7.8",
        "100.100.100.200",
        "fe80::3",
    ] {
        assert_eq!(far(address), Verdict::Refuse, "{address}");
    }
}

#[test]
fn only_names_of_the_local_network_are_tried() {
    for reach in REACHES {
        let of = |name: &str| judge_candidate(&line(name), reach, &[]);
        assert_eq!(of("1b2c3d4e-5f60-4718-8293-a4b5c6d7e8f9.local"), Verdict::TryNear);
        for name in ["router.example.org", "localhost", "local", "x.local.example.org"] {
            assert_eq!(of(name), Verdict::Refuse, "{name}");
        }
    }
}

#[test]
fn nobody_makes_us_open_a_tcp_connection_nearby() {
    let of = |middle: &str, reach| judge_candidate(&spoken(middle), reach, &[]);
    for reach in [Reach::Site, Reach::World] {
        assert_eq!(of("tcp 1 x.local 80", reach), Verdict::Refuse);
        // It only dials; nobody dials it.
        assert_eq!(of("tcp 1 x.local 9", reach), Verdict::Try);
    }
    assert_eq!(of("tcp 1 192.168.1.1 80", Reach::Site), Verdict::Refuse);
    assert_eq!(of("tcp 1 8.8.8.8 80", Reach::World), Verdict::Try);
    assert_eq!(of("tcp 1 127.0.0.1 80", Reach::Machine), Verdict::TryNear);
}

#[test]
fn near_candidates_are_few_and_far_ones_do_not_count() {
    let mut filter = CandidateFilter::new(Reach::Site, Vec::new(), 3);
    for address in ["8.8.8.8", "192.168.1.1", "9.9.9.9", "x.local", "127.0.0.1", "10.0.0.1"] {
        assert_eq!(filter.takes(&line(address)), address != "127.0.0.1", "{address}");
    }
    assert!(!filter.takes(&line("10.0.0.2")));
    assert!(!filter.takes(&line("y.local")));
    assert!(filter.takes(&line("8.8.4.4")));
}

use super::Group;
use crate::Multiaddr;

const A: &str = "12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";
const R: &str = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp";

fn group(text: &str) -> Option<Group> {
    let text = text.replace("{A}", A).replace("{R}", R);
    Group::of(&text.parse::<Multiaddr>().unwrap_or_else(|e| panic!("{text}: {e}")))
}

#[test]
fn one_network_is_one_group() {
    let same = [
        ("/ip4/8.8.8.1/tcp/1", "/ip4/8.8.8.250/udp/9/quic-v1/p2p/{A}"),
        ("/ip4/8.8.8.1/tcp/1", "/ip6/::ffff:8.8.8.9/tcp/1"),
        ("/ip6/2600:1:2:3::1/tcp/1", "/ip6/2600:1:2:ffff::9/tcp/2/ws"),
        ("/ip4/127.0.0.1/tcp/1", "/ip6/::1/tcp/1"),
        ("/ip4/127.0.0.1/tcp/1", "/memory/3"),
        ("/ip4/127.0.0.1/tcp/1", "/dns4/localhost/tcp/1/ws"),
        ("/dns4/a.example.com/tcp/1", "/dns6/b.c.Example.com./tcp/1"),
        (
            "/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit/p2p/{A}",
            "/ip4/9.9.9.9/tcp/1/ws/p2p/{R}/p2p-circuit/webrtc",
        ),
    ];
    for (one, other) in same {
        assert_eq!(group(one), group(other), "{one} {other}");
        assert!(group(one).is_some());
    }
    let different = [
        ("/ip4/8.8.8.1/tcp/1", "/ip4/8.8.9.1/tcp/1"),
        ("/ip6/2600:1:2::1/tcp/1", "/ip6/2600:1:3::1/tcp/1"),
        ("/dns4/a.example.com/tcp/1", "/dns4/a.example.org/tcp/1"),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit", "/ip4/8.8.8.8/tcp/1/p2p/{A}/p2p-circuit"),
        ("/ip4/8.8.8.8/tcp/1/p2p/{R}/p2p-circuit", "/ip4/8.8.8.8/tcp/1/p2p/{R}"),
    ];
    for (one, other) in different {
        assert_ne!(group(one), group(other), "{one} {other}");
    }
    assert_eq!(group("/p2p/{A}"), None);
    assert_eq!(group("/p2p-circuit/p2p/{A}"), None);
}

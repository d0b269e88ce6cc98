//! Nodes that find each other without being told.
//! Invariant: what was found once is found again after a restart.
//! Not here: bootstrap links (`transports`, `mesh`).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;
use std::time::Duration;

use peerloom_shared::defence::scope::Scope;
use peerloom_shared::view::Transport;
use peerloom_tests::{Form, PATIENCE, Setup, wait_until};

use crate::inside::{again, is_alone};

/// An address of this machine that others on its LAN would use. mDNS asks over IPv4.
fn lan_address() -> Result<Ipv4Addr, String> {
    let interfaces = if_addrs::get_if_addrs().map_err(|error| error.to_string())?;
    let mut own = interfaces.iter().filter_map(|interface| match interface.ip() {
        IpAddr::V4(ip) if Scope::of_ip(ip.into()) == Scope::Private => Some(ip),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    });
    own.next().ok_or_else(|| "no private IPv4 address that a neighbour could dial".to_owned())
}

/// An address at which multicast works: a datagram to a group comes back to this machine.
fn multicast() -> Result<Ipv4Addr, String> {
    let ip = lan_address()?;
    // A group of our own, so that no mDNS service is disturbed.
    let group = Ipv4Addr::new(239, 255, 77, 70);
    let try_it = || {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.join_multicast_v4(&group, &ip)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        let to = SocketAddr::from((group, socket.local_addr()?.port()));
        UdpSocket::bind((ip, 0))?.send_to(b"hello", to)?;
        socket.recv_from(&mut [0; 5]).map(drop)
    };
    try_it().map(|()| ip).map_err(|error| format!("no multicast at {ip}: {error}"))
}

/// Nodes on the LAN of this address find each other, and only those that look.
fn find_each_other(ip: Ipv4Addr) {
    let host = format!("/ip4/{ip}");
    let on_lan = || Setup::new().listen(&[Form::Tcp.at(&host)]).mdns().start();
    let (one, other) = (on_lan(), on_lan());
    one.wait_peer(other.id());
    other.wait_peer(one.id());
    let quiet = Setup::new().listen(&[Form::Tcp.at(&host)]).start();
    let late = on_lan();
    late.wait_peer(one.id());
    assert!(quiet.status().peers.is_empty(), "one that does not look is not found");
}

/// A network of its own for one process, with a LAN of one computer. Needs Linux and no rights.
const OWN_NETWORK: &str = "ip link set lo up multicast on && ip addr add 10.77.0.1/24 dev lo && \
                           ip route add 224.0.0.0/4 dev lo && exec \"$0\" \"$@\"";

#[test]
fn nodes_on_one_lan_find_each_other() {
    let test = "discovery::nodes_on_one_lan_find_each_other";
    match multicast() {
        Ok(ip) => find_each_other(ip),
        Err(why) if is_alone(test) => println!("skipped: {why}"),
        Err(why) => {
            println!("this machine: {why}; trying in a network of its own");
            let mut inside = Command::new("unshare");
            inside.args(["--user", "--map-root-user", "--net", "sh", "-c", OWN_NETWORK]);
            match again(test, inside) {
                Some(text) => println!("{text}"),
                None => println!("skipped: no network of its own can be made here either"),
            }
        }
    }
}

#[test]
fn a_node_comes_back_by_its_address_book() {
    let friend = Setup::new().start();
    let rules = format!("[allow]\npeers = [\"{}\"]\n", friend.id());
    let mut node = Setup::new().rules(&rules).bootstrap(&friend.address(Transport::Tcp)).start();
    // Where the friend can be reached, it says itself, a moment after the connection.
    node.wait_status("the friend said who it is", |status| {
        status.peers.iter().any(|peer| peer.agent.is_some()).then_some(())
    });
    node.running().signal("INT");
    assert!(node.running().wait(PATIENCE, "a clean stop").success());
    wait_until(PATIENCE, "the friend sees it go", || {
        friend.status().peers.is_empty().then_some(())
    });
    node.restart_bare();
    node.wait_peer(friend.id());
    assert!(node.status().links.is_empty(), "nobody told it to keep a link");
    node.join("lobby");
    friend.join("lobby");
    let hears = friend.events();
    node.say("lobby", "back by the book");
    hears.message("back by the book");
}

#[test]
fn neighbours_of_a_neighbour_are_found() {
    let first = Setup::new().start();
    let address = first.address(Transport::Tcp);
    let (one, other) =
        (Setup::new().bootstrap(&address).start(), Setup::new().bootstrap(&address).start());
    // Both announce where they are on the discovery topic, which the first one carries.
    one.wait_peer(other.id());
    other.wait_peer(one.id());
}

//! Real sockets of this machine: what leaves together arrives together, cut where it was joined.

use std::future::poll_fn;
use std::net::{Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::{Buffers, Burst, Run, Udp};
use crate::limits::native::BURST_BYTES;

const DATAGRAM: usize = 1213;
const DEADLINE: Duration = Duration::from_secs(10);

fn bind(address: &str) -> (Udp, SocketAddr) {
    let udp = Udp::bind(address.parse().expect("an address"), false).expect("a socket");
    let at = udp.local_addr().expect("an address");
    (udp, at)
}

fn datagram(number: usize, len: usize) -> Vec<u8> {
    (0..len).map(|at| u8::try_from((number + at) % 251).expect("small")).collect()
}

/// As many as fit, each of full size, and a shorter one at the end.
fn full_burst(to: SocketAddr) -> (Burst, Vec<Vec<u8>>) {
    let mut sent = vec![datagram(0, DATAGRAM)];
    let mut burst = Burst::new(to, &sent[0], Vec::new());
    loop {
        let next = datagram(sent.len(), DATAGRAM);
        if !burst.push(to, &next) {
            break;
        }
        sent.push(next);
    }
    (burst, sent)
}

async fn send(udp: &Udp, burst: &mut Burst) {
    while udp.send(burst).is_err() {
        poll_fn(|cx| udp.poll_writable(cx)).await.expect("a socket");
    }
}

async fn receive(udp: &Udp, count: usize) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    let mut buffers = Buffers::default();
    let all = async {
        while runs.iter().map(Run::len).sum::<usize>() < count {
            udp.readable().await.expect("a socket");
            udp.read(&mut buffers, |run| runs.push(run)).unwrap_or_default();
        }
    };
    tokio::time::timeout(DEADLINE, all).await.expect("all datagrams");
    runs
}

#[tokio::test]
async fn a_burst_arrives_as_the_datagrams_it_is_made_of() {
    let (from, _) = bind("127.0.0.1:0");
    let (to, address) = bind("127.0.0.1:0");
    let (mut burst, sent) = full_burst(address);
    assert_eq!(sent.len(), BURST_BYTES / DATAGRAM);
    send(&from, &mut burst).await;
    let runs = receive(&to, sent.len()).await;
    let got: Vec<Vec<u8>> = runs.iter().flat_map(Run::datagrams).map(<[u8]>::to_vec).collect();
    assert!(got == sent);
}

/// The kernel takes the whole burst in one call and gives it in one piece. Where it cannot, that is no
/// error, but then this test says so.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn linux_sends_and_receives_many_datagrams_a_call() {
    let (from, _) = bind("127.0.0.1:0");
    let (to, address) = bind("127.0.0.1:0");
    assert!(from.state.max_gso_segments() > 1, "this kernel has no GSO");
    let (mut burst, sent) = full_burst(address);
    send(&from, &mut burst).await;
    assert!(from.state.max_gso_segments() > 1, "GSO was refused");
    let runs = receive(&to, sent.len()).await;
    assert_eq!(runs.len(), 1, "{:?}", runs.iter().map(Run::len).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_socket_of_both_families_reaches_the_old_one() {
    let (from, _) = bind(&SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), 0).to_string());
    let (to, address) = bind("127.0.0.1:0");
    send(&from, &mut Burst::new(address, b"hello", Vec::new())).await;
    let runs = receive(&to, 1).await;
    assert_eq!(runs[0].datagrams().next(), Some(&b"hello"[..]));
    assert!(runs[0].from.is_ipv4());
}

#[tokio::test]
async fn a_datagram_that_is_too_long_is_left_out() {
    let (from, _) = bind("127.0.0.1:0");
    let (to, address) = bind("127.0.0.1:0");
    send(&from, &mut Burst::new(address, &datagram(0, 3000), Vec::new())).await;
    send(&from, &mut Burst::new(address, b"short", Vec::new())).await;
    let runs = receive(&to, 1).await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].datagrams().next(), Some(&b"short"[..]));
}

#[test]
fn only_the_last_datagram_of_a_burst_may_be_shorter() {
    let to = "127.0.0.1:1".parse().expect("an address");
    let other = "127.0.0.1:2".parse().expect("an address");
    let mut burst = Burst::new(to, &[1; 100], Vec::new());
    assert!(!burst.push(to, &[2; 101]));
    assert!(!burst.push(other, &[2; 100]));
    assert!(!burst.push(to, &[]));
    assert!(burst.push(to, &[2; 100]));
    assert!(burst.push(to, &[3; 40]));
    assert!(!burst.push(to, &[4; 40]));
    let lengths: Vec<usize> = burst.datagrams().map(<[u8]>::len).collect();
    assert_eq!(lengths, [100, 100, 40]);
}

#[test]
fn a_run_is_cut_between_datagrams() {
    let from = "127.0.0.1:1".parse().expect("an address");
    let mut run = Run { from, bytes: vec![5; 250].into(), stride: 100 };
    assert_eq!(run.len(), 3);
    run.truncate(2);
    assert_eq!(run.datagrams().map(<[u8]>::len).collect::<Vec<_>>(), [100, 100]);
    run.truncate(0);
    assert_eq!((run.len(), run.datagrams().count()), (0, 0));
}

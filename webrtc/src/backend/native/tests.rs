//! Two links in one process, over a network that the test makes: no socket, no waiting.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use is::IceCreds;

use super::Certificate;
use super::link::{Link, LinkEvent};
use super::plan::Plan;
use crate::backend::{ChannelId, Event, Failure, Kind};
use crate::limits::ConnectionLimits;
use crate::limits::native::SCTP_PAYLOAD_BYTES;

const CLIENT: &str = "127.0.0.1:4001";
const SERVER: &str = "127.0.0.1:4002";

/// A step of simulated time.
const STEP: Duration = Duration::from_millis(5);

struct Side {
    link: Link,
    address: SocketAddr,
    inbox: VecDeque<(Instant, SocketAddr, Vec<u8>)>,
    events: Vec<LinkEvent>,
    failed: Option<Failure>,
    reads: bool,
}

/// A client and a server as in WebRTC-direct, joined by a network that may lose datagrams.
struct World {
    client: Side,
    server: Side,
    now: Instant,
    delay: Duration,
    /// One of so many is lost; 0: none.
    loss: u64,
    chance: u64,
    datagrams: usize,
}

fn side(address: &str, server: bool, certificate: &Certificate, now: Instant) -> Side {
    let password = "0123456789abcdef01234567".to_owned();
    let long = format!("libp2p+webrtc+v2/{password}");
    let of_server = IceCreds { ufrag: long.clone(), pass: long };
    let of_client = IceCreds { ufrag: "abcd".to_owned(), pass: password };
    let (local, remote) = if server { (of_server, of_client) } else { (of_client, of_server) };
    let address = address.parse().expect("an address");
    let plan = Plan {
        certificate: certificate.dtls(),
        dtls_client: !server,
        controlling: !server,
        lite: server,
        local,
        bases: vec![address],
        limits: ConnectionLimits::DEFAULT,
    };
    let mut link = Link::new(plan, now).expect("a link");
    link.set_remote(remote, None);
    Side { link, address, inbox: VecDeque::new(), events: Vec::new(), failed: None, reads: true }
}

impl World {
    fn new() -> Self {
        let now = Instant::now();
        let certificate = Certificate::generate().expect("a certificate");
        let mut client = side(CLIENT, false, &certificate, now);
        let server = side(SERVER, true, &certificate, now);
        client.link.add_remote_address(server.address).expect("an address");
        Self {
            client,
            server,
            now,
            delay: Duration::from_millis(10),
            loss: 0,
            chance: 88_172_645_463_325_252,
            datagrams: 0,
        }
    }

    fn random(&mut self) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        self.chance
    }

    fn lost(&mut self) -> bool {
        let random = self.random();
        self.loss != 0 && random.is_multiple_of(self.loss)
    }

    fn step(&mut self) {
        self.now += STEP;
        for at_server in [false, true] {
            let now = self.now;
            let (me, other) = if at_server {
                (&mut self.server, &mut self.client)
            } else {
                (&mut self.client, &mut self.server)
            };
            while me.inbox.front().is_some_and(|(due, ..)| *due <= now) {
                let (_, from, bytes) = me.inbox.pop_front().expect("a datagram");
                me.link.handle_datagrams(now, from, [&bytes[..]].into_iter());
            }
            if me.link.next_timeout().is_none_or(|due| due <= now) {
                me.link.handle_timeout(now);
            }
            while me.reads && me.failed.is_none() {
                match me.link.poll_event() {
                    Ok(Some(event)) => me.events.push(event),
                    Ok(None) => break,
                    Err(failure) => me.failed = Some(failure),
                }
            }
            let mut sent = Vec::new();
            while let Some(burst) = me.link.poll_transmit(now) {
                assert_eq!(burst.to(), Some(other.address));
                for datagram in burst.datagrams() {
                    // Ethernet's 1,500 less the headers of IPv6 and UDP.
                    assert!(datagram.len() <= 1452, "{} bytes", datagram.len());
                    sent.push(datagram.to_vec());
                }
            }
            let from = me.address;
            for bytes in sent {
                self.datagrams += 1;
                if !self.lost() {
                    let due = self.now + self.delay;
                    let to = if at_server { &mut self.client } else { &mut self.server };
                    to.inbox.push_back((due, from, bytes));
                }
            }
        }
    }

    /// Goes on until it holds; fails after a minute of simulated time.
    fn until(&mut self, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now + Duration::from_secs(60);
        while !holds(self) {
            assert!(self.now < end, "{what}: {:?} {:?}", self.client.failed, self.server.failed);
            self.step();
        }
    }

    fn connect(&mut self) {
        self.until("secured", |world| {
            [&world.client, &world.server]
                .iter()
                .all(|side| matches!(side.events.first(), Some(LinkEvent::Secured(_))))
        });
    }

    /// Opens a channel of the client; gives the ids at both sides.
    fn channel(&mut self) -> (ChannelId, ChannelId) {
        let ours = self.client.link.open(Kind::Announced).expect("a channel");
        let before = self.server.incoming().len();
        self.until("a channel", |world| {
            world.client.has(&Event::Opened(ours)) && world.server.incoming().len() > before
        });
        (ours, *self.server.incoming().last().expect("a channel"))
    }
}

impl Side {
    fn has(&self, event: &Event) -> bool {
        self.events.iter().any(|e| matches!(e, LinkEvent::Channel(e) if e == event))
    }

    fn incoming(&self) -> Vec<ChannelId> {
        self.events
            .iter()
            .filter_map(|event| match event {
                LinkEvent::Channel(Event::Incoming(id)) => Some(*id),
                LinkEvent::Channel(_) | LinkEvent::Secured(_) => None,
            })
            .collect()
    }

    fn received(&self, channel: ChannelId) -> Vec<u8> {
        self.events
            .iter()
            .filter_map(|event| match event {
                LinkEvent::Channel(Event::Message(id, bytes)) if *id == channel => Some(&bytes[..]),
                LinkEvent::Channel(_) | LinkEvent::Secured(_) => None,
            })
            .collect::<Vec<_>>()
            .concat()
    }

    fn send(&mut self, channel: ChannelId, message: &[u8]) {
        self.link.channels().expect("channels").send(channel, message).expect("sent");
    }
}

#[test]
fn both_sides_see_each_others_certificate() {
    let mut world = World::new();
    world.connect();
    let of = |side: &Side| match side.events.first() {
        Some(LinkEvent::Secured(fingerprint)) => *fingerprint,
        other => panic!("{other:?}"),
    };
    assert_eq!(of(&world.client), of(&world.server));
}

#[test]
fn another_certificate_than_promised_ends_the_link() {
    let mut world = World::new();
    let other = Certificate::generate().expect("another").fingerprint();
    let password = "libp2p+webrtc+v2/0123456789abcdef01234567".to_owned();
    let remote = IceCreds { ufrag: password.clone(), pass: password };
    world.client.link.set_remote(remote, Some(other));
    world.until("refused", |world| world.client.failed.is_some());
    assert!(matches!(world.client.failed, Some(Failure::Handshake(_))));
    assert!(world.client.events.is_empty());
}

#[test]
fn messages_arrive_whole_and_in_order_over_a_bad_network() {
    for loss in [0, 10] {
        let mut world = World::new();
        world.loss = loss;
        world.connect();
        let (ours, theirs) = world.channel();
        let sent: Vec<u8> = (0..60_000_u32).flat_map(u32::to_be_bytes).collect();
        for message in sent.chunks(16_000) {
            world.client.send(ours, message);
            world.server.send(theirs, message);
        }
        world.until("all messages", |world| {
            world.server.received(theirs).len() >= sent.len()
                && world.client.received(ours).len() >= sent.len()
        });
        assert!(world.server.received(theirs) == sent && world.client.received(ours) == sent);
    }
}

#[test]
fn what_one_message_fills_leaves_in_one_burst() {
    let mut world = World::new();
    world.connect();
    let (ours, theirs) = world.channel();
    // Before that the congestion window is too small.
    for _ in 0..12 {
        world.client.send(ours, &[1; 16_000]);
    }
    world.until("data", |world| world.server.received(theirs).len() == 192_000);
    let message = vec![2; 14 * SCTP_PAYLOAD_BYTES as usize];
    world.client.send(ours, &message);
    world.client.send(ours, &message);
    let mut bursts = Vec::new();
    while let Some(burst) = world.client.link.poll_transmit(world.now) {
        bursts.push(burst.datagrams().map(<[u8]>::len).collect::<Vec<_>>());
    }
    assert_eq!(bursts.len(), 1, "{bursts:?}");
    // More than one message, as far as the congestion window goes.
    assert!(bursts[0].len() > 14, "{bursts:?}");
    assert!(bursts[0].iter().all(|len| *len == bursts[0][0] && *len <= 1232), "{bursts:?}");
}

#[test]
fn what_is_said_after_a_pause_is_sent_once() {
    let mut world = World::new();
    world.connect();
    let (ours, theirs) = world.channel();
    let pause = world.now + Duration::from_secs(20);
    world.until("a pause", |world| world.now >= pause);
    let before = world.datagrams;
    world.client.send(ours, &[3; 1_000]);
    world.until("data", |world| world.server.received(theirs).len() == 1_000);
    // The message, its acknowledgement, and a check of the path each way.
    assert!(world.datagrams - before <= 6, "{} datagrams", world.datagrams - before);
}

#[test]
fn a_reader_that_waits_stops_the_sender_and_loses_nothing() {
    let mut world = World::new();
    world.connect();
    let (ours, theirs) = world.channel();
    world.server.link.channels().expect("channels").hold(theirs, true);
    let message = vec![7; 16_000];
    for _ in 0..250 {
        world.client.send(ours, &message);
    }
    for _ in 0..2_000 {
        world.step();
    }
    assert_eq!(world.server.received(theirs).len(), 0);
    let waiting = world.client.link.channels().expect("channels").buffered(ours);
    // Four megabytes less one receive window.
    assert!(waiting > 2_500_000, "{waiting} bytes wait at the sender");
    world.server.link.channels().expect("channels").hold(theirs, false);
    world.until("all of it", |world| world.server.received(theirs).len() == 4_000_000);
}

#[test]
fn a_channel_that_closes_after_its_data_loses_none() {
    let mut world = World::new();
    world.loss = 15;
    world.connect();
    let (ours, theirs) = world.channel();
    world.client.send(ours, &[1; 9_000]);
    world.until("acknowledged", |world| world.server.received(theirs).len() == 9_000);
    world.client.link.channels().expect("channels").close_channel(ours);
    world.until("closed", |world| world.server.has(&Event::Closed(theirs)));
    // The same stream id again, after its reset.
    for _ in 0..3 {
        let (ours, theirs) = world.channel();
        world.server.send(theirs, b"again");
        world.until("data", |world| world.client.received(ours) == b"again");
        world.client.link.channels().expect("channels").close_channel(ours);
        world.until("closed", |world| world.server.has(&Event::Closed(theirs)));
    }
}

#[test]
fn a_channel_too_many_is_refused_with_a_reset() {
    let mut world = World::new();
    world.connect();
    let opened: Vec<ChannelId> = (0..=ConnectionLimits::DEFAULT.streams)
        .map(|_| world.client.link.open(Kind::Announced).expect("a channel"))
        .collect();
    let last = *opened.last().expect("a channel");
    world.until("refused", |world| world.client.has(&Event::Closed(last)));
    assert_eq!(world.client.received(last), [2, 8, 2]);
    assert_eq!(world.server.incoming().len(), ConnectionLimits::DEFAULT.streams);
}

#[test]
fn a_goodbye_is_heard_at_once() {
    let mut world = World::new();
    world.connect();
    world.channel();
    world.client.link.close();
    let start = world.now;
    world.until("heard", |world| world.server.failed.is_some());
    assert_eq!(world.server.failed, Some(Failure::Closed));
    assert!(world.now - start < Duration::from_secs(1));
}

#[test]
fn a_silent_path_is_given_up() {
    let mut world = World::new();
    world.connect();
    world.loss = 1;
    world.until("given up", |world| world.client.failed.is_some() && world.server.failed.is_some());
    assert_eq!(world.client.failed, Some(Failure::NoPath));
    assert_eq!(world.server.failed, Some(Failure::NoPath));
}

#[test]
fn garbage_does_nothing() {
    let mut world = World::new();
    world.connect();
    let from = world.client.address;
    for length in 0..1_500_usize {
        let mut bytes: Vec<u8> = (0..length).map(|_| world.random().to_le_bytes()[0]).collect();
        // Of each kind that RFC 7983 knows.
        if let Some(first) = bytes.first_mut() {
            *first = [0, 1, 20, 22, 23, 63, 64, 128][length % 8];
        }
        world.server.link.handle_datagrams(world.now, from, [&bytes[..]].into_iter());
    }
    assert_eq!(world.server.failed, None);
    let (ours, theirs) = world.channel();
    world.client.send(ours, b"still here");
    world.until("data", |world| world.server.received(theirs) == b"still here");
}

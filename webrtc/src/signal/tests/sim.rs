//! Sessions between simulated platforms over simulated streams, in simulated time.

use std::collections::BTreeMap;

use super::{LIMITS, candidate, sdp};
use crate::backend::Failure;
use crate::signal::*;

/// Xorshift; a seed tells a whole run.
struct Chance(u64);

impl Chance {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 16
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn millis(&mut self, end: u64) -> Duration {
        Duration::from_millis(self.below(end))
    }
}

/// What a run is like; drawn from its seed.
#[derive(Clone, Copy, Debug)]
struct Weather {
    /// Milliseconds at most that a piece of a message takes, and that a platform takes for an order.
    link: u64,
    platform: u64,
    /// Bytes at most of a piece.
    piece: u64,
    candidates: u64,
    /// One of so many candidates is found twice.
    double: u64,
    /// Whether there is a path between the sides at all, and whether the platforms notice if not.
    path: bool,
    notices: bool,
    /// When the stream breaks.
    breaks: Option<Duration>,
}

impl Weather {
    fn of(chance: &mut Chance) -> Self {
        Self {
            link: [1, 50, 400][chance.below(3) as usize],
            platform: [1, 100, 2000][chance.below(3) as usize],
            piece: [1, 30, 1000, 100_000][chance.below(4) as usize],
            candidates: [1, 8, 100][chance.below(3) as usize],
            double: 1 + chance.below(4),
            path: !chance.one_in(4),
            notices: chance.one_in(2),
            breaks: chance.one_in(3).then(|| chance.millis(4000)),
        }
    }

    /// Whether nothing keeps a session from its connection.
    fn is_fair(&self) -> bool {
        self.path && self.breaks.is_none()
    }
}

#[derive(Debug)]
enum Happens {
    Opens,
    Bytes(Vec<u8>),
    Ends,
    Local(Local),
    Breaks,
    Tick,
}

/// One side of one session: the machine, and a platform that checks what it is told.
#[derive(Debug)]
struct Side {
    role: Role,
    signal: Option<Signal>,
    outcome: Option<Result<(), SignalError>>,
    ended_at: Duration,
    /// When the last piece that it sent arrives: pieces keep their order.
    arrives: Duration,
    described: bool,
    sent: usize,
    local_set: bool,
    remote_set: bool,
    /// Candidates found here, and those that it was told of.
    found: Vec<String>,
    told: Vec<String>,
    connects: bool,
}

impl Side {
    fn new(role: Role) -> Self {
        Self {
            role,
            signal: None,
            outcome: None,
            ended_at: Duration::ZERO,
            arrives: Duration::ZERO,
            described: false,
            sent: 0,
            local_set: false,
            remote_set: false,
            found: Vec::new(),
            told: Vec::new(),
            connects: false,
        }
    }
}

/// Sides 0 and 1 are one session, 2 and 3 another between the same peers with the roles swapped.
struct World {
    chance: Chance,
    weather: Weather,
    now: Duration,
    next: u64,
    events: BTreeMap<(Duration, u64), (usize, Happens)>,
    sides: Vec<Side>,
    broken: [bool; 2],
}

impl World {
    fn new(seed: u64, sessions: usize) -> Self {
        let mut chance = Chance::new(seed);
        let weather = Weather::of(&mut chance);
        let mut world = Self {
            chance,
            weather,
            now: Duration::from_secs(1000),
            next: 0,
            events: BTreeMap::new(),
            sides: (0..sessions)
                .flat_map(|_| [Role::Initiator, Role::Responder])
                .map(Side::new)
                .collect(),
            broken: [false; 2],
        };
        for session in 0..sessions {
            let opens = world.chance.millis(200);
            world.after(opens, 2 * session, Happens::Opens);
            let opens = opens + world.chance.millis(world.weather.link);
            world.after(opens, 2 * session + 1, Happens::Opens);
            world.sides[2 * session].arrives = world.now + opens;
            if let Some(at) = weather.breaks {
                world.after(at, 2 * session, Happens::Breaks);
            }
        }
        world
    }

    fn after(&mut self, wait: Duration, side: usize, happens: Happens) {
        self.next += 1;
        self.events.insert((self.now + wait, self.next), (side, happens));
    }

    fn run(&mut self) {
        while let Some(((at, _), (side, happens))) = self.events.pop_first() {
            self.now = at;
            self.happen(side, happens);
            self.drain(side);
            self.try_to_connect(side / 2);
        }
    }

    fn happen(&mut self, side: usize, happens: Happens) {
        let now = self.now;
        if matches!(happens, Happens::Opens) {
            let signal = Signal::new(self.sides[side].role, LIMITS, now);
            let wake = signal.next_wake().unwrap();
            self.sides[side].signal = Some(signal);
            self.after(wake - now, side, Happens::Tick);
            return;
        }
        if matches!(happens, Happens::Breaks) {
            self.broken[side / 2] = true;
            for side in [side, side ^ 1] {
                let wait = self.chance.millis(self.weather.link);
                self.after(wait, side, Happens::Ends);
            }
            return;
        }
        if let Happens::Local(Local::RemoteApplied) = happens {
            self.sides[side].remote_set = true;
        }
        let broken = self.broken[side / 2];
        // A stream that breaks before the other side knows of it is no session there.
        let Some(signal) = &mut self.sides[side].signal else { return };
        match happens {
            Happens::Bytes(bytes) if !broken => signal.receive(now, &bytes),
            Happens::Bytes(_) | Happens::Opens | Happens::Breaks => {}
            Happens::Ends => signal.stream_ended(now),
            Happens::Local(local) => signal.local(now, local),
            Happens::Tick => signal.tick(now),
        }
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.sides[side].signal.as_mut().and_then(Signal::poll_output) {
            assert_eq!(self.sides[side].outcome, None, "{output:?} after the end");
            match output {
                Output::Send(frame) => self.send(side, &frame),
                Output::Order(order) => self.order(side, order),
                Output::Connected => self.end(side, Ok(())),
                Output::Failed(error) => self.end(side, Err(error)),
            }
        }
    }

    /// Cuts a frame into pieces that arrive one after another.
    fn send(&mut self, side: usize, frame: &[u8]) {
        self.sides[side].sent += 1;
        let mut rest = frame;
        while !rest.is_empty() {
            let size = 1 + self.chance.below(self.weather.piece) as usize;
            let (piece, next) = rest.split_at(size.min(rest.len()));
            // Small pieces are quick, or a message of many would take minutes.
            let wait = Duration::from_millis(match self.weather.piece {
                1 => u64::from(self.chance.one_in(50)) * self.chance.below(self.weather.link),
                _ => self.chance.below(self.weather.link),
            });
            self.arrive(side, wait, Happens::Bytes(piece.to_vec()));
            rest = next;
        }
    }

    fn arrive(&mut self, from: usize, wait: Duration, happens: Happens) {
        let at = (self.now + wait).max(self.sides[from].arrives);
        self.sides[from].arrives = at;
        self.after(at - self.now, from ^ 1, happens);
    }

    /// Does as a browser does, and complains about what a browser would refuse.
    fn order(&mut self, side: usize, order: Order) {
        let wait = self.chance.millis(self.weather.platform);
        let this = &mut self.sides[side];
        let initiates = this.role == Role::Initiator;
        match order {
            Order::CreateOffer => {
                assert!(initiates && !this.described);
                this.described = true;
                self.after(wait, side, Happens::Local(Local::Description(sdp(Setup::ActPass))));
            }
            Order::ApplyRemote(text) => {
                assert!(!this.remote_set && this.local_set == initiates);
                Description::parse(&text).unwrap();
                if initiates {
                    this.remote_set = true;
                } else {
                    self.after(wait, side, Happens::Local(Local::RemoteApplied));
                }
            }
            Order::CreateAnswer => {
                assert!(!initiates && this.remote_set && !this.described);
                this.described = true;
                self.after(wait, side, Happens::Local(Local::Description(sdp(Setup::Active))));
            }
            Order::ApplyLocal => {
                assert!(this.described && !this.local_set && this.sent == 1, "sent, then applied");
                this.local_set = true;
                self.gather(side);
            }
            Order::AddCandidate(json) => {
                assert!(this.remote_set);
                this.told.push(json);
            }
        }
    }

    fn gather(&mut self, side: usize) {
        let mut wait = Duration::ZERO;
        for number in 0..1 + self.chance.below(self.weather.candidates) {
            wait += self.chance.millis(20);
            let json = candidate("8.8.8.8", 1000 * (side + 1) + number as usize);
            let times = if self.chance.one_in(self.weather.double) { 2 } else { 1 };
            for _ in 0..times {
                self.sides[side].found.push(json.clone());
                self.after(wait, side, Happens::Local(Local::Candidate(json.clone())));
            }
        }
        let end = ["null", "{\"candidate\":\"\"}"][side % 2].to_owned();
        self.after(wait, side, Happens::Local(Local::Candidate(end)));
        if !self.weather.path && self.weather.notices {
            let failed = Local::Failed(Failure::NoPath);
            self.after(Duration::from_secs(15), side, Happens::Local(failed));
        }
    }

    /// Two platforms connect once both have both descriptions and one knows a candidate.
    fn try_to_connect(&mut self, session: usize) {
        let pair = [2 * session, 2 * session + 1];
        let ready = pair.iter().all(|side| {
            let side = &self.sides[*side];
            side.local_set && side.remote_set && side.outcome.is_none() && !side.connects
        });
        let knows = pair.iter().any(|side| !self.sides[*side].told.is_empty());
        if self.weather.path && ready && knows {
            for side in pair {
                self.sides[side].connects = true;
                let wait = self.chance.millis(100);
                self.after(wait, side, Happens::Local(Local::Connected));
            }
        }
    }

    fn end(&mut self, side: usize, outcome: Result<(), SignalError>) {
        let this = &mut self.sides[side];
        this.ended_at = self.now;
        let failed = outcome.is_err();
        this.outcome = Some(outcome);
        let wait = self.chance.millis(self.weather.link);
        self.arrive(side, wait, Happens::Ends);
        // A peer connection that is dropped is noticed by the other one, if that got so far.
        if failed && self.sides[side ^ 1].connects {
            self.after(wait, side ^ 1, Happens::Local(Local::Failed(Failure::Closed)));
        }
    }
}

/// Whether `told` is a part of `found` in the same order.
fn is_part(told: &[String], found: &[String]) -> bool {
    let mut found = found.iter();
    told.iter().all(|told| found.any(|found| found == told))
}

/// Runs a seed; how many of its sessions connected.
fn run(seed: u64, sessions: usize) -> usize {
    let mut world = World::new(seed, sessions);
    world.run();
    let weather = world.weather;
    let mut connected = 0;
    for pair in world.sides.chunks(2) {
        let [a, b] = pair else { panic!("sides come in pairs") };
        let shown = format!("seed {seed}: {:?} {:?} {weather:?}", a.outcome, b.outcome);
        for side in pair {
            let signal = side.signal.as_ref().unwrap();
            assert!(side.outcome.is_some() && signal.next_wake().is_none(), "stuck: {shown}");
            let took = side.ended_at - (signal.deadline - LIMITS.total);
            assert!(took <= LIMITS.total, "{took:?}: {shown}");
            assert!(signal.received_bytes + signal.sent_bytes <= LIMITS.total_bytes, "{shown}");
            assert!(side.sent <= LIMITS.candidates + 1, "{shown}");
        }
        assert!(is_part(&a.told, &b.found) && is_part(&b.told, &a.found), "{shown}");
        let (a, b) = (a.outcome.as_ref().unwrap(), b.outcome.as_ref().unwrap());
        assert_eq!(a.is_ok(), b.is_ok(), "the sides differ: {shown}");
        if weather.is_fair() {
            assert!(a.is_ok(), "{shown}");
        }
        if !weather.path {
            let reason = |error: &SignalError| {
                matches!(
                    error,
                    SignalError::Timeout | SignalError::Ended | SignalError::Peer(Failure::NoPath)
                )
            };
            assert!([a, b].iter().all(|side| side.as_ref().is_err_and(reason)), "{shown}");
        }
        connected += usize::from(a.is_ok());
    }
    connected
}

#[test]
fn both_sides_of_a_session_end_alike() {
    let seeds = 1000;
    let connected: usize = (0..seeds).map(|seed| run(seed, 1)).sum();
    // Half of the seeds are fair; some of the others connect before the stream breaks.
    assert!(connected > 500 && connected < 750, "{connected} of {seeds}");
}

#[test]
fn sessions_that_cross_do_not_disturb_each_other() {
    let seeds = 300;
    let connected: usize = (0..seeds).map(|seed| run(1_000_000 + seed, 2)).sum();
    assert!(connected > 300 && connected < 450, "{connected} of {}", 2 * seeds);
}

#[test]
fn a_seed_tells_a_whole_run() {
    for seed in 0..20 {
        let end = |sessions| {
            let mut world = World::new(seed, sessions);
            world.run();
            (
                world.now,
                world.next,
                world.sides.iter().map(|side| side.ended_at).collect::<Vec<_>>(),
            )
        };
        assert_eq!(end(2), end(2));
    }
}

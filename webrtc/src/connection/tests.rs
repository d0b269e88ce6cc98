//! A connection over a backend that takes everything and sends nothing.

use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::AsyncWriteExt as _;
use libp2p_core::StreamMuxer;
use web_time::Instant;

use super::Connection;
use crate::backend::{Backend, ChannelId, Event, Failure, Kind};
use crate::limits::{ConnectionLimits, StreamLimits};

const LIMITS: ConnectionLimits = ConnectionLimits {
    stream: StreamLimits { abandoned: Duration::from_millis(20), ..StreamLimits::DEFAULT },
    cut_streams: 3,
    ..ConnectionLimits::DEFAULT
};
/// Longer than any test takes.
const DEADLINE: Duration = Duration::from_secs(20);

/// Opens every channel at once, and sends what it gets, or while it is stuck does not.
#[derive(Debug, Default)]
struct Stubborn {
    stuck: bool,
    events: Vec<Event>,
    /// Of each channel.
    buffered: Vec<usize>,
    closed: usize,
}

impl Backend for Stubborn {
    fn poll_event(&mut self, _: &mut Context<'_>) -> Poll<Result<Event, Failure>> {
        self.events.pop().map_or(Poll::Pending, |event| Poll::Ready(Ok(event)))
    }

    fn has_room(&self) -> bool {
        true
    }

    fn open(&mut self, _: Kind) -> Result<ChannelId, Failure> {
        let id = ChannelId(u64::try_from(self.buffered.len()).unwrap());
        self.buffered.push(0);
        self.events.push(Event::Opened(id));
        Ok(id)
    }

    fn send(&mut self, ChannelId(id): ChannelId, message: &[u8]) -> Result<(), Failure> {
        if self.stuck {
            self.buffered[usize::try_from(id).unwrap()] += message.len();
        }
        Ok(())
    }

    fn buffered(&mut self, ChannelId(id): ChannelId) -> usize {
        self.buffered[usize::try_from(id).unwrap()]
    }

    fn hold(&mut self, _: ChannelId, _: bool) {}

    fn close_channel(&mut self, channel: ChannelId) {
        self.closed += 1;
        self.events.push(Event::Closed(channel));
    }

    fn poll_close(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
}

/// Writes to a new stream and drops it.
fn use_one(connection: &mut Connection<Stubborn>) {
    let mut cx = Context::from_waker(Waker::noop());
    let Poll::Ready(Ok(mut stream)) = std::pin::Pin::new(connection).poll_outbound(&mut cx) else {
        panic!("no stream");
    };
    futures::executor::block_on(stream.write_all(b"for nobody")).expect("taken");
}

/// Drives the connection until `done`, or until it ends.
fn drive(
    connection: &mut Connection<Stubborn>,
    done: impl Fn(&Stubborn) -> bool,
) -> Result<(), Failure> {
    let end = Instant::now() + DEADLINE;
    let mut cx = Context::from_waker(Waker::noop());
    while Instant::now() < end {
        if let Poll::Ready(Err(failure)) = std::pin::Pin::new(&mut *connection).poll(&mut cx) {
            return Err(failure);
        }
        if connection.with_backend(|backend| done(backend)) {
            return Ok(());
        }
        std::thread::yield_now();
    }
    panic!("not in time");
}

/// Uses that many streams up, one after the other.
fn use_up(connection: &mut Connection<Stubborn>, streams: usize, stuck: bool) {
    connection.with_backend(|backend| backend.stuck = stuck);
    for _ in 0..streams {
        let all = connection.with_backend(|backend| backend.closed) + 1;
        use_one(connection);
        assert_eq!(drive(connection, |backend| backend.closed == all), Ok(()));
    }
}

#[test]
fn streams_that_the_other_side_never_drains_go_and_at_last_the_connection_does() {
    let mut connection = Connection::new(Stubborn::default(), LIMITS);
    use_up(&mut connection, LIMITS.cut_streams - 1, true);
    // Those that are drained count nothing.
    use_up(&mut connection, LIMITS.cut_streams * 3, false);
    use_up(&mut connection, 1, true);
    use_one(&mut connection);
    assert_eq!(drive(&mut connection, |_| false), Err(Failure::Stuck));
}

//! The browser's WebSocket as a libp2p transport that only dials.
//! Invariant: every wait ends by an event of the socket; one timer exists, for a blocked writer.
//! Not here: Noise and yamux, which run above, and the choice of addresses to dial.

mod connection;
mod url;

use std::{
    future::{Future, Pending, poll_fn},
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::future::{Either, select};
use futures_timer::Delay;
use libp2p::{
    Multiaddr,
    core::transport::{DialOpts, ListenerId, TransportError, TransportEvent},
};
use peerloom_shared::limits::DIAL_MS;

pub use self::{connection::Connection, url::socket_url};

/// Our close code for a normal end (RFC 6455, 7.4.1). Pages may only use 1000 and 3000 to 4999.
const CLOSE_NORMAL: u16 = 1000;

/// Our close code for a text message; stands for RFC 6455's 1003, which pages may not send.
const CLOSE_NOT_BINARY: u16 = 4003;

/// Our close code for a full queue; stands for RFC 6455's 1008, which pages may not send.
const CLOSE_TOO_FAST: u16 = 4008;

/// Our close code for a message over the limit; stands for RFC 6455's 1009.
const CLOSE_TOO_LARGE: u16 = 4009;

/// Dials `/ws`, `/wss`, `/tls/ws` and `/tls/sni/H/ws` over TCP, see [`socket_url`].
///
/// Its errors are [`io::Error`]s with a text for people; a browser hides why a dial failed.
#[derive(Debug, Default)]
pub struct Transport(());

impl Transport {
    /// A transport without any state or options.
    #[must_use]
    pub fn new() -> Self {
        Self(())
    }
}

impl libp2p::core::Transport for Transport {
    type Output = Connection;
    type Error = io::Error;
    type ListenerUpgrade = Pending<io::Result<Connection>>;
    type Dial = Pin<Box<dyn Future<Output = io::Result<Connection>> + Send>>;

    fn listen_on(
        &mut self,
        _: ListenerId,
        address: Multiaddr,
    ) -> Result<(), TransportError<io::Error>> {
        Err(TransportError::MultiaddrNotSupported(address))
    }

    fn remove_listener(&mut self, _: ListenerId) -> bool {
        false
    }

    fn dial(
        &mut self,
        address: Multiaddr,
        options: DialOpts,
    ) -> Result<Self::Dial, TransportError<io::Error>> {
        match socket_url(&address) {
            Some(url) if options.role.is_dialer() => Ok(Box::pin(open(url))),
            _ => Err(TransportError::MultiaddrNotSupported(address)),
        }
    }

    fn poll(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Poll::Pending
    }
}

/// Opens a socket and waits until it is open, refused, or [`DIAL_MS`] has passed.
async fn open(url: String) -> io::Result<Connection> {
    let mut connection = Connection::start(&url)?;
    let opened = poll_fn(|cx| connection.poll_open(cx));
    match select(opened, Delay::new(Duration::from_millis(DIAL_MS))).await {
        Either::Left((outcome, _)) => outcome?,
        Either::Right(((), _)) => {
            let text = format!("{url} did not answer within {} s", DIAL_MS / 1000);
            return Err(io::Error::new(io::ErrorKind::TimedOut, text));
        }
    }
    Ok(connection)
}

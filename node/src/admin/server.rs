//! The life of the HTTP server: bind, run, start again when it dies, stop in time.
//! Invariant: the port is bound once and held until the stop, so a restart cannot lose it.
//! Not here: routes and checks.

use std::any::Any;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::{Extensions, Server};
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, rt, web};
use peerloom_shared::limits;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::api::NodeApi;
use super::auth::{self, AdminToken, Names};
use super::routes::{self, State};
use crate::error::{Code, Coded, codes};

/// Why the HTTP server cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Another program holds the port.
    #[error("cannot listen on {address}: the port is in use")]
    PortInUse {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The address cannot be used.
    #[error("cannot listen on {address}")]
    Bind {
        /// The address that was asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl Coded for AdminError {
    fn code(&self) -> &'static Code {
        match self {
            Self::PortInUse { .. } => &codes::NET_102,
            Self::Bind { .. } => &codes::NET_103,
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::PortInUse { .. } => {
                "Stop the other program, or choose another port with `--http IP:PORT`.".to_owned()
            }
            Self::Bind { .. } => {
                "Choose an address of this machine, such as `--http 127.0.0.1:7070`.".to_owned()
            }
        })
    }
}

/// A bound server that does not run yet.
#[derive(Debug)]
pub struct AdminServer {
    listener: TcpListener,
    address: SocketAddr,
    node: Api,
    token: AdminToken,
}

/// The node, with a `Debug` that says nothing of it.
#[derive(Clone)]
struct Api(Arc<dyn NodeApi>);

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("NodeApi")
    }
}

/// Binds the address at once; [`AdminServer::run`] then serves. Port 0 takes any free port.
///
/// # Errors
/// [`AdminError`] when the address cannot be bound.
pub fn serve(
    node: Arc<dyn NodeApi>,
    bind: SocketAddr,
    token: AdminToken,
) -> Result<AdminServer, AdminError> {
    let failed = |source: io::Error| {
        if source.kind() == io::ErrorKind::AddrInUse {
            AdminError::PortInUse { address: bind, source }
        } else {
            AdminError::Bind { address: bind, source }
        }
    };
    let listener = TcpListener::bind(bind).map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(AdminServer { listener, address, node: Api(node), token })
}

impl AdminServer {
    /// The address that is bound.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser on this machine finds the page.
    pub fn page_url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            // A browser cannot go to "every address".
            address.set_ip(match address {
                SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
                SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
            });
        }
        format!("http://{address}/")
    }

    /// Serves until `stop`, then finishes what is under way, within [`limits::HTTP_STOP_MS`].
    ///
    /// Must be polled inside an actix system or a tokio runtime. A server that dies is started
    /// again on the same port, for ever: the rest of the node does not depend on it.
    pub async fn run(self, stop: CancellationToken) {
        let mut pause_ms = limits::HTTP_RESTART_MS;
        loop {
            let life = stop.child_token();
            let started = rt::time::Instant::now();
            let end = match self.start(life.clone()) {
                Ok(server) => watch_over(server, &stop).await,
                Err(error) => Err(error),
            };
            // Event streams of a dead server end here.
            life.cancel();
            if stop.is_cancelled() {
                return;
            }
            if started.elapsed() > Duration::from_millis(limits::RESTART_WINDOW_MS) {
                pause_ms = limits::HTTP_RESTART_MS;
            }
            let error = end.err().map(tracing::field::display);
            tracing::error!(error, pause_ms, "http server died and starts again");
            tokio::select! {
                () = stop.cancelled() => return,
                () = rt::time::sleep(Duration::from_millis(pause_ms)) => {}
            }
            pause_ms = pause_ms.saturating_mul(2).min(limits::HTTP_RESTART_MAX_MS);
        }
    }

    fn start(&self, life: CancellationToken) -> io::Result<Server> {
        let state = web::Data::new(State {
            node: Arc::clone(&self.node.0),
            token: self.token.clone(),
            names: Names::of(self.address),
            readers: Arc::new(Semaphore::new(limits::EVENT_READERS_MAX)),
            stop: life,
        });
        let outside = Arc::new(AtomicUsize::new(0));
        let request_time = Duration::from_millis(limits::HTTP_REQUEST_MS);
        let server = HttpServer::new(move || {
            App::new()
                .app_data(state.clone())
                .configure(routes::configure)
                .wrap(from_fn(auth::front))
        })
        .on_connect(move |socket, data| note_outside(&outside, socket, data))
        .workers(1)
        .max_connections(limits::HTTP_CONNECTIONS_MAX)
        .client_request_timeout(request_time)
        .client_disconnect_timeout(Duration::from_secs(1))
        .keep_alive(Duration::from_millis(limits::HTTP_IDLE_MS))
        // A client that closed its side reads no more: its event stream must not stay.
        .h1_allow_half_closed(false)
        // Half of the budget, so that cutting the rest off fits in it too.
        .shutdown_timeout(limits::HTTP_STOP_MS / 2_000)
        .disable_signals()
        .listen(self.listener.try_clone()?)?;
        Ok(server.run())
    }
}

/// Runs one server until it dies or `stop`.
async fn watch_over(server: Server, stop: &CancellationToken) -> io::Result<()> {
    let handle = server.handle();
    tokio::pin!(server);
    tokio::select! {
        end = &mut server => return end,
        () = stop.cancelled() => {}
    }
    let both = futures::future::join(handle.stop(true), server);
    let budget = Duration::from_millis(limits::HTTP_STOP_MS);
    match rt::time::timeout(budget, both).await {
        Ok(((), end)) => end,
        Err(_) => {
            tracing::warn!("http server was cut off while stopping");
            Ok(())
        }
    }
}

/// Belongs to a connection from another machine, and counts it while it lives.
#[derive(Debug)]
pub(super) struct Outside {
    count: Arc<AtomicUsize>,
    over: bool,
}

impl Outside {
    /// Whether this connection is one too many.
    pub(super) fn too_many(&self) -> bool {
        self.over
    }
}

impl Drop for Outside {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

fn note_outside(count: &Arc<AtomicUsize>, socket: &dyn Any, data: &mut Extensions) {
    let Some(stream) = socket.downcast_ref::<rt::net::TcpStream>() else {
        return;
    };
    let local = stream.peer_addr().is_ok_and(|peer| peer.ip().to_canonical().is_loopback());
    if local {
        return;
    }
    let before = count.fetch_add(1, Ordering::Relaxed);
    let over = before >= limits::HTTP_CONNECTIONS_OUTSIDE_MAX;
    data.insert(Outside { count: Arc::clone(count), over });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_another_machine_is_free_again_after_it_leaves() {
        let count = Arc::new(AtomicUsize::new(limits::HTTP_CONNECTIONS_OUTSIDE_MAX));
        let last = Outside { count: Arc::clone(&count), over: true };
        assert!(last.too_many());
        drop(last);
        assert_eq!(count.load(Ordering::Relaxed), limits::HTTP_CONNECTIONS_OUTSIDE_MAX - 1);
    }
}

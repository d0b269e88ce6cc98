//! What the operating system asks of a running node.
//! Invariant: from the first moment on, a signal is answered here and does not kill the process.
//! Not here: what is done about it.

use std::io;

use crate::error::Exit;

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Signal {
    /// Stop: Ctrl-C.
    Interrupt,
    /// Stop: a service manager.
    Terminate,
    /// Read rules and settings again.
    Reload,
}

impl Signal {
    /// The exit code of a process that a second such signal ended.
    pub(super) const fn exit(self) -> Exit {
        match self {
            Self::Interrupt => Exit::INTERRUPTED,
            Self::Terminate | Self::Reload => Exit::TERMINATED,
        }
    }
}

/// The signals of this process.
#[cfg(unix)]
pub(super) struct Signals {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
    reload: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            reload: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for any signal.
    pub(super) async fn any(&mut self) -> Signal {
        tokio::select! {
            biased;
            _ = self.interrupt.recv() => Signal::Interrupt,
            _ = self.terminate.recv() => Signal::Terminate,
            _ = self.reload.recv() => Signal::Reload,
        }
    }

    /// Waits for a signal to stop; others are passed over.
    pub(super) async fn stop(&mut self) -> Signal {
        loop {
            let signal = self.any().await;
            if signal != Signal::Reload {
                return signal;
            }
        }
    }
}

/// The signals of this process.
#[cfg(not(unix))]
pub(super) struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub(super) fn new() -> io::Result<Self> {
        Ok(Self)
    }

    /// Waits for any signal.
    pub(super) async fn any(&mut self) -> Signal {
        // Without a source of signals there is nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        Signal::Interrupt
    }

    /// Waits for a signal to stop.
    pub(super) async fn stop(&mut self) -> Signal {
        self.any().await
    }
}

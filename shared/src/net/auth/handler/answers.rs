//! Streams on which a peer asks: reading its question, giving our answer.
//! Invariant: a few at once, none longer than an exchange may last; a stream is answered once.
//! Not here: what is answered (`net::auth::answering`), our own questions (`handler`).

use futures::{AsyncWriteExt as _, FutureExt as _};
use libp2p::core::upgrade::ReadyUpgrade;
use libp2p::swarm::{Stream, StreamProtocol};

use super::super::PROTOCOL;
use super::{Said, Work, read, within, write};
use crate::limits::{AUTH_REQUEST_BYTES_MAX, AUTH_STREAMS_MAX};
use crate::wire::{AuthRequest, WireError};

pub(super) type Protocol = ReadyUpgrade<StreamProtocol>;

/// What peers may open.
pub(super) fn protocol() -> Protocol {
    ReadyUpgrade::new(PROTOCOL)
}

/// What one stream brought.
pub(super) enum Done {
    /// A question, to be answered on this stream.
    Asked(Box<Stream>, Result<AuthRequest, WireError>),
    /// Its end.
    Nothing,
}

/// See the module's text.
#[derive(Default)]
pub(super) struct Answers {
    /// Streams whose questions are being answered.
    asked: Vec<(u64, Stream)>,
    inbound: usize,
    number: u64,
}

impl Answers {
    /// A stream that a peer opened; one too many is dropped.
    pub(super) fn take(&mut self, stream: Stream) -> Option<Work> {
        if self.inbound >= AUTH_STREAMS_MAX {
            return None;
        }
        self.inbound = self.inbound.saturating_add(1);
        Some(limited(question(stream)))
    }

    /// Answers the question with this number, if it is still there.
    pub(super) fn answer(&mut self, number: u64, bytes: Vec<u8>) -> Option<Work> {
        let at = self.asked.iter().position(|(known, _)| *known == number)?;
        let (_, stream) = self.asked.swap_remove(at);
        Some(limited(reply(stream, bytes)))
    }

    /// What is to be told of it.
    pub(super) fn done(&mut self, done: Done) -> Option<Said> {
        match done {
            Done::Asked(stream, request) => {
                self.number = self.number.saturating_add(1);
                self.asked.push((self.number, *stream));
                Some(Said::Asked(self.number, request))
            }
            Done::Nothing => {
                self.inbound = self.inbound.saturating_sub(1);
                None
            }
        }
    }
}

fn limited(work: impl Future<Output = Done> + Send + 'static) -> Work {
    within(work, Done::Nothing).map(super::Done::Theirs).boxed()
}

async fn question(mut stream: Stream) -> Done {
    match read(&mut stream, AUTH_REQUEST_BYTES_MAX).await {
        Ok(bytes) => Done::Asked(Box::new(stream), AuthRequest::decode(&bytes)),
        Err(_) => Done::Nothing,
    }
}

async fn reply(mut stream: Stream, bytes: Vec<u8>) -> Done {
    if write(&mut stream, &bytes).await.is_ok() {
        // The peer may have its answer and be gone.
        drop(stream.close().await);
    }
    Done::Nothing
}

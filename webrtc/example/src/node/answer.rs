//! How a call becomes an answer: its stream, its deadline, its text.
//! Invariant: every call ends by its deadline.
//! Not here: which calls there are (`node`).

use futures::channel::oneshot;
use futures::future::{Either, select};
use futures_timer::Delay;
use libp2p::swarm::Stream;
use serde_json::Value;

use super::Answer;
use crate::calls::CallError;
use crate::limits::CALL;

pub(super) fn reply(answer: Answer, what: Result<Value, String>) {
    // Whoever asked may have given up.
    answer.send(what).unwrap_or_default();
}

/// Waits for the stream and runs the call on it.
pub(super) async fn called<T, F>(
    stream: oneshot::Receiver<std::io::Result<Stream>>,
    run: impl FnOnce(Stream) -> F,
) -> Result<T, String>
where
    F: Future<Output = Result<T, CallError>>,
{
    let stream = stream.await.map_err(|_| "the connection is gone".to_owned())?;
    let stream = stream.map_err(|error| format!("no stream: {error}"))?;
    run(stream).await.map_err(|error| error.to_string())
}

pub(super) async fn in_time<T>(call: impl Future<Output = Result<T, String>>) -> Result<T, String> {
    match select(std::pin::pin!(call), Delay::new(CALL)).await {
        Either::Left((done, _)) => done,
        Either::Right(((), _)) => Err(format!("no end within {} s", CALL.as_secs())),
    }
}

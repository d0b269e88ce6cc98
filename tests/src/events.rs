//! The event stream of a node, as a test reads it.
//! Invariant: events keep their order, and none is lost between two waits.
//! Not here: what an event means.

use std::io::{BufRead as _, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Instant;

use peerloom_shared::view::{Message, PeerEvent};

use crate::PATIENCE;

/// Events that may wait for the test: all of a long one.
const WAITING_MAX: usize = 100_000;

/// A reader of one node's events.
#[derive(Debug)]
pub struct Events(Receiver<PeerEvent>);

impl Events {
    /// Reads Server-Sent Events until the node ends or the test has lost interest.
    pub(crate) fn of(stream: impl Read + Send + 'static) -> Self {
        let (sender, inbox) = sync_channel(WAITING_MAX);
        std::thread::spawn(move || {
            for line in BufReader::new(stream).lines().map_while(Result::ok) {
                let Some(text) = line.strip_prefix("data:") else { continue };
                let event = serde_json::from_str(text).expect("an event of ours");
                if sender.send(event).is_err() {
                    return;
                }
            }
        });
        Self(inbox)
    }

    /// Takes events until `pick` finds what it looks for.
    ///
    /// # Panics
    /// When it does not come in time, or the stream ends before.
    pub fn wait<T>(&self, what: &str, mut pick: impl FnMut(PeerEvent) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.0.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(event) => {
                    if let Some(found) = pick(event) {
                        return found;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no event within {PATIENCE:?}: {what}"),
                Err(RecvTimeoutError::Disconnected) => panic!("the events ended before: {what}"),
            }
        }
    }

    /// Waits for a chat message with this text.
    ///
    /// # Panics
    /// As [`Events::wait`].
    pub fn message(&self, text: &str) -> Message {
        self.wait(&format!("message `{text}`"), |event| {
            let PeerEvent::Message { message } = event else { return None };
            (message.text == text).then_some(message)
        })
    }

    /// Waits until a peer is, or is no longer, a member of a room.
    ///
    /// # Panics
    /// As [`Events::wait`].
    pub fn member(&self, of: &str, who: &str, here: bool) {
        let what = format!("{who} in room {of}: {here}");
        self.wait(&what, |event| {
            let PeerEvent::Member { room, id, present, .. } = event else { return None };
            (room == of && id == who && present == here).then_some(())
        });
    }
}

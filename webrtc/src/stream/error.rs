//! What a user of a stream is told when it fails.
//! Invariant: every error has one `std::io::ErrorKind`, the one that users of sockets expect.
//! Not here: when each error comes (`stream`).

use std::io;

use crate::frame::FrameError;

/// Why reading or writing failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StreamError {
    /// This side or the other one reset the stream.
    #[error("the stream was reset")]
    Reset,
    /// The other side takes nothing more: it sent STOP_SENDING, or its channel is closed.
    #[error("the other side reads nothing more")]
    Stopped,
    /// Written after the end of writing.
    #[error("this side has finished writing")]
    Finished,
    /// The channel closed before the other side finished writing.
    #[error("the channel closed before the end of the stream")]
    Lost,
    /// The other side sent what is no frame.
    #[error("the other side broke the protocol")]
    Protocol(#[source] FrameError),
    /// The other side sent more than we keep unread.
    #[error("more came than is kept unread")]
    Overrun,
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        let kind = match &error {
            StreamError::Reset => io::ErrorKind::ConnectionReset,
            StreamError::Stopped | StreamError::Finished => io::ErrorKind::BrokenPipe,
            StreamError::Lost => io::ErrorKind::UnexpectedEof,
            StreamError::Protocol(_) => io::ErrorKind::InvalidData,
            // Ended by this side.
            StreamError::Overrun => io::ErrorKind::ConnectionAborted,
        };
        Self::new(kind, error)
    }
}

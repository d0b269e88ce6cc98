//! The rows of errors that the shared crate defines.
//! Invariant: every code of theirs is in the table, and says the same about trying again.
//! Not here: their texts.

use peerloom_shared::pubsub::PubsubError;
use peerloom_shared::routing::RoutingError;
use peerloom_shared::wire::RoomNameError;

use super::{Code, Coded, codes, find};

// A code that is missing from the table would be our mistake; a test looks for all of them.
fn row(id: &str) -> &'static Code {
    find(id).unwrap_or(&codes::NODE_006)
}

impl Coded for PubsubError {
    fn code(&self) -> &'static Code {
        row(PubsubError::code(self))
    }

    fn hint(&self) -> Option<String> {
        Some(PubsubError::hint(self).to_owned())
    }
}

impl Coded for RoutingError {
    fn code(&self) -> &'static Code {
        row(RoutingError::code(self))
    }

    fn hint(&self) -> Option<String> {
        Some(RoutingError::hint(self).to_owned())
    }
}

impl Coded for RoomNameError {
    fn code(&self) -> &'static Code {
        &codes::ROOM_001
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_the_rooms() {
        let room = || "lobby".parse().expect("a name");
        let reason = String::new();
        for error in [
            PubsubError::NotJoined { room: room() },
            PubsubError::NobodyThere { room: room() },
            PubsubError::TooManyRooms,
            PubsubError::EmptyText,
            PubsubError::TextTooLong { bytes: 1 },
            PubsubError::Busy,
            PubsubError::TimedOut,
            PubsubError::LeftMeanwhile { room: room() },
            PubsubError::JoinFailed { room: room(), reason: reason.clone() },
            PubsubError::SendFailed { room: room(), reason },
            PubsubError::NoKey { room: room() },
        ] {
            let row = Coded::code(&error);
            assert_eq!((row.id, row.kind), (error.code(), error.kind()), "{error}");
        }
        let error = "Bad Name".parse::<peerloom_shared::wire::RoomName>().expect_err("no name");
        assert_eq!(Coded::code(&error).id, error.code());
    }

    #[test]
    fn the_table_agrees_with_the_lookups() {
        for error in [
            RoutingError::Busy,
            RoutingError::TimedOut,
            RoutingError::Alone,
            RoutingError::NotFound,
            RoutingError::BadKey { bytes: 0 },
            RoutingError::ValueTooLong { bytes: 1 },
            RoutingError::TooManyProvided,
            RoutingError::Failed { reason: String::new() },
            RoutingError::Stopped,
        ] {
            let row = Coded::code(&error);
            assert_eq!((row.id, row.kind), (error.code(), error.kind()), "{error}");
        }
    }
}

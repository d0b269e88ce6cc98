//! What the pubsub actor can be asked.
//! Invariant: every ask is answered, with a message or a reason.
//! Not here: how rooms become topics (`wire::room`).

use actix::Message;
use peerloom_shared::pubsub::PubsubError;
use peerloom_shared::view;
use peerloom_shared::wire::RoomName;

/// Joins a room.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), PubsubError>")]
pub struct Subscribe(pub RoomName);

/// Leaves a room.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), PubsubError>")]
pub struct Unsubscribe(pub RoomName);

/// Says something in a room.
#[derive(Debug, Message)]
#[rtype(result = "Result<view::Message, PubsubError>")]
pub struct Publish {
    /// The room.
    pub room: RoomName,
    /// The text.
    pub text: String,
}

/// Sets the name that others see.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub struct SetName(pub Option<String>);

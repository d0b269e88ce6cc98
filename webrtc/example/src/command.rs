//! What a person or a test asks of the peer, as one line of words.
//! Invariant: every number is within its limit once a line was understood.
//! Not here: carrying it out (`node`).

use std::str::FromStr;

use libp2p::{Multiaddr, PeerId};

use crate::limits::{ANSWER_BYTES_MAX, CALL_BYTES_MAX, PINGS_MAX, REQUESTS_MAX};

/// One command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// `dial ADDRESS`: a new connection to exactly this address, which ends with a peer id.
    Dial(Multiaddr),
    /// `identify PEER`: what it said of itself.
    Identify(PeerId),
    /// `connections`: all there are.
    Connections,
    /// `addresses`: those others can dial.
    Addresses,
    /// `ping PEER N`: so many on one stream.
    Ping(PeerId, u64),
    /// `echo PEER BYTES`.
    Echo(PeerId, u64),
    /// `sink PEER BYTES`.
    Sink(PeerId, u64),
    /// `rr PEER N [BYTES]`: so many requests at once, for answers of this size or of many sizes.
    Requests(PeerId, u64, Option<u32>),
    /// `close PEER`: all connections with it.
    Close(PeerId),
}

/// A line is no command.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No known word, or not as many words as it takes.
    #[error("there is no such command, or it takes another number of words")]
    Unknown,
    /// A word is not what it should be.
    #[error("`{0}` is not {1}")]
    Word(String, &'static str),
}

fn read<T: FromStr>(word: &str, what: &'static str) -> Result<T, CommandError> {
    word.parse().map_err(|_| CommandError::Word(word.to_owned(), what))
}

fn number(word: &str, most: u64) -> Result<u64, CommandError> {
    let found: u64 = read(word, "a number")?;
    if found <= most { Ok(found) } else { Err(CommandError::Word(word.to_owned(), "small enough")) }
}

impl FromStr for Command {
    type Err = CommandError;

    fn from_str(line: &str) -> Result<Self, CommandError> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let peer = |word| read(word, "a peer id");
        Ok(match words.as_slice() {
            ["dial", address] => Self::Dial(read(address, "a multiaddress")?),
            ["connections"] => Self::Connections,
            ["addresses"] => Self::Addresses,
            ["identify", id] => Self::Identify(peer(id)?),
            ["close", id] => Self::Close(peer(id)?),
            ["ping", id, count] => Self::Ping(peer(id)?, number(count, PINGS_MAX)?),
            ["echo", id, size] => Self::Echo(peer(id)?, number(size, CALL_BYTES_MAX)?),
            ["sink", id, size] => Self::Sink(peer(id)?, number(size, CALL_BYTES_MAX)?),
            ["rr", id, count] => Self::Requests(peer(id)?, number(count, REQUESTS_MAX)?, None),
            ["rr", id, count, size] => {
                let size = number(size, u64::from(ANSWER_BYTES_MAX))?;
                let size = u32::try_from(size).map_err(|_| CommandError::Unknown)?;
                Self::Requests(peer(id)?, number(count, REQUESTS_MAX)?, Some(size))
            }
            _ => return Err(CommandError::Unknown),
        })
    }
}

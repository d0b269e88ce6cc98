//! How well we are connected, in one word and one sentence.
//! Invariant: the word follows from links and connections alone; the sentence names the reason.
//! Not here: translation (pages do that from the word and the links).

use crate::view::Health;

/// What health is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// Peers with a direct path.
    pub(super) direct: usize,
    /// Peers with relayed paths only.
    pub(super) relayed: usize,
    /// Addresses to keep.
    pub(super) links: usize,
    /// Of these, connected.
    pub(super) up: usize,
    /// Of these, being dialled.
    pub(super) dialing: usize,
    /// Heard-of peers being dialled.
    pub(super) trying: usize,
    /// Why one of the addresses to keep is not connected.
    pub(super) why: Option<&'a str>,
}

pub(super) fn health(facts: Facts<'_>) -> (Health, String) {
    let Facts { direct, relayed, links, up, dialing, trying, why } = facts;
    let peers = direct.saturating_add(relayed);
    if peers == 0 {
        return if dialing > 0 {
            (Health::Connecting, format!("Dialling {dialing} of {} to keep.", addresses(links)))
        } else if trying > 0 {
            (Health::Connecting, format!("Dialling {trying} of the peers heard of."))
        } else if links > 0 {
            let why = why.unwrap_or("nobody answers");
            (Health::Offline, format!("No connection to the {} to keep: {why}.", addresses(links)))
        } else {
            (Health::Offline, "No peer is connected and no address to keep was given.".to_owned())
        };
    }
    let down = links.saturating_sub(up);
    if down > 0 {
        (Health::Degraded, format!("{down} of {} to keep not connected.", addresses(links)))
    } else if direct == 0 {
        (Health::Degraded, "Every peer is reached through a relay.".to_owned())
    } else if peers == 1 {
        (Health::Connected, "Connected to 1 peer.".to_owned())
    } else {
        (Health::Connected, format!("Connected to {peers} peers."))
    }
}

fn addresses(n: usize) -> String {
    if n == 1 { "1 address".to_owned() } else { format!("{n} addresses") }
}

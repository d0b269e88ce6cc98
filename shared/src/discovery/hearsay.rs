//! What others tell about where peers are.
//! Invariant: only acceptable addresses reach the book, and an announcement counts only for its author.
//! Not here: which of them are dialled, and when.

use super::{Discovery, choose};
use crate::defence::book::Source;
use crate::defence::scope::{Scope, acceptable};
use crate::limits::ANNOUNCEMENT_ADDRESSES_MAX;
use crate::pubsub::Acceptance;
use crate::time::Now;
use crate::wire::Announcement;
use crate::{Multiaddr, PeerId};

impl Discovery {
    pub(super) fn hear(
        &mut self,
        now: Now,
        peer: PeerId,
        addrs: &[Multiaddr],
        from: (Source, Scope),
    ) {
        let good: Vec<Multiaddr> = {
            let mut good: Vec<(Scope, Multiaddr)> = addrs
                .iter()
                .take(ANNOUNCEMENT_ADDRESSES_MAX)
                .filter(|address| choose::is_possible(&self.config, address))
                .filter_map(|address| {
                    let scope = acceptable(address, &peer, &self.local, from.1).ok()?;
                    Some((scope, address.clone()))
                })
                .collect();
            // The book keeps the first ones: those that reach furthest serve us wherever we are.
            good.sort_by_key(|(scope, _)| std::cmp::Reverse(*scope));
            good.into_iter().map(|(_, address)| address).collect()
        };
        if peer == self.local {
            return;
        }
        self.book.learn(now, peer, &good, from);
        if self.peers.is_connected(&peer) {
            self.book.engage(&peer);
        }
    }

    pub(super) fn judge(
        &mut self,
        now: Now,
        (forwarder, over): (PeerId, Scope),
        author: Option<PeerId>,
        data: &[u8],
    ) -> Acceptance {
        let Some(author) = author else { return Acceptance::Reject };
        if author == self.local
            || !self.authors.take(now.mono, author, 1)
            || !self.forwarders.take(now.mono, forwarder, 1)
        {
            return Acceptance::Ignore;
        }
        // Not Reject: a key of a kind that we do not know is no fault of the sender.
        let Ok(announcement) = Announcement::decode(data) else { return Acceptance::Ignore };
        if announcement.peer() != author {
            return Acceptance::Ignore;
        }
        self.hear(now, author, &announcement.addrs, (Source::Announcement, over));
        Acceptance::Accept
    }
}

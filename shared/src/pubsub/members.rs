//! Who is in a room, as far as we have heard.
//! Invariant: at most `ROOM_MEMBERS_MAX`; a full list takes nobody new, so a flood of made-up authors
//! cannot push out who is there.
//! Not here: ourselves; what counts as being heard.

use libp2p_identity::PeerId;

use crate::limits::ROOM_MEMBERS_MAX;
use crate::ordered::BTreeMap;
use crate::time::{Mono, Now};
use crate::view;

#[derive(Clone, Debug)]
struct Member {
    name: Option<String>,
    last_seen_ms: u64,
    gone_at: Mono,
}

/// What a sign of life changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// Somebody new.
    Came { name: Option<String> },
    /// Somebody known, under a new name.
    Renamed { name: Option<String> },
    /// Nothing that anybody would see.
    Nothing,
}

#[derive(Debug, Default)]
pub(super) struct Members {
    heard: BTreeMap<PeerId, Member>,
    /// Not later than the first member's time to go. Times only move away, so it may be early.
    next_gone: Option<Mono>,
}

impl Members {
    /// A sign of life. `name`: what a presence post says; `None` when this was none.
    pub(super) fn hear(
        &mut self,
        now: Now,
        peer: PeerId,
        name: Option<Option<String>>,
        gone_ms: u64,
    ) -> Change {
        let gone_at = now.mono.after(gone_ms);
        if let Some(member) = self.heard.get_mut(&peer) {
            member.last_seen_ms = now.unix_ms;
            member.gone_at = gone_at;
            return match name {
                Some(name) if name != member.name => {
                    member.name.clone_from(&name);
                    Change::Renamed { name }
                }
                Some(_) | None => Change::Nothing,
            };
        }
        if self.heard.len() >= ROOM_MEMBERS_MAX {
            return Change::Nothing;
        }
        let name = name.flatten();
        let member = Member { name: name.clone(), last_seen_ms: now.unix_ms, gone_at };
        self.heard.insert(peer, member);
        self.next_gone = Some(self.next_gone.map_or(gone_at, |next| next.min(gone_at)));
        Change::Came { name }
    }

    /// Somebody says goodbye. Their name, when they were there.
    pub(super) fn remove(&mut self, peer: &PeerId) -> Option<Option<String>> {
        self.heard.remove(peer).map(|member| member.name)
    }

    /// Takes out who was not heard for too long.
    pub(super) fn expire(&mut self, now: Mono) -> Vec<(PeerId, Option<String>)> {
        if self.next_gone.is_none_or(|next| next > now) {
            return Vec::new();
        }
        let mut gone = Vec::new();
        self.heard.retain(|peer, member| {
            let stays = member.gone_at > now;
            if !stays {
                gone.push((*peer, member.name.take()));
            }
            stays
        });
        self.next_gone = self.heard.values().map(|member| member.gone_at).min();
        gone
    }

    /// When [`expire`](Self::expire) may have something to do.
    pub(super) const fn next_gone(&self) -> Option<Mono> {
        self.next_gone
    }

    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    pub(super) fn view(&self) -> Vec<view::Member> {
        let member = |(peer, member): (&PeerId, &Member)| view::Member {
            id: peer.to_string(),
            name: member.name.clone(),
            last_seen_ms: member.last_seen_ms,
        };
        self.heard.iter().map(member).collect()
    }
}

//! Inviting, accepting, and what whoever comes is granted.
//! Invariant: nobody is given more, or for longer, than stands above this node's own link.
//! Not here: taking back (`removals`).

use libp2p::PeerId;
use peerloom_shared::grant::{Audience, Chain, GrantId, Invite, InviteTerms, Role, Terms};
use peerloom_shared::limits::{GRANT_LIFE_MS_MAX, GRANTS_GIVEN_MAX, GRANTS_HELD_MAX};
use peerloom_shared::policy::{Action, Trust};

use super::{Chance, Given, GrantsError, Ledger, Wish, passes, rows};
use crate::store::Change;

impl Ledger {
    /// Makes an invite: as one whom the network trusts, or under a chain that allows to invite.
    ///
    /// # Errors
    /// When this node may not invite, or not to that, or the invite does not fit a link.
    pub fn mint(
        &self,
        now_ms: u64,
        trust: &Trust,
        wish: Wish,
        chance: Chance,
    ) -> Result<(Invite, Vec<Change>), GrantsError> {
        if self.given.len() >= GRANTS_GIVEN_MAX {
            return Err(GrantsError::Full { max: GRANTS_GIVEN_MAX });
        }
        let Wish { role, prefix, life_ms, max_uses, addresses } = wish;
        let mut terms = InviteTerms {
            actions: role.actions(),
            prefix,
            not_before_ms: now_ms,
            expires_ms: now_ms.saturating_add(life_ms.min(GRANT_LIFE_MS_MAX)),
            depth: role.depth(),
            max_uses,
            nonce: chance.nonce,
            addresses,
        };
        let invite = if trust.roots.contains(&self.key()) {
            Invite::mint(trust.network, &self.signer, terms, chance.seed)?
        } else {
            let chain = self.chain_to_invite(now_ms, trust, &terms)?;
            let above = chain.last().terms();
            terms.expires_ms = terms.expires_ms.min(above.expires_ms);
            // One link for the invite, one for whoever accepts it.
            terms.depth = terms.depth.min(above.depth.saturating_sub(2));
            if above.max_uses > 0 {
                terms.max_uses = terms.max_uses.clamp(1, above.max_uses);
            }
            Invite::mint_under(chain, &self.signer, terms, chance.seed)?
        };
        let given = Given {
            chain: invite.chain().clone(),
            role,
            made_ms: now_ms,
            by: None,
            revoked: false,
        };
        Ok((invite, vec![rows::given(&given)]))
    }

    /// The chain under which this invite can be made.
    fn chain_to_invite(
        &self,
        now_ms: u64,
        trust: &Trust,
        terms: &InviteTerms,
    ) -> Result<&Chain, GrantsError> {
        let of_network = self.held.values().filter(|chain| {
            let body = chain.root().body();
            body.network == trust.network && trust.roots.contains(&body.issuer)
        });
        let may_invite = |chain: &&Chain| {
            let terms = chain.last().terms();
            terms.actions.contains(Action::InviteMint)
                && terms.depth >= 2
                && terms.expires_ms > now_ms
        };
        let mut able = of_network.filter(may_invite).peekable();
        if able.peek().is_none() {
            return Err(GrantsError::MayNotInvite);
        }
        let fits = |chain: &&Chain| {
            let above = chain.last().terms();
            terms.actions.is_within(above.actions) && terms.prefix.is_within(&above.prefix)
        };
        able.filter(fits)
            .max_by_key(|chain| chain.last().terms().expires_ms)
            .ok_or_else(|| GrantsError::MoreThanHeld { prefix: terms.prefix.clone() })
    }

    /// Accepts an invite: the chain to show from now on.
    ///
    /// # Errors
    /// What is wrong with the text, or that there is no room for more chains.
    pub fn accept(
        &self,
        now_ms: u64,
        text: &str,
        nonce: [u8; 8],
    ) -> Result<(Invite, Chain, Vec<Change>), GrantsError> {
        let invite = Invite::parse(text, now_ms)?;
        let through = invite.chain().last().id();
        // Accepted before: the same chain again, not another use.
        let again = self.held.values().find(|chain| passes(chain, &through)).cloned();
        let chain = match again {
            Some(chain) => chain,
            None => invite.accept(&self.peer, nonce)?,
        };
        if self.held.len() >= GRANTS_HELD_MAX {
            return Err(GrantsError::Full { max: GRANTS_HELD_MAX });
        }
        let changes = vec![rows::held(&chain)];
        Ok((invite, chain, changes))
    }

    /// A peer showed what this node granted it, itself or by an invite: the grant that it is to have from
    /// now on, if it is to have another one.
    #[must_use]
    pub fn arrived(
        &self,
        now_ms: u64,
        peer: &PeerId,
        chain: &Chain,
        nonce: [u8; 8],
    ) -> Option<(Chain, Vec<Change>)> {
        let audience = Audience::of_peer(peer)?;
        let id = chain.last().id();
        if let Some(given) = self.given.get(&id) {
            // Its own grant: a new one when half of its life is over.
            let terms = chain.last().terms();
            let half = terms.expires_ms.saturating_sub(terms.not_before_ms) / 2;
            let is_half_over = now_ms.saturating_add(half) >= terms.expires_ms;
            if given.revoked || !is_half_over {
                return None;
            }
            return self.give(now_ms, (audience, given.by), given.role, (chain, nonce));
        }
        let invite = chain.links().nth(chain.len().checked_sub(2)?)?.id();
        let given = self.given.get(&invite).filter(|given| !given.revoked)?;
        let known = self.given.values().find(|known| {
            let terms = known.chain.last().terms();
            known.by == Some(invite) && terms.audience == audience && terms.expires_ms > now_ms
        });
        match known {
            // It has come before, and may have lost what it was sent.
            Some(known) if known.revoked => None,
            Some(known) => Some((known.chain.clone(), Vec::new())),
            None if self.given.len() >= GRANTS_GIVEN_MAX => None,
            None => self.give(now_ms, (audience, Some(invite)), given.role, (chain, nonce)),
        }
    }

    /// A grant of this node itself, of what a chain through it gives, for the life of a role.
    fn give(
        &self,
        now_ms: u64,
        (audience, by): (Audience, Option<GrantId>),
        role: Role,
        (like, nonce): (&Chain, [u8; 8]),
    ) -> Option<(Chain, Vec<Change>)> {
        // What stands above the link that this node signed first.
        let own = like.links().position(|link| link.body().issuer == self.key())?;
        let network = like.root().body().network;
        let shown = like.last().terms();
        let mut terms = Terms {
            audience,
            actions: shown.actions,
            not_before_ms: now_ms,
            expires_ms: now_ms.saturating_add(role.life_ms()),
            depth: role.depth(),
            max_uses: 0,
            nonce,
            prefix: shown.prefix.clone(),
        };
        let chain = if own == 0 {
            Chain::mint(network, &self.signer, terms).ok()?
        } else {
            let above = like.links().nth(own.checked_sub(1)?)?;
            let id = above.id();
            let held = self.held.values().find(|chain| chain.last().id() == id)?;
            let limits = above.terms();
            terms.expires_ms = terms.expires_ms.min(limits.expires_ms);
            terms.depth = terms.depth.min(limits.depth.saturating_sub(1));
            terms.max_uses = limits.max_uses.min(1);
            held.delegate(&self.signer, terms).ok()?
        };
        let given = Given { chain: chain.clone(), role, made_ms: now_ms, by, revoked: false };
        Some((chain, vec![rows::given(&given)]))
    }
}

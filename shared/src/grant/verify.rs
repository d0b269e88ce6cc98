//! Whether a chain counts: here, now, for who shows it.
//! Invariant: nothing a chain claims is believed; cheap checks come first, signatures last.
//! Not here: the clock, lists of revocations being fetched, the decision itself.

use super::body::{Body, GrantId, Link, NetworkId};
use super::key::KeyFault;
use super::{Audience, Chain, Fault, Field, GrantError, Key, Prefix, Revocations, Rights, Terms};
use crate::limits::CLOCK_TOLERANCE_MS;

/// Somebody who may grant what is its own: a mailbox, content, a topic that it created.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// Its key.
    pub key: Key,
    /// What it owns. A chain that begins with its key stays inside.
    pub owned: Prefix,
}

/// What a verifier knows by itself.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The network it belongs to.
    pub network: &'a NetworkId,
    /// Unix time in ms.
    pub now_ms: u64,
    /// Who shows the chain: the peer that the secure channel proved, or, before an invite is redeemed,
    /// the invite's key.
    pub holder: Audience,
    /// Keys whose word counts for everything.
    pub roots: &'a [Key],
    /// Keys whose word counts for what they own.
    pub owners: &'a [Owner],
    /// What was taken back.
    pub revocations: &'a Revocations,
}

/// Checks the bytes of a chain.
///
/// # Errors
/// [`GrantError`] that names the first failing field, in this order: length and form of all links,
/// network, time, root, the step from each link to the next, the holder, revocations, keys and
/// signatures.
pub fn verify(bytes: &[u8], context: &Context<'_>) -> Result<Rights, GrantError> {
    Chain::decode(bytes)?.verify(context)
}

impl Chain {
    /// Checks this chain; see [`verify`].
    ///
    /// # Errors
    /// As there, without those of decoding.
    pub fn verify(&self, context: &Context<'_>) -> Result<Rights, GrantError> {
        let rights = self.examine(context)?;
        self.prove()?;
        Ok(rights)
    }

    /// Checks a chain again whose signatures were found right before: everything else may have changed
    /// meanwhile.
    ///
    /// # Errors
    /// As for [`verify`](Self::verify), without faults of keys and signatures.
    pub fn verify_again(&self, context: &Context<'_>) -> Result<Rights, GrantError> {
        self.examine(context)
    }

    /// All checks but those of keys and signatures: some microseconds.
    pub(super) fn examine(&self, context: &Context<'_>) -> Result<Rights, GrantError> {
        self.each(|link| check_network(link.body(), context.network))?;
        self.each(|link| link.body().check_window())?;
        self.each(|link| check_time(link.terms(), context.now_ms))?;
        check_root(self.root().body(), context).map_err(at(0))?;
        let ids: Vec<GrantId> = self.links().map(Link::id).collect();
        for (place, (above, child)) in self.links().zip(&ids).zip(self.links().skip(1)).enumerate()
        {
            check_step(above, child.body()).map_err(at(place.saturating_add(1)))?;
        }
        if self.last().terms().audience != context.holder {
            return Err(at(self.len().saturating_sub(1))((Field::Audience, Fault::NotTheHolder)));
        }
        if let Some(hit) = context.revocations.find(self, &ids) {
            return Err(at(hit.link)((hit.field(), Fault::Revoked { by: hit.by })));
        }
        Ok(Rights::of(self, ids))
    }

    /// The checks of keys and signatures: nearly all of the cost.
    pub(super) fn prove(&self) -> Result<(), GrantError> {
        self.each(|link| {
            link.check_signature().map_err(|fault| match fault {
                KeyFault::Key => (Field::Issuer, Fault::WeakKey),
                KeyFault::Signature => (Field::Signature, Fault::Forged),
            })
        })?;
        // The other audiences are issuers too. Under a weak key everybody can sign, so a grant to one
        // would be a grant to the world.
        if self.last().terms().audience.key().is_strong() {
            Ok(())
        } else {
            Err(at(self.len().saturating_sub(1))((Field::Audience, Fault::WeakKey)))
        }
    }

    fn each(&self, check: impl Fn(&Link) -> Result<(), (Field, Fault)>) -> Result<(), GrantError> {
        self.links().enumerate().try_for_each(|(place, link)| check(link).map_err(at(place)))
    }
}

fn at(link: usize) -> impl FnOnce((Field, Fault)) -> GrantError {
    move |(field, fault)| GrantError { link, field, fault }
}

fn check_network(body: &Body, network: &NetworkId) -> Result<(), (Field, Fault)> {
    if body.network == *network { Ok(()) } else { Err((Field::Network, Fault::OtherNetwork)) }
}

/// Whether now is within the window, give or take the clock tolerance.
fn check_time(terms: &Terms, now_ms: u64) -> Result<(), (Field, Fault)> {
    if now_ms.saturating_add(CLOCK_TOLERANCE_MS) < terms.not_before_ms {
        let ms = terms.not_before_ms.saturating_sub(now_ms);
        return Err((Field::NotBefore, Fault::NotYet { ms }));
    }
    if now_ms >= terms.expires_ms.saturating_add(CLOCK_TOLERANCE_MS) {
        let ms = now_ms.saturating_sub(terms.expires_ms);
        return Err((Field::Expiry, Fault::Expired { ms }));
    }
    Ok(())
}

/// Whether the first link may stand by itself.
fn check_root(body: &Body, context: &Context<'_>) -> Result<(), (Field, Fault)> {
    if body.parent != GrantId::NONE {
        return Err((Field::Parent, Fault::NotARoot));
    }
    if context.roots.contains(&body.issuer) {
        return Ok(());
    }
    let mut owned = context.owners.iter().filter(|owner| owner.key == body.issuer).peekable();
    if owned.peek().is_none() {
        return Err((Field::Issuer, Fault::NotTrusted(body.issuer)));
    }
    if owned.any(|owner| body.terms.prefix.is_within(&owner.owned)) {
        Ok(())
    } else {
        Err((Field::Prefix, Fault::NotOwned))
    }
}

/// Whether a link follows from the one before it, here with its id, and gives no more.
pub(super) fn check_step(
    (parent, id): (&Link, &GrantId),
    child: &Body,
) -> Result<(), (Field, Fault)> {
    let (above, below) = (parent.terms(), &child.terms);
    if child.parent != *id {
        return Err((Field::Parent, Fault::OtherParent));
    }
    if child.issuer != above.audience.key() {
        return Err((Field::Issuer, Fault::NotTheAudience(child.issuer)));
    }
    if above.depth == 0 {
        return Err((Field::Depth, Fault::NotDelegable));
    }
    let more = |field| Err((field, Fault::MoreThanParent));
    if !below.actions.is_within(above.actions) {
        return more(Field::Actions);
    }
    if below.not_before_ms < above.not_before_ms {
        return more(Field::NotBefore);
    }
    if below.expires_ms > above.expires_ms {
        return more(Field::Expiry);
    }
    if below.depth >= above.depth {
        return more(Field::Depth);
    }
    if above.max_uses > 0 && !(1..=above.max_uses).contains(&below.max_uses) {
        return more(Field::MaxUses);
    }
    if !below.prefix.is_within(&above.prefix) {
        return more(Field::Prefix);
    }
    Ok(())
}

//! Chains that others issue to us: which of them to keep.
//! Invariant: only from whom we hold something already, so strangers cannot fill what we keep.
//! Not here: whether a chain counts anywhere (that is for whoever it is shown to).

use libp2p_identity::PeerId;

use crate::grant::{Audience, Chain, Context, Revocations};

/// The chain in these bytes, where it is right, ours, of a root of which we hold something, and better
/// than what we have on the same things.
pub(super) fn wanted(
    (local, now_ms): (&PeerId, u64),
    ours: &[Chain],
    revocations: Option<&Revocations>,
    bytes: &[u8],
) -> Option<Chain> {
    let chain = Chain::decode(bytes).ok()?;
    if !is_better(&chain, ours) {
        return None;
    }
    let root = chain.root().body();
    let nothing = Revocations::new(root.network);
    let context = Context {
        network: &root.network,
        now_ms,
        holder: Audience::of_peer(local)?,
        roots: &[root.issuer],
        owners: &[],
        revocations: revocations.unwrap_or(&nothing),
    };
    chain.verify(&context).is_ok().then_some(chain)
}

fn is_better(chain: &Chain, ours: &[Chain]) -> bool {
    let (root, new) = (chain.root().body(), chain.last().terms());
    let known = ours.iter().any(|old| {
        let body = old.root().body();
        body.issuer == root.issuer && body.network == root.network
    });
    known
        && ours.iter().map(|old| old.last().terms()).all(|old| {
            old.prefix != new.prefix
                || !new.actions.is_within(old.actions)
                || new.expires_ms > old.expires_ms
        })
}

//! Grants, lists of revocations and invites as strangers may send them. Nothing may panic; what is read
//! is written the same again; nothing that was not signed counts; a cut, grown or joined list stays
//! within its limits.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use libp2p_identity::ed25519::SecretKey;
use peerloom_shared::grant::{
    ActionSet, Audience, Chain, Context, Invite, Key, Prefix, RevocationList, Revocations,
    SignedList, Signer, Terms, verify,
};
use peerloom_shared::limits::{GRANT_CHAIN_BYTES_MAX, INVITE_CHARS_MAX, REVOCATION_ENTRIES_MAX};

/// Not that of the published vectors, which serve as seeds.
const NETWORK: [u8; 32] = [0x66; 32];
const NOW: u64 = 1_800_000_000_000;

/// A good chain of two links, from signer 1 over signer 2 to signer 3.
static GOOD: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let chain = Chain::mint(NETWORK, &signer(1), terms(2)).unwrap();
    chain.delegate(&signer(2), terms(3)).unwrap().encode()
});

fn signer(n: u8) -> Signer {
    Signer::from(SecretKey::try_from_bytes([n; 32]).unwrap())
}

fn terms(to: u8) -> Terms {
    Terms {
        audience: Audience::Peer(Key::of(&signer(to))),
        actions: ActionSet::from_bits(0xff),
        not_before_ms: NOW,
        expires_ms: NOW + 60_000,
        depth: 5 - to,
        max_uses: 0,
        nonce: [to; 8],
        prefix: Prefix::new("topic/a").unwrap(),
    }
}

fuzz_target!(|input: &[u8]| {
    chains(input);
    tampered(input);
    lists(input);
    invites(input);
});

/// The input as a chain. Nobody who matters signed it.
fn chains(input: &[u8]) {
    let Ok(chain) = Chain::decode(input) else {
        assert!(is_refused(input));
        return;
    };
    assert!(input.len() <= GRANT_CHAIN_BYTES_MAX);
    assert_eq!(chain.encode(), input);
    let again = Chain::decode(&chain.encode());
    assert_eq!(again.as_ref(), Ok(&chain));
    assert!(input == GOOD.as_slice() || is_refused(input));
    // The closest look that is possible: the verifier trusts what the chain names.
    let body = chain.root().body();
    let context = Context {
        network: &body.network,
        now_ms: body.terms.not_before_ms,
        holder: chain.last().terms().audience,
        roots: &[body.issuer],
        owners: &[],
        revocations: &Revocations::new(body.network),
    };
    if let Ok(rights) = verify(input, &context) {
        for link in chain.links() {
            assert!(rights.actions().is_within(link.terms().actions));
            assert!(rights.prefix().is_within(&link.terms().prefix));
            assert!(rights.expires_ms() <= link.terms().expires_ms);
        }
    }
}

/// A good chain with the input laid over it: pairs of a place and a change.
fn tampered(input: &[u8]) {
    let mut bytes = GOOD.clone();
    for pair in input.chunks_exact(3).take(8) {
        let at = usize::from(u16::from_be_bytes([pair[0], pair[1]])) % bytes.len();
        bytes[at] ^= pair[2];
    }
    assert_eq!(is_refused(&bytes), bytes != *GOOD);
}

fn is_refused(bytes: &[u8]) -> bool {
    let roots = [Key::of(&signer(1))];
    let context = Context {
        network: &NETWORK,
        now_ms: NOW,
        holder: Audience::Peer(Key::of(&signer(3))),
        roots: &roots,
        owners: &[],
        revocations: &Revocations::new(NETWORK),
    };
    verify(bytes, &context).is_err()
}

/// The input as a list, and as one that was kept on disk and joins another.
fn lists(input: &[u8]) {
    if let Ok(signed) = SignedList::decode(input) {
        assert_eq!(signed.encode(), input);
        let mut known = Revocations::new(*signed.list().network());
        known.follow(signed.list().issuer()).unwrap();
        let result = known.offer(&signed, NOW);
        assert!(!matches!(result, Ok(Some(joined)) if joined.len() > REVOCATION_ENTRIES_MAX));
    }
    if let Ok(list) = RevocationList::decode(input) {
        assert_eq!(list.encode(), input);
        let mut known = Revocations::new(*list.network());
        known.follow(list.issuer()).unwrap();
        known.apply(&list, NOW).unwrap();
        let entries: Vec<_> = list.entries().collect();
        if let Ok(next) = known.list(&list.issuer()).unwrap().next(NOW, &entries) {
            assert!(next.len() <= REVOCATION_ENTRIES_MAX);
            assert_eq!(RevocationList::decode(&next.encode()), Ok(next));
        }
    }
}

/// The input as the text of an invite, and as its bytes.
fn invites(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input)
        && let Ok(invite) = Invite::parse(text, NOW)
    {
        let fragment = invite.to_fragment();
        assert!(fragment.len() <= INVITE_CHARS_MAX);
        assert!(text.trim().ends_with(&fragment[1..]));
    }
    let text = format!("#j={}", data_encoding::BASE64URL_NOPAD.encode(input));
    if let Ok(invite) = Invite::parse(&text, NOW) {
        assert_eq!(invite.to_fragment(), text);
    }
}

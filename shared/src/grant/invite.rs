//! Invites: a grant to whoever has a link, and the way to a peer that knows what to do with it.
//! Invariant: at most 1,200 characters, and what was changed on its way is refused.
//! Not here: QR codes, taking the link out of the address bar, counting uses.

mod error;

pub use error::InviteError;

use data_encoding::BASE64URL_NOPAD;
use libp2p_identity::{PeerId, ed25519::SecretKey};
use multiaddr::Multiaddr;

use super::body::NetworkId;
use super::read::Reader;
use super::{
    ActionSet, Audience, Chain, Context, Fault, GrantError, Key, Prefix, Revocations, Rights,
    Signer, Terms,
};
use crate::limits::{
    INVITE_ADDRESS_BYTES_MAX, INVITE_ADDRESSES_MAX, INVITE_CHARS_MAX, INVITE_INPUT_BYTES_MAX,
};

/// What stands before the encoded bytes, in the fragment of a link, which browsers keep to themselves.
const MARK: &str = "#j=";
/// The version of the bytes.
const VERSION: u8 = 1;
/// Bytes of the check against damage. It proves nothing: signatures do.
const CHECK_BYTES: usize = 4;
/// What tells this check from every other use of the hash.
const CHECK_CONTEXT: &str = "peerloom invite v1 check";

/// What an inviter decides. All times are Unix times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InviteTerms {
    /// What it allows.
    pub actions: ActionSet,
    /// What it is about.
    pub prefix: Prefix,
    /// When it begins.
    pub not_before_ms: u64,
    /// When it ends, and with it what is granted through it.
    pub expires_ms: u64,
    /// How many links whoever accepts it may add.
    pub depth: u8,
    /// How many may accept it; 0 is without limit. Exact only at the peer that made it.
    pub max_uses: u16,
    /// Chance, so that no two invites have the same id.
    pub nonce: [u8; 8],
    /// Where to find somebody: at most 3.
    pub addresses: Vec<Multiaddr>,
}

/// An invite, made or received. Its text is a secret of those who may use it.
#[derive(Debug)]
pub struct Invite {
    chain: Chain,
    key: Signer,
    addresses: Vec<Multiaddr>,
}

impl Invite {
    /// An invite of somebody whom verifiers trust. `seed` is 32 bytes of chance, never used twice.
    ///
    /// # Errors
    /// [`InviteError`]: too many or too long addresses, impossible terms, too long in all.
    pub fn mint(
        network: NetworkId,
        issuer: &Signer,
        terms: InviteTerms,
        seed: [u8; 32],
    ) -> Result<Self, InviteError> {
        let key = signer_of(seed)?;
        let (terms, addresses) = split(terms, &key)?;
        Self::checked(Chain::mint(network, issuer, terms)?, key, addresses)
    }

    /// An invite of somebody who holds a chain itself.
    ///
    /// # Errors
    /// As for [`mint`](Self::mint), and when it would give more than the chain does.
    pub fn mint_under(
        chain: &Chain,
        issuer: &Signer,
        terms: InviteTerms,
        seed: [u8; 32],
    ) -> Result<Self, InviteError> {
        let key = signer_of(seed)?;
        let (terms, addresses) = split(terms, &key)?;
        Self::checked(chain.delegate(issuer, terms)?, key, addresses)
    }

    fn checked(chain: Chain, key: Signer, addresses: Vec<Multiaddr>) -> Result<Self, InviteError> {
        // The link of whoever accepts it has to fit behind it.
        let invite = Self { chain, key, addresses };
        invite.room_for_joiner()?;
        within(invite.to_fragment().len(), INVITE_CHARS_MAX)?;
        Ok(invite)
    }

    fn room_for_joiner(&self) -> Result<(), InviteError> {
        let full = self.chain.len() >= crate::limits::GRANT_LINKS_MAX;
        if full || self.chain.last().terms().depth == 0 {
            Err(InviteError::NotDelegable)
        } else {
            Ok(())
        }
    }

    /// The invite as the fragment of a link, with `#j=` in front.
    #[must_use]
    pub fn to_fragment(&self) -> String {
        let mut payload = self.key.secret().as_ref().to_vec();
        payload.push(u8::try_from(self.addresses.len()).unwrap_or(u8::MAX));
        for address in &self.addresses {
            let bytes = address.to_vec();
            // Both counts are checked where an invite is made.
            payload.push(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
            payload.extend_from_slice(&bytes);
        }
        payload.extend_from_slice(&self.chain.encode());
        let length = u16::try_from(payload.len()).unwrap_or(u16::MAX);
        let bytes = [&[VERSION], &length.to_be_bytes()[..], &check_of(&payload), &payload].concat();
        format!("{MARK}{}", BASE64URL_NOPAD.encode(&bytes))
    }

    /// The invite as a link to a page.
    ///
    /// # Errors
    /// [`InviteError::BadPage`] when the page's address has a fragment; [`InviteError::TooLong`] when the
    /// whole link is over the limit.
    pub fn to_link(&self, page: &str) -> Result<String, InviteError> {
        if page.contains('#') {
            return Err(InviteError::BadPage);
        }
        let link = format!("{page}{}", self.to_fragment());
        within(link.chars().count(), INVITE_CHARS_MAX)?;
        Ok(link)
    }

    /// Reads an invite from a link, a fragment, or what is left of one with `j=` in front, at the Unix
    /// time `now_ms`. Its signatures are checked; whether its first issuer is worth anything, the peers
    /// it leads to decide.
    ///
    /// # Errors
    /// [`InviteError`] that says what is wrong with the text.
    pub fn parse(text: &str, now_ms: u64) -> Result<Self, InviteError> {
        within(text.len(), INVITE_INPUT_BYTES_MAX)?;
        let text = text.trim();
        let code = match text.rsplit_once('#') {
            Some((_, fragment)) => fragment.strip_prefix("j="),
            None => text.strip_prefix("j="),
        };
        let code = code.ok_or(InviteError::NotAnInvite)?;
        within(code.len().saturating_add(MARK.len()), INVITE_CHARS_MAX)?;
        let foreign = |c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_';
        if let Some(at) = code.chars().position(foreign) {
            return Err(InviteError::BadCharacter { at });
        }
        // What is left to go wrong is a number of characters that no encoding has, or bits too many in
        // the last one.
        let bytes = BASE64URL_NOPAD.decode(code.as_bytes()).map_err(|_| InviteError::CutOff)?;
        let invite = Self::decode(&bytes)?;
        invite.examine(now_ms)?;
        Ok(invite)
    }

    fn decode(bytes: &[u8]) -> Result<Self, InviteError> {
        const CUT: InviteError = InviteError::CutOff;
        let mut reader = Reader::new(bytes);
        let version = reader.u8().ok_or(CUT)?;
        if version != VERSION {
            return Err(InviteError::UnknownVersion(version));
        }
        let length = usize::from(reader.u16().ok_or(CUT)?);
        let check: [u8; CHECK_BYTES] = reader.array().ok_or(CUT)?;
        let payload = reader.slice(length).ok_or(CUT)?;
        if !reader.is_empty() {
            return Err(InviteError::Trailing { bytes: reader.rest().len() });
        }
        if check != check_of(payload) {
            return Err(InviteError::Damaged);
        }
        let mut reader = Reader::new(payload);
        let key = signer_of(reader.array().ok_or(CUT)?)?;
        let count = usize::from(reader.u8().ok_or(CUT)?);
        if count > INVITE_ADDRESSES_MAX {
            let max = INVITE_ADDRESSES_MAX;
            return Err(InviteError::TooManyAddresses { count, max });
        }
        let mut addresses = Vec::new();
        for at in 0..count {
            let length = usize::from(reader.u8().ok_or(CUT)?);
            let address = reader.slice(length).ok_or(CUT)?.to_vec();
            let address = Multiaddr::try_from(address).ok().filter(|address| !address.is_empty());
            addresses.push(address.ok_or(InviteError::BadAddress { at })?);
        }
        let chain = Chain::decode(reader.rest())?;
        Ok(Self { chain, key, addresses })
    }

    /// All checks that can be made without knowing whom to trust.
    fn examine(&self, now_ms: u64) -> Result<Rights, InviteError> {
        let body = self.chain.root().body();
        let holder = Audience::Invite(Key::of(&self.key));
        if self.chain.last().terms().audience != holder {
            return Err(InviteError::OtherKey);
        }
        self.room_for_joiner()?;
        let context = Context {
            network: &body.network,
            now_ms,
            holder,
            roots: &[body.issuer],
            owners: &[],
            revocations: &Revocations::new(body.network),
        };
        self.chain.verify(&context).map_err(of_grant)
    }

    /// Accepts the invite for a peer: the chain to show from now on, whose last link the invite's key
    /// signs to the peer. It gives what the invite gives, until the invite ends.
    ///
    /// # Errors
    /// [`InviteError::UnfitPeer`] when the peer's key is not Ed25519.
    pub fn accept(&self, joiner: &PeerId, nonce: [u8; 8]) -> Result<Chain, InviteError> {
        let audience = Audience::of_peer(joiner).ok_or(InviteError::UnfitPeer)?;
        let offered = self.chain.last().terms();
        let depth = offered.depth.checked_sub(1).ok_or(InviteError::NotDelegable)?;
        let terms = Terms { audience, depth, nonce, ..offered.clone() };
        Ok(self.chain.delegate(&self.key, terms)?)
    }

    /// The grant to the invite's key.
    #[must_use]
    pub const fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The invite's key.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::of(&self.key)
    }

    /// Where to find somebody.
    #[must_use]
    pub fn addresses(&self) -> &[Multiaddr] {
        &self.addresses
    }
}

fn signer_of(seed: [u8; 32]) -> Result<Signer, InviteError> {
    // Every 32 bytes are an Ed25519 secret key (RFC 8032, section 5.1.5), so there is no error to come.
    SecretKey::try_from_bytes(seed).map(Signer::from).map_err(|_| InviteError::Damaged)
}

fn split(terms: InviteTerms, key: &Signer) -> Result<(Terms, Vec<Multiaddr>), InviteError> {
    let count = terms.addresses.len();
    if count > INVITE_ADDRESSES_MAX {
        return Err(InviteError::TooManyAddresses { count, max: INVITE_ADDRESSES_MAX });
    }
    let fits = |address: &Multiaddr| (1..=INVITE_ADDRESS_BYTES_MAX).contains(&address.len());
    if let Some(at) = terms.addresses.iter().position(|address| !fits(address)) {
        return Err(InviteError::BadAddress { at });
    }
    let grant = Terms {
        audience: Audience::Invite(Key::of(key)),
        actions: terms.actions,
        not_before_ms: terms.not_before_ms,
        expires_ms: terms.expires_ms,
        // One link more, that of whoever accepts it.
        depth: terms.depth.saturating_add(1),
        max_uses: terms.max_uses,
        nonce: terms.nonce,
        prefix: terms.prefix,
    };
    Ok((grant, terms.addresses))
}

fn check_of(payload: &[u8]) -> [u8; CHECK_BYTES] {
    let hash = blake3::derive_key(CHECK_CONTEXT, payload);
    hash.first_chunk().copied().unwrap_or_default()
}

const fn within(chars: usize, max: usize) -> Result<(), InviteError> {
    if chars > max { Err(InviteError::TooLong { chars, max }) } else { Ok(()) }
}

fn of_grant(error: GrantError) -> InviteError {
    if let Fault::Expired { ms } = error.fault {
        return InviteError::Expired { ms };
    }
    if let Fault::NotYet { ms } = error.fault {
        return InviteError::NotYet { ms };
    }
    InviteError::Grant(error)
}

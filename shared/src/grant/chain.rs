//! Chains of links: from somebody who is trusted to somebody who acts.
//! Invariant: one to four links, at most 2 KiB, one encoding; what is minted here is well-formed.
//! Not here: whether a chain counts (`verify`).

use super::body::{Body, GrantId, Link, NetworkId, Terms};
use super::read::Reader;
use super::verify::check_step;
use super::{Fault, Field, GrantError, Key, Signer};
use crate::limits::{GRANT_CHAIN_BYTES_MAX, GRANT_LINKS_MAX};

/// Links, the root first. On the wire they stand one after the other with nothing between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    root: Link,
    rest: Vec<Link>,
}

impl Chain {
    /// A chain of one link, signed by a key that verifiers trust or that owns what it grants.
    ///
    /// # Errors
    /// [`GrantError`] when the terms end before they begin or last too long.
    pub fn mint(network: NetworkId, issuer: &Signer, terms: Terms) -> Result<Self, GrantError> {
        let body = Body { network, parent: GrantId::NONE, issuer: Key::of(issuer), terms };
        body.check_window().map_err(|(field, fault)| GrantError { link: 0, field, fault })?;
        Ok(Self { root: Link::sign(body, issuer), rest: Vec::new() })
    }

    /// This chain and one link more, signed by whom the last link was granted to.
    ///
    /// # Errors
    /// [`GrantError`], with the place of the new link, when the chain is full, the signer is somebody
    /// else, or the terms give more than the last link has.
    pub fn delegate(&self, issuer: &Signer, terms: Terms) -> Result<Self, GrantError> {
        let link = self.len();
        if link >= GRANT_LINKS_MAX {
            let fault = Fault::TooMuch { size: link.saturating_add(1), max: GRANT_LINKS_MAX };
            return Err(GrantError::new(link, Field::Length, fault));
        }
        let parent = self.last();
        let id = parent.id();
        let body =
            Body { network: parent.body().network, parent: id, issuer: Key::of(issuer), terms };
        body.check_window()
            .and_then(|()| check_step((parent, &id), &body))
            .map_err(|(field, fault)| GrantError { link, field, fault })?;
        let mut chain = self.clone();
        chain.rest.push(Link::sign(body, issuer));
        Ok(chain)
    }

    /// Reads a chain. Nothing about it is believed yet.
    ///
    /// # Errors
    /// [`GrantError`] that names the first malformed field.
    pub fn decode(bytes: &[u8]) -> Result<Self, GrantError> {
        let length = |fault| GrantError::new(0, Field::Length, fault);
        if bytes.is_empty() {
            return Err(length(Fault::Empty));
        }
        if bytes.len() > GRANT_CHAIN_BYTES_MAX {
            let (size, max) = (bytes.len(), GRANT_CHAIN_BYTES_MAX);
            return Err(length(Fault::TooMuch { size, max }));
        }
        let mut reader = Reader::new(bytes);
        let root = Link::read(&mut reader, 0)?;
        let mut rest = Vec::new();
        while !reader.is_empty() {
            let link = rest.len().saturating_add(1);
            if link >= GRANT_LINKS_MAX {
                let fault = Fault::Trailing(reader.rest().len());
                return Err(GrantError::new(link, Field::Length, fault));
            }
            rest.push(Link::read(&mut reader, link)?);
        }
        Ok(Self { root, rest })
    }

    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(GRANT_CHAIN_BYTES_MAX);
        self.links().for_each(|link| link.encode_into(&mut bytes));
        bytes
    }

    /// All links, the root first.
    pub fn links(&self) -> impl Iterator<Item = &Link> {
        std::iter::once(&self.root).chain(&self.rest)
    }

    /// The first link.
    #[must_use]
    pub const fn root(&self) -> &Link {
        &self.root
    }

    /// The last link: whom the chain is for, and what it allows.
    #[must_use]
    pub fn last(&self) -> &Link {
        self.rest.last().unwrap_or(&self.root)
    }

    /// How many links there are.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a chain has at least one link")]
    pub fn len(&self) -> usize {
        self.rest.len().saturating_add(1)
    }
}

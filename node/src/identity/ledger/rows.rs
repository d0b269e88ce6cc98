//! The ledger's rows, as they are on disk.
//! Invariant: every row is read by [`take`] and written here alone.
//! Not here: what the rows mean together (`ledger`).

use peerloom_shared::grant::{Chain, GrantId, Key, NetworkId, SignedList};
use peerloom_shared::room_key::{KeyId, SignedRoomKey};
use serde::{Deserialize, Serialize};

use super::{Given, Ledger};
use crate::store::{Change, Shelf};

/// A grant given, behind its chain: JSON, so that later versions can add to it.
#[derive(Debug, Serialize, Deserialize)]
struct GivenRow {
    chain: String,
    role: String,
    made_ms: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    #[serde(default)]
    revoked: bool,
}

fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64URL_NOPAD.encode(bytes)
}

fn bytes(text: &str) -> Option<Vec<u8>> {
    data_encoding::BASE64URL_NOPAD.decode(text.as_bytes()).ok()
}

/// The row of a grant given.
pub(super) fn given(given: &Given) -> Change {
    let row = GivenRow {
        chain: base64(&given.chain.encode()),
        role: given.role.name().to_owned(),
        made_ms: given.made_ms,
        by: given.by.map(|id| base64(id.as_bytes())),
        revoked: given.revoked,
    };
    let id = given.chain.last().id();
    // Texts and numbers always have a JSON form.
    let value = serde_json::to_vec(&row).unwrap_or_default();
    Change { shelf: Shelf::Given, key: id.as_bytes().to_vec(), value: Some(value) }
}

/// The row of a chain held.
pub(super) fn held(chain: &Chain) -> Change {
    let key = chain.last().id().as_bytes().to_vec();
    Change { shelf: Shelf::Held, key, value: Some(chain.encode()) }
}

/// A row by id that is of no use any more.
pub(super) fn gone(shelf: Shelf, id: &GrantId) -> Change {
    Change { shelf, key: id.as_bytes().to_vec(), value: None }
}

/// The row of a use.
pub(super) fn used(id: &GrantId, holder: &Key) -> Change {
    let key = [&id.as_bytes()[..], holder.as_bytes()].concat();
    Change { shelf: Shelf::Uses, key, value: Some(Vec::new()) }
}

/// The row of a list.
pub(super) fn list(signed: &SignedList) -> Change {
    let list = signed.list();
    let key = [&list.network()[..], list.issuer().as_bytes()].concat();
    Change { shelf: Shelf::Lists, key, value: Some(signed.encode()) }
}

/// The row of a room's key.
pub(super) fn room_key(signed: &SignedRoomKey) -> Change {
    let key = [&signed.key().network[..], &signed.key().id().0].concat();
    Change { shelf: Shelf::RoomKeys, key, value: Some(signed.encode()) }
}

fn two(key: &[u8]) -> Option<([u8; 32], [u8; 32])> {
    let (first, rest) = key.split_first_chunk::<32>()?;
    Some((*first, rest.try_into().ok()?))
}

fn id(bytes: &[u8]) -> Option<GrantId> {
    bytes.try_into().ok().map(GrantId::from_bytes)
}

/// Takes a change over; `None` when it makes no sense.
pub(super) fn take(ledger: &mut Ledger, change: &Change) -> Option<()> {
    let Change { shelf, key, value } = change;
    match (shelf, value) {
        (Shelf::Held, Some(value)) => {
            ledger.held.insert(id(key)?, Chain::decode(value).ok()?);
        }
        (Shelf::Held, None) => drop(ledger.held.remove(&id(key)?)),
        (Shelf::Given, Some(value)) => {
            let row: GivenRow = serde_json::from_slice(value).ok()?;
            let given = Given {
                chain: Chain::decode(&bytes(&row.chain)?).ok()?,
                role: row.role.parse().ok()?,
                made_ms: row.made_ms,
                by: row.by.and_then(|by| id(&bytes(&by)?)),
                revoked: row.revoked,
            };
            ledger.given.insert(id(key)?, given);
        }
        (Shelf::Given, None) => drop(ledger.given.remove(&id(key)?)),
        (Shelf::Uses, value) => {
            let (grant, holder) = two(key)?;
            let (grant, holder) = (GrantId::from_bytes(grant), Key::from_bytes(holder));
            if value.is_some() {
                ledger.uses.entry(grant).or_default().insert(holder);
            } else if let Some(holders) = ledger.uses.get_mut(&grant) {
                holders.remove(&holder);
                if holders.is_empty() {
                    ledger.uses.remove(&grant);
                }
            }
        }
        (Shelf::Lists, value) => {
            let (network, issuer): (NetworkId, _) = two(key)?;
            let key = (network, Key::from_bytes(issuer));
            match value {
                Some(value) => drop(ledger.lists.insert(key, SignedList::decode(value).ok()?)),
                None => drop(ledger.lists.remove(&key)),
            }
        }
        (Shelf::RoomKeys, value) => {
            let (network, id) = key.split_first_chunk::<32>()?;
            let key = (*network, KeyId(id.try_into().ok()?));
            match value {
                Some(value) => drop(ledger.keys.insert(key, SignedRoomKey::decode(value).ok()?)),
                None => drop(ledger.keys.remove(&key)),
            }
        }
        // Others' table.
        (Shelf::Book, _) => return None,
    }
    Some(())
}

//! Limits of carried rights: grants, invites, lists of revocations, and checking them.
//! Invariant: as in the module above.
//! Not here: the clock tolerance; grants share the one of everything else.

/// The prefix of a grant, in bytes: as long as the longest topic.
pub const GRANT_PREFIX_BYTES_MAX: usize = 128;
/// Links of a chain: operator, member, invite, guest.
pub const GRANT_LINKS_MAX: usize = 4;
/// A chain, in bytes: four links at their longest are 1,432.
pub const GRANT_CHAIN_BYTES_MAX: usize = 2 * 1024;
/// The longest life of a grant, in ms: 90 days, a relay's. Revocations may be forgotten after it.
pub const GRANT_LIFE_MS_MAX: u64 = 90 * 24 * 3_600_000;
/// Usual life of an invite, in ms: a day, since whoever sees the link can use it.
pub const INVITE_LIFE_MS: u64 = 24 * 3_600_000;
/// Usual life of a visitor's grant, in ms: a day; it is renewed while the visitor is there.
pub const VISIT_LIFE_MS: u64 = 24 * 3_600_000;
/// Usual life of a member's grant, in ms: 30 days, a holiday away from the mesh.
pub const MEMBER_LIFE_MS: u64 = 30 * 24 * 3_600_000;
/// Usual life of a relay's grant, in ms: 90 days, since it runs unattended.
pub const RELAY_LIFE_MS: u64 = GRANT_LIFE_MS_MAX;
/// An invite as text, in characters, whether fragment or whole link: its QR code stays within
/// version 25 at level L, which holds 1,273 bytes (ISO/IEC 18004).
pub const INVITE_CHARS_MAX: usize = 1_200;
/// A pasted text in which an invite is looked for, in bytes: a full invite behind a long address.
pub const INVITE_INPUT_BYTES_MAX: usize = 2 * 1024;
/// Addresses in an invite: one node that answers is enough, and two may be away.
pub const INVITE_ADDRESSES_MAX: usize = 3;
/// One address in an invite, in bytes: a WebRTC-direct address with certificate and peer has about 90.
pub const INVITE_ADDRESS_BYTES_MAX: usize = 255;
/// Entries of a list of revocations: with 42 bytes each they fit [`REVOCATION_LIST_BYTES_MAX`].
pub const REVOCATION_ENTRIES_MAX: usize = 700;
/// A list of revocations, in bytes: it fits one gossip post.
pub const REVOCATION_LIST_BYTES_MAX: usize = 30 * 1024;
/// A newest list older than this, in ms, is stale: issuers sign at least one a day.
pub const REVOCATION_STALE_MS: u64 = 24 * 3_600_000;
/// Issuers whose lists are kept: each may cost 700 entries, so 64 cost some 5 MiB.
pub const REVOCATION_ISSUERS_MAX: usize = 64;
/// Checked chains remembered: every connection of the largest profile, eight times.
pub const GRANT_CACHE_MAX: usize = 8_192;
/// How long a checked chain is believed, in ms, where it does not expire before.
pub const GRANT_CACHE_MS: u64 = 60_000;
/// Signatures of grants checked for one source, a second: a chain a second.
pub const GRANT_SOURCE_RATE_PER_S: u32 = 4;
/// Burst of one source: eight full chains, as many as one peer needs at a start.
pub const GRANT_SOURCE_BURST: u32 = 32;
/// Sources whose rate is remembered.
pub const GRANT_SOURCES_MAX: usize = 8_192;
/// Signatures of grants checked in all, a second: at 50 µs each they cost a tenth of one core.
pub const GRANT_TOTAL_RATE_PER_S: u32 = 2_000;
/// Burst of all: 500 peers that return at once, each with a full chain.
pub const GRANT_TOTAL_BURST: u32 = 2_000;
/// Peers whose verified grants are kept, connected or not: four connections' worth of the largest
/// profile, so that whoever comes back need not prove itself before it is served.
pub const HELD_PEERS_MAX: usize = 4_096;

// ---- Showing grants: `/peerloom/auth/1` -------------------------------------------------------

/// A request that shows grants, in bytes: six full chains, six issued ones, a full list of revocations,
/// the keys of all rooms.
pub const AUTH_REQUEST_BYTES_MAX: usize = 80 * 1024;
/// The answer to it, in bytes: numbers, a reason, the lists of [`AUTH_LISTS_BYTES_MAX`],
/// the keys of all rooms.
pub const AUTH_ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Lists of revocations in one message: most issuers never took anything back.
pub const AUTH_LISTS_MAX: usize = 4;
/// Lists of revocations in one message, in bytes: one full list always fits.
pub const AUTH_LISTS_BYTES_MAX: usize = 32 * 1024;
/// Chains that one peer shows or is issued at a time: network, some rooms, a mailbox.
pub const AUTH_CHAINS_MAX: usize = 6;
/// The reason in an answer, in characters: one sentence.
pub const AUTH_REASON_CHARS_MAX: usize = 128;
/// How long one exchange may take, in ms.
pub const AUTH_EXCHANGE_MS: u64 = 5_000;
/// Exchanges that one connection may have open towards us: one, and one that follows it.
pub const AUTH_STREAMS_MAX: usize = 2;
/// How long a stranger may stay where strangers may not, in ms, to show what it has: the time of one
/// exchange.
pub const PROBATION_MS: u64 = 5_000;
/// How long gossip waits for a peer that says nothing about its protocols, in ms, before it is tried
/// without: every implementation of libp2p sends identify at once.
pub const GATED_SILENCE_MS: u64 = 10_000;
/// Strangers on probation at a time: those who wait must not take the places of members.
pub const PROBATION_MAX: usize = 64;
/// The shortest time between two showings to one peer, in ms.
pub const AUTH_AGAIN_MS_MIN: u64 = 10_000;
/// The longest, in ms: rules change, and the page should show it within the hour.
pub const AUTH_AGAIN_MS_MAX: u64 = 3_600_000;
/// Holders counted for one invite: as many as `max_uses` can say is more than anybody lists.
pub const GRANT_HOLDERS_MAX: usize = 1_024;
/// Invites of our own whose uses are counted.
pub const GRANT_COUNTED_MAX: usize = 1_024;

// ---- Keys of members' rooms -------------------------------------------------------------------

/// One key as it travels, in bytes: 114, a topic, a signature.
pub const ROOM_KEY_BYTES_MAX: usize = 114 + super::TOPIC_BYTES_MAX + 64;
/// Members' rooms whose keys a peer keeps: their keys all fit one answer of `/peerloom/auth/1`.
pub const ROOM_KEYS_ROOMS_MAX: usize = 32;
/// Keys kept of each room: what was sealed shortly before some people were removed still opens.
pub const ROOM_KEYS_KEPT: usize = 4;
/// Keys of rooms on disk: those of some networks.
pub const ROOM_KEYS_STORED_MAX: usize = 8 * ROOM_KEYS_ROOMS_MAX * ROOM_KEYS_KEPT;
/// What sealing adds to a text, in bytes: a key's name, a nonce, a tag.
pub const ROOM_SEAL_BYTES: usize = 8 + 24 + 16;
/// The shortest time between two requests for keys that are missing, in ms.
pub const ROOM_KEYS_ASK_MS: u64 = AUTH_AGAIN_MS_MIN;
/// Messages that wait for their key, over all rooms: a lively minute after a change of keys.
pub const ROOM_SEALED_WAITING_MAX: usize = 64;
/// How long a message waits for its key, in ms.
pub const ROOM_SEALED_WAITING_MS: u64 = 60_000;

// ---- What a node keeps on disk ----------------------------------------------------------------

/// Chains that a node holds: some networks, some rooms in each.
pub const GRANTS_HELD_MAX: usize = 64;
/// Grants and invites that a node made and that have not ended: each may cost 2 KiB on disk.
pub const GRANTS_GIVEN_MAX: usize = 8_192;
/// Uses of limited grants: 64 for each that may be counted.
pub const GRANT_USES_MAX: usize = 64 * GRANT_COUNTED_MAX;
/// How often an issuer signs its list anew, in ms: twice within the time after which it is stale.
pub const REVOCATION_RENEW_MS: u64 = REVOCATION_STALE_MS / 2;
/// How often a node looks whether a list is to be renewed or a grant has ended, in ms.
pub const GRANTS_TIDY_MS: u64 = 600_000;

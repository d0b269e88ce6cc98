//! Every size, count and timeout of Peerloom, each with its reason.
//! Invariant: no other file of a shipped crate holds a literal capacity or deadline.
//! Not here: rates measured at run time; bars of tests (they live with the tests).

mod grant;
mod local;

pub use grant::*;
pub use local::*;

// ---- Asks, lanes, commands -------------------------------------------------------------------

/// Slots of one actor handle: about one second of work at 30 ms an ask.
pub const ASK_SLOTS_MAX: usize = 32;
/// Deadline of an ask, in ms: longer than any local step, shorter than a person's patience.
pub const ASK_MS: u64 = 5_000;
/// Commands waiting for the Driver: one scheduling burst.
pub const COMMANDS_MAX: usize = 64;
/// Work items waiting for one actor: about 1 s of gossip at 200 messages/s.
pub const LANE_WORK_MAX: usize = 256;
/// Events kept for one slow reader of the event stream before it gets a gap notice.
pub const EVENTS_LAG_MAX: usize = 1_024;
/// Messages a node keeps in memory per room for late readers of its API (a screenful times ten).
pub const ROOM_RECENT_MAX: usize = 500;
/// Status events a second at most: more cannot be read by a person.
pub const STATUS_EVENT_MS: u64 = 200;
/// Slice of the browser's event loop the Driver may use, in ms: a quarter of a 60 Hz frame.
pub const DRIVER_SLICE_MS: u64 = 4;
/// Time the Driver may take to say goodbye to its peers, in ms.
pub const DRIVER_DRAIN_MS: u64 = 2_000;
/// Budget of a clean stop, in ms.
pub const STOP_MS: u64 = 5_000;
/// A lane that is not empty and from which nothing was taken for so long, in ms, counts as a death.
pub const STALL_MS: u64 = 5_000;
/// Window, in ms, in which restarts and panics are counted.
pub const RESTART_WINDOW_MS: u64 = 60_000;
/// Restarts in one window that end the process.
pub const RESTARTS_MAX: usize = 3;
/// Caught panics in one window that end the process.
pub const PANICS_MAX: usize = 5;
/// How long, in ms, the peer whose work was in hand at a panic stays out: it outlasts the window.
pub const QUARANTINE_MS: u64 = 600_000;
/// Quarantined peers remembered.
pub const QUARANTINE_MAX: usize = 256;

// ---- Connections -----------------------------------------------------------------------------

/// Inbound connections that are still being set up.
pub const PENDING_IN_MAX: u32 = 64;
/// Inbound connections of profiles `edge` and `lan`: a home node.
pub const INBOUND_MAX: u32 = 256;
/// Inbound connections of profile `relay`.
pub const INBOUND_RELAY_MAX: u32 = 1_024;
/// Outbound connections.
pub const OUTBOUND_MAX: u32 = 128;
/// Connections to one peer: a relayed and a direct one begun by each side, where both began at once.
/// With less room each side might refuse the direct one that the other keeps.
pub const PER_PEER_MAX: u32 = 4;
/// Streams of one connection that are still being negotiated.
pub const NEGOTIATING_STREAMS_MAX: usize = 32;
/// Streams of one yamux connection.
pub const YAMUX_STREAMS_MAX: usize = 64;
/// QUIC data in flight on one connection, in bytes.
pub const QUIC_CONNECTION_BYTES_MAX: u32 = 2 * 1024 * 1024;
/// QUIC data in flight on one stream, in bytes.
pub const QUIC_STREAM_BYTES_MAX: u32 = 512 * 1024;
/// QUIC streams of one connection.
pub const QUIC_STREAMS_MAX: u32 = 64;
/// One WebSocket message, in bytes: a Noise frame is at most 64 KiB.
pub const WEBSOCKET_MESSAGE_BYTES_MAX: usize = 128 * 1024;
/// A dial or a handshake, in ms: slow lorises end here.
pub const DIAL_MS: u64 = 10_000;
/// An idle connection without any stream or reason to stay, in ms. Long, because meshes are quiet at
/// night and a redial costs more than a socket.
pub const IDLE_MS: u64 = 120_000;
/// A connection that is doubted, because another of the same peer opened or closed, must answer a ping
/// within, in ms.
pub const PING_DOUBT_MS: u64 = 3_000;
/// A link that broke is not dialled while other connections of its peer are doubted, in ms: a little
/// longer than the doubt lasts.
pub const LINK_HELD_MS: u64 = PING_DOUBT_MS + 500;
/// Time between two pings of one connection, in ms.
pub const PING_EVERY_MS: u64 = 15_000;
/// A ping without answer fails after, in ms.
pub const PING_TIMEOUT_MS: u64 = 10_000;
/// Failed pings in a row that close a connection.
pub const PING_FAILURES_MAX: u32 = 2;
/// The same for browsers, in ms: WebRTC there tells of a dead peer only after half a minute, and a
/// page must rejoin within 15 s.
pub const PING_BROWSER_EVERY_MS: u64 = 4_000;
/// A browser's ping without answer fails after, in ms.
pub const PING_BROWSER_TIMEOUT_MS: u64 = 3_000;
/// A browser's failed pings that close a connection: the failed one was on a fresh stream already.
pub const PING_BROWSER_FAILURES_MAX: u32 = 1;
/// Addresses kept for a peer: one per transport and IP family.
pub const ADDRESSES_MAX: usize = 8;
/// One address, in bytes: real ones stay below 300.
pub const ADDRESS_BYTES_MAX: usize = 512;
/// Strings received in identify are cut after so many characters.
pub const REMOTE_TEXT_CHARS_MAX: usize = 128;

// ---- Gossip ----------------------------------------------------------------------------------

/// One gossip RPC, in bytes: rust-libp2p's default, which every peer accepts.
pub const GOSSIP_RPC_BYTES_MAX: usize = 64 * 1024;
/// Body of one post, in bytes: half the RPC, so one frame always holds it.
pub const POST_BODY_BYTES_MAX: usize = 32 * 1024;
/// One encoded post, in bytes: the body and its small fields.
pub const POST_BYTES_MAX: usize = POST_BODY_BYTES_MAX + 256;
/// Chat text that we send, in bytes: a screenful.
pub const CHAT_TEXT_BYTES_MAX: usize = 4 * 1024;
/// A display name, in characters.
pub const NAME_CHARS_MAX: usize = 40;
/// A display name, in bytes: the longest UTF-8 of 40 characters.
pub const NAME_BYTES_MAX: usize = NAME_CHARS_MAX * 4;
/// Chat text that we show, in characters: as many as the largest post holds.
pub const TEXT_CHARS_MAX: usize = POST_BODY_BYTES_MAX;
/// A reference to the message that a post answers, in bytes: the longest known id and room to spare.
pub const REPLY_TO_BYTES_MAX: usize = 64;
/// A topic, in bytes.
pub const TOPIC_BYTES_MAX: usize = 128;
/// A room's name, in bytes: fits a topic with its prefix.
pub const ROOM_NAME_BYTES_MAX: usize = 64;
/// Rooms one peer can be in: each is a gossip mesh to maintain.
pub const ROOMS_MAX: usize = 32;
/// Topics that a node follows for its neighbours only: each costs a mesh.
pub const CARRIED_TOPICS_MAX: usize = 256;
/// Topics that are carried at the wish of one neighbour: as many rooms as a peer can be in.
pub const CARRIED_PER_PEER_MAX: usize = 32;
/// Followers noted for one carried topic: all connections of the largest profile.
pub const CARRIED_FOLLOWERS_MAX: usize = 1_152;
/// Topics of neighbours that are watched, ours and theirs.
pub const TOPICS_WATCHED_MAX: usize = 1_024;
/// Subscriptions taken from one peer.
pub const GOSSIP_SUBSCRIPTIONS_MAX: usize = 100;
/// Messages queued for one connection: 5,000 (the library's) would be 312 MiB for one slow peer.
pub const GOSSIP_QUEUE_MAX: usize = 512;
/// Mesh upper bound of nodes that serve leaf clients: with the library's 12 more clients than that
/// get messages by gossip repair only and lose a third of them.
pub const GOSSIP_MESH_HIGH_NODE: usize = 256;
/// The same for profile `relay`.
pub const GOSSIP_MESH_HIGH_RELAY: usize = 1_024;
/// The same for browsers, which serve nobody else: the library's own.
pub const GOSSIP_MESH_HIGH_BROWSER: usize = 12;
/// Duplicate cache, in ms, as go and js: a shorter one would accept again what others remember.
pub const GOSSIP_DUPLICATES_MS: u64 = 120_000;
/// (author, seqno) pairs remembered: 120 s at 200 messages/s, doubled.
pub const SEEN_MAX: usize = 50_000;
/// Tolerance between clocks, in ms: more than ordinary drift, less than any lifetime.
pub const CLOCK_TOLERANCE_MS: u64 = 120_000;
/// Messages of one author, a second: ten times fast typing, and room for a program.
pub const AUTHOR_RATE_PER_S: u32 = 50;
/// Burst of one author: 100 messages written at once must pass, twice.
pub const AUTHOR_BURST: u32 = 200;
/// Messages that we send, a second: below what others take from one author, so that presence posts and
/// messages bunched by a slow path do not push us over. More is refused to the caller, not lost.
pub const SAY_RATE_PER_S: u32 = 40;
/// Burst of the messages that we send.
pub const SAY_BURST: u32 = 150;
/// Messages forwarded by one neighbour, a second: a hub forwards for all its clients.
pub const FORWARDER_RATE_PER_S: u32 = 1_000;
/// Burst of one neighbour.
pub const FORWARDER_BURST: u32 = 2_000;
/// Rate buckets kept: more than all connections and a large room.
pub const RATE_KEYS_MAX: usize = 8_192;
/// (author, topic) counter windows kept.
pub const COUNTER_WINDOWS_MAX: usize = 8_192;
/// Posts that one author may be ahead of a late one, as 64-bit words: 512 posts. Gossip repair brings
/// a lost message up to 5 s late; by then a burst of 200 and 250 more may have overtaken it.
pub const COUNTER_WINDOW_WORDS: usize = 8;
/// Members shown for one room.
pub const ROOM_MEMBERS_MAX: usize = 1_024;
/// Time between two presence posts in a room, in ms.
pub const PRESENCE_EVERY_MS: u64 = 20_000;
/// A member not heard for so long, in ms, is gone: three presence posts.
pub const PRESENCE_GONE_MS: u64 = 60_000;
/// First presence post after a join comes again after so long, in ms, then twice as long each time up
/// to [`PRESENCE_EVERY_MS`]: neighbours take some heartbeats to learn that we are in the room.
pub const PRESENCE_FIRST_MS: u64 = 1_000;
/// A newcomer hears of us within so long, in ms, for each member: a room answers with at most 50 posts
/// a second together, however large it is.
pub const PRESENCE_REPLY_MS: u64 = 20;
/// Shortest time from one presence post in a room to the answer to a newcomer, in ms.
pub const PRESENCE_GAP_MS: u64 = 2_000;
/// A member of a room without presence posts is shown for so long after its last message, in ms.
pub const UC_MEMBER_GONE_MS: u64 = 600_000;
/// Joins and messages that wait for the Driver: what the handle in front lets through, twice.
pub const PUBSUB_PENDING_MAX: usize = 2 * ASK_SLOTS_MAX;

// ---- Discovery -------------------------------------------------------------------------------

/// Time between two announcements on the discovery topic, in ms, as universal-connectivity.
pub const ANNOUNCE_EVERY_MS: u64 = 10_000;
/// One announcement, in bytes.
pub const ANNOUNCEMENT_BYTES_MAX: usize = 4 * 1024;
/// Addresses accepted in one announcement.
pub const ANNOUNCEMENT_ADDRESSES_MAX: usize = 16;
/// Addresses we are told to keep connected.
pub const LINKS_MAX: usize = 32;
/// Peers in the address book.
pub const BOOK_MAX: usize = 4_096;
/// First pause before a dial is tried again, in ms.
pub const BACKOFF_FIRST_MS: u64 = 1_000;
/// Longest pause for a link we were told to keep, in ms: a page must rejoin within 15 s.
pub const BACKOFF_LINK_MAX_MS: u64 = 5_000;
/// Longest pause for a peer that was only heard of, in ms.
pub const BACKOFF_PEER_MAX_MS: u64 = 600_000;
/// Connections to heard-of peers that discovery wants.
pub const OUTBOUND_WANTED: usize = 8;
/// Dials under way at once.
pub const DIALS_MAX: usize = 8;
/// Changes of the address book that may wait for the disk: a table full of new peers.
pub const BOOK_CHANGES_MAX: usize = 1_024;
/// Changes of the address book written in one transaction.
pub const BOOK_BATCH_MAX: usize = 256;
/// Deadline of a dial asked of the transport actor, in ms: the dial's own and a moment.
pub const DIAL_ASK_MS: u64 = DIAL_MS + 2_000;
/// How long a peer that was just dialled may take to introduce itself before it counts as connected all
/// the same, in ms.
pub const DIAL_SETTLE_MS: u64 = 5_000;
/// Deadline of a lookup asked of the routing actor, in ms: the query's own and a moment.
pub const LOOKUP_ASK_MS: u64 = QUERY_MS + 2_000;
/// An address book entry not seen for so long, in ms, is dropped: 30 days.
pub const BOOK_LIFE_MS: u64 = 30 * 24 * 3_600_000;
/// One stored address book entry, in bytes: all its addresses at their longest, and the rest.
pub const BOOK_ENTRY_BYTES_MAX: usize = ADDRESSES_MAX * (ADDRESS_BYTES_MAX + 8) + 256;
/// Failed tries in a row after which a peer that was never reached is forgotten: about 17 minutes.
pub const BOOK_FAILURES_MAX: u32 = 10;
/// Time between two writes of an entry in which only the time of the last word changed, in ms.
pub const BOOK_SAVE_EVERY_MS: u64 = 3_600_000;
/// Dials under way to peers only heard of: the other half of all dials stays free for links.
pub const DIALS_HEARD_MAX: usize = DIALS_MAX / 2;
/// Time that the accepting side of a relayed connection gives the other one to ask for a direct path,
/// in ms: a few round trips over a relay, and less than a person waits.
pub const UPGRADE_YIELD_MS: u64 = 4_000;
/// The first pause after a direct path could not be made, in ms: a quarter of the next.
pub const UPGRADE_AGAIN_MS: u64 = 5_000;
/// Tries for a direct path while a peer is connected over relays: the last comes after half an hour.
pub const UPGRADE_TRIES_MAX: u32 = 5;
/// A dial without answer for so long, in ms, counts as failed: three times its own deadline.
pub const DIAL_LOST_MS: u64 = 3 * DIAL_MS;
/// A link that held so long, in ms, is redialled at once when it breaks; one that broke earlier
/// waits, or a remote that closes at once would be dialled in a hot loop.
pub const LINK_STABLE_MS: u64 = BACKOFF_LINK_MAX_MS;
/// A connection to a heard-of peer that held so long, in ms, makes its earlier failures forgotten.
pub const PEER_STABLE_MS: u64 = 60_000;
/// Heard-of peers that nothing we can dial leads to now are looked at again after, in ms.
pub const BOOK_RECHECK_MS: u64 = 60_000;
/// Time between two announcements when something changed, in ms: newcomers find us at once.
pub const ANNOUNCE_GAP_MS: u64 = 1_000;
/// Announcements taken from one author, a second: ten times the usual rhythm.
pub const ANNOUNCER_RATE_PER_S: u32 = 1;
/// Burst of one announcer: a start, its first addresses, and neighbours that come and go.
pub const ANNOUNCER_BURST: u32 = 10;
/// A pause of the machine's clock so long past its wake, in ms, was a sleep of the computer.
pub const SLEPT_MS: u64 = 30_000;

// ---- Relay -----------------------------------------------------------------------------------

/// Reservations a peer behind NAT keeps: one relay may die, one may lie.
pub const RELAYS_WANTED: usize = 3;
/// Reservations a node gives, profiles `edge` and `lan`: half of its inbound connections.
pub const RESERVATIONS_MAX: usize = 128;
/// The same for profile `relay`.
pub const RESERVATIONS_RELAY_MAX: usize = 512;
/// Reservations for one peer: one spare while renewing.
pub const RESERVATIONS_PER_PEER_MAX: usize = 2;
/// Reservations for one IP group: one network must not take all.
pub const RESERVATIONS_PER_GROUP_MAX: usize = 8;
/// Life of a reservation, in ms.
pub const RESERVATION_MS: u64 = 3_600_000;
/// Circuits a node carries, profiles `edge` and `lan`.
pub const CIRCUITS_MAX: usize = 64;
/// The same for profile `relay`.
pub const CIRCUITS_RELAY_MAX: usize = 256;
/// Circuits of one peer: a joining browser signals with several peers at once.
pub const CIRCUITS_PER_PEER_MAX: usize = 8;
/// Life of a circuit, in ms: chat survives a failed upgrade.
pub const CIRCUIT_MS: u64 = 600_000;
/// Bytes through one circuit, both directions.
pub const CIRCUIT_BYTES_MAX: u64 = 4 * 1024 * 1024;
/// Connected relays remembered as candidates for a reservation: spares for a long outage.
pub const RELAY_CANDIDATES_MAX: usize = 64;
/// A reservation that is not granted after so long, in ms, failed: a dial and an answer.
pub const RESERVE_MS: u64 = 2 * DIAL_MS;
/// Longest pause before the same relay is asked again, in ms.
pub const BACKOFF_RELAY_MAX_MS: u64 = 60_000;
/// Longest pause before a listen address is tried again, in ms.
pub const BACKOFF_LISTEN_MAX_MS: u64 = 30_000;

// ---- Routing ---------------------------------------------------------------------------------

/// A Kademlia packet, in bytes.
pub const KAD_PACKET_BYTES_MAX: usize = 16 * 1024;
/// A record's value, in bytes: three fit a packet.
pub const RECORD_BYTES_MAX: usize = 4 * 1024;
/// A record's key, in bytes.
pub const RECORD_KEY_BYTES_MAX: usize = 256;
/// Records a node holds in memory for others.
pub const RECORDS_MAX: usize = 4_096;
/// Providers kept for one key.
pub const PROVIDERS_PER_KEY_MAX: usize = 32;
/// Keys for which we ourselves are a provider.
pub const PROVIDED_KEYS_MAX: usize = 1_024;
/// Life of a record, in ms: 48 h.
pub const RECORD_LIFE_MS: u64 = 48 * 3_600_000;
/// Lookups under way at once.
pub const QUERIES_MAX: usize = 32;
/// A lookup, in ms.
pub const QUERY_MS: u64 = 30_000;
/// Time between two refreshes of the routing table, in ms.
pub const REFRESH_EVERY_MS: u64 = 300_000;
/// Routing-table peers of one IP group (/24 or /48).
pub const TABLE_PER_GROUP_MAX: usize = 3;
/// Routing-table peers in all: more than the buckets of any network we can meet will hold.
pub const TABLE_MAX: usize = 1_024;
/// A routing-table peer that is not connected for so long, in ms, leaves: long enough for a restart.
pub const TABLE_AWAY_MS: u64 = 600_000;

// ---- Policy ----------------------------------------------------------------------------------

/// Entries in all allow and deny lists together: ranges are looked through one by one, and a decision
/// before the handshake has 5 µs.
pub const POLICY_RULES_MAX: usize = 4_096;

//! Limits of what stays on one machine: the admin server, the command line, files, the browser.
//! Invariant: as in the module above, of which this is the second half.
//! Not here: anything that a remote peer can see.

use super::QUERY_MS;

// ---- Admin server ----------------------------------------------------------------------------

/// HTTP connections at once: a page opens six, a scraper one, and each costs two 8 KiB buffers.
pub const HTTP_CONNECTIONS_MAX: usize = 256;
/// How many of them may come from other machines: the operator always finds a free one.
pub const HTTP_CONNECTIONS_OUTSIDE_MAX: usize = 192;
/// Body of one admin request, in bytes: the longest, a chat text, is 4 KiB; larger things go by
/// content reference.
pub const HTTP_BODY_BYTES_MAX: usize = 64 * 1024;
/// Header lines of one request: browsers send about 20.
pub const HTTP_HEADERS_MAX: usize = 64;
/// Request line and headers, in bytes: what common servers take.
pub const HTTP_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Time for a request's head, and again for its body, in ms: slow clients end here.
pub const HTTP_REQUEST_MS: u64 = 10_000;
/// An idle kept-alive connection is closed after, in ms.
pub const HTTP_IDLE_MS: u64 = 30_000;
/// An admin call without answer fails after, in ms: longer than the longest lookup.
pub const HTTP_CALL_MS: u64 = QUERY_MS + 10_000;
/// Time the HTTP server may take to finish what is under way when it stops, in ms.
pub const HTTP_STOP_MS: u64 = 2_000;
/// First pause before a dead HTTP server is started again, in ms; it doubles.
pub const HTTP_RESTART_MS: u64 = 100;
/// Longest such pause, in ms.
pub const HTTP_RESTART_MAX_MS: u64 = 5_000;
/// Characters of an admin token at least: 32 random bytes in hex are 64, in base64 43.
pub const ADMIN_TOKEN_BYTES_MIN: usize = 32;
/// Readers of the event stream at once: a quarter of all connections.
pub const EVENT_READERS_MAX: usize = 64;
/// Events kept for readers that come back: some hours of a lively room.
pub const EVENTS_KEPT_MAX: usize = 10_000;
/// Bytes of JSON of all kept events: 10,000 ordinary ones; a flood of long texts keeps fewer.
pub const EVENTS_KEPT_BYTES_MAX: usize = 5 * 1024 * 1024;
/// Time between two comments on a quiet event stream, in ms: keeps proxies awake.
pub const EVENTS_COMMENT_MS: u64 = 15_000;
/// Messages that the API lists when the caller names no number: a screenful.
pub const ROOM_RECENT_DEFAULT: usize = 50;

// ---- Command line, configuration, database ---------------------------------------------------

/// Port of page and API: next to the others, and free on ordinary systems.
pub const PORT_HTTP: u16 = 7070;
/// UDP port of webrtc-direct: QUIC must not share it.
pub const PORT_WEBRTC: u16 = 7071;
/// TCP and UDP (QUIC) port for native peers.
pub const PORT_PEERS: u16 = 7072;
/// TCP port of the WebSocket listener.
pub const PORT_WEBSOCKET: u16 = 7073;
/// Addresses a node is told to listen on: each transport on a few interfaces of both families.
pub const LISTEN_MAX: usize = 64;
/// A configuration file, in bytes: a thousand times a long one.
pub const CONFIG_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// A rules file, in bytes: about 20,000 peers.
pub const RULES_FILE_BYTES_MAX: u64 = 1024 * 1024;
/// Quiet time, in ms, before a changed rules file is read: a write storm costs two loads a second.
pub const RULES_DEBOUNCE_MS: u64 = 500;
/// Files with policies in the folder: one for each matter, with room.
pub const POLICY_FILES_MAX: usize = 64;
/// One of them, or the file with groups or tests, in bytes: 1,000 policies of 250 bytes.
pub const POLICY_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Policies of one node's own: twice the number for which decisions are measured.
pub const POLICIES_MAX: usize = 2_000;
/// Brackets open at one place of a policy: people write five, and parsers recurse.
pub const POLICY_NESTING_MAX: usize = 64;
/// The id of a policy, in bytes: it goes into logs, answers and audit lines.
pub const POLICY_ID_BYTES_MAX: usize = 64;
/// The reason of a policy, in bytes: two sentences.
pub const POLICY_REASON_BYTES_MAX: usize = 512;
/// Groups and roles of one node.
pub const POLICY_GROUPS_MAX: usize = 1_024;
/// How deep groups and roles lie in each other.
pub const POLICY_GROUP_DEPTH_MAX: usize = 4;
/// Peers and address ranges in all groups and roles together: as many as in the lists.
pub const POLICY_MEMBERS_MAX: usize = 4_096;
/// Beginnings of topics' names that have a class of their own.
pub const POLICY_TOPICS_MAX: usize = 1_024;
/// Keys whose grants count for everything: each of them can do anything, so people have a few.
pub const POLICY_ROOTS_MAX: usize = 64;
/// Assertions of one node's own tests: two for each action and policy, with room.
pub const POLICY_TESTS_MAX: usize = 4_096;
/// Grants of one made-up peer in such a test.
pub const POLICY_TEST_GRANTS_MAX: usize = 16;
/// Decisions kept: the connections, topics and protocols of a busy node, and its newest authors.
pub const DECISIONS_MAX: usize = 16_384;
/// How long a decision is kept at most, in ms: a new rule set drops all of them anyway.
pub const DECISION_MS: u64 = 60_000;
/// The same where a policy looks at the clock, in ms.
pub const DECISION_TIMED_MS: u64 = 1_000;
/// A resource with a longer name is decided anew each time: the memory of kept decisions is bounded.
pub const DECISION_NAME_BYTES_MAX: usize = 256;
/// How far ahead observing may end, in ms: seven days, so that nobody forgets it.
pub const POLICY_OBSERVE_MS_MAX: u64 = 7 * 24 * 3_600_000;
/// Time between two log lines about denials that were only observed, in ms.
pub const POLICY_OBSERVE_LOG_MS: u64 = 1_000;
/// A key or certificate file, in bytes: a PEM bundle with a chain stays below it.
pub const SECRET_FILE_BYTES_MAX: u64 = 16 * 1024;
/// Random bytes of the API's token: nobody guesses 256 bits.
pub const TOKEN_BYTES: usize = 32;
/// How long a command waits for the node, in ms, unless told otherwise: longer than an ask or a dial.
pub const CLI_TIMEOUT_MS: u64 = 10_000;
/// The longest time a command can be told to wait, in ms.
pub const CLI_TIMEOUT_MS_MAX: u64 = 3_600_000;
/// An answer of the API, in bytes: a status with all connections and rooms full stays below it.
pub const API_ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// One event of the API's stream, in bytes: a full status is the largest.
pub const API_EVENT_BYTES_MAX: u64 = API_ANSWER_BYTES_MAX;
/// Messages shown when a chat begins: a screenful.
pub const CHAT_HISTORY: usize = 20;
/// Pause between two tries of a message that nobody can take yet, in ms: a mesh forms within a second.
pub const CHAT_RETRY_MS: u64 = 250;
/// Pause between two pings of a command, in ms, as people know it.
pub const CLI_PING_EVERY_MS: u64 = 1_000;
/// Pause between two looks whether a stopping node has gone, in ms.
pub const CLI_POLL_MS: u64 = 100;
/// Lines or events that wait inside a running chat: the terminal is slower than both.
pub const CHAT_QUEUE_MAX: usize = 64;
/// Database cache, in bytes: the address book is small, and a node must fit small machines.
pub const STORE_CACHE_BYTES: usize = 8 * 1024 * 1024;

// ---- Audit log -------------------------------------------------------------------------------

/// One file of the audit log, in bytes: some 150,000 lines, small enough for an editor.
pub const AUDIT_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Files of the audit log, the one being written among them: half a gigabyte, years of an ordinary
/// node, and more than an hour of denials at the highest rate that is written.
pub const AUDIT_FILES_MAX: usize = 8;
/// One line, in bytes: a denial with all its grants stays below it.
pub const AUDIT_LINE_BYTES_MAX: usize = 4 * 1024;
/// Lines that wait for the disk: four seconds of denials at the highest rate that is written.
pub const AUDIT_QUEUE_MAX: usize = 1_024;
/// Denials of one key (who, action, rule) are written so far apart at least, in ms.
pub const AUDIT_QUIET_MS: u64 = 1_000;
/// Keys at once: so many denials a second are written at most, because who makes up peers makes up
/// keys. The others are counted together.
pub const AUDIT_KEYS_MAX: usize = 256;
/// How often the log is brought to the disk itself, and tried again after an error, in ms: a power
/// cut costs a second of it.
pub const AUDIT_SYNC_MS: u64 = 1_000;
/// A text in a line, such as the name of a resource, in characters: as other remote text.
pub const AUDIT_TEXT_CHARS_MAX: usize = 128;
/// What is wrong with a rules file, in characters: a long path and a sentence.
pub const AUDIT_SENTENCE_CHARS_MAX: usize = 512;
/// Grants that a line names: more than anybody needs at one node.
pub const AUDIT_GRANTS_MAX: usize = 16;
/// Halves of lines that crashes left behind and that are kept: for whoever looks into a crash.
pub const AUDIT_TORN_MAX: usize = 8;
/// Bytes kept of each: more than a line.
pub const AUDIT_TORN_BYTES_MAX: usize = 64 * 1024;
/// Decisions kept for trying out other rules on them.
pub const AUDIT_RECENT_MAX: usize = 10_000;
/// How often they are written when they have changed and are as many as can be, in ms: 3 MB at most.
pub const AUDIT_RECENT_MS: u64 = 60_000;
/// The same while there are few of them, in ms.
pub const AUDIT_RECENT_MS_MIN: u64 = 2_000;
/// The name of a resource among them, in bytes: a DHT key is the longest that we accept.
pub const AUDIT_RESOURCE_BYTES_MAX: usize = super::RECORD_KEY_BYTES_MAX;
/// The file of these decisions, in bytes: 10,000 long ones with many grants.
pub const AUDIT_RECENT_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Lines that a command shows at most.
pub const AUDIT_TAIL_MAX: u32 = 100_000;
/// Lines that a command shows unless told otherwise: a screenful.
pub const AUDIT_TAIL: u32 = 20;

// ---- Browser peer ----------------------------------------------------------------------------

/// Events for the page are gathered for so long at most, in ms: three frames, which nobody notices,
/// and a flood of messages costs 20 calls a second.
pub const EVENTS_BATCH_MS: u64 = 50;
/// One WebSocket message that a browser sends, in bytes: a full Noise frame, so every libp2p
/// implementation accepts it.
pub const WEBSOCKET_SEND_BYTES_MAX: usize = 64 * 1024;
/// A browser's writer waits while the browser still holds more than so many bytes: yamux's first
/// stream window, which keeps 20 Mbit/s busy for 0.1 s.
pub const WEBSOCKET_BUFFERED_BYTES_HIGH: u32 = 256 * 1024;
/// How often a waiting writer looks at the browser's buffer, in ms: no event tells that it drained,
/// and browsers do not run nested timers more often.
pub const WEBSOCKET_RECHECK_MS: u64 = 4;
/// Messages that may wait for the reader. A browser cannot slow down a sender, so a full queue ends
/// the connection; 1,024 messages of 16 KiB, yamux's frame, are its largest usual window.
pub const WEBSOCKET_INCOMING_MAX: usize = 1_024;
/// Bytes that may wait for the reader, for the same reason: that usual largest window.
pub const WEBSOCKET_INCOMING_BYTES_MAX: usize = 16 * 1024 * 1024;
/// How long a browser may take to open and use its storage, in ms. Some answer neither yes nor no; a
/// cold disk needs far less.
pub const STORAGE_MS: u64 = 10_000;
/// The name of a key in a browser's storage, in bytes: as long as the name of a room.
pub const IDENTITY_NAME_BYTES_MAX: usize = 64;
/// A DNS name in text form, in bytes (RFC 1035, 2.3.4).
pub const DNS_NAME_BYTES_MAX: usize = 253;
/// The longest wait of one browser timer, in ms: `setTimeout` counts in 31 bits and fires at once
/// above them; an hour is far below, and waking once an hour costs nothing.
pub const TIMER_MS_MAX: u64 = 3_600_000;

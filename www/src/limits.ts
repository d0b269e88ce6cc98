// The page's numbers, each with its reason; those of the network are in the peer.
// Invariant: nothing that a remote peer can make grow is without a bound here.
// Not here: colours and spacing; see base.css.

/** Messages kept for one room: a year of a small room; older ones are dropped. */
export const LOG_MAX = 10_000;
/** Messages in the DOM at first, and how many more each "Show earlier" adds: about twenty screens. */
export const LOG_WINDOW = 400;
/** Names remembered for people who left, so that their messages keep them. */
export const NAMES_MAX = 2_000;
/** Members shown for a room, as the peer keeps them. */
export const MEMBERS_MAX = 1_024;
/** Messages written while offline. */
export const QUEUE_MAX = 200;
/** Text of one message in UTF-8 bytes: what the peer takes. */
export const TEXT_BYTES_MAX = 4_096;
/** From here on the composer shows what is left. */
export const TEXT_BYTES_NOTICE = 3_600;
/** A display name, in characters. */
export const NAME_CHARS_MAX = 40;
/** A room's name, in bytes. */
export const ROOM_CHARS_MAX = 64;
/** A room as typed: the name, and "#members/" before it. */
export const ROOM_TYPED_MAX = ROOM_CHARS_MAX + 9;
/** Tries of one message while errors say that a retry can help. */
export const SEND_TRIES_MAX = 6;
/** First pause between two tries of one message, in ms; it doubles. */
export const SEND_RETRY_MS = 1_000;
/** A send that has no answer after so long, in ms, counts as failed. */
export const SEND_MS = 10_000;
/** Pauses between two questions for the node's addresses, in ms; the last one repeats. */
export const BOOTSTRAP_RETRY_MS: readonly number[] = [1_000, 2_000, 3_000, 5_000];
/** One question for the node's addresses, in ms. */
export const BOOTSTRAP_MS = 5_000;
/** How often the addresses are compared again while no peer is connected, in ms. */
export const RECHECK_OFFLINE_MS = 3_000;
/** The same while some link is down. */
export const RECHECK_DEGRADED_MS = 30_000;
/** A stop that takes longer, in ms, is not waited for. */
export const STOP_MS = 3_000;
/** Addresses taken from one bootstrap answer. */
export const ADDRESSES_MAX = 32;
/** Longest address, in characters. */
export const ADDRESS_CHARS_MAX = 512;
/** Author's and own clock may differ by so much, in ms; beyond it the page shows its own. */
export const CLOCK_TOLERANCE_MS = 120_000;
/** Consecutive messages of one author within so many ms share one heading. */
export const GROUP_MS = 5 * 60_000;
/** Shortest time between two repaints caused by events, in ms: fast to the eye, cheap in a flood. */
export const REPAINT_MS = 60;
/** How many windows of one browser get a kept identity each. */
export const IDENTITIES_MAX = 8;
/** How long a reloaded window waits for the lock of its former self, in ms. */
export const IDENTITY_LOCK_MS = 1_500;

// The published JSON views of a peer: the same words in the HTTP API, the command line and this package.
// Invariant: names and meanings are those of the schema `peerloom/status/1`.
// Not here: behaviour; this file has types only.

/** How well the peer is connected, in one word. */
export type Health =
  /** No peer, and every link waits for its next try. */
  | "offline"
  /** No peer yet, and at least one link is being dialled. */
  | "connecting"
  /** There are peers, but a link is down or every path is relayed. */
  | "degraded"
  /** All links are up and at least one path is direct. */
  | "connected";

/** The transport that carries a connection. */
export type Transport =
  "tcp" | "quic" | "websocket" | "webrtc-direct" | "webrtc" | "circuit" | "memory" | "other";

/** Whether bytes go straight to the peer or through a relay. */
export type Path = "direct" | "relayed";

/** An address that the peer keeps connected, and how it is doing. */
export interface Link {
  /** The multiaddr as it was given. */
  readonly address: string;
  readonly transport: Transport;
  /** PeerId behind the address, or null while nobody has proved one. */
  readonly peer: string | null;
  readonly state: "dialing" | "connected" | "waiting";
  /** Why the last try failed, in plain English, or null. */
  readonly detail: string | null;
  /** Milliseconds to the next try; null unless `state` is "waiting". */
  readonly retryInMs: number | null;
}

/** One open connection. */
export interface ConnectionInfo {
  readonly address: string;
  readonly transport: Transport;
  readonly path: Path;
  readonly direction: "inbound" | "outbound";
  /** Unix time in milliseconds. */
  readonly openedMs: number;
}

/** One connected peer. */
export interface PeerInfo {
  readonly id: string;
  /** What the peer calls its program, e.g. "peerloom/0.1.0 (native)". Remote text: never render it as HTML. */
  readonly agent: string | null;
  readonly kind: "native" | "browser" | "other";
  /** Last round-trip time in milliseconds. */
  readonly rttMs: number | null;
  /** The better of the paths of all connections. */
  readonly path: Path;
  readonly connections: readonly ConnectionInfo[];
  /** "stranger": it has some seconds to show why it may stay. "refuses": it does not let us take part. */
  readonly standing?: "stranger" | "refuses";
  /** What it allows us, as it said last; missing where it says nothing. */
  readonly allows?: Allows;
}

/** What a peer allows us. */
export interface Allows {
  /** What strangers get there. */
  readonly access: "open" | "friends" | "closed";
  /** The actions that it allows us on something, e.g. "topic.publish". */
  readonly actions: readonly string[];
  /** When the first of our grants there ends: Unix milliseconds. */
  readonly expiresMs: number | null;
  /** Which of our grants does not count there, and why. Remote text: never render it as HTML. */
  readonly reason: string | null;
  /** The number of its rule set. */
  readonly epoch: number;
}

/** What this peer was granted by an invitation. */
export interface Grant {
  /** PeerId of whom the grant's word comes from. */
  readonly root: string;
  /** What it allows, e.g. "topic.publish". */
  readonly actions: readonly string[];
  /** On what, e.g. "topic/peerloom/open/garden"; empty for everything. */
  readonly about: string;
  /** Unix milliseconds. */
  readonly expiresMs: number;
}

/** Somebody else in a room. */
export interface Member {
  readonly id: string;
  /** The name they chose. Names are not unique and prove nothing; show the id beside them. */
  readonly name: string | null;
  /** Unix time in milliseconds. */
  readonly lastSeenMs: number;
}

/** A room that the peer is in. */
export interface RoomInfo {
  readonly name: string;
  /** The gossip topic behind the room. */
  readonly topic: string;
  /** Without ourselves. */
  readonly members: readonly Member[];
}

/** A chat message. */
export interface Message {
  readonly room: string;
  /** Unique for one author and message. */
  readonly id: string;
  /** PeerId of the author, proved by signature. */
  readonly author: string;
  /** Remote text: never render it as HTML. */
  readonly text: string;
  /** The author's clock, Unix milliseconds; null where the room's format carries no time. */
  readonly sentMs: number | null;
  /** Our clock, Unix milliseconds. */
  readonly receivedMs: number;
  readonly own: boolean;
}

/** The whole picture of a peer. */
export interface Status {
  readonly schema: "peerloom/status/1";
  readonly id: string;
  readonly agent: string;
  readonly health: Health;
  /** One English sentence that says why. */
  readonly reason: string;
  readonly links: readonly Link[];
  readonly peers: readonly PeerInfo[];
  readonly rooms: readonly RoomInfo[];
  /** Addresses under which others can reach us. */
  readonly addresses: readonly string[];
  /** Listen addresses; empty in a browser. */
  readonly listen: readonly string[];
  readonly uptimeMs: number;
}

/** The picture changed; sent at most five times a second. */
export interface StatusEvent {
  readonly type: "status";
  readonly status: Status;
}

/** A message arrived, or one of ours went out. */
export interface MessageEvent {
  readonly type: "message";
  readonly message: Message;
}

/** Somebody came to a room or left it. */
export interface MemberEvent {
  readonly type: "member";
  readonly room: string;
  readonly id: string;
  readonly name: string | null;
  readonly present: boolean;
}

/** The reader was too slow and lost this many events. */
export interface GapEvent {
  readonly type: "gap";
  readonly lost: number;
}

/** Everything that the peer reports. */
export type PeerEvent = StatusEvent | MessageEvent | MemberEvent | GapEvent;

/** Bytes of WebAssembly read so far; `total` is null when the server does not say. */
export interface Progress {
  readonly loaded: number;
  readonly total: number | null;
}

// Everything the page shows, as plain data, and how events change it.
// Invariant: a message is listed once; every list that others can fill has a bound.
// Not here: timers, network, DOM; the controller calls in, the views read.
import type { Member, Message, PeerEvent, PeerInfo, Progress, Status, Transport } from "peerloom";
import { CLOCK_TOLERANCE_MS, LOG_MAX, MEMBERS_MAX, NAMES_MAX, QUEUE_MAX } from "./limits.ts";
import { cleanName } from "./text.ts";

/** How one's own message is doing; "received" for those of others. */
export type EntryState = "queued" | "sending" | "sent" | "failed" | "received";

/** Why a message was not sent, as the network layer says it, in English. */
export interface Reason {
  readonly code: string;
  readonly text: string;
}

/** One line of a room's log. */
export interface Entry {
  /** Stable while the entry changes, so that its element stays. */
  readonly key: string;
  readonly room: string;
  readonly author: string;
  readonly text: string;
  /** The time shown, Unix ms. */
  readonly atMs: number;
  readonly own: boolean;
  /** The network's id, once there is one. */
  readonly id: string | null;
  readonly state: EntryState;
  readonly reason: Reason | null;
}

/** A room as the page keeps it. */
export interface RoomLog {
  readonly name: string;
  readonly entries: Entry[];
  readonly ids: Set<string>;
  members: Map<string, Member>;
  /** Messages that arrived while nobody looked. */
  unread: number;
  /** The first of them, where the "new" line is drawn. */
  divider: string | null;
  /** Entries dropped because the log is bounded. */
  dropped: number;
  /** What is typed and not sent. */
  draft: string;
  /** Whether the peer has joined it. */
  joined: boolean;
  /** Why the peer could not join it. */
  refused: Reason | null;
}

/** What the page is doing as a whole. */
export type Phase = "starting" | "running" | "restarting" | "crashed" | "unsupported";

/** Whether the node has said where it can be dialled. */
export type Node =
  | { readonly kind: "asking" }
  | { readonly kind: "known" }
  | { readonly kind: "unreachable"; readonly retryAt: number };

/** How somebody in a room is reached. */
export type Reach = "direct" | "relayed" | "others";

export class State {
  phase: Phase = "starting";
  node: Node = { kind: "asking" };
  progress: Progress | null = null;
  status: Status | null = null;
  /** When `status` was taken, so that its countdowns can run on. */
  statusAt = 0;
  id: string | null = null;
  persisted = true;
  /** Which of the browser's identities this window has; 1 is the first. */
  slot = 1;
  name = "";
  /** Rooms that the node suggests. */
  suggested: readonly string[] = [];
  readonly rooms = new Map<string, RoomLog>();
  current = "lobby";
  /** Whether somebody looks at the current room. */
  watching = true;
  lost = 0;
  /** Own messages that are not out yet, in order. */
  outbox: Entry[] = [];
  crash: Reason | null = null;
  /** Why the peer could not be started, while it is tried again. */
  trouble: Reason | null = null;
  readonly names = new Map<string, string>();
  #made = 0;

  /** The room with this name; made when missing. */
  room(name: string): RoomLog {
    const known = this.rooms.get(name);
    if (known) return known;
    const made: RoomLog = {
      name,
      entries: [],
      ids: new Set(),
      members: new Map(),
      unread: 0,
      divider: null,
      dropped: 0,
      draft: "",
      joined: false,
      refused: null,
    };
    this.rooms.set(name, made);
    return made;
  }

  /** Turns to a room: what was unread is being read. */
  show(name: string): void {
    this.#close(this.rooms.get(this.current));
    this.current = name;
    this.room(name).unread = 0;
  }

  /** Says whether somebody looks at the page. */
  watch(watching: boolean): void {
    if (watching === this.watching) return;
    this.watching = watching;
    const room = this.room(this.current);
    if (watching) room.unread = 0;
    else this.#close(room);
  }

  /** The "new" line has been seen once the reader turns away. */
  #close(room: RoomLog | undefined): void {
    if (room) room.divider = null;
  }

  /** Takes one event of the peer. */
  apply(event: PeerEvent, now: number): void {
    if (event.type === "status") this.#takeStatus(event.status, now);
    else if (event.type === "message") this.#takeMessage(event.message);
    else if (event.type === "member") this.#takeMember(event, now);
    else this.lost += event.lost;
  }

  #takeStatus(status: Status, now: number): void {
    this.status = status;
    this.statusAt = now;
    this.id = status.id;
    for (const info of status.rooms) {
      const room = this.rooms.get(info.name);
      if (!room) continue;
      const members = info.members.slice(0, MEMBERS_MAX).map((one) => this.#cleaned(one));
      room.members = new Map(members.map((one) => [one.id, one]));
    }
  }

  #takeMember(event: { room: string; id: string; name: string | null; present: boolean }, now: number): void {
    const room = this.rooms.get(event.room);
    if (!room || event.id === this.id) return;
    if (!event.present) room.members.delete(event.id);
    else if (room.members.size < MEMBERS_MAX || room.members.has(event.id)) {
      room.members.set(event.id, this.#cleaned({ id: event.id, name: event.name, lastSeenMs: now }));
    }
  }

  #cleaned(member: Member): Member {
    const name = cleanName(member.name);
    if (name === null) this.names.delete(member.id);
    else {
      // Taken out first, so that the newest stand last and the oldest are forgotten first.
      this.names.delete(member.id);
      this.names.set(member.id, name);
      dropOldest(this.names, NAMES_MAX);
    }
    return { ...member, name };
  }

  #takeMessage(message: Message): void {
    const room = this.rooms.get(message.room);
    if (!room || room.ids.has(message.id)) return;
    if (message.own) {
      const sending = this.outbox.find(
        (one) => one.state === "sending" && one.room === room.name && one.text === message.text,
      );
      if (sending) return this.sent(sending.key, message);
    }
    const entry: Entry = {
      key: `m-${message.id}`,
      room: room.name,
      author: message.author,
      text: message.text,
      atMs: shownTime(message),
      own: message.own,
      id: message.id,
      state: message.own ? "sent" : "received",
      reason: null,
    };
    this.#append(room, entry);
    const seen = message.own || (this.watching && room.name === this.current);
    if (seen) return;
    if (room.unread === 0) room.divider = entry.key;
    room.unread += 1;
  }

  #append(room: RoomLog, entry: Entry): void {
    room.entries.push(entry);
    if (entry.id !== null) room.ids.add(entry.id);
    if (room.entries.length <= LOG_MAX) return;
    const [oldest] = room.entries.splice(0, 1);
    if (oldest?.id) room.ids.delete(oldest.id);
    room.dropped += 1;
  }

  /** Writes a message: it waits in the outbox. Null when too many wait already. */
  write(roomName: string, text: string, now: number): Entry | null {
    if (this.outbox.length >= QUEUE_MAX) return null;
    this.#made += 1;
    const entry: Entry = {
      key: `o-${this.#made}`,
      room: roomName,
      author: this.id ?? "",
      text,
      atMs: now,
      own: true,
      id: null,
      state: "queued",
      reason: null,
    };
    const room = this.room(roomName);
    room.divider = null;
    this.#append(room, entry);
    this.outbox.push(entry);
    return entry;
  }

  /** A message of the outbox is on its way. */
  sending(key: string): void {
    this.#change(key, { state: "sending", author: this.id ?? "", reason: null });
  }

  /** It must wait for another try. */
  requeue(key: string): void {
    this.#change(key, { state: "queued" });
  }

  /** It is out. */
  sent(key: string, message: Message): void {
    const entry = this.outbox.find((one) => one.key === key);
    if (!entry) return;
    const room = this.room(entry.room);
    room.ids.add(message.id);
    this.#change(key, {
      state: "sent",
      id: message.id,
      author: message.author,
      atMs: shownTime(message),
      reason: null,
    });
    this.#forget(key);
  }

  /** It cannot be sent; it stays in the log with a retry. */
  failed(key: string, reason: Reason): void {
    this.#change(key, { state: "failed", reason });
    this.#forget(key);
  }

  /** Puts a failed message back into the outbox. */
  retry(key: string): void {
    for (const room of this.rooms.values()) {
      const entry = room.entries.find((one) => one.key === key);
      if (entry?.state !== "failed") continue;
      const again: Entry = { ...entry, state: "queued", reason: null };
      replace(room.entries, again);
      this.outbox.push(again);
    }
  }

  /** Takes a message that was not sent out of the log. */
  discard(key: string): void {
    for (const room of this.rooms.values()) {
      const at = room.entries.findIndex((one) => one.key === key && one.state !== "sent");
      if (at >= 0) room.entries.splice(at, 1);
    }
    this.#forget(key);
  }

  #change(key: string, fields: Partial<Entry>): void {
    const entry = this.outbox.find((one) => one.key === key);
    if (!entry) return;
    const changed = { ...entry, ...fields };
    replace(this.outbox, changed);
    replace(this.room(entry.room).entries, changed);
  }

  #forget(key: string): void {
    this.outbox = this.outbox.filter((one) => one.key !== key);
  }

  /** The name somebody chose, if any. */
  nameOf(id: string): string | null {
    return this.names.get(id) ?? null;
  }

  /** How somebody is reached: by an own connection, or by what others pass on. */
  reach(id: string): Reach {
    return this.status?.peers.find((peer) => peer.id === id)?.path ?? "others";
  }

  /** When the next try of some link or question comes, Unix ms; null when nothing waits. */
  nextTryAt(): number | null {
    if (this.node.kind === "unreachable" && this.status === null) return this.node.retryAt;
    const pauses = (this.status?.links ?? []).flatMap((link) =>
      link.state === "waiting" && link.retryInMs !== null ? [link.retryInMs] : [],
    );
    return pauses.length === 0 ? null : this.statusAt + Math.min(...pauses);
  }

  /** Whether messages can go out now. */
  get online(): boolean {
    const health = this.status?.health;
    return this.phase === "running" && (health === "connected" || health === "degraded");
  }

  get unread(): number {
    let count = 0;
    for (const room of this.rooms.values()) count += room.unread;
    return count;
  }
}

/** The author's time, unless that clock is clearly wrong. */
function shownTime(message: Message): number {
  const { sentMs, receivedMs } = message;
  return sentMs !== null && Math.abs(sentMs - receivedMs) <= CLOCK_TOLERANCE_MS ? sentMs : receivedMs;
}

function replace(entries: Entry[], entry: Entry): void {
  // From the end: what changes is almost always new.
  const at = entries.findLastIndex((one) => one.key === entry.key);
  if (at >= 0) entries[at] = entry;
}

function dropOldest<K, V>(map: Map<K, V>, max: number): void {
  if (map.size <= max) return;
  const oldest = map.keys().next();
  if (!oldest.done) map.delete(oldest.value);
}

/** The transports that connect us with a peer, each once, in a stable order. */
export function transportsOf(peer: PeerInfo): Transport[] {
  return [...new Set(peer.connections.map((one) => one.transport))].sort();
}

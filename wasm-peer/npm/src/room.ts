// A room that the peer has joined: its members and the messages since the join.
// Invariant: a message is kept once, however often it is reported.
// Not here: sending over the network; the peer lends a function for that.
import { EMIT, TypedTarget } from "./target.js";
import type { Member, MemberEvent, Message, RoomInfo } from "./types.js";

/** Messages that a Room keeps; older ones are dropped. Keep your own list to keep more. */
export const ROOM_MESSAGES_MAX = 1_000;

/** Lets a caller give up waiting. */
export interface Abort {
  readonly signal?: AbortSignal;
}

/** Events of a room. */
export interface RoomEvents {
  message: Message;
  member: MemberEvent;
}

/** What a room needs from its peer. @internal */
export interface RoomPort {
  send(room: string, text: string, abort?: Abort): Promise<Message>;
  leave(room: string): Promise<void>;
}

/** A joined room. */
export class Room extends TypedTarget<RoomEvents> {
  readonly name: string;
  readonly #port: RoomPort;
  #members = new Map<string, Member>();
  readonly #messages = new Map<string, Message>();

  /** @internal */
  constructor(name: string, port: RoomPort) {
    super();
    this.name = name;
    this.#port = port;
  }

  /** Who is there, without ourselves, by PeerId. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members;
  }

  /** Messages since the join, oldest first, at most ROOM_MESSAGES_MAX. */
  get messages(): readonly Message[] {
    return [...this.#messages.values()];
  }

  /** Sends text to everybody in the room; resolves when it has gone out. */
  send(text: string, options?: Abort): Promise<Message> {
    return this.#port.send(this.name, text, options);
  }

  /** Leaves the room; the object is of no use afterwards. */
  leave(): Promise<void> {
    return this.#port.leave(this.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.leave();
  }

  /** @internal */
  take(message: Message): void {
    if (this.#messages.has(message.id)) return;
    this.#messages.set(message.id, message);
    if (this.#messages.size > ROOM_MESSAGES_MAX) {
      const oldest = this.#messages.keys().next();
      if (!oldest.done) this.#messages.delete(oldest.value);
    }
    this[EMIT]("message", message);
  }

  /** @internal */
  takeMember(event: MemberEvent): void {
    if (event.present) {
      this.#members.set(event.id, { id: event.id, name: event.name, lastSeenMs: Date.now() });
    } else {
      this.#members.delete(event.id);
    }
    this[EMIT]("member", event);
  }

  /** @internal */
  takeInfo(info: RoomInfo): void {
    this.#members = new Map(info.members.map((member) => [member.id, member]));
  }
}

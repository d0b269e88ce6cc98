// The peer as a page sees it: methods that reject with PeerloomError, typed events, rooms.
// Invariant: after a stop or a crash every call rejects, and no call that was under way hangs.
// Not here: the network; the WASM module does that.
import { asPeerloomError, crashed, stopped, type PeerloomError } from "./errors.js";
import { watchPanics } from "./panic.js";
import { EventQueue } from "./queue.js";
import { Room, type Abort } from "./room.js";
import { EMIT, TypedTarget } from "./target.js";
import type {
  GapEvent,
  Grant,
  Link,
  MemberEvent,
  Message,
  MessageEvent,
  PeerEvent,
  PeerInfo,
  Status,
  StatusEvent,
} from "./types.js";
import type { Peer as RawPeer } from "./wasm/peerloom_wasm_peer.js";

/** Events of a peer. */
export interface PeerEvents {
  status: StatusEvent;
  message: MessageEvent;
  member: MemberEvent;
  gap: GapEvent;
  /** The WASM module panicked. Nothing works any more; reload the page. */
  crash: PeerloomError;
}

/** A running peer. */
export class Peer extends TypedTarget<PeerEvents> {
  /** Our PeerId. */
  readonly id: string;
  /** False when the key lives in memory only (insecure context, private window, "ephemeral"). */
  readonly persisted: boolean;
  readonly #raw: RawPeer;
  readonly #rooms = new Map<string, Room>();
  readonly #queues = new Set<EventQueue>();
  readonly #pending = new Set<(reason: unknown) => void>();
  readonly #unwatch: () => void;
  #status: Status;
  #over: PeerloomError | null = null;

  /** @internal Made by createPeer. */
  constructor(raw: RawPeer, early: readonly PeerEvent[]) {
    super();
    this.#raw = raw;
    this.id = raw.id;
    this.persisted = raw.persisted;
    this.#status = raw.status();
    this.#unwatch = watchPanics((error) => this.#crash(error));
    this.take(early);
  }

  /** The newest picture. */
  get status(): Status {
    return this.#status;
  }

  /** Connected peers by PeerId. */
  get peers(): ReadonlyMap<string, PeerInfo> {
    return new Map(this.#status.peers.map((peer) => [peer.id, peer]));
  }

  /** The addresses that are kept connected. */
  get links(): readonly Link[] {
    return this.#status.links;
  }

  /** Joins a room; joining twice gives the same object. */
  async join(room: string, options: Abort = {}): Promise<Room> {
    const known = this.#rooms.get(room);
    if (known) return known;
    const made = new Room(room, {
      send: (name, text, abort) => this.#send(name, text, abort),
      leave: (name) => this.#leave(name),
    });
    // Listed before the call, so that nothing said during the join is missed.
    this.#rooms.set(room, made);
    try {
      await this.#call(() => this.#raw.join(room), options.signal);
    } catch (error) {
      this.#rooms.delete(room);
      if (options.signal?.aborted && !this.#over) void this.#raw.leave(room).catch(() => undefined);
      throw error;
    }
    const info = this.#status.rooms.find((one) => one.name === room);
    if (info) made.takeInfo(info);
    return made;
  }

  /** Dials a multiaddr once; resolves with the PeerId that proved itself there. */
  dial(address: string, options: Abort = {}): Promise<string> {
    return this.#call(() => this.#raw.dial(address), options.signal);
  }

  /** Closes all connections to a peer. */
  hangUp(peer: string): Promise<void> {
    return this.#call(() => this.#raw.hangUp(peer));
  }

  /** Round-trip time to a connected peer, in milliseconds. */
  ping(peer: string, options: Abort = {}): Promise<number> {
    return this.#call(() => this.#raw.ping(peer), options.signal);
  }

  /** Accepts an invitation: a link, or its part behind `#j=`. What it gives is shown to every peer. */
  accept(link: string): Promise<Grant> {
    return this.#call(() => this.#raw.accept(link));
  }

  /** What this peer was granted, the newest last. */
  grants(): Promise<Grant[]> {
    return this.#call(() => this.#raw.grants(false));
  }

  /** Forgets everything that this peer was granted. */
  async forgetGrants(): Promise<void> {
    await this.#call(() => this.#raw.grants(true));
  }

  /** Changes the display name that others see; null removes it. */
  setName(name: string | null): void {
    if (this.#over) throw this.#over;
    try {
      this.#raw.setName(name);
    } catch (error) {
      throw this.#failure(error);
    }
  }

  /** All events from now on. Ends when the peer stops or `signal` aborts; throws when the peer crashes. */
  events(options: Abort = {}): AsyncIterableIterator<PeerEvent> {
    const { signal } = options;
    const abort = (): void => queue.end();
    const queue: EventQueue = new EventQueue(() => {
      this.#queues.delete(queue);
      signal?.removeEventListener("abort", abort);
    });
    this.#queues.add(queue);
    if (this.#over || signal?.aborted) queue.end();
    else signal?.addEventListener("abort", abort, { once: true });
    return queue;
  }

  /** Leaves all rooms and closes all connections. Stopping twice is harmless. */
  async stop(): Promise<void> {
    if (this.#over) return;
    const done = this.#call(() => this.#raw.stop());
    try {
      await done;
    } finally {
      this.#end(stopped());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  /** Takes a batch of events from the module. @internal */
  take(events: readonly PeerEvent[]): void {
    for (const event of events) {
      this.#update(event);
      for (const queue of this.#queues) queue.push(event);
      this[EMIT](event.type, event as never);
    }
  }

  #update(event: PeerEvent): void {
    if (event.type === "status") {
      this.#status = event.status;
      for (const info of event.status.rooms) this.#rooms.get(info.name)?.takeInfo(info);
    } else if (event.type === "message") {
      this.#rooms.get(event.message.room)?.take(event.message);
    } else if (event.type === "member") {
      this.#rooms.get(event.room)?.takeMember(event);
    }
  }

  async #send(room: string, text: string, abort: Abort = {}): Promise<Message> {
    const message = await this.#call(() => this.#raw.send(room, text), abort.signal);
    this.#rooms.get(room)?.take(message);
    return message;
  }

  async #leave(room: string): Promise<void> {
    await this.#call(() => this.#raw.leave(room));
    this.#rooms.delete(room);
  }

  /** Runs one call of the module; a panic rejects it, since its own promise would never settle. */
  #call<T>(run: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#over) return reject(this.#over);
      if (signal?.aborted) return reject(signal.reason);
      const abort = (): void => settle(() => reject(signal?.reason));
      const settle = (how: () => void): void => {
        this.#pending.delete(reject);
        signal?.removeEventListener("abort", abort);
        how();
      };
      this.#pending.add(reject);
      signal?.addEventListener("abort", abort, { once: true });
      const fail = (error: unknown): void => settle(() => reject(this.#failure(error)));
      try {
        run().then((value) => settle(() => resolve(value)), fail);
      } catch (error) {
        fail(error);
      }
    });
  }

  #failure(error: unknown): PeerloomError {
    if (error instanceof WebAssembly.RuntimeError) this.#crash(error);
    return this.#over ?? asPeerloomError(error);
  }

  #crash(error: unknown): void {
    if (this.#over) return;
    const failure = crashed(error);
    this.#end(failure, failure);
    this[EMIT]("crash", failure);
  }

  #end(over: PeerloomError, failure?: PeerloomError): void {
    if (this.#over) return;
    this.#over = over;
    this.#unwatch();
    for (const reject of this.#pending) reject(over);
    this.#pending.clear();
    for (const queue of [...this.#queues]) queue.end(failure);
  }
}

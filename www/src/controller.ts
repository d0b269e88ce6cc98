// Starts the peer, keeps it pointed at the node, sends what waits.
// Invariant: one peer at a time; whatever fails is tried again or said on the page.
// Not here: redialling known addresses, which the peer does; drawing, which the views do.
import { createPeer, PeerloomError, preload, type Peer, type PeerEvent, type Room } from "peerloom";
import { choose, onlyTransport, type Place } from "./addresses.ts";
import { app } from "./app.ts";
import { fetchBootstrap, type Bootstrap } from "./bootstrap.ts";
import { identityName, takeOtherSlot, takeSlot } from "./identity.ts";
import {
  BOOTSTRAP_RETRY_MS,
  RECHECK_DEGRADED_MS,
  RECHECK_OFFLINE_MS,
  SEND_MS,
  SEND_RETRY_MS,
  SEND_TRIES_MAX,
  STOP_MS,
} from "./limits.ts";
import { invitation } from "./invitation.ts";
import { prefs } from "./prefs.ts";
import type { Reason } from "./state.ts";
import { cleanName, roomOfHash } from "./text.ts";

const { state } = app;

const here = (): Place => ({
  hostname: location.hostname,
  webrtc: app.features.webrtc,
  only: onlyTransport(location.search),
});

class Controller {
  #peer: Peer | null = null;
  #rooms = new Map<string, Room>();
  #relays: readonly string[] = [];
  readonly #sleepers = new Set<() => void>();
  #pumping = false;
  #tries = 0;
  #checkedAt = 0;

  /** Runs for the life of the page. */
  async run(): Promise<void> {
    this.#openRooms();
    if (!app.features.wasm) {
      state.phase = "unsupported";
      return app.changed();
    }
    state.slot = await takeSlot();
    state.name = prefs.name(state.slot);
    // The frame is up: the WASM loads while the node is asked for its addresses.
    const loading = this.#load();
    const bootstrap = await this.#ask();
    await loading;
    await this.#startUntilItRuns(bootstrap);
    this.#watchNode();
  }

  #openRooms(): void {
    const named = roomOfHash(location.hash);
    for (const name of prefs.rooms()) state.room(name);
    state.room("lobby");
    for (const { room, text } of prefs.waiting()) state.write(room, text, Date.now());
    state.show(named ?? "lobby");
    this.#saveRooms();
  }

  async #load(): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await preload(undefined, (progress) => {
          state.progress = progress;
          app.changed();
        });
        state.trouble = null;
        return;
      } catch (error) {
        state.trouble = reasonOf(error);
        state.progress = null;
        app.changed();
        await this.#pause(pauseOf(attempt));
      }
    }
  }

  /** Asks for the addresses until the node answers. */
  async #ask(): Promise<Bootstrap> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        return this.#known(await fetchBootstrap());
      } catch {
        const pause = pauseOf(attempt);
        state.node = { kind: "unreachable", retryAt: Date.now() + pause };
        app.changed();
        await this.#pause(pause);
      }
    }
  }

  #known(bootstrap: Bootstrap): Bootstrap {
    state.node = { kind: "known" };
    state.suggested = bootstrap.rooms;
    app.changed();
    return bootstrap;
  }

  async #startUntilItRuns(first: Bootstrap): Promise<void> {
    let bootstrap = first;
    for (let attempt = 0; ; attempt += 1) {
      try {
        return await this.#start(bootstrap);
      } catch (error) {
        state.trouble = reasonOf(error);
        if (isCrash(error)) return this.#crashed(error);
        app.changed();
        await this.#pause(pauseOf(attempt));
        bootstrap = await this.#ask();
      }
    }
  }

  async #start(bootstrap: Bootstrap): Promise<void> {
    const place = here();
    this.#relays = choose(bootstrap.addresses, place);
    const kept = state.slot > 0 && app.features.database;
    const peer = await createPeer({
      identity: kept ? { name: identityName(state.slot) } : "ephemeral",
      relays: this.#relays,
      name: cleanName(state.name),
    });
    this.#peer = peer;
    void invitation.running(peer);
    this.#rooms = new Map();
    state.id = peer.id;
    state.persisted = peer.persisted;
    state.phase = "running";
    state.trouble = null;
    this.#take({ type: "status", status: peer.status });
    for (const type of ["status", "message", "member", "gap"] as const) {
      peer.on(type, (event: PeerEvent) => this.#take(event));
    }
    peer.on("crash", (error) => this.#crashed(error));
    await Promise.all([...state.rooms.keys()].map((name) => this.#joinNow(name)));
    this.#pump();
  }

  #take(event: PeerEvent): void {
    state.apply(event, Date.now());
    app.changed();
    if (event.type === "status") this.#pump();
  }

  #crashed(error: unknown): void {
    state.phase = "crashed";
    state.crash = reasonOf(error);
    this.#peer = null;
    app.changed();
  }

  // ---- Keeping up with the node ---------------------------------------------------------------

  /** Compares the node's addresses now and then while something is down: they change when it moves. */
  #watchNode(): void {
    const loop = async (): Promise<void> => {
      while (state.phase !== "crashed") {
        await this.#pause(RECHECK_OFFLINE_MS);
        if (this.#due()) await this.#compare();
      }
    };
    void loop();
  }

  #due(): boolean {
    const health = state.status?.health;
    if (!this.#peer || health === "connected") return false;
    const every = health === "degraded" ? RECHECK_DEGRADED_MS : RECHECK_OFFLINE_MS;
    return Date.now() - this.#checkedAt >= every;
  }

  async #compare(): Promise<void> {
    this.#checkedAt = Date.now();
    let bootstrap: Bootstrap;
    try {
      bootstrap = this.#known(await fetchBootstrap());
    } catch {
      return; // The node is away; the peer keeps dialling what it knows.
    }
    const place = here();
    const relays = choose(bootstrap.addresses, place);
    if (relays.length === 0) return;
    const same = relays.length === this.#relays.length && relays.every((one) => this.#relays.includes(one));
    if (!same) await this.#restart(bootstrap);
  }

  async #restart(bootstrap: Bootstrap): Promise<void> {
    const old = this.#peer;
    this.#peer = null;
    this.#rooms = new Map();
    state.phase = "restarting";
    for (const room of state.rooms.values()) room.joined = false;
    app.changed();
    await Promise.race([old?.stop().catch(() => undefined), sleep(STOP_MS)]);
    await this.#startUntilItRuns(bootstrap);
  }

  /** "Try now": ends every pause of ours and dials every link that waits. */
  retryNow(): void {
    this.#checkedAt = 0;
    this.#hurry();
    const waiting = (state.status?.links ?? []).filter((link) => link.state === "waiting");
    // A refusal shows in the link's own state.
    for (const link of waiting) this.#peer?.dial(link.address).catch(() => undefined);
  }

  #hurry(): void {
    for (const wake of this.#sleepers) wake();
  }

  async #pause(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#sleepers.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, ms);
      this.#sleepers.add(wake);
    });
  }

  // ---- Rooms ----------------------------------------------------------------------------------

  /** Opens a room, joining it when needed. */
  open(name: string): void {
    const fresh = !state.rooms.has(name);
    state.show(name);
    history.replaceState(null, "", `#room=${name}`);
    if (fresh) {
      this.#saveRooms();
      void this.#joinNow(name).then(() => this.#pump());
    }
    app.changed();
  }

  async #joinNow(name: string): Promise<void> {
    const peer = this.#peer;
    const room = state.room(name);
    if (!peer || room.joined) return;
    try {
      const joined = await peer.join(name);
      this.#rooms.set(name, joined);
      room.joined = true;
      room.refused = null;
      this.#take({ type: "status", status: peer.status });
    } catch (error) {
      room.refused = reasonOf(error);
    }
    app.changed();
  }

  /** Leaves a room and forgets its log. */
  leave(name: string): void {
    if (state.rooms.size <= 1) return;
    void this.#rooms
      .get(name)
      ?.leave()
      .catch(() => undefined);
    this.#rooms.delete(name);
    state.rooms.delete(name);
    state.outbox = state.outbox.filter((entry) => entry.room !== name);
    const next = state.rooms.keys().next();
    if (state.current === name && !next.done) this.open(next.value);
    this.#saveRooms();
    app.changed();
  }

  #saveRooms(): void {
    prefs.setRooms([...state.rooms.keys()]);
  }

  // ---- Messages -------------------------------------------------------------------------------

  /** Writes a message; false when too many wait already. */
  write(text: string): boolean {
    const written = state.write(state.current, text, Date.now()) !== null;
    this.#saveWaiting();
    app.changed();
    this.#pump();
    return written;
  }

  retry(key: string): void {
    state.retry(key);
    app.changed();
    this.#pump();
  }

  discard(key: string): void {
    state.discard(key);
    this.#saveWaiting();
    app.changed();
  }

  #saveWaiting(): void {
    const waiting = state.outbox.filter((entry) => entry.state === "queued");
    prefs.setWaiting(waiting.map(({ room, text }) => ({ room, text })));
  }

  /** Sends what waits, in order, while there is a connection. */
  #pump(): void {
    if (this.#pumping) return;
    this.#pumping = true;
    const loop = async (): Promise<void> => {
      for (let entry = this.#next(); entry; entry = this.#next()) {
        await this.#sendOne(entry.key, entry.room, entry.text);
      }
    };
    void loop().finally(() => (this.#pumping = false));
  }

  #next(): { key: string; room: string; text: string } | undefined {
    if (!state.online) return undefined;
    return state.outbox.find((entry) => entry.state === "queued" && this.#rooms.has(entry.room));
  }

  async #sendOne(key: string, name: string, text: string): Promise<void> {
    const room = this.#rooms.get(name);
    if (!room) return;
    state.sending(key);
    this.#saveWaiting();
    app.changed();
    try {
      state.sent(key, await room.send(text, { signal: AbortSignal.timeout(SEND_MS) }));
      this.#tries = 0;
    } catch (error) {
      await this.#failedOne(key, error);
    }
    app.changed();
  }

  async #failedOne(key: string, error: unknown): Promise<void> {
    // A peer that is being restarted for new addresses is no reason to give up.
    const known = error instanceof PeerloomError ? error : null;
    const again = (known?.retryable || known?.code === "WEB-003") && this.#tries + 1 < SEND_TRIES_MAX;
    if (!again) {
      this.#tries = 0;
      return state.failed(key, reasonOf(error));
    }
    state.requeue(key);
    this.#saveWaiting();
    app.changed();
    await sleep(SEND_RETRY_MS * 2 ** this.#tries);
    this.#tries += 1;
  }

  // ---- Identity -------------------------------------------------------------------------------

  /** Changes the name that others see. */
  rename(typed: string): void {
    const name = cleanName(typed);
    state.name = name ?? "";
    prefs.setName(state.slot, state.name);
    try {
      this.#peer?.setName(name);
    } catch (error) {
      state.trouble = reasonOf(error);
    }
    app.changed();
  }

  /** Leaves an identity that cannot be read alone, and starts with another one. */
  async useOtherIdentity(): Promise<void> {
    state.slot = await takeOtherSlot(state.slot);
    state.name = prefs.name(state.slot);
    this.#hurry();
  }

  /** The page goes away: others should not wait for it. */
  async stop(): Promise<void> {
    await this.#peer?.stop().catch(() => undefined);
  }
}

function pauseOf(attempt: number): number {
  return BOOTSTRAP_RETRY_MS[Math.min(attempt, BOOTSTRAP_RETRY_MS.length - 1)] ?? 5_000;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

const isCrash = (error: unknown): boolean => error instanceof PeerloomError && error.code === "WEB-004";

/** What an error says, for people. */
function reasonOf(error: unknown): Reason {
  if (error instanceof PeerloomError)
    return { code: error.code, text: `${error.message} ${error.hint}`.trim() };
  if (error instanceof DOMException && error.name === "TimeoutError") {
    return { code: "WEB-006", text: "The peer gave no answer in time." };
  }
  return { code: "WEB-005", text: error instanceof Error ? error.message : String(error) };
}

export const controller = new Controller();

// Peerloom in a web page: `createPeer()` gives a libp2p peer that runs in WebAssembly.
// Invariant: importing this module fetches nothing; the first createPeer or preload does.
// Not here: the peer itself; see peer.ts.
import { asPeerloomError, crashed } from "./errors.js";
import { loadRaw } from "./load.js";
import { watchPanics } from "./panic.js";
import { Peer } from "./peer.js";
import type { PeerEvent, Progress } from "./types.js";
import type { Peer as RawPeer } from "./wasm/peerloom_wasm_peer.js";

export { PeerloomError } from "./errors.js";
export type { ErrorFields } from "./errors.js";
export { preload } from "./load.js";
export type { PeerEvents, Peer } from "./peer.js";
export type { Abort, RoomEvents, Room } from "./room.js";
export type { OnOptions, TypedTarget } from "./target.js";
export type * from "./types.js";

/** How to make a peer. */
export interface PeerOptions {
  /** Which key: a name keeps it in IndexedDB (default `{ name: "default" }`), "ephemeral" forgets it. */
  readonly identity?: "ephemeral" | { readonly name: string };
  /** Multiaddrs that end in /p2p/<id>: each is dialled and kept connected. */
  readonly relays?: readonly string[];
  /** Display name that others see. */
  readonly name?: string | null;
  /** Where the WASM module lies, when a bundler moved it. */
  readonly wasm?: URL | WebAssembly.Module;
  /** Called while the WASM module loads. */
  readonly onProgress?: (progress: Progress) => void;
  /** Gives up the start. */
  readonly signal?: AbortSignal;
}

/** Loads the WASM module on first use and starts a peer. */
export async function createPeer(options: PeerOptions = {}): Promise<Peer> {
  const { identity = { name: "default" }, relays = [], name = null, signal } = options;
  signal?.throwIfAborted();
  const raw = await loadRaw(options.wasm, options.onProgress);
  signal?.throwIfAborted();
  // The module may report before start() has resolved.
  let early: PeerEvent[] = [];
  let peer: Peer | null = null;
  const listener = (events: PeerEvent[]): void => {
    if (peer) peer.take(events);
    else early = early.concat(events);
  };
  const start = { identity: identity === "ephemeral" ? null : identity.name, relays: [...relays], name };
  const started = await startRaw(() => raw.Peer.start(start, listener));
  if (signal?.aborted) {
    await started.stop();
    signal.throwIfAborted();
  }
  peer = new Peer(started, early);
  return peer;
}

/** A panic during the start would leave its promise open for ever: it rejects instead. */
async function startRaw(start: () => Promise<RawPeer>): Promise<RawPeer> {
  let unwatch = (): void => undefined;
  const panic = new Promise<never>((_, reject) => {
    unwatch = watchPanics((error) => reject(crashed(error)));
  });
  try {
    return await Promise.race([start(), panic]);
  } catch (error) {
    throw error instanceof WebAssembly.RuntimeError ? crashed(error) : asPeerloomError(error);
  } finally {
    unwatch();
  }
}

// The raw WebAssembly module, as wasm-bindgen (target "web") generates it into dist/wasm/.
// Checked by hand against that output, so that this package compiles before the module exists.
import type { Grant, Message, PeerEvent, Status } from "../types.js";

/** Where the bytes of the module come from. */
export type ModuleSource = URL | Request | Response | BufferSource | WebAssembly.Module;

/** Compiles and starts the module once; later calls do nothing. */
export default function init(o?: { module_or_path: ModuleSource | Promise<ModuleSource> }): Promise<unknown>;

/** What a peer starts with. */
export interface StartOptions {
  /** Name of the key in IndexedDB; null makes a key that is forgotten. */
  identity: string | null;
  /** Multiaddrs that end in /p2p/<id>: each is dialled and kept. */
  relays: string[];
  /** Display name in presence posts. */
  name: string | null;
}

/** The peer. Rejections are Error objects with code, hint, docs and retryable. */
export class Peer {
  private constructor();
  static start(options: StartOptions, listener: (events: PeerEvent[]) => void): Promise<Peer>;
  readonly id: string;
  readonly persisted: boolean;
  status(): Status;
  dial(address: string): Promise<string>;
  hangUp(peer: string): Promise<void>;
  ping(peer: string): Promise<number>;
  join(room: string): Promise<void>;
  leave(room: string): Promise<void>;
  send(room: string, text: string): Promise<Message>;
  accept(link: string): Promise<Grant>;
  grants(forget: boolean): Promise<Grant[]>;
  setName(name: string | null): void;
  stop(): Promise<void>;
}

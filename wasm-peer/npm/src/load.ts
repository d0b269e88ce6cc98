// Fetches, compiles and starts the WASM module, once for all peers of a page.
// Invariant: one load is under way at a time; a failed one is forgotten, so that a retry starts afresh.
// Not here: what the module does.
import { asPeerloomError, loadFailed, PeerloomError, startFailed, textOf } from "./errors.js";
import type { Progress } from "./types.js";

/** The raw module. @internal */
export type Raw = typeof import("./wasm/peerloom_wasm_peer.js");

type Listener = (progress: Progress) => void;

let loading: Promise<Raw> | null = null;
let last: Progress | null = null;
const listeners = new Set<Listener>();

/** Where the module lies unless the caller says otherwise. */
const defaultUrl = (): URL => new URL("./wasm/peerloom_wasm_peer_bg.wasm", import.meta.url);

/**
 * Loads the module ahead of `createPeer`, so that both can overlap with other work.
 * Calling it again returns the same load; only the first caller's `wasm` counts.
 */
export async function preload(wasm?: URL | WebAssembly.Module, onProgress?: Listener): Promise<void> {
  await loadRaw(wasm, onProgress);
}

/** @internal */
export async function loadRaw(wasm?: URL | WebAssembly.Module, onProgress?: Listener): Promise<Raw> {
  if (onProgress) {
    listeners.add(onProgress);
    if (last) onProgress(last);
  }
  loading ??= start(wasm);
  try {
    return await loading;
  } catch (error) {
    loading = null;
    last = null;
    throw asPeerloomError(error);
  } finally {
    if (onProgress) listeners.delete(onProgress);
  }
}

async function start(wasm?: URL | WebAssembly.Module): Promise<Raw> {
  if (typeof WebAssembly !== "object") throw startFailed("WebAssembly is missing");
  const [raw, compiled] = await Promise.all([glue(), compile(wasm ?? defaultUrl())]);
  try {
    await raw.default({ module_or_path: compiled });
  } catch (error) {
    throw startFailed(error);
  }
  return raw;
}

async function glue(): Promise<Raw> {
  try {
    return await import("./wasm/peerloom_wasm_peer.js");
  } catch (error) {
    throw loadFailed(error, textOf(error));
  }
}

async function compile(from: URL | WebAssembly.Module): Promise<WebAssembly.Module> {
  if (from instanceof WebAssembly.Module) return from;
  let response: Response;
  try {
    response = await fetch(from);
  } catch (error) {
    throw loadFailed(error, textOf(error));
  }
  if (!response.ok) throw loadFailed(undefined, `the server answered ${response.status}`);
  try {
    return await WebAssembly.compileStreaming(counted(response));
  } catch (error) {
    if (error instanceof PeerloomError) throw error;
    // A connection that breaks half-way surfaces here as a TypeError or DOMException, bad bytes as CompileError.
    throw error instanceof WebAssembly.CompileError ? startFailed(error) : loadFailed(error, textOf(error));
  }
}

/** The same response, with its bytes counted on their way to the compiler. */
function counted(response: Response): Response {
  const { body, headers } = response;
  if (!body) return response;
  // With a content coding the length is that of the coded bytes, which we do not see.
  const length = headers.has("content-encoding") ? 0 : Number(headers.get("content-length"));
  const total = length > 0 ? length : null;
  let loaded = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      loaded += chunk.byteLength;
      tell({ loaded, total });
      controller.enqueue(chunk);
    },
  });
  return new Response(body.pipeThrough(counter), { headers: { "content-type": "application/wasm" } });
}

function tell(progress: Progress): void {
  last = progress;
  for (const listener of listeners) listener(progress);
}

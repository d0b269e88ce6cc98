// What this browser can and cannot do.
// Invariant: only WebAssembly is indispensable; whatever else is missing costs one feature and is named.
// Not here: the words; see the language files.

export interface Features {
  readonly wasm: boolean;
  readonly webrtc: boolean;
  readonly database: boolean;
  /** https, or http on this computer itself. */
  readonly secure: boolean;
}

type Scope = Readonly<Record<string, unknown>>;

export function detect(scope: Scope = globalThis as unknown as Scope): Features {
  return {
    wasm: typeof scope["WebAssembly"] === "object",
    webrtc: typeof scope["RTCPeerConnection"] === "function",
    database: typeof scope["indexedDB"] === "object" && scope["indexedDB"] !== null,
    secure: scope["isSecureContext"] === true,
  };
}

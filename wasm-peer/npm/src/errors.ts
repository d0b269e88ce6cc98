// One error type for everything that can go wrong, with a code, a hint and whether a retry can help.
// Invariant: whatever the WASM module throws reaches the caller as a PeerloomError.
// Not here: aborts; an aborted call rejects with the reason of its AbortSignal, as fetch does.

/** What went wrong, why, and what to do. */
export class PeerloomError extends Error {
  override readonly name = "PeerloomError";
  /** Stable code such as "NET-102"; the same in the command line and the HTTP API. */
  readonly code: string;
  /** What to do about it, one English sentence. */
  readonly hint: string;
  /** Where the code is explained. */
  readonly docs: string;
  /** Whether the same call can succeed later. */
  readonly retryable: boolean;
  /** The stable name of the reason where a code has several, such as "cut_off"; or null. */
  readonly reason: string | null;

  constructor(fields: ErrorFields, options?: ErrorOptions) {
    super(fields.message, options);
    this.code = fields.code;
    this.hint = fields.hint;
    this.docs = fields.docs ?? docsOf(fields.code);
    this.retryable = fields.retryable;
    this.reason = fields.reason ?? null;
  }
}

/** The parts of a PeerloomError. */
export interface ErrorFields {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
  readonly docs?: string;
  readonly retryable: boolean;
  readonly reason?: string | null;
}

const docsOf = (code: string): string => `docs/errors.md#${code.toLowerCase()}`;

/** The module could not be fetched. */
export function loadFailed(cause: unknown, what: string): PeerloomError {
  return new PeerloomError(
    {
      code: "WEB-001",
      message: `The peer's WebAssembly could not be loaded: ${what}.`,
      hint: "Check that the server is running and try again.",
      retryable: true,
    },
    { cause },
  );
}

/** The module was fetched but does not compile or start here. */
export function startFailed(cause: unknown): PeerloomError {
  return new PeerloomError(
    {
      code: "WEB-002",
      message: `This browser could not start the peer's WebAssembly: ${textOf(cause)}.`,
      hint: "Use a current Firefox, Chromium or Safari, and allow 'wasm-unsafe-eval' in the page's CSP.",
      retryable: false,
    },
    { cause },
  );
}

/** The peer was stopped. */
export function stopped(): PeerloomError {
  return new PeerloomError({
    code: "WEB-003",
    message: "The peer is stopped.",
    hint: "Make a new one with createPeer().",
    retryable: false,
  });
}

/** The WASM module panicked: its memory cannot be trusted any more. */
export function crashed(cause: unknown): PeerloomError {
  return new PeerloomError(
    {
      code: "WEB-004",
      message: `The peer crashed: ${textOf(cause)}.`,
      hint: "Reload the page, and report the console's last lines.",
      retryable: false,
    },
    { cause },
  );
}

/** Makes a PeerloomError of anything that was thrown. */
export function asPeerloomError(thrown: unknown): PeerloomError {
  if (thrown instanceof PeerloomError) return thrown;
  const raw = (typeof thrown === "object" && thrown !== null ? thrown : {}) as Partial<ErrorFields>;
  return new PeerloomError(
    {
      code: typeof raw.code === "string" ? raw.code : "WEB-005",
      message: textOf(thrown),
      hint: typeof raw.hint === "string" ? raw.hint : "This should not happen: please report it.",
      ...(typeof raw.docs === "string" ? { docs: raw.docs } : {}),
      retryable: raw.retryable === true,
      reason: typeof raw.reason === "string" ? raw.reason : null,
    },
    { cause: thrown },
  );
}

/** The text of whatever was thrown, without a full stop at its end. */
export function textOf(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message || thrown.name : String(thrown);
  return text.replace(/\.$/, "");
}

// Notices that the WASM module panicked.
// Invariant: a panic in a task of the module, outside of any call, is reported too.
// Not here: what to do then; see peer.ts.

/** The event that the module sends while it panics; its detail is the panic's text. */
const PANIC = "peerloom-panic";

/**
 * Calls `report` when the module panics; returns a function that ends it. The event names the cause; the
 * trap behind it is watched too, for traps that are no panics. `report` must not call the module.
 * @internal
 */
export function watchPanics(report: (error: unknown) => void): () => void {
  if (typeof globalThis.addEventListener !== "function") return () => undefined;
  const check = (thrown: unknown): void => {
    if (thrown instanceof WebAssembly.RuntimeError) report(thrown);
  };
  const onError = (event: ErrorEvent): void => check(event.error);
  const onRejection = (event: PromiseRejectionEvent): void => check(event.reason);
  const onPanic = (event: Event): void => report((event as CustomEvent<unknown>).detail);
  globalThis.addEventListener(PANIC, onPanic);
  globalThis.addEventListener("error", onError);
  globalThis.addEventListener("unhandledrejection", onRejection);
  return () => {
    globalThis.removeEventListener(PANIC, onPanic);
    globalThis.removeEventListener("error", onError);
    globalThis.removeEventListener("unhandledrejection", onRejection);
  };
}

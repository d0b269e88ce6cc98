// Keeps data channels of the module quiet after the module has let go of them.
// Invariant: touches only handlers that the module itself has set; all others stay as they were.
// Not here: what the module does with its channels.
//
// libp2p's WebRTC transport for browsers frees its event handlers without taking them off the channel,
// so a late event would call freed code and surface as an uncaught error of the page.

const EVENTS = ["onopen", "onmessage", "onclose", "onbufferedamountlow"] as const;
const FREED = "closure invoked recursively or after being dropped";

type Handler = (this: RTCDataChannel, event: Event) => unknown;

const belongsToModule = (handler: unknown): handler is Handler =>
  typeof handler === "function" && "_wbg_cb_unref" in handler;

const isFreed = (error: unknown): boolean => error instanceof Error && error.message.includes(FREED);

let done = false;

/** Call once before the module starts. @internal */
export function quietFreedChannels(): void {
  if (done || typeof RTCDataChannel !== "function") return;
  done = true;
  for (const name of EVENTS) {
    const property = Object.getOwnPropertyDescriptor(RTCDataChannel.prototype, name);
    const set = property?.set;
    if (!property || !set) continue;
    const quiet = (handler: Handler): Handler =>
      function (event) {
        try {
          return handler.call(this, event);
        } catch (error) {
          if (!isFreed(error)) throw error;
          return set.call(this, null);
        }
      };
    Object.defineProperty(RTCDataChannel.prototype, name, {
      ...property,
      set(this: RTCDataChannel, handler: unknown) {
        set.call(this, belongsToModule(handler) ? quiet(handler) : handler);
      },
    });
  }
}

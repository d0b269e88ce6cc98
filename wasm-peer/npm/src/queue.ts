// Turns pushed events into an async iterator.
// Invariant: at most EVENTS_MAX events wait; a slow reader loses the oldest and is told how many.
// Not here: where events come from.
import type { PeerEvent } from "./types.js";

/** Events that wait for one reader: as many as the node keeps for a lagging client. */
export const EVENTS_MAX = 1_024;

/** One reader's events. */
export class EventQueue implements AsyncIterableIterator<PeerEvent> {
  #waiting: PeerEvent[] = [];
  #lost = 0;
  #wake: (() => void) | null = null;
  #ended = false;
  #failure: unknown;
  readonly #onEnd: () => void;

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd;
  }

  push(event: PeerEvent): void {
    if (this.#ended) return;
    if (event.type === "status") {
      // Only the newest picture matters to a reader that is behind.
      const last = this.#waiting.at(-1);
      if (last?.type === "status") this.#waiting.pop();
    }
    this.#waiting.push(event);
    if (this.#waiting.length > EVENTS_MAX) {
      this.#waiting.shift();
      this.#lost += 1;
    }
    this.#wake?.();
  }

  /** Ends the iteration after what already waits; with a failure it then throws. */
  end(failure?: unknown): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#onEnd();
    this.#wake?.();
  }

  async next(): Promise<IteratorResult<PeerEvent, undefined>> {
    for (;;) {
      if (this.#lost > 0) {
        const lost = this.#lost;
        this.#lost = 0;
        return { done: false, value: { type: "gap", lost } };
      }
      const value = this.#waiting.shift();
      if (value) return { done: false, value };
      if (this.#ended) {
        const failure = this.#failure;
        this.#failure = undefined;
        if (failure !== undefined) throw failure;
        return { done: true, value: undefined };
      }
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }

  return(): Promise<IteratorResult<PeerEvent, undefined>> {
    this.#waiting = [];
    this.#lost = 0;
    this.end();
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

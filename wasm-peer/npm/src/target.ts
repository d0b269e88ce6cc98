// Typed events on top of EventTarget.
// Invariant: a listener that throws disturbs neither the other listeners nor the peer.
// Not here: which events exist; peer.ts and room.ts name them.

/** How to send an event; a symbol keeps it out of the public surface. @internal */
export const EMIT: unique symbol = Symbol("emit");

/** Options of `on`. */
export interface OnOptions {
  readonly signal?: AbortSignal;
  readonly once?: boolean;
}

/** An event target whose event names and details are known to the compiler. */
export class TypedTarget<Events extends object> {
  readonly #target = new EventTarget();

  /** Calls `listener` with the detail of each event; returns a function that ends it. */
  on<K extends keyof Events & string>(
    type: K,
    listener: (detail: Events[K]) => void,
    options: OnOptions = {},
  ): () => void {
    const call = (event: Event): void => listener((event as CustomEvent<Events[K]>).detail);
    this.#target.addEventListener(type, call, options);
    return () => this.#target.removeEventListener(type, call);
  }

  addEventListener<K extends keyof Events & string>(
    type: K,
    listener: (event: CustomEvent<Events[K]>) => void,
    options?: AddEventListenerOptions | boolean,
  ): void {
    this.#target.addEventListener(type, listener as EventListener, options);
  }

  removeEventListener<K extends keyof Events & string>(
    type: K,
    listener: (event: CustomEvent<Events[K]>) => void,
    options?: EventListenerOptions | boolean,
  ): void {
    this.#target.removeEventListener(type, listener as EventListener, options);
  }

  /** @internal */
  [EMIT]<K extends keyof Events & string>(type: K, detail: Events[K]): void {
    this.#target.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

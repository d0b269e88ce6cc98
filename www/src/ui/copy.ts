// Copies text, and says whether that worked.
// Invariant: where the clipboard is blocked, the text is selected for copying by hand.
// Not here: what is copied.
import type { ReactiveController, ReactiveControllerHost } from "lit";

const SHOWN_MS = 2_000;

/** Remembers for a moment what was copied. */
export class Copier implements ReactiveController {
  /** What was just copied, under the name the view gave it. */
  done: string | null = null;
  failed: string | null = null;
  readonly #host: ReactiveControllerHost;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(host: ReactiveControllerHost) {
    this.#host = host;
    host.addController(this);
  }

  hostDisconnected(): void {
    clearTimeout(this.#timer);
  }

  async copy(
    what: string,
    text: string,
    field?: HTMLInputElement | HTMLTextAreaElement | null,
  ): Promise<void> {
    clearTimeout(this.#timer);
    this.done = null;
    this.failed = null;
    try {
      await navigator.clipboard.writeText(text);
      this.done = what;
      this.#timer = setTimeout(() => {
        this.done = null;
        this.#host.requestUpdate();
      }, SHOWN_MS);
    } catch {
      this.failed = what;
      field?.select();
    }
    this.#host.requestUpdate();
  }
}

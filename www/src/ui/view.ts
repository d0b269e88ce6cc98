// Base of all views: redraws when the state changes, and speaks the page's language.
// Invariant: a view reads the state and calls the controller; it keeps no truth of its own.
// Not here: any markup.
import { LitElement } from "lit";
import { app } from "../app.ts";
import type { Key, Params } from "../i18n.ts";

export abstract class View extends LitElement {
  #off: (() => void) | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    this.#off = app.subscribe(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    this.#off?.();
    super.disconnectedCallback();
  }

  protected say(key: Key, params?: Params): string {
    return app.speech.say(key, params);
  }
}

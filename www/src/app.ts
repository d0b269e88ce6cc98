// The one state of the page and who is told when it changes.
// Invariant: views are told at most once per REPAINT_MS, however many events arrive.
// Not here: what changes the state; see controller.ts.
import { Speech, type Language } from "./i18n.ts";
import { detect } from "./features.ts";
import { REPAINT_MS } from "./limits.ts";
import { prefs, type Theme } from "./prefs.ts";
import { State } from "./state.ts";

class App {
  readonly state = new State();
  readonly features = detect();
  speech = new Speech(prefs.language(), navigator.languages);
  theme: Theme = prefs.theme();
  readonly #listeners = new Set<() => void>();
  #timer: ReturnType<typeof setTimeout> | null = null;
  #toldAt = 0;

  /** Calls `listener` after changes; returns a function that ends it. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Something changed. */
  changed(): void {
    if (this.#timer !== null) return;
    const pause = Math.max(0, this.#toldAt + REPAINT_MS - performance.now());
    this.#timer = setTimeout(() => {
      this.#timer = null;
      this.#toldAt = performance.now();
      for (const listener of this.#listeners) listener();
    }, pause);
  }

  setLanguage(language: Language): void {
    this.speech = new Speech(language, navigator.languages);
    prefs.setLanguage(language);
    this.dress();
    this.changed();
  }

  setTheme(theme: Theme): void {
    this.theme = theme;
    prefs.setTheme(theme);
    this.dress();
    this.changed();
  }

  /** Puts language and theme on the document. */
  dress(): void {
    const root = document.documentElement;
    root.lang = this.speech.language;
    root.dataset["theme"] = this.theme;
  }
}

export const app = new App();

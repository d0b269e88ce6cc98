// The list of keys, as a modal dialog.
// Invariant: single-key shortcuts can be switched off here (WCAG 2.1.4).
// Not here: acting on keys; see app-view.ts.
import { css, html, type TemplateResult } from "lit";
import type { Key } from "../i18n.ts";
import { prefs } from "../prefs.ts";
import { icons } from "./icons.ts";
import { shared } from "./styles.ts";
import { View } from "./view.ts";

const KEYS: readonly (readonly [string, Key])[] = [
  ["Enter", "help.enter"],
  ["Shift + Enter", "help.shiftEnter"],
  ["↑", "help.up"],
  ["Ctrl + K", "help.ctrlK"],
  ["F6", "help.f6"],
  ["/", "help.slash"],
  ["?", "help.question"],
  ["Esc", "help.esc"],
];

export class Help extends View {
  static override styles = [
    shared,
    css`
      dialog {
        inline-size: min(440px, calc(100vw - 32px));
        padding: 16px 20px 20px;
        border: 1px solid var(--pl-line);
        border-radius: var(--pl-radius-large);
        background: var(--pl-surface-1);
        color: var(--pl-ink);
        box-shadow: 0 16px 48px var(--pl-shadow);
      }
      dialog::backdrop {
        background: var(--pl-backdrop);
      }
      .head {
        display: flex;
        align-items: center;
        justify-content: space-between;
      }
      h2 {
        font-size: 1.0625rem;
        color: var(--pl-ink);
      }
      dl {
        display: grid;
        grid-template-columns: auto 1fr;
        gap: 8px 16px;
        align-items: baseline;
        margin-block: 12px 16px;
      }
      kbd {
        padding: 2px 7px;
        border: 1px solid var(--pl-line-strong);
        border-radius: 6px;
        background: var(--pl-surface-2);
        font: 0.8125rem var(--pl-mono);
        white-space: nowrap;
      }
      label {
        display: flex;
        align-items: center;
        gap: 10px;
        min-block-size: 28px;
      }
      input {
        inline-size: 18px;
        min-block-size: 18px;
        accent-color: var(--pl-accent);
      }
    `,
  ];

  open(): void {
    this.#dialog()?.showModal();
  }

  #dialog(): HTMLDialogElement | null {
    return this.renderRoot.querySelector("dialog");
  }

  override render(): TemplateResult {
    return html`<dialog aria-labelledby="title">
      <div class="head">
        <h2 id="title">${this.say("help.title")}</h2>
        <button
          class="bare square"
          aria-label=${this.say("nav.close")}
          @click=${() => this.#dialog()?.close()}
        >
          ${icons.close}
        </button>
      </div>
      <dl>
        ${KEYS.map(
          ([keys, what]) =>
            html`<dt><kbd>${keys}</kbd></dt>
              <dd>${this.say(what)}</dd>`,
        )}
      </dl>
      <label>
        <input
          type="checkbox"
          ?checked=${prefs.singleKeys()}
          @change=${(event: Event) => prefs.setSingleKeys((event.target as HTMLInputElement).checked)}
        />
        <span>${this.say("help.single")}</span>
      </label>
    </dialog>`;
  }
}

customElements.define("pl-help", Help);

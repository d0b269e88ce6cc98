// Notes and failures that a person should know about, one sentence each.
// Invariant: a note that only informs can be dismissed; a crash keeps the log on screen.
// Not here: the status line.
import { css, html, nothing, type TemplateResult } from "lit";
import { app } from "../app.ts";
import { controller } from "../controller.ts";
import type { Key } from "../i18n.ts";
import { report } from "../report.ts";
import { Copier } from "./copy.ts";
import { icons } from "./icons.ts";
import { shared } from "./styles.ts";
import { View } from "./view.ts";

export class Notices extends View {
  readonly #dismissed = new Set<Key>();
  readonly #copier = new Copier(this);
  #lostSeen = 0;

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        max-block-size: 50vh;
        overflow: auto;
      }
      .note {
        display: flex;
        align-items: start;
        gap: 10px;
        padding: 8px 12px 8px 20px;
        border-block-end: 1px solid var(--pl-line);
        background: var(--pl-surface-2);
        font-size: 0.875rem;
      }
      .note > .icon {
        margin-block-start: 4px;
        color: var(--pl-warn);
      }
      .note p {
        flex: 1;
        padding-block: 3px;
      }
      .block {
        margin: 16px 20px;
        padding: 16px 18px;
        border-radius: var(--pl-radius-large);
        background: var(--pl-bad-soft);
      }
      .block h3 {
        font-size: 1.0625rem;
      }
      .block p {
        margin-block-start: 4px;
        max-inline-size: 68ch;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        gap: 8px;
        margin-block-start: 12px;
      }
      textarea {
        inline-size: 100%;
        block-size: 90px;
        margin-block-start: 12px;
        padding: 8px;
        border: 1px solid var(--pl-line-strong);
        border-radius: var(--pl-radius);
        background: var(--pl-surface-2);
        font: 0.75rem/1.4 var(--pl-mono);
        resize: vertical;
      }
      @media (max-width: 700px) {
        .note {
          padding-inline-start: 14px;
        }
        .block {
          margin: 10px;
        }
      }
    `,
  ];

  override render(): TemplateResult {
    const { state, features } = app;
    if (!features.wasm) {
      return html`<div class="block" role="alert" data-testid="unsupported">
        <h3>${this.say("notice.noWasm.title")}</h3>
        <p>${this.say("notice.noWasm.text")}</p>
      </div>`;
    }
    const running = state.status !== null;
    const stored = features.secure && features.database;
    return html`
      ${state.phase === "crashed" ? this.#crash() : nothing}
      ${state.trouble?.code === "WEB-008" ? this.#identity() : nothing}
      ${features.secure ? nothing : this.#note("notice.insecure")}
      ${features.webrtc ? nothing : this.#note("notice.noWebrtc")}
      ${features.database || !features.secure ? nothing : this.#note("notice.noDatabase")}
      ${running && stored && !state.persisted && state.slot > 0 ? this.#note("notice.notKept") : nothing}
      ${running && state.status?.links.length === 0 ? this.#note("notice.noAddress") : nothing}
      ${state.lost > this.#lostSeen ? this.#note("notice.gap", state.lost) : nothing}
    `;
  }

  #note(key: Key, n?: number): TemplateResult | typeof nothing {
    if (this.#dismissed.has(key)) return nothing;
    return html`<div class="note" data-testid="note" data-note=${key}>
      ${icons.warn}
      <p role="status">${this.say(key, n === undefined ? {} : { n })}</p>
      <button
        class="bare small square"
        aria-label=${this.say("notice.dismiss")}
        @click=${() => {
          if (n === undefined) this.#dismissed.add(key);
          else this.#lostSeen = app.state.lost;
          this.requestUpdate();
        }}
      >
        ${icons.close}
      </button>
    </div>`;
  }

  #identity(): TemplateResult {
    return html`<div class="block" role="alert" data-testid="identity-unreadable">
      <h3>${this.say("notice.identity.title")}</h3>
      <p>${this.say("notice.identity.text")}</p>
      <div class="actions">
        <button class="primary" @click=${() => void controller.useOtherIdentity()}>
          ${icons.key}${this.say("notice.identity.other")}
        </button>
      </div>
    </div>`;
  }

  #crash(): TemplateResult {
    const { crash } = app.state;
    const text = report(app.state);
    return html`<div class="block" role="alert" data-testid="crash">
      <h3>${this.say("notice.crash.title")}</h3>
      <p>${this.say("notice.crash.text")}</p>
      ${
        crash
          ? html`<p class="soft">
              <span lang="en">${crash.text}</span> ${this.say("notice.code", { code: crash.code })}
            </p>`
          : nothing
      }
      <div class="actions">
        <button class="primary" data-testid="restart" @click=${() => location.reload()}>
          ${icons.retry}${this.say("notice.restart")}
        </button>
        <button
          @click=${() => void this.#copier.copy("report", text, this.renderRoot.querySelector("textarea"))}
        >
          ${this.#copier.done === "report" ? icons.check : icons.copy}
          ${this.say(this.#copier.done === "report" ? "copied" : "notice.copyReport")}
        </button>
      </div>
      ${this.#copier.failed === "report" ? html`<p role="alert">${this.say("copyFailed")}</p>` : nothing}
      <textarea readonly aria-label=${this.say("notice.report")} .value=${text}></textarea>
    </div>`;
  }
}

customElements.define("pl-notices", Notices);

// The status line: one sentence, and beside it what moves (bytes, seconds).
// Invariant: only the sentence is a live region, so that a countdown is not read aloud every second.
// Not here: choosing the sentence; see status-line.ts.
import { css, html, nothing, type TemplateResult } from "lit";
import { app } from "../app.ts";
import { controller } from "../controller.ts";
import { statusLine } from "../status-line.ts";
import { shared } from "./styles.ts";
import { View } from "./view.ts";

export class StatusBar extends View {
  static override styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: 2px 12px;
        min-block-size: 36px;
        padding: 3px 20px;
        border-block-end: 1px solid var(--pl-line);
        font-size: 0.875rem;
        --tone: var(--pl-ink-soft);
      }
      .dot {
        flex: none;
        inline-size: 10px;
        block-size: 10px;
        border: 2px solid var(--tone);
        border-radius: 50%;
      }
      .said {
        display: flex;
        align-items: center;
        gap: 12px;
        min-inline-size: 0;
      }
      .text {
        color: var(--tone);
        font-weight: 550;
      }
      [data-health="connected"] {
        --tone: var(--pl-ok);
      }
      [data-health="connected"] .dot {
        background: var(--tone);
      }
      [data-health="starting"],
      [data-health="connecting"] {
        --tone: var(--pl-accent);
      }
      [data-health="starting"] .dot,
      [data-health="connecting"] .dot {
        border-inline-start-color: transparent;
        animation: turn 900ms linear infinite;
      }
      [data-health="degraded"],
      [data-health="offline"] {
        --tone: var(--pl-warn);
        background: var(--pl-warn-soft);
      }
      [data-health="degraded"] .dot {
        background: linear-gradient(90deg, var(--tone) 50%, transparent 50%);
      }
      [data-health="crashed"],
      [data-health="unsupported"] {
        --tone: var(--pl-bad);
        background: var(--pl-bad-soft);
      }
      @keyframes turn {
        to {
          rotate: 1turn;
        }
      }
      @media (prefers-reduced-motion: reduce) {
        .dot {
          animation: none !important;
        }
      }
      progress {
        appearance: none;
        inline-size: 120px;
        block-size: 6px;
        border: 0;
        border-radius: 3px;
        overflow: hidden;
        background: var(--pl-line);
      }
      progress::-webkit-progress-bar {
        background: var(--pl-line);
      }
      progress::-webkit-progress-value {
        background: var(--pl-accent);
      }
      progress::-moz-progress-bar {
        background: var(--pl-accent);
      }
      .more {
        color: var(--pl-ink-soft);
        font-variant-numeric: tabular-nums;
      }
      .trouble {
        flex-basis: 100%;
        padding-block-end: 4px;
        font-size: 0.8125rem;
      }
      @media (max-width: 700px) {
        .line {
          padding-inline: 14px;
        }
      }
    `,
  ];

  override render(): TemplateResult {
    const { speech, state } = app;
    const line = statusLine(state, speech);
    const left = line.retryAt === null ? null : line.retryAt - Date.now();
    return html`<div class="line" data-testid="status" data-health=${line.health}>
      <span class="said"><span class="dot"></span><span class="text" role="status">${line.text}</span></span>
      ${line.health === "starting" ? this.#progress() : nothing}
      ${
        left !== null && left > 0
          ? html`<span class="more">${this.say("status.nextTry", { time: speech.seconds(left) })}</span>`
          : nothing
      }
      ${
        line.canRetry
          ? html`<button class="small" data-testid="retry-now" @click=${() => controller.retryNow()}>
              ${this.say("status.tryNow")}
            </button>`
          : nothing
      }
      ${
        state.trouble && line.health !== "connected"
          ? html`<span class="trouble soft" lang="en">${state.trouble.text} (${state.trouble.code})</span>`
          : nothing
      }
    </div>`;
  }

  #progress(): TemplateResult | typeof nothing {
    const { progress } = app.state;
    if (!progress) return nothing;
    // Compressed answers do not say how long they become; the build knows.
    const total = progress.total ?? __WASM_BYTES__;
    const loaded = Math.min(progress.loaded, total);
    const { speech } = app;
    const params = { loaded: speech.bytes(loaded), total: speech.bytes(total) };
    return html`<progress max=${total} .value=${loaded} aria-hidden="true"></progress>
      <span class="more" data-testid="progress">${this.say("status.progress", params)}</span>`;
  }
}

customElements.define("pl-status", StatusBar);

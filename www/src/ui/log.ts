// The message log: days, groups of one author, own messages with their state.
// Invariant: text from others is only ever a text node; at most a window of the log is in the DOM.
// Not here: writing messages.
import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import { app } from "../app.ts";
import { controller } from "../controller.ts";
import { midnight } from "../i18n.ts";
import { GROUP_MS, LOG_WINDOW } from "../limits.ts";
import type { Entry, RoomLog } from "../state.ts";
import { pieces } from "../text.ts";
import { avatar, hueClass, who } from "./avatar.ts";
import { Copier } from "./copy.ts";
import { icons } from "./icons.ts";
import { logStyles } from "./log-styles.ts";
import { shared, threads } from "./styles.ts";
import { View } from "./view.ts";
import { isLoopback } from "../addresses.ts";

const BOTTOM_PX = 60;

export class Log extends View {
  static override properties = { away: { state: true } };
  /** Whether the reader has scrolled away from the newest message. */
  declare away: boolean;
  readonly #copier = new Copier(this);
  #shown = LOG_WINDOW;
  #room = "";
  #keep: { height: number; top: number } | null = null;

  static override styles = [shared, threads, logStyles];

  constructor() {
    super();
    this.away = false;
  }

  /** Shows the newest message. */
  toLatest(): void {
    this.away = false;
    this.#shown = LOG_WINDOW;
    this.requestUpdate();
  }

  protected override willUpdate(): void {
    const { current } = app.state;
    if (current === this.#room) return;
    this.#room = current;
    this.#shown = LOG_WINDOW;
    this.away = false;
  }

  protected override updated(_: PropertyValues): void {
    const box = this.#box();
    if (!box) return;
    if (this.#keep) {
      // Earlier messages came in above: what was being read stays where it is.
      box.scrollTop = this.#keep.top + box.scrollHeight - this.#keep.height;
      this.#keep = null;
    } else if (!this.away) {
      box.scrollTop = box.scrollHeight;
    }
  }

  override firstUpdated(): void {
    // A keyboard that opens, or a growing composer, must not hide the newest message.
    new ResizeObserver(() => {
      const box = this.#box();
      if (box && !this.away) box.scrollTop = box.scrollHeight;
    }).observe(this);
  }

  #box(): HTMLElement | null {
    return this.renderRoot.querySelector<HTMLElement>(".scroll");
  }

  #scrolled(): void {
    const box = this.#box();
    if (!box) return;
    this.away = box.scrollHeight - box.scrollTop - box.clientHeight > BOTTOM_PX;
    if (!this.away) this.#shown = LOG_WINDOW;
  }

  #earlier(): void {
    const box = this.#box();
    if (box) this.#keep = { height: box.scrollHeight, top: box.scrollTop };
    this.away = true;
    this.#shown += LOG_WINDOW;
    this.requestUpdate();
  }

  override render(): TemplateResult {
    const { state } = app;
    const room = state.room(state.current);
    const from = Math.max(0, room.entries.length - this.#shown);
    return html`
      <div class="scroll" @scroll=${this.#scrolled} tabindex="-1">
        <div class="list ${room.entries.length > 0 ? "some" : ""}">
          ${
            from > 0
              ? html`<button class="small earlier" @click=${this.#earlier}>
                  ${this.say("log.earlier")}
                </button>`
              : room.dropped > 0
                ? html`<p class="note soft">${this.say("log.dropped", { n: room.dropped })}</p>`
                : nothing
          }
          <div role="log" data-testid="log" aria-label=${this.say("log.label", { room: `#${room.name}` })}>
            ${repeat(
              room.entries.slice(from),
              (entry) => entry.key,
              (entry, at) => this.#guarded(room, entry, room.entries[from + at - 1]),
            )}
          </div>
          ${room.entries.length === 0 ? this.#empty(room) : nothing}
        </div>
      </div>
      ${
        this.away
          ? html`<button class="latest" @click=${this.toLatest}>
              ${icons.down}<span>${this.say("log.latest")}</span>
            </button>`
          : nothing
      }
    `;
  }

  /** A row is made anew only when something in it changed: a flood redraws the others for nothing. */
  #guarded(room: RoomLog, entry: Entry, before: Entry | undefined): unknown {
    const { speech, state } = app;
    const inputs = [
      entry,
      before?.author,
      before?.atMs,
      state.nameOf(entry.author),
      room.divider === entry.key,
      speech,
      midnight(Date.now()),
    ];
    return guard(inputs, () => this.#row(room, entry, before));
  }

  #row(room: RoomLog, entry: Entry, before: Entry | undefined): TemplateResult {
    const { speech, state } = app;
    const newDay = !before || midnight(before.atMs) !== midnight(entry.atMs);
    const unreadLine = room.divider === entry.key;
    const grouped =
      !newDay && !unreadLine && before.author === entry.author && entry.atMs - before.atMs < GROUP_MS;
    const time = html`<time datetime=${new Date(entry.atMs).toISOString()} title=${speech.moment(entry.atMs)}
      >${speech.time(entry.atMs)}</time
    >`;
    const head = entry.own
      ? html`<div class="head"><span class="hidden">${this.say("log.you")}</span>${time}</div>`
      : html`<div class="head">
          <span class="author ${hueClass(entry.author)}"
            >${who(entry.author, state.nameOf(entry.author))}</span
          >
          ${time}
        </div>`;
    return html`
      ${newDay ? html`<div class="rule">${speech.day(entry.atMs, Date.now())}</div>` : nothing}
      ${unreadLine ? html`<div class="rule new">${this.say("log.new")}</div>` : nothing}
      <div
        class="message ${grouped ? "" : "first"}"
        data-testid="message"
        data-id=${entry.id ?? ""}
        data-author=${entry.author}
        data-own=${String(entry.own)}
        data-state=${entry.state}
      >
        ${grouped ? nothing : html`${entry.own ? nothing : avatar(entry.author, 36)} ${head}`}
        <div class="body">
          ${entry.own ? this.#tick(entry) : nothing}
          <span class="text" data-testid="text" dir="auto"
            >${textOf(entry.text, this.say("log.linkOutside"))}</span
          >
        </div>
        ${entry.state === "failed" ? this.#fate(entry) : nothing}
      </div>
    `;
  }

  #tick(entry: Entry): TemplateResult {
    switch (entry.state) {
      case "queued":
        return tick(icons.clock, this.say("message.queued"));
      case "sending":
        return tick(icons.send, this.say("message.sending"));
      case "failed":
        return tick(icons.warn, this.say("message.failed"), "failed");
      default:
        return tick(icons.check, this.say("message.sent"));
    }
  }

  #fate(entry: Entry): TemplateResult {
    return html`<div class="fate">
      <span>${this.say("message.failed")}</span>
      ${
        entry.reason
          ? html`<span lang="en" title=${entry.reason.text}
              >${entry.reason.text} (${entry.reason.code})</span
            >`
          : nothing
      }
      <button class="small" data-testid="retry" @click=${() => controller.retry(entry.key)}>
        ${icons.retry}${this.say("message.retry")}
      </button>
      <button class="small bare" @click=${() => controller.discard(entry.key)}>
        ${this.say("message.discard")}
      </button>
    </div>`;
  }

  #empty(room: RoomLog): TemplateResult | typeof nothing {
    const { state } = app;
    if (state.phase === "unsupported") return nothing;
    if (!state.online) {
      return html`<div class="empty">
        ${loom}
        <p class="soft">${this.say("empty.waiting")}</p>
      </div>`;
    }
    if (room.members.size > 0) {
      return html`<div class="empty">
        ${loom}
        <h3>${this.say("empty.quiet")}</h3>
      </div>`;
    }
    const link = `${location.origin}/#room=${room.name}`;
    return html`<div class="empty" data-testid="alone">
      ${loom}
      <h3>${this.say("empty.alone")}</h3>
      <p class="soft">${this.say(isLoopback(location.hostname) ? "empty.aloneHere" : "empty.aloneHint")}</p>
      <div class="link">
        <input readonly aria-label=${this.say("empty.link")} .value=${link} @focus=${selectAll} />
        <button class="primary" data-testid="copy-link" @click=${() => void this.#copy(link)}>
          ${this.#copier.done === "link" ? icons.check : icons.copy}
          ${this.say(this.#copier.done === "link" ? "copied" : "empty.copyLink")}
        </button>
      </div>
      ${this.#copier.failed === "link" ? html`<p role="alert">${this.say("copyFailed")}</p>` : nothing}
      <code class="mono">peerloom chat ${room.name}</code>
    </div>`;
  }

  #copy(link: string): Promise<void> {
    return this.#copier.copy("link", link, this.renderRoot.querySelector<HTMLInputElement>(".link input"));
  }
}

function selectAll(event: FocusEvent): void {
  (event.target as HTMLInputElement).select();
}

function tick(icon: unknown, label: string, kind = ""): TemplateResult {
  return html`<span class="tick ${kind}" title=${label}>${icon}<span class="hidden">${label}</span></span>`;
}

/** Message text as text nodes and links. */
function textOf(text: string, outside: string): unknown {
  return pieces(text).map((piece) =>
    piece.href === null
      ? piece.text
      : html`<a
          href=${piece.href}
          target="_blank"
          rel="noopener noreferrer"
          title="${piece.href} (${outside})"
          >${piece.text}</a
        >`,
  );
}

/** The empty loom: warp threads, and one weft thread on its way. */
const loom = html`<svg
  class="loom"
  viewBox="0 0 112 84"
  fill="none"
  stroke-width="4"
  stroke-linecap="round"
  aria-hidden="true"
>
  <path class="warp" d="M16 8v68M32 8v68M48 8v68M64 8v68M80 8v68M96 8v68" />
  <path class="weft" d="M6 56h4M22 56h20M54 56h20M86 56h20M6 42h20M38 42h20M70 42h14M86 42l-6-5m6 5-6 5" />
</svg>`;

customElements.define("pl-log", Log);

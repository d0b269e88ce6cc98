// The field in which messages are written.
// Invariant: an Enter that belongs to an input method never sends; nothing typed is lost by going offline.
// Not here: sending; the controller does it.
import { css, html, nothing, type TemplateResult } from "lit";
import { app } from "../app.ts";
import { controller } from "../controller.ts";
import { ImeGuard } from "../ime.ts";
import { TEXT_BYTES_MAX, TEXT_BYTES_NOTICE } from "../limits.ts";
import { utf8Length } from "../text.ts";
import { icons } from "./icons.ts";
import { shared } from "./styles.ts";
import { View } from "./view.ts";

export class Composer extends View {
  static override properties = { bytes: { state: true }, full: { state: true } };
  declare bytes: number;
  declare full: boolean;
  readonly #ime = new ImeGuard();
  readonly #last = new Map<string, string>();
  #room = "";

  static override styles = [
    shared,
    css`
      :host {
        display: block;
        padding: 0 20px 14px;
      }
      .frame {
        max-inline-size: 860px;
        margin-inline: auto;
      }
      .box {
        display: flex;
        align-items: end;
        gap: 8px;
        padding: 6px 6px 6px 14px;
        border: 1px solid var(--pl-line-strong);
        border-radius: var(--pl-radius-large);
        background: var(--pl-surface-2);
      }
      .box:focus-within {
        outline: 2px solid var(--pl-accent);
        outline-offset: 0;
        border-color: transparent;
      }
      textarea {
        flex: 1;
        min-inline-size: 0;
        min-block-size: 36px;
        max-block-size: 200px;
        padding: 7px 0;
        border: 0;
        background: none;
        line-height: 22px;
        resize: none;
        field-sizing: content;
      }
      /* The box around it shows the focus. */
      textarea:focus-visible {
        outline: 0;
      }
      .send {
        inline-size: 36px;
        padding: 0;
        border-radius: 10px;
      }
      .foot {
        display: flex;
        flex-wrap: wrap;
        justify-content: space-between;
        gap: 2px 16px;
        min-block-size: 1.5em;
        padding: 5px 14px 0;
        color: var(--pl-ink-soft);
        font-size: 0.8125rem;
      }
      .foot .waiting {
        color: var(--pl-warn);
        font-weight: 550;
      }
      .foot .over {
        color: var(--pl-bad);
        font-weight: 550;
      }
      @media (max-width: 700px) {
        :host {
          padding: 0 10px 10px;
        }
        .hint {
          display: none;
        }
        .foot {
          min-block-size: 0;
        }
        textarea {
          font-size: 1rem;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.bytes = 0;
    this.full = false;
  }

  override focus(): void {
    this.#field()?.focus();
  }

  #field(): HTMLTextAreaElement | null {
    return this.renderRoot.querySelector("textarea");
  }

  protected override updated(): void {
    const { current } = app.state;
    const field = this.#field();
    if (!field || current === this.#room) return;
    this.#room = current;
    this.#set(app.state.room(current).draft);
  }

  #set(text: string): void {
    const field = this.#field();
    if (!field) return;
    field.value = text;
    this.#typed();
  }

  #typed(): void {
    const text = this.#field()?.value ?? "";
    app.state.room(app.state.current).draft = text;
    this.bytes = utf8Length(text.trim());
    this.full = false;
  }

  override render(): TemplateResult {
    const room = `#${app.state.current}`;
    return html`<div class="frame">
      <div class="box">
        <textarea
          data-testid="composer"
          rows="1"
          aria-label=${this.say("composer.label", { room })}
          placeholder=${this.say("composer.placeholder")}
          enterkeyhint="send"
          ?disabled=${app.state.phase === "unsupported"}
          dir="auto"
          @input=${this.#typed}
          @keydown=${this.#key}
          @keyup=${() => this.#ime.released()}
          @compositionend=${(event: CompositionEvent) => this.#ime.ended(event.timeStamp)}
        ></textarea>
        <button
          class="primary send"
          data-testid="send"
          aria-label=${this.say("composer.send")}
          title=${this.say("composer.send")}
          ?disabled=${this.bytes === 0 || this.bytes > TEXT_BYTES_MAX}
          @click=${this.#send}
        >
          ${icons.send}
        </button>
      </div>
      <div class="foot">
        <span role="status" data-testid="queue">${this.#waiting()}</span>
        <span>${this.#length()}</span>
      </div>
    </div>`;
  }

  #waiting(): TemplateResult | typeof nothing {
    const { state } = app;
    if (this.full) return html`<span class="over">${this.say("composer.full")}</span>`;
    const n = state.outbox.filter((entry) => entry.state === "queued").length;
    return n > 0 && !state.online
      ? html`<span class="waiting">${this.say("composer.queued", { n })}</span>`
      : nothing;
  }

  #length(): TemplateResult {
    const left = TEXT_BYTES_MAX - this.bytes;
    if (left < 0) return html`<span class="over">${this.say("composer.over", { n: -left })}</span>`;
    if (this.bytes >= TEXT_BYTES_NOTICE) return html`${this.say("composer.left", { n: left })}`;
    return html`<span class="hint">${this.say("composer.hint")}</span>`;
  }

  #key(event: KeyboardEvent): void {
    const field = this.#field();
    if (!field) return;
    const action = this.#ime.pressed(event, field.value === "");
    if (action === "none") return;
    event.preventDefault();
    if (action === "send") return this.#send();
    const last = this.#last.get(app.state.current);
    if (last === undefined) return;
    this.#set(last);
    field.setSelectionRange(last.length, last.length);
  }

  #send(): void {
    const text = (this.#field()?.value ?? "").trim();
    if (text === "" || utf8Length(text) > TEXT_BYTES_MAX) return;
    if (!controller.write(text)) {
      this.full = true;
      return;
    }
    this.#last.set(app.state.current, text);
    this.#set("");
    this.focus();
    this.dispatchEvent(new CustomEvent("written", { bubbles: true, composed: true }));
  }
}

customElements.define("pl-composer", Composer);

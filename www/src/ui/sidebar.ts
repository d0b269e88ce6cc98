// Left column: rooms, joining one, and who I am.
// Invariant: everything here works without a pointer and without a connection.
// Not here: the room itself.
import { html, nothing, type TemplateResult } from "lit";
import { live } from "lit/directives/live.js";
import { app } from "../app.ts";
import { controller } from "../controller.ts";
import { LANGUAGE_NAMES, LANGUAGES } from "../i18n.ts";
import type { Key } from "../i18n.ts";
import { NAME_CHARS_MAX, ROOM_TYPED_MAX } from "../limits.ts";
import { THEMES, type Theme } from "../prefs.ts";
import { isMembersRoom, roomName } from "../text.ts";
import { avatar } from "./avatar.ts";
import { Copier } from "./copy.ts";
import { icons, mark } from "./icons.ts";
import { sidebarStyles } from "./sidebar-styles.ts";
import { shared, threads } from "./styles.ts";
import { View } from "./view.ts";

const UNIVERSAL = "universal-connectivity";
const THEME_KEYS: Readonly<Record<Theme, Key>> = {
  system: "theme.system",
  light: "theme.light",
  dark: "theme.dark",
};

export class Sidebar extends View {
  static override properties = { invalid: { state: true } };
  declare invalid: boolean;
  /** What a person is typing as name: a repaint must not wipe it. */
  #typing: string | null = null;
  readonly #copier = new Copier(this);

  static override styles = [shared, threads, sidebarStyles];

  constructor() {
    super();
    this.invalid = false;
  }

  /** Puts the cursor where a room is named. */
  focusRoom(): void {
    this.renderRoot.querySelector<HTMLInputElement>("[data-testid=room-input]")?.focus();
  }

  override render(): TemplateResult {
    return html`
      <header>
        ${mark}<span>${this.say("app.name")}</span>
        <button
          class="bare square close"
          part="close"
          aria-label=${this.say("nav.close")}
          @click=${this.#close}
        >
          ${icons.close}
        </button>
      </header>
      <nav aria-labelledby="rooms">${this.#rooms()}</nav>
      <footer>${this.#me()} ${this.#settings()}</footer>
    `;
  }

  #close(): void {
    this.dispatchEvent(new CustomEvent("close-drawer", { bubbles: true, composed: true }));
  }

  #open(name: string): void {
    controller.open(name);
    this.#close();
  }

  #rooms(): TemplateResult {
    const { state } = app;
    const offered = [...state.suggested, UNIVERSAL].filter((name) => !state.rooms.has(name));
    return html`
      <h2 id="rooms">${this.say("rooms.title")}</h2>
      <ul>
        ${[...state.rooms.values()].map(
          (room) =>
            html`<li>
              <button
                class="bare room"
                data-testid="room"
                data-room=${room.name}
                aria-current=${String(room.name === state.current)}
                @click=${() => this.#open(room.name)}
              >
                <span class="hash" aria-hidden="true">${isMembersRoom(room.name) ? icons.lock : "#"}</span>
                <span class="clip" title=${room.name}>${room.name}</span>
                ${isMembersRoom(room.name) ? html`<span class="hidden">${this.say("rooms.sealed")}</span>` : nothing}
                ${
                  room.unread > 0
                    ? html`<span class="count" aria-hidden="true"
                          >${room.unread > 99 ? "99+" : room.unread}</span
                        >
                        <span class="hidden">${this.say("rooms.unread", { n: room.unread })}</span>`
                    : nothing
                }
              </button>
            </li>`,
        )}
      </ul>
      <form @submit=${this.#submit} novalidate>
        <input
          data-testid="room-input"
          aria-label=${this.say("rooms.field")}
          aria-invalid=${String(this.invalid)}
          aria-describedby=${this.invalid ? "room-error" : nothing}
          placeholder=${this.say("rooms.placeholder")}
          maxlength=${ROOM_TYPED_MAX}
          autocapitalize="none"
          autocomplete="off"
          spellcheck="false"
          enterkeyhint="go"
          @input=${() => (this.invalid = false)}
        />
        <button data-testid="room-join">${this.say("rooms.join")}</button>
      </form>
      ${
        this.invalid
          ? html`<p class="error" id="room-error" role="alert">${this.say("rooms.invalid")}</p>`
          : nothing
      }
      ${[...new Set(offered)].map(
        (name) =>
          html`<button class="suggest" data-room=${name} @click=${() => this.#open(name)}>
            <span
              ><span># ${name}</span> ${
                name === UNIVERSAL ? html`<span class="soft">${this.say("rooms.universal")}</span>` : nothing
              }</span
            >
          </button>`,
      )}
    `;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const input = this.renderRoot.querySelector<HTMLInputElement>("[data-testid=room-input]");
    if (!input || input.value.trim() === "") return;
    const name = roomName(input.value);
    this.invalid = name === null;
    if (name === null) return;
    input.value = "";
    this.#open(name);
  }

  #me(): TemplateResult | typeof nothing {
    const { state } = app;
    const { id } = state;
    if (id === null) return nothing;
    return html`
      <div class="me">
        ${avatar(id, 40)}
        <div>
          <input
            data-testid="name"
            aria-label=${this.say("me.name")}
            placeholder=${this.say("me.namePlaceholder")}
            maxlength=${NAME_CHARS_MAX}
            autocomplete="off"
            spellcheck="false"
            .value=${this.#typing ?? live(state.name)}
            @input=${(event: Event) => (this.#typing = (event.target as HTMLInputElement).value)}
            @blur=${() => (this.#typing = null)}
            @change=${(event: Event) => controller.rename((event.target as HTMLInputElement).value)}
            @keydown=${this.#nameKey}
          />
          <div class="id">
            <code class="mono" data-testid="peer-id" title=${id}
              ><span class="clip">${id.slice(0, -8)}</span><span class="tail">${id.slice(-8)}</span></code
            >
            <button
              class="bare small square"
              aria-label=${this.say("me.copyId")}
              title=${this.say("me.copyId")}
              @click=${() => void this.#copier.copy("id", id)}
            >
              ${this.#copier.done === "id" ? icons.check : icons.copy}
            </button>
          </div>
        </div>
      </div>
      ${this.#copier.failed === "id" ? html`<p class="error" role="alert">${this.say("copyFailed")}</p>` : nothing}
      <p class="fact">${icons.key}<span>${this.say(state.persisted ? "me.kept" : "me.notKept")}</span></p>
      ${
        state.slot > 1
          ? html`<p class="fact">
              ${icons.browser}<span>${this.say("me.window", { slot: state.slot })}</span>
            </p>`
          : nothing
      }
    `;
  }

  #nameKey(event: KeyboardEvent): void {
    if (event.key === "Enter" && !event.isComposing && event.keyCode !== 229) {
      (event.target as HTMLInputElement).blur();
    }
  }

  #settings(): TemplateResult {
    return html`<div class="settings">
      <select
        data-testid="lang"
        aria-label=${this.say("settings.language")}
        @change=${(event: Event) => {
          const value = (event.target as HTMLSelectElement).value;
          const language = LANGUAGES.find((one) => one === value);
          if (language) app.setLanguage(language);
        }}
      >
        ${LANGUAGES.map(
          (one) =>
            html`<option value=${one} lang=${one} ?selected=${one === app.speech.language}>
              ${LANGUAGE_NAMES[one]}
            </option>`,
        )}
      </select>
      <select
        data-testid="theme"
        aria-label=${this.say("settings.theme")}
        @change=${(event: Event) => {
          const value = (event.target as HTMLSelectElement).value;
          const theme = THEMES.find((one) => one === value);
          if (theme) app.setTheme(theme);
        }}
      >
        ${THEMES.map(
          (one) =>
            html`<option value=${one} ?selected=${one === app.theme}>${this.say(THEME_KEYS[one])}</option>`,
        )}
      </select>
      <button
        class="bare square"
        aria-label=${this.say("help.open")}
        title=${this.say("help.open")}
        @click=${() => this.dispatchEvent(new CustomEvent("open-help", { bubbles: true, composed: true }))}
      >
        ${icons.keyboard}
      </button>
    </div>`;
  }
}

customElements.define("pl-sidebar", Sidebar);

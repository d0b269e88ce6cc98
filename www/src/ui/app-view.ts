// The frame: three columns on a desk, one column with two drawers on a phone; and the page's keys.
// Invariant: what a closed drawer hides cannot be focused; an open drawer keeps the focus.
// Not here: the content of the columns.
import { css, html, nothing, type TemplateResult } from "lit";
import { app } from "../app.ts";
import { controller } from "../controller.ts";
import { prefs } from "../prefs.ts";
import type { Composer } from "./composer.ts";
import type { Help } from "./help.ts";
import type { Log } from "./log.ts";
import type { Sidebar } from "./sidebar.ts";
import { Copier } from "./copy.ts";
import { isMembersRoom } from "../text.ts";
import { icons } from "./icons.ts";
import { shared } from "./styles.ts";
import { View } from "./view.ts";

type Drawer = "rooms" | "panel";

// The same widths as in the styles below and in panel.ts.
const noRooms = matchMedia("(max-width: 760px)");
const noPanel = matchMedia("(max-width: 1080px)");

export class AppView extends View {
  static override properties = { drawer: { state: true } };
  declare drawer: Drawer | null;
  readonly #copier = new Copier(this);
  #opener: HTMLElement | null = null;

  static override styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template: minmax(0, 1fr) / 272px minmax(0, 1fr) 304px;
        block-size: 100dvh;
        overflow: hidden;
      }
      pl-sidebar {
        border-inline-end: 1px solid var(--pl-line);
      }
      pl-panel {
        border-inline-start: 1px solid var(--pl-line);
      }
      main {
        min-inline-size: 0;
        min-block-size: 0;
        background: var(--pl-surface-1);
      }
      .column {
        block-size: 100%;
        display: flex;
        flex-direction: column;
        min-inline-size: 0;
        min-block-size: 0;
      }
      header {
        display: flex;
        align-items: center;
        gap: 4px;
        min-block-size: 64px;
        padding: 6px 14px 6px 20px;
        border-block-end: 1px solid var(--pl-line);
      }
      .title {
        flex: 1;
        min-inline-size: 0;
        padding-inline-end: 8px;
      }
      h2 {
        color: inherit;
        font-size: 1.125rem;
        font-weight: 650;
        letter-spacing: -0.01em;
        line-height: 1.3;
      }
      h2 span {
        color: var(--pl-ink-soft);
        font-weight: 400;
      }
      .title p {
        font-size: 0.8125rem;
        line-height: 1.35;
      }
      pl-log {
        flex: 1;
      }
      .menu,
      .people {
        display: none;
        position: relative;
      }
      .badge {
        position: absolute;
        inset: 6px 5px auto auto;
        inline-size: 9px;
        block-size: 9px;
        border-radius: 50%;
        background: var(--pl-accent);
        box-shadow: 0 0 0 2px var(--pl-surface-1);
      }
      .backdrop {
        display: none;
        position: fixed;
        inset: 0;
        z-index: 1;
        min-block-size: 0;
        padding: 0;
        border: 0;
        border-radius: 0;
        background: var(--pl-backdrop);
      }
      .refused {
        padding: 10px 20px;
        background: var(--pl-bad-soft);
        font-size: 0.875rem;
      }
      @media (max-width: 1080px) {
        :host {
          grid-template-columns: 248px minmax(0, 1fr);
        }
        .people {
          display: inline-flex;
        }
        pl-panel {
          position: fixed;
          inset-block: 0;
          inset-inline-end: 0;
          z-index: 2;
          inline-size: min(320px, 88vw);
          translate: 100%;
          visibility: hidden;
          transition:
            translate var(--pl-slow),
            visibility var(--pl-slow);
        }
        pl-panel.open {
          translate: 0;
          visibility: visible;
          box-shadow: 0 0 32px var(--pl-shadow);
        }
        .backdrop.open {
          display: block;
        }
      }
      @media (max-width: 760px) {
        :host {
          grid-template-columns: minmax(0, 1fr);
        }
        header {
          min-block-size: 56px;
          padding: 4px 8px;
        }
        .menu {
          display: inline-flex;
        }
        .title {
          padding-inline-start: 4px;
        }
        pl-sidebar {
          position: fixed;
          inset-block: 0;
          inset-inline-start: 0;
          z-index: 2;
          inline-size: min(304px, 88vw);
          translate: -100%;
          visibility: hidden;
          transition:
            translate var(--pl-slow),
            visibility var(--pl-slow);
        }
        pl-sidebar.open {
          translate: 0;
          visibility: visible;
          box-shadow: 0 0 32px var(--pl-shadow);
        }
        .refused {
          padding-inline: 14px;
        }
      }
      @media (min-width: 761px) {
        pl-sidebar::part(close) {
          display: none;
        }
      }
    `,
  ];

  constructor() {
    super();
    this.drawer = null;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    addEventListener("keydown", this.#key);
    for (const query of [noRooms, noPanel]) query.addEventListener("change", this.#resized);
  }

  override disconnectedCallback(): void {
    removeEventListener("keydown", this.#key);
    for (const query of [noRooms, noPanel]) query.removeEventListener("change", this.#resized);
    super.disconnectedCallback();
  }

  readonly #resized = (): void => {
    if (!noPanel.matches || (this.drawer === "rooms" && !noRooms.matches)) this.drawer = null;
    this.requestUpdate();
  };

  #part<T extends Element>(name: string): T | null {
    return this.renderRoot.querySelector<T>(name);
  }

  override render(): TemplateResult {
    const { state } = app;
    const room = state.room(state.current);
    const away = this.drawer !== null;
    const elsewhere = state.unread > room.unread;
    const sealed = isMembersRoom(room.name);
    return html`
      <pl-sidebar
        class=${this.drawer === "rooms" ? "open" : ""}
        ?inert=${this.drawer === "panel" || (noRooms.matches && this.drawer !== "rooms")}
        @close-drawer=${this.#close}
        @open-help=${this.#help}
      ></pl-sidebar>
      <main aria-label=${this.say("nav.message")}>
        <h1 class="hidden">${this.say("app.name")}</h1>
        <div class="column" ?inert=${away}>
          <header>
            <button
              class="bare square menu"
              data-testid="open-rooms"
              aria-label=${this.say("nav.rooms")}
              aria-expanded=${String(this.drawer === "rooms")}
              @click=${(event: Event) => this.#open("rooms", event)}
            >
              ${icons.menu}${elsewhere ? html`<span class="badge"></span>` : nothing}
            </button>
            <div class="title">
              <h2 class="clip"><span aria-hidden="true"># </span>${room.name}</h2>
              <p class="soft clip">
                ${sealed ? html`<span data-testid="sealed">${this.say("rooms.sealed")} · </span>` : nothing}
                ${
                  room.members.size > 0
                    ? this.say("rooms.people", { n: room.members.size })
                    : this.say(state.online ? "rooms.nobody" : "rooms.unknown")
                }
              </p>
            </div>
            <button
              class="bare square"
              aria-label=${this.say("empty.copyLink")}
              title=${this.say(this.#copier.done ? "copied" : "empty.copyLink")}
              @click=${() => void this.#copier.copy("link", `${location.origin}/#room=${room.name}`)}
            >
              ${this.#copier.done ? icons.check : icons.link}
            </button>
            ${
              state.rooms.size > 1
                ? html`<button
                    class="bare square"
                    data-testid="leave"
                    aria-label=${this.say("rooms.leave")}
                    title=${this.say("rooms.leave")}
                    @click=${() => controller.leave(room.name)}
                  >
                    ${icons.leave}
                  </button>`
                : nothing
            }
            <button
              class="bare square people"
              data-testid="open-panel"
              aria-label=${this.say("nav.panel")}
              aria-expanded=${String(this.drawer === "panel")}
              @click=${(event: Event) => this.#open("panel", event)}
            >
              ${icons.panel}
            </button>
          </header>
          <pl-status></pl-status>
          ${this.#copier.failed ? html`<p class="refused" role="alert">${this.say("copyFailed")}</p>` : nothing}
          <pl-notices></pl-notices>
          ${
            room.refused
              ? html`<p class="refused" role="alert">
                  ${this.say("rooms.refused")}
                  <span lang="en">${room.refused.text} (${room.refused.code})</span>
                </p>`
              : nothing
          }
          <pl-log></pl-log>
          <pl-composer @written=${() => this.#part<Log>("pl-log")?.toLatest()}></pl-composer>
        </div>
      </main>
      <pl-panel
        role="complementary"
        aria-label=${this.say("nav.panel")}
        class=${this.drawer === "panel" ? "open" : ""}
        ?inert=${this.drawer === "rooms" || (noPanel.matches && this.drawer !== "panel")}
        @close-drawer=${this.#close}
      ></pl-panel>
      <button
        class="backdrop ${away ? "open" : ""}"
        tabindex="-1"
        aria-label=${this.say("nav.close")}
        @click=${this.#close}
      ></button>
      <pl-help></pl-help>
    `;
  }

  #open(drawer: Drawer, event: Event): void {
    this.#opener = event.currentTarget as HTMLElement;
    this.drawer = drawer;
    void this.updateComplete.then(() => this.#enter(drawer));
  }

  /** Moves the focus into a column. */
  #enter(drawer: Drawer): void {
    const view = this.#part<Sidebar>(drawer === "rooms" ? "pl-sidebar" : "pl-panel");
    view?.renderRoot.querySelector<HTMLElement>("button, input, select")?.focus();
  }

  #close(): void {
    if (this.drawer === null) return;
    this.drawer = null;
    void this.updateComplete.then(() => this.#opener?.focus());
  }

  #help(): void {
    this.#close();
    this.#part<Help>("pl-help")?.open();
  }

  readonly #key = (event: KeyboardEvent): void => {
    if (event.isComposing || event.keyCode === 229) return;
    if (event.key === "Escape") return this.#close();
    if (event.key === "F6") return this.#nextPart(event);
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      return this.#toRooms();
    }
    if (!prefs.singleKeys() || event.ctrlKey || event.metaKey || event.altKey || inField(event)) return;
    if (event.key === "/") {
      event.preventDefault();
      this.drawer = null;
      void this.updateComplete.then(() => this.#part<Composer>("pl-composer")?.focus());
    } else if (event.key === "?") {
      event.preventDefault();
      this.#help();
    }
  };

  #toRooms(): void {
    if (noRooms.matches) this.drawer = "rooms";
    void this.updateComplete.then(() => this.#part<Sidebar>("pl-sidebar")?.focusRoom());
  }

  /** Rooms, log, field, people, and round again; closed drawers are left out. */
  #nextPart(event: KeyboardEvent): void {
    event.preventDefault();
    if (this.drawer !== null) return;
    const stops: { at: string; go: () => void }[] = [
      { at: "pl-sidebar", go: () => this.#enter("rooms") },
      {
        at: "pl-log",
        go: () => this.#part<Log>("pl-log")?.renderRoot.querySelector<HTMLElement>(".scroll")?.focus(),
      },
      { at: "pl-composer", go: () => this.#part<Composer>("pl-composer")?.focus() },
      { at: "pl-panel", go: () => this.#part<HTMLElement>("pl-panel")?.focus() },
    ];
    const open = stops.filter((stop) => !this.#part(stop.at)?.hasAttribute("inert"));
    const active = this.shadowRoot?.activeElement?.localName;
    const at = open.findIndex((stop) => stop.at === active);
    open[(at + (event.shiftKey ? open.length - 1 : 1)) % open.length]?.go();
  }
}

/** Whether a key goes into a text field, in whatever shadow root. */
function inField(event: KeyboardEvent): boolean {
  const [target] = event.composedPath();
  return target instanceof HTMLElement && target.matches("input, textarea, select");
}

customElements.define("pl-app", AppView);

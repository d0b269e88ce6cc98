// Right column: who is in the room, and every link and connection.
// Invariant: a path is shown by shape and word, never by colour alone; countdowns are not read aloud.
// Not here: changing any of it.
import type { Link, PeerInfo } from "peerloom";
import { css, html, nothing, type TemplateResult } from "lit";
import { repeat } from "lit/directives/repeat.js";
import { hostPort } from "../addresses.ts";
import { app } from "../app.ts";
import type { Key } from "../i18n.ts";
import { transportsOf, type Reach } from "../state.ts";
import { transportName } from "../status-line.ts";
import { cleanName, shortId } from "../text.ts";
import { avatar, hueClass, who } from "./avatar.ts";
import { icons } from "./icons.ts";
import { shared, threads } from "./styles.ts";
import { View } from "./view.ts";

const REACH: Readonly<Record<Reach, Key>> = {
  direct: "reach.direct",
  relayed: "reach.relayed",
  others: "reach.others",
};
const LINK: Readonly<Record<Link["state"], Key>> = {
  dialing: "link.dialing",
  connected: "link.connected",
  waiting: "link.waiting",
};
const KIND: Readonly<Record<PeerInfo["kind"], Key>> = {
  native: "peer.native",
  browser: "peer.browser",
  other: "peer.other",
};

export class Panel extends View {
  static override styles = [
    shared,
    threads,
    css`
      :host {
        display: block;
        min-block-size: 0;
        overflow: auto;
        padding: 0 12px 20px;
        background: var(--pl-surface-0);
      }
      .head {
        display: none;
        justify-content: end;
        padding-block-start: 12px;
      }
      section {
        padding-block-start: 20px;
      }
      h2 {
        display: flex;
        gap: 8px;
        padding: 0 8px 6px;
      }
      h2 .n {
        font-weight: 400;
        font-variant-numeric: tabular-nums;
      }
      .empty {
        padding: 2px 8px;
        color: var(--pl-ink-soft);
        font-size: 0.875rem;
      }
      .member {
        display: flex;
        align-items: center;
        gap: 10px;
        padding: 5px 8px;
      }
      .member .who {
        flex: 1;
        line-height: 1.3;
      }
      .member .short {
        color: var(--pl-ink-soft);
      }
      .path-direct {
        color: var(--pl-path-direct);
      }
      .path-relayed {
        color: var(--pl-path-relayed);
      }
      .path-others {
        color: var(--pl-ink-soft);
      }
      .card {
        padding: 9px 10px;
        border: 1px solid var(--pl-line);
        border-radius: var(--pl-radius);
        background: var(--pl-surface-1);
        font-size: 0.875rem;
      }
      .card + .card {
        margin-block-start: 6px;
      }
      .row {
        display: flex;
        align-items: center;
        gap: 8px;
      }
      .row > .grow {
        flex: 1;
        min-inline-size: 0;
      }
      .strong {
        font-weight: 600;
      }
      .state {
        display: inline-flex;
        align-items: center;
        gap: 6px;
        font-size: 0.8125rem;
        font-weight: 550;
        white-space: nowrap;
      }
      .dot {
        inline-size: 9px;
        block-size: 9px;
        border: 2px solid currentColor;
        border-radius: 50%;
      }
      .card[data-state="connected"] .state {
        color: var(--pl-ok);
      }
      .card[data-state="connected"] .dot {
        background: currentColor;
      }
      .card[data-state="dialing"] .state {
        color: var(--pl-accent);
      }
      .card[data-state="dialing"] .dot {
        border-inline-start-color: transparent;
        animation: turn 900ms linear infinite;
      }
      .card[data-state="waiting"] .state {
        color: var(--pl-warn);
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
      .detail {
        padding-block-start: 4px;
        color: var(--pl-ink-soft);
        font-size: 0.8125rem;
        line-height: 1.4;
        overflow-wrap: anywhere;
      }
      .agent {
        padding-block-start: 2px;
        font-size: 0.8125rem;
      }
      .kind {
        color: var(--pl-ink-soft);
      }
      .tags {
        display: flex;
        flex-wrap: wrap;
        gap: 4px 10px;
        padding-block-start: 5px;
        color: var(--pl-ink-soft);
        font-size: 0.8125rem;
      }
      .tags span {
        white-space: nowrap;
      }
      .tags .path {
        display: inline-flex;
        align-items: center;
        gap: 5px;
      }
      .tags .icon {
        inline-size: 1rem;
        block-size: 1rem;
      }
      @media (max-width: 1080px) {
        .head {
          display: flex;
        }
        section:first-of-type {
          padding-block-start: 0;
        }
      }
    `,
  ];

  override render(): TemplateResult {
    return html`
      <div class="head">
        <button class="bare square" aria-label=${this.say("nav.close")} @click=${this.#close}>
          ${icons.close}
        </button>
      </div>
      <section aria-labelledby="people">${this.#people()}</section>
      <section aria-labelledby="links">${this.#links()}</section>
      <section aria-labelledby="peers">${this.#peers()}</section>
      <section><pl-rights></pl-rights></section>
    `;
  }

  #close(): void {
    this.dispatchEvent(new CustomEvent("close-drawer", { bubbles: true, composed: true }));
  }

  #people(): TemplateResult {
    const { state } = app;
    const members = [...state.room(state.current).members.values()].sort(
      (a, b) =>
        Number(a.name === null) - Number(b.name === null) ||
        (a.name ?? a.id).localeCompare(b.name ?? b.id, app.speech.language),
    );
    return html`
      <h2 id="people">
        ${this.say("people.title")}
        ${state.id === null ? nothing : html`<span class="n">${members.length + 1}</span>`}
      </h2>
      ${
        state.id === null
          ? nothing
          : html`<div class="member">
              ${avatar(state.id, 32)}
              <span class="who clip"
                ><span class="author ${hueClass(state.id)}">${this.say("people.you")}</span>
                <span class="soft"><bdi>${state.name}</bdi></span></span
              >
            </div>`
      }
      <ul data-testid="members">
        ${repeat(
          members,
          (member) => member.id,
          (member) => {
            const reach = state.reach(member.id);
            const label = this.say(REACH[reach]);
            return html`<li class="member" data-testid="member" data-id=${member.id} data-reach=${reach}>
              ${avatar(member.id, 32)}
              <span class="who clip author ${hueClass(member.id)}">${who(member.id, member.name)}</span>
              <span class="path-${reach}" title=${label}
                >${icons[reach]}<span class="hidden">${label}</span></span
              >
            </li>`;
          },
        )}
      </ul>
      ${
        members.length === 0
          ? html`<p class="empty">${this.say(state.online ? "rooms.nobody" : "rooms.unknown")}</p>`
          : nothing
      }
    `;
  }

  #links(): TemplateResult {
    const links = app.state.status?.links ?? [];
    return html`
      <h2 id="links">${this.say("links.title")}</h2>
      ${links.length === 0 ? html`<p class="empty">${this.say("links.empty")}</p>` : nothing}
      <ul>
        ${repeat(
          links,
          (link) => link.address,
          (link) => this.#link(link),
        )}
      </ul>
    `;
  }

  #link(link: Link): TemplateResult {
    const { speech, state } = app;
    const left = link.retryInMs === null ? null : state.statusAt + link.retryInMs - Date.now();
    return html`<li
      class="card"
      data-testid="link"
      data-transport=${link.transport}
      data-state=${link.state}
      data-address=${link.address}
    >
      <div class="row">
        <span class="grow strong">${transportName(link.transport, speech)}</span>
        <span class="state"><span class="dot"></span>${this.say(LINK[link.state])}</span>
      </div>
      <p class="mono soft clip" title=${link.address}>${hostPort(link.address)}</p>
      ${
        link.state === "waiting" && left !== null
          ? html`<p class="detail">${this.say("status.nextTry", { time: speech.seconds(left) })}</p>`
          : nothing
      }
      ${
        link.state !== "connected" && link.detail !== null
          ? html`<p class="detail" lang="en">${link.detail}</p>`
          : nothing
      }
    </li>`;
  }

  #peers(): TemplateResult {
    const peers = app.state.status?.peers ?? [];
    return html`
      <h2 id="peers">${this.say("peers.title")} <span class="n">${peers.length}</span></h2>
      ${peers.length === 0 ? html`<p class="empty">${this.say("peers.empty")}</p>` : nothing}
      <ul>
        ${repeat(
          peers,
          (peer) => peer.id,
          (peer) => this.#peer(peer),
        )}
      </ul>
    `;
  }

  #peer(peer: PeerInfo): TemplateResult {
    const { speech } = app;
    const transports = transportsOf(peer);
    const kind = this.say(KIND[peer.kind] ?? "peer.other");
    const agent = cleanName(peer.agent);
    return html`<li
      class="card"
      data-testid="peer"
      data-id=${peer.id}
      data-path=${peer.path}
      data-kind=${peer.kind}
      data-transports=${transports.join(" ")}
    >
      <div class="row">
        <span class="kind" title=${kind}
          >${icons[peer.kind] ?? icons.other}<span class="hidden">${kind}</span></span
        >
        <span class="grow mono strong" title=${peer.id}>${shortId(peer.id)}</span>
        ${
          peer.rttMs === null
            ? nothing
            : html`<span class="soft" title=${this.say("peer.rtt", { time: speech.millis(peer.rttMs) })}
                >${speech.millis(peer.rttMs)}</span
              >`
        }
      </div>
      ${agent === null ? nothing : html`<p class="agent soft clip" title=${agent}><bdi>${agent}</bdi></p>`}
      <div class="tags">
        <span class="path path-${peer.path}">
          ${icons[peer.path]}${this.say(peer.path === "direct" ? "path.direct" : "path.relayed")}
        </span>
        ${transports.map((one) => html`<span>${transportName(one, speech)}</span>`)}
      </div>
    </li>`;
  }
}

customElements.define("pl-panel", Panel);

// What this peer may do: what it was granted, what each connected node allows, where to paste an invitation.
// Invariant: whoever is denied something reads why, and whom to ask; remote text is text only.
// Not here: accepting (invitation.ts), deciding (the nodes).
import type { Allows, Grant, PeerInfo } from "peerloom";
import { css, html, nothing, type TemplateResult } from "lit";
import { app } from "../app.ts";
import type { Key } from "../i18n.ts";
import { invitation } from "../invitation.ts";
import { actionKeys } from "../rights.ts";
import { roomOfTopic, shortId } from "../text.ts";
import { icons } from "./icons.ts";
import { shared } from "./styles.ts";
import { View } from "./view.ts";

/** Actions in words, as far as a person meets them. */
const WORDS: readonly (readonly [action: string, word: Key])[] = [
  ["topic.publish", "rights.talk"],
  ["relay.reserve", "rights.relay"],
  ["dht.query", "rights.find"],
  ["invite.mint", "rights.invite"],
];
const ACCESS: Readonly<Record<Allows["access"], Key>> = {
  open: "rights.open",
  friends: "rights.friends",
  closed: "rights.closed",
};

export class Rights extends View {
  static override styles = [
    shared,
    css`
      h2 {
        padding: 0 8px 6px;
      }
      p {
        padding: 2px 8px;
        font-size: 0.875rem;
        line-height: 1.4;
        overflow-wrap: anywhere;
      }
      .card {
        padding: 9px 10px;
        border: 1px solid var(--pl-line);
        border-radius: var(--pl-radius);
        background: var(--pl-surface-1);
        font-size: 0.875rem;
      }
      .card p {
        padding-inline: 0;
      }
      .card + .card {
        margin-block-start: 6px;
      }
      .card.no {
        border-color: var(--pl-warn);
      }
      .forget {
        display: flex;
        align-items: center;
        gap: 8px;
        padding-block: 6px;
      }
      .forget p {
        flex: 1;
      }
      summary {
        min-block-size: 24px;
        padding-block-start: 2px;
        border-radius: 4px;
        color: var(--pl-accent);
        font-size: 0.8125rem;
        cursor: pointer;
      }
      .strong {
        font-weight: 600;
      }
      form {
        display: flex;
        gap: 8px;
        padding: 8px 0 0;
      }
      input {
        flex: 1;
        min-inline-size: 0;
      }
    `,
  ];

  override render(): TemplateResult {
    const peers = (app.state.status?.peers ?? []).filter((peer) => peer.allows !== undefined);
    return html`
      <h2 id="rights">${this.say("rights.title")}</h2>
      ${this.#outcome()} ${invitation.grants.map((grant) => this.#grant(grant))}
      ${invitation.grants.length === 0 ? nothing : this.#forget()} ${peers.map((peer) => this.#peer(peer))}
      ${
        peers.length === 0 && invitation.grants.length === 0
          ? html`<p class="soft">${this.say("rights.empty")}</p>`
          : nothing
      }
      <form @submit=${this.#submit}>
        <input
          name="link"
          type="text"
          autocomplete="off"
          spellcheck="false"
          data-testid="invite-field"
          aria-label=${this.say("rights.field")}
          placeholder=${this.say("rights.placeholder")}
        />
        <button type="submit" data-testid="invite-accept">${this.say("rights.accept")}</button>
      </form>
    `;
  }

  #outcome(): TemplateResult | typeof nothing {
    const { outcome } = invitation;
    if (outcome.kind === "none") return nothing;
    const no = outcome.kind === "refused";
    const key: Key =
      outcome.kind === "waiting" ? "rights.waiting" : no ? "rights.refused" : "rights.accepted";
    return html`<div
      class="card ${no ? "no" : ""}"
      role=${no ? "alert" : "status"}
      data-testid="invite-outcome"
      data-outcome=${outcome.kind}
    >
      <p class="strong">${this.say(key)}</p>
      ${
        outcome.kind === "refused"
          ? html`<p>${this.say(outcome.key)}</p>
              <p class="soft" lang="en">${outcome.reason.text} (${outcome.reason.code})</p>`
          : nothing
      }
      <button class="bare small" @click=${() => invitation.dismiss()}>
        ${icons.close}${this.say("notice.dismiss")}
      </button>
    </div>`;
  }

  #forget(): TemplateResult {
    return html`<div class="forget">
      <p class="soft">${this.say("rights.forgetHint")}</p>
      <button class="small" data-testid="grants-forget" @click=${() => void invitation.forget()}>
        ${this.say("rights.forget")}
      </button>
    </div>`;
  }

  /** All that a peer allows, in words, for whoever wants to know. */
  #actions(allows: Allows): TemplateResult | typeof nothing {
    const words = actionKeys(allows.actions).map((key) => this.say(key));
    if (words.length === 0) return nothing;
    return html`<details data-testid="allows-actions">
      <summary>${this.say("rights.actions", { n: words.length })}</summary>
      <p>${app.speech.list(words)}</p>
    </details>`;
  }

  #grant(grant: Grant): TemplateResult {
    const room = roomOfTopic(grant.about);
    const about =
      room !== null
        ? this.say("rights.aboutRoom", { room })
        : grant.about === ""
          ? this.say("rights.aboutAll")
          : grant.about;
    return html`<div class="card" data-testid="grant" data-about=${grant.about}>
      <p class="strong">${about}</p>
      <p class="soft">
        ${this.say("rights.until", { time: app.speech.moment(grant.expiresMs) })} ·
        ${this.say("rights.from", { peer: shortId(grant.root) })}
      </p>
    </div>`;
  }

  #peer(peer: PeerInfo): TemplateResult | typeof nothing {
    const { allows } = peer;
    if (!allows) return nothing;
    const refuses = peer.standing === "refuses";
    const words = WORDS.filter(([action]) => allows.actions.includes(action)).map(([, word]) =>
      this.say(word),
    );
    return html`<div
      class="card ${refuses ? "no" : ""}"
      data-testid="allows"
      data-id=${peer.id}
      data-access=${allows.access}
      data-refuses=${refuses}
      data-actions=${allows.actions.join(" ")}
    >
      <p><span class="mono strong" title=${peer.id}>${shortId(peer.id)}</span></p>
      <p class="soft">${this.say(ACCESS[allows.access] ?? "rights.closed")}</p>
      ${
        refuses
          ? html`<p role="alert">${this.say("rights.out")}</p>`
          : html`<p>
              ${words.length === 0 ? this.say("rights.nothing") : this.say("rights.may", { list: words.join(", ") })}
            </p>`
      }
      ${this.#actions(allows)}
      ${allows.reason === null ? nothing : html`<p lang="en" data-testid="reason">${allows.reason}</p>`}
      ${refuses || allows.reason !== null ? html`<p class="soft">${this.say("rights.ask")}</p>` : nothing}
      ${
        allows.expiresMs === null
          ? nothing
          : html`<p class="soft">
              ${this.say("rights.until", { time: app.speech.moment(allows.expiresMs) })}
            </p>`
      }
    </div>`;
  }

  #submit(event: SubmitEvent): void {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const field = form.elements.namedItem("link") as HTMLInputElement;
    const text = field.value.trim();
    if (text === "") return;
    field.value = "";
    void invitation.accept(text);
  }
}

customElements.define("pl-rights", Rights);

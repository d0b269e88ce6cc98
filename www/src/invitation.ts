// Invitations: taken out of the address bar, accepted once the peer runs, and what was granted by them.
// Invariant: the secret is out of the address bar before anything else happens, and never stored here.
// Not here: what an invitation is (the peer knows), drawing (ui/rights.ts).
import { PeerloomError, type Grant, type Peer } from "peerloom";
import { app } from "./app.ts";
import type { Key } from "./i18n.ts";
import { inviteTrouble } from "./rights.ts";
import type { Reason } from "./state.ts";
import { inviteOfHash, roomOfTopic } from "./text.ts";

/** What became of the newest invitation. */
export type Outcome =
  | { readonly kind: "none" }
  | { readonly kind: "waiting" }
  | { readonly kind: "accepted"; readonly grant: Grant }
  | { readonly kind: "refused"; readonly key: Key; readonly reason: Reason };

class Invitation {
  outcome: Outcome = { kind: "none" };
  grants: readonly Grant[] = [];
  /** Told of a room that somebody was invited to. */
  onRoom: (name: string) => void = () => undefined;
  #peer: Peer | null = null;
  #text: string | null = null;

  /** Takes an invitation out of the address bar; false when there is none. */
  capture(): boolean {
    const text = inviteOfHash(location.hash);
    if (text === null) return false;
    history.replaceState(null, "", location.pathname + location.search);
    void this.accept(text);
    return true;
  }

  /** A peer runs: what waited is accepted, what was granted before is looked up. */
  async running(peer: Peer): Promise<void> {
    this.#peer = peer;
    if (this.#text !== null) await this.accept(this.#text);
    await this.#look();
  }

  /** Accepts an invitation, now or as soon as a peer runs. */
  async accept(text: string): Promise<void> {
    const peer = this.#peer;
    this.#text = peer ? null : text;
    this.#become({ kind: "waiting" });
    if (!peer) return;
    try {
      const grant = await peer.accept(text);
      this.#become({ kind: "accepted", grant });
      const room = roomOfTopic(grant.about);
      if (room !== null) this.onRoom(room);
    } catch (error) {
      const name = error instanceof PeerloomError ? error.reason : null;
      this.#become({ kind: "refused", key: inviteTrouble(name), reason: reasonOf(error) });
    }
    await this.#look();
  }

  /** Forgets what was granted: nodes see a stranger again. */
  async forget(): Promise<void> {
    try {
      await this.#peer?.forgetGrants();
    } catch {
      return; // The peer is going, and its grants stay.
    }
    this.#become({ kind: "none" });
    await this.#look();
  }

  /** The outcome was read. */
  dismiss(): void {
    this.#become({ kind: "none" });
  }

  #become(outcome: Outcome): void {
    this.outcome = outcome;
    app.changed();
  }

  async #look(): Promise<void> {
    try {
      this.grants = (await this.#peer?.grants()) ?? [];
    } catch {
      return; // The peer is going; the next one is asked again.
    }
    app.changed();
  }
}

function reasonOf(error: unknown): Reason {
  if (error instanceof PeerloomError) return { code: error.code, text: error.message };
  return { code: "WEB-005", text: String(error) };
}

export const invitation = new Invitation();

// Rights in words: which sentence says why an invitation fails, and what each action is called.
// Invariant: whatever a newer peer names has words, or is left out; nothing here throws.
// Not here: accepting (invitation.ts), drawing (ui/rights.ts).
import type { Key } from "./i18n.ts";

/** What to say about an invitation that cannot be used, by the name of the reason. */
export function inviteTrouble(reason: string | null): Key {
  switch (reason) {
    case "not_an_invite":
      return "invite.none";
    case "expired":
      return "invite.expired";
    case "not_yet":
      return "invite.notYet";
    case "unknown_version":
      return "invite.newer";
    case "not_delegable":
    case "unfit_peer":
    case "grant":
      return "invite.worthless";
    case null:
      return "invite.failed";
    default:
      return "invite.damaged";
  }
}

/** Actions in words, in the order in which people care. */
export const ACTIONS: Readonly<Record<string, Key>> = {
  "topic.subscribe": "action.topic.subscribe",
  "topic.publish": "action.topic.publish",
  "topic.history": "action.topic.history",
  "topic.relay": "action.topic.relay",
  "dm.send": "action.dm.send",
  "mailbox.put": "action.mailbox.put",
  "mailbox.take": "action.mailbox.take",
  "content.fetch": "action.content.fetch",
  "content.pin": "action.content.pin",
  "invite.mint": "action.invite.mint",
  "grant.revoke": "action.grant.revoke",
  "connect.in": "action.connect.in",
  "connect.out": "action.connect.out",
  "protocol.open": "action.protocol.open",
  "relay.reserve": "action.relay.reserve",
  "relay.circuit": "action.relay.circuit",
  "hop.forward": "action.hop.forward",
  "dht.query": "action.dht.query",
  "dht.put": "action.dht.put",
  "dht.provide": "action.dht.provide",
  "admin.read": "action.admin.read",
  "admin.write": "action.admin.write",
  "policy.reload": "action.policy.reload",
};

/** The words for some actions, the ones that matter to people first; what is newer than the page is left out. */
export function actionKeys(actions: readonly string[]): Key[] {
  return Object.entries(ACTIONS).flatMap(([name, key]) => (actions.includes(name) ? [key] : []));
}

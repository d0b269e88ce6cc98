// Asks the node that served the page where it can be dialled.
// Invariant: only a well-formed, bounded answer is used.
// Not here: when to ask; see controller.ts.
import { ADDRESS_CHARS_MAX, ADDRESSES_MAX, BOOTSTRAP_MS } from "./limits.ts";
import { roomName } from "./text.ts";

/** What the node says about itself. */
export interface Bootstrap {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly rooms: readonly string[];
}

/** GET /api/v1/bootstrap; rejects when the node does not answer as expected. */
export async function fetchBootstrap(): Promise<Bootstrap> {
  const response = await fetch("/api/v1/bootstrap", {
    cache: "no-store",
    signal: AbortSignal.timeout(BOOTSTRAP_MS),
  });
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return readBootstrap(await response.json());
}

/** Checks an answer. */
export function readBootstrap(answer: unknown): Bootstrap {
  const fields = (typeof answer === "object" && answer !== null ? answer : {}) as Record<string, unknown>;
  if (fields["schema"] !== "peerloom/bootstrap/1" || typeof fields["id"] !== "string") {
    throw new Error("not a peerloom/bootstrap/1 answer");
  }
  const addresses = strings(fields["addresses"]).filter((one) => one.length <= ADDRESS_CHARS_MAX);
  const rooms = strings(fields["rooms"]).filter((one) => roomName(one) === one);
  return { id: fields["id"], addresses, rooms };
}

function strings(value: unknown): string[] {
  const list = Array.isArray(value) ? value.slice(0, ADDRESSES_MAX) : [];
  return list.filter((one): one is string => typeof one === "string");
}

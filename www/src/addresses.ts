// Chooses which of a node's addresses this page dials, and shows addresses in a short form.
// Invariant: a loopback address of the node is dialled only by a page that came from loopback.
// Not here: dialling.

/** The address in the form people know: host and port. */
export function hostPort(address: string): string {
  const [, family, host, , port] = address.split("/");
  if (!family || !host) return address;
  const shown = family === "ip6" ? `[${host}]` : host;
  return port && /^\d+$/.test(port) ? `${shown}:${port}` : shown;
}

/** How the page was reached and what the browser can do. */
export interface Place {
  readonly hostname: string;
  readonly webrtc: boolean;
  /** Use this transport alone, for finding out which one fails. */
  readonly only?: Dialled | null;
}

export type Dialled = "websocket" | "webrtc-direct";

/** Which transport `?transport=` in the page's address asks for. */
export function onlyTransport(search: string): Dialled | null {
  const wanted = new URLSearchParams(search).get("transport");
  return wanted === "websocket" || wanted === "webrtc-direct" ? wanted : null;
}

function transportOf(address: string): Dialled | null {
  if (address.includes("/p2p-circuit")) return null;
  if (address.includes("/webrtc-direct/")) return "webrtc-direct";
  return /\/(ws|wss)(\/|$)/.test(address) ? "websocket" : null;
}

export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, "").toLowerCase();
  return bare === "localhost" || bare.endsWith(".localhost") || bare === "::1" || /^127\./.test(bare);
}

/** The best address of each transport: one connection over each is what the page keeps. */
export function choose(addresses: readonly string[], place: Place): string[] {
  const best = new Map<Dialled, { address: string; rank: number }>();
  for (const address of addresses) {
    const transport = transportOf(address);
    if (transport === null || (transport === "webrtc-direct" && !place.webrtc)) continue;
    if (place.only && transport !== place.only) continue;
    const rank = rankOf(address, place.hostname);
    const known = best.get(transport);
    if (rank > 0 && (!known || rank > known.rank)) best.set(transport, { address, rank });
  }
  return [...best.values()].map((one) => one.address);
}

/** Higher is better; 0 cannot work from here. */
function rankOf(address: string, hostname: string): number {
  const [, family, host = ""] = address.split("/");
  if (host === hostname.replace(/^\[|\]$/g, "")) return 4;
  const home = isLoopback(hostname);
  if (isLoopback(host)) return home ? 3 : 0;
  return family?.startsWith("dns") ? 2 : 1;
}

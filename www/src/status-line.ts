// Chooses the sentence that says how the page is doing.
// Invariant: exactly one sentence for every state; it never counts down, so that it is read aloud once.
// Not here: drawing it.
import type { Link, Transport } from "peerloom";
import type { Key, Speech } from "./i18n.ts";
import type { State } from "./state.ts";

/** Value of `data-health`. */
export type Shown =
  "starting" | "offline" | "connecting" | "degraded" | "connected" | "crashed" | "unsupported";

export interface StatusLine {
  readonly health: Shown;
  readonly text: string;
  /** When the next try comes, Unix ms. */
  readonly retryAt: number | null;
  /** Whether "Try now" makes sense. */
  readonly canRetry: boolean;
}

const TRANSPORTS: Readonly<Record<Transport, Key>> = {
  tcp: "transport.tcp",
  quic: "transport.quic",
  websocket: "transport.websocket",
  "webrtc-direct": "transport.webrtc-direct",
  webrtc: "transport.webrtc",
  circuit: "transport.circuit",
  memory: "transport.other",
  other: "transport.other",
};

/** The name of a transport; unknown ones have a name too. */
export function transportName(transport: Transport, speech: Speech): string {
  return speech.say(TRANSPORTS[transport] ?? "transport.other");
}

function names(links: readonly Link[], speech: Speech): string {
  return speech.list([...new Set(links.map((link) => transportName(link.transport, speech)))]);
}

/** The sentence for the whole page. */
export function statusLine(state: State, speech: Speech): StatusLine {
  const line = (health: Shown, text: string, retryAt: number | null = null): StatusLine => ({
    health,
    text,
    retryAt,
    canRetry: retryAt !== null,
  });
  if (state.phase === "crashed") return line("crashed", speech.say("status.crashed"));
  if (state.phase === "unsupported") return line("unsupported", speech.say("status.unsupported"));
  if (state.phase === "restarting") return line("connecting", speech.say("status.restarting"));
  const { status } = state;
  if (!status) {
    if (state.node.kind === "unreachable") {
      return line("offline", speech.say("status.unreachable"), state.node.retryAt);
    }
    if (state.trouble) return line("offline", speech.say("status.noStart"), null);
    return line("starting", speech.say("status.starting"));
  }
  // Connected by wire only: nobody there deals with us.
  if (status.peers.length > 0 && status.peers.every((peer) => peer.standing === "refuses")) {
    return line("degraded", speech.say("status.refused"));
  }
  const down = status.links.filter((link) => link.state !== "connected");
  switch (status.health) {
    case "connected":
      return line("connected", speech.say("status.connected", { n: status.peers.length }));
    case "degraded": {
      const text =
        down.length > 0
          ? speech.say("status.degradedLink", { transports: names(down, speech) })
          : speech.say("status.degradedRelayed");
      return line("degraded", text, state.nextTryAt());
    }
    case "connecting": {
      const dialing = status.links.filter((link) => link.state === "dialing");
      const text =
        dialing.length > 0
          ? speech.say("status.connectingOver", { transports: names(dialing, speech) })
          : speech.say("status.connecting");
      return line("connecting", text);
    }
    case "offline":
      return line("offline", speech.say("status.offline"), state.nextTryAt());
  }
}

// Development only: plays `peerloom` with scenes chosen by ?scene=NAME in the address.
// Invariant: same exports as the package, as far as the page uses them.
// Not here: any network.
import type {
  Allows,
  Grant,
  Link,
  Message,
  PeerEvent,
  PeerInfo,
  PeerOptions,
  Progress,
  Status,
} from "../../../wasm-peer/npm/src/index.js";

export { PeerloomError } from "../../../wasm-peer/npm/src/errors.js";
import { PeerloomError } from "../../../wasm-peer/npm/src/errors.js";

const query = new URLSearchParams(location.search);
const scene = query.get("scene") ?? "chat";
const NODE = "12D3KooWQYhTNQdmr3ArTeUHRYzFg94BKyTkoWBDWez9kSCVe2Xo";
const ME = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8";
const ANNA = "12D3KooWGatU5DVkTPvXBqyTqZBWLmcBJ2bYh5Uyq8vXcwRbLwCd";
const KAI = "12D3KooWLbBZQdvSe8iuAYKhrTqUzGf7bQv1pVnTt3cFzCgsyrj2";
const LIN = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X";
const UC = "12D3KooWSHj3RRbBjD15g6wekV8y3mm57Pobmps2g2WJm6F67Lay";
const WS = `/ip4/127.0.0.1/tcp/7073/ws/p2p/${NODE}`;
const RTC = `/ip4/127.0.0.1/udp/7071/webrtc-direct/certhash/uEiD/p2p/${NODE}`;
if (scene === "nowebrtc") Reflect.deleteProperty(globalThis, "RTCPeerConnection");

const link = (address: string, state: Link["state"], detail: string | null = null): Link => ({
  address,
  transport: address === WS ? "websocket" : "webrtc-direct",
  peer: NODE,
  state,
  detail,
  retryInMs: state === "waiting" ? 4_600 : null,
});

const connection = (address: string, transport: Link["transport"], path: PeerInfo["path"]) =>
  ({ address, transport, path, direction: "outbound", openedMs: Date.now() }) as const;

const node: PeerInfo = {
  id: NODE,
  agent: "peerloom/0.1.0 (native)",
  kind: "native",
  rttMs: 3.4,
  path: "direct",
  connections: [connection(WS, "websocket", "direct"), connection(RTC, "webrtc-direct", "direct")],
};
const anna: PeerInfo = {
  id: ANNA,
  agent: "peerloom/0.1.0 (browser)",
  kind: "browser",
  rttMs: 41,
  path: "relayed",
  connections: [connection(`${WS}/p2p-circuit/p2p/${ANNA}`, "circuit", "relayed")],
};
const js: PeerInfo = {
  id: UC,
  agent: "js-libp2p/3.3.0 browser/Firefox",
  kind: "other",
  rttMs: null,
  path: "relayed",
  connections: [connection(`${WS}/p2p-circuit/p2p/${UC}`, "circuit", "relayed")],
};

const STRANGERS_MAY = ["connect.in", "protocol.open", "topic.subscribe", "dht.query"];
const MEMBERS_MAY = [
  ...STRANGERS_MAY,
  "topic.publish",
  "topic.history",
  "dm.send",
  "invite.mint",
  "relay.reserve",
];
const allows = (fields: Partial<Allows>): Allows => ({
  access: "friends",
  actions: STRANGERS_MAY,
  expiresMs: null,
  reason: null,
  epoch: 3,
  ...fields,
});
const until = Date.now() + 3 * 86_400_000;
const grant: Grant = { root: NODE, actions: MEMBERS_MAY, about: "", expiresMs: until };
const RIGHTS: Readonly<Record<string, PeerInfo[]>> = {
  member: [{ ...node, allows: allows({ actions: MEMBERS_MAY, expiresMs: until }) }],
  guest: [{ ...node, allows: allows({ access: "open", actions: MEMBERS_MAY }) }],
  refused: [
    {
      ...node,
      standing: "refuses",
      allows: allows({
        access: "closed",
        actions: [],
        reason: "link 1: this invite was for 1 and is used up; ask for a new one",
      }),
    },
  ],
};

const MEMBERS = [
  { id: NODE, name: null, lastSeenMs: 0 },
  { id: ANNA, name: "Anna", lastSeenMs: 0 },
  { id: KAI, name: "Kai \u202Etest\u200B", lastSeenMs: 0 },
  { id: LIN, name: "林小雨", lastSeenMs: 0 },
];

function picture(): Status {
  const base: Status = {
    schema: "peerloom/status/1",
    id: ME,
    agent: "peerloom/0.1.0 (browser)",
    health: "connected",
    reason: "",
    links: [link(WS, "connected"), link(RTC, "connected")],
    peers: [node],
    rooms: [],
    addresses: [],
    listen: [],
    uptimeMs: 5,
  };
  const lobby = { name: "lobby", topic: "peerloom/open/lobby", members: MEMBERS };
  const rights = RIGHTS[scene];
  if (rights) return { ...base, peers: rights, rooms: [lobby] };
  switch (scene) {
    case "alone":
      return base;
    case "quiet":
      return { ...base, rooms: [lobby] };
    case "connecting":
      return { ...base, health: "connecting", peers: [], links: [link(WS, "dialing"), link(RTC, "dialing")] };
    case "offline":
      return {
        ...base,
        health: "offline",
        peers: [],
        links: [
          link(WS, "waiting", "The connection was refused"),
          link(RTC, "waiting", "No answer within 10 s"),
        ],
      };
    case "degraded":
      return {
        ...base,
        health: "degraded",
        peers: [{ ...node, connections: node.connections.slice(0, 1) }, anna],
        rooms: [lobby],
        links: [link(WS, "connected"), link(RTC, "waiting", "No answer within 10 s; UDP may be blocked")],
      };
    default:
      return { ...base, peers: [node, anna, js], rooms: [lobby] };
  }
}

const HOUR = 3_600_000;
let made = 0;
function said(author: string, text: string, agoMs: number): PeerEvent {
  made += 1;
  const at = Date.now() - agoMs;
  const message: Message = {
    room: "lobby",
    id: `m${made}`,
    author,
    text,
    sentMs: at,
    receivedMs: at,
    own: author === ME,
  };
  return { type: "message", message };
}

function talk(): PeerEvent[] {
  if (scene === "flood") {
    return Array.from({ length: 10_000 }, (_, i) => said([ANNA, KAI, LIN][i % 3] ?? ANNA, `Message ${i}`, 0));
  }
  if (!["chat", "degraded", "offline", "crash", "notes"].includes(scene)) return [];
  return [
    said(ANNA, "The relay in the office is up again. Same address as before.", 20 * HOUR),
    said(ME, "Thanks! Does WebRTC direct work for you too?", 20 * HOUR - 60_000),
    said(ANNA, "Yes, 3 ms here.", 20 * HOUR - 90_000),
    said(
      ANNA,
      "Details: https://docs.libp2p.io/concepts/transports/webrtc/ (see the part on certificate hashes).",
      20 * HOUR - 95_000,
    ),
    said(
      KAI,
      "I joined from the terminal:\n\n  peerloom chat lobby --name Kai\n\nworks without the browser.",
      9 * 60_000,
    ),
    said(LIN, "大家好！我在瀏覽器裡，用注音輸入也沒問題。", 7 * 60_000),
    said(ME, "Welcome, 小雨. Three of us over one node.", 6 * 60_000),
    said(ME, "The room is in the link, so nobody has to type it.", 5.9 * 60_000),
    said(
      NODE,
      "שלום from a peer without a name, and a long word: Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft",
      2 * 60_000,
    ),
  ];
}

class Target {
  readonly #listeners = new Map<string, ((detail: never) => void)[]>();
  on(type: string, listener: (detail: never) => void): void {
    this.#listeners.set(type, [...(this.#listeners.get(type) ?? []), listener]);
  }
  emit(type: string, detail: unknown): void {
    for (const listener of this.#listeners.get(type) ?? []) listener(detail as never);
  }
}

class ScriptedPeer extends Target {
  readonly id = ME;
  readonly persisted = scene !== "notes";
  status = picture();

  #grants: Grant[] = ["member", "refused"].includes(scene) ? [grant] : [];

  async accept(text: string): Promise<Grant> {
    if (text.includes("#j=")) return grant;
    throw new PeerloomError({
      code: text.includes("old") ? "INV-002" : "INV-001",
      message: "this is no invitation: it has no part that begins with #j=",
      hint: "Copy all of it.",
      retryable: false,
      reason: text.includes("old") ? "expired" : "not_an_invite",
    });
  }

  async grants(): Promise<Grant[]> {
    return this.#grants;
  }

  async forgetGrants(): Promise<void> {
    this.#grants = [];
  }

  async join(room: string): Promise<unknown> {
    if (room === "locked") {
      const fields = {
        code: "ROOM-003",
        message: "The room is full.",
        hint: "Leave another room first.",
        retryable: false,
      };
      throw new PeerloomError(fields);
    }
    if (room === "lobby") {
      setTimeout(() => {
        for (const event of talk()) this.emit(event.type, event);
        if (scene === "crash") {
          this.emit(
            "crash",
            new PeerloomError({
              code: "WEB-004",
              message: "The peer crashed: unreachable.",
              hint: "Reload the page.",
              retryable: false,
            }),
          );
        }
      });
    }
    return {
      send: async (text: string) => {
        await new Promise((resolve) => setTimeout(resolve, 80));
        if (text.startsWith("fail")) {
          throw new PeerloomError({
            code: "NET-205",
            message: "The message is refused by every peer.",
            hint: "Wait a minute and try again.",
            retryable: false,
          });
        }
        const event = said(ME, text, 0);
        this.emit("message", event);
        return event.type === "message" ? event.message : null;
      },
      leave: async () => undefined,
    };
  }
  setName(): void {}
  async dial(): Promise<string> {
    return NODE;
  }
  async stop(): Promise<void> {}
}

export async function preload(_: unknown, onProgress: (progress: Progress) => void): Promise<void> {
  if (scene !== "starting") return;
  onProgress({ loaded: 612_000, total: null });
  await new Promise(() => undefined);
}

export async function createPeer(_: PeerOptions): Promise<unknown> {
  const peer = new ScriptedPeer();
  Object.assign(globalThis, { scripted: peer });
  return peer;
}

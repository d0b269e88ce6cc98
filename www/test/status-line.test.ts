import assert from "node:assert/strict";
import { test } from "node:test";
import type { Link, Status } from "peerloom";
import { Speech } from "../src/i18n.ts";
import { State } from "../src/state.ts";
import { statusLine } from "../src/status-line.ts";

const speech = new Speech("en");
const NOW = 1_000;

const link = (transport: Link["transport"], state: Link["state"]): Link => ({
  address: "/ip4/127.0.0.1/tcp/1/ws",
  transport,
  peer: null,
  state,
  detail: null,
  retryInMs: state === "waiting" ? 3_000 : null,
});

function at(health: Status["health"], links: Link[], peers = 0): State {
  const state = new State();
  state.phase = "running";
  const peer = {
    id: "p",
    agent: null,
    kind: "native",
    rttMs: null,
    path: "direct",
    connections: [],
  } as const;
  const status: Status = {
    schema: "peerloom/status/1",
    id: "me",
    agent: "",
    health,
    reason: "",
    links,
    peers: Array.from({ length: peers }, () => peer),
    rooms: [],
    addresses: [],
    listen: [],
    uptimeMs: 0,
  };
  state.apply({ type: "status", status }, NOW);
  return state;
}

test("before the peer runs", () => {
  const state = new State();
  assert.equal(statusLine(state, speech).health, "starting");
  state.node = { kind: "unreachable", retryAt: 5 };
  assert.deepEqual(statusLine(state, speech), {
    health: "offline",
    text: "The node that serves this page does not answer.",
    retryAt: 5,
    canRetry: true,
  });
  state.node = { kind: "known" };
  state.trouble = { code: "WEB-001", text: "x" };
  assert.match(statusLine(state, speech).text, /did not start/);
  state.phase = "crashed";
  assert.equal(statusLine(state, speech).health, "crashed");
});

test("each health has its sentence", () => {
  const up = [link("websocket", "connected"), link("webrtc-direct", "connected")];
  assert.equal(statusLine(at("connected", up, 2), speech).text, "Connected to 2 peers");
  const half = [link("websocket", "connected"), link("webrtc-direct", "waiting")];
  const degraded = statusLine(at("degraded", half, 1), speech);
  assert.equal(degraded.text, "Connected, but WebRTC direct is down");
  assert.equal(degraded.retryAt, NOW + 3_000);
  assert.equal(statusLine(at("degraded", up, 1), speech).text, "Connected, but only through relays");
  const dialing = [link("websocket", "dialing"), link("webrtc-direct", "dialing")];
  assert.equal(
    statusLine(at("connecting", dialing), speech).text,
    "Connecting over WebSocket and WebRTC direct",
  );
  const down = [link("websocket", "waiting")];
  const offline = statusLine(at("offline", down), speech);
  assert.equal(offline.health, "offline");
  assert.equal(offline.canRetry, true);
});

test("connected to nobody who lets us in", () => {
  const state = at("connected", [link("websocket", "connected")], 1);
  assert.equal(statusLine(state, speech).health, "connected");
  const { status } = state;
  assert.ok(status);
  const peers = status.peers.map((peer) => ({ ...peer, standing: "refuses" as const }));
  state.apply({ type: "status", status: { ...status, peers } }, NOW);
  const line = statusLine(state, speech);
  assert.deepEqual([line.health, line.text], ["degraded", speech.say("status.refused")]);
});

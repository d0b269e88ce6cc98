import assert from "node:assert/strict";
import { test } from "node:test";
import { choose, hostPort, onlyTransport } from "../src/addresses.ts";
import { readBootstrap } from "../src/bootstrap.ts";
import { detect } from "../src/features.ts";
import { HUES, identicon } from "../src/identicon.ts";

const ID = "/p2p/12D3KooWNode";
const LOOP_WS = `/ip4/127.0.0.1/tcp/7073/ws${ID}`;
const LOOP_RTC = `/ip4/127.0.0.1/udp/7071/webrtc-direct/certhash/uEi${ID}`;
const LOOP6_WS = `/ip6/::1/tcp/7073/ws${ID}`;
const LAN_WS = `/ip4/192.168.1.5/tcp/7073/ws${ID}`;
const LAN_RTC = `/ip4/192.168.1.5/udp/7071/webrtc-direct/certhash/uEi${ID}`;
const DNS_WSS = `/dns4/node.example/tcp/443/tls/ws${ID}`;
const ALL = [LOOP_WS, LOOP_RTC, LOOP6_WS, LAN_WS, LAN_RTC, DNS_WSS];

test("a page from loopback dials loopback, one address for each transport", () => {
  assert.deepEqual(choose(ALL, { hostname: "127.0.0.1", webrtc: true }), [LOOP_WS, LOOP_RTC]);
  assert.deepEqual(choose(ALL, { hostname: "localhost", webrtc: true }), [LOOP_WS, LOOP_RTC]);
  assert.deepEqual(choose(ALL, { hostname: "[::1]", webrtc: true }), [LOOP6_WS, LOOP_RTC]);
});

test("a page from elsewhere never dials its own loopback", () => {
  assert.deepEqual(choose(ALL, { hostname: "192.168.1.5", webrtc: true }), [LAN_WS, LAN_RTC]);
  assert.deepEqual(choose(ALL, { hostname: "node.example", webrtc: true }), [DNS_WSS, LAN_RTC]);
  assert.deepEqual(choose([LOOP_WS, LOOP_RTC], { hostname: "192.168.1.5", webrtc: true }), []);
});

test("without WebRTC only WebSocket is left, and what a browser cannot dial is left out", () => {
  assert.deepEqual(choose(ALL, { hostname: "localhost", webrtc: false }), [LOOP_WS]);
  const others = [
    `/ip4/127.0.0.1/tcp/7072${ID}`,
    `/ip4/127.0.0.1/udp/7072/quic-v1${ID}`,
    `${LOOP_WS}/p2p-circuit/p2p/x`,
  ];
  assert.deepEqual(choose([...others, "nonsense", ""], { hostname: "localhost", webrtc: true }), []);
});

test("addresses are shown short", () => {
  assert.equal(hostPort(LOOP_WS), "127.0.0.1:7073");
  assert.equal(hostPort(LOOP6_WS), "[::1]:7073");
  assert.equal(hostPort(DNS_WSS), "node.example:443");
  assert.equal(hostPort("nonsense"), "nonsense");
});

test("only a well-formed bootstrap answer is used", () => {
  const good = { schema: "peerloom/bootstrap/1", id: "x", addresses: [LOOP_WS], rooms: ["lobby"] };
  assert.deepEqual(readBootstrap(good), { id: "x", addresses: [LOOP_WS], rooms: ["lobby"] });
  const odd = { ...good, addresses: [1, LOOP_WS, "y".repeat(1000)], rooms: ["<b>", "UPPER", null, "dev"] };
  assert.deepEqual(readBootstrap(odd), { id: "x", addresses: [LOOP_WS], rooms: ["dev"] });
  for (const bad of [null, 1, "x", [], {}, { ...good, schema: "other" }, { ...good, id: 1 }]) {
    assert.throws(() => readBootstrap(bad));
  }
  assert.equal(readBootstrap({ ...good, addresses: Array(500).fill(LOOP_WS) }).addresses.length, 32);
});

test("missing features are noticed one by one", () => {
  const all = { WebAssembly: {}, RTCPeerConnection: () => undefined, indexedDB: {}, isSecureContext: true };
  assert.deepEqual(detect(all), { wasm: true, webrtc: true, database: true, secure: true });
  assert.equal(detect({ ...all, WebAssembly: undefined }).wasm, false);
  assert.equal(detect({ ...all, RTCPeerConnection: undefined }).webrtc, false);
  assert.equal(detect({ ...all, indexedDB: null }).database, false);
  assert.equal(detect({ ...all, isSecureContext: false }).secure, false);
});

test("pictures are stable, mirrored and differ", () => {
  const ids = Array.from({ length: 200 }, (_, i) => `12D3KooW${i}`);
  const pictures = ids.map((id) => JSON.stringify(identicon(id)));
  assert.equal(pictures[7], JSON.stringify(identicon("12D3KooW7")));
  assert.ok(new Set(pictures).size > 195);
  for (const id of ids) {
    const { hue, cells } = identicon(id);
    assert.ok(hue >= 0 && hue < HUES);
    for (const row of cells) assert.deepEqual([...row].reverse(), row);
  }
});

test("the page's address can ask for one transport", () => {
  const only = onlyTransport("?transport=websocket");
  assert.equal(only, "websocket");
  assert.deepEqual(choose(ALL, { hostname: "localhost", webrtc: true, only }), [LOOP_WS]);
  assert.equal(onlyTransport("?transport=carrier-pigeon"), null);
  assert.equal(onlyTransport(""), null);
});

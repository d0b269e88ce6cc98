import assert from "node:assert/strict";
import { test } from "node:test";
import { PeerloomError } from "../src/errors.js";
import { Peer } from "../src/peer.js";
import { EVENTS_MAX } from "../src/queue.js";
import { ROOM_MESSAGES_MAX } from "../src/room.js";
import type { PeerEvent } from "../src/types.js";
import { calls, message, Peer as RawPeer, script, status } from "./raw.js";

function make(early: PeerEvent[] = []): { peer: Peer; say: (...events: PeerEvent[]) => void } {
  let peer: Peer | null = null;
  const raw = new RawPeer((events) => peer?.take(events));
  peer = new Peer(raw as never, early);
  const made = peer;
  return { peer: made, say: (...events) => made.take(events) };
}

const code = (want: string) => (error: unknown) => error instanceof PeerloomError && error.code === want;

test("events reach typed listeners, and a listener can be ended three ways", () => {
  const { peer, say } = make();
  const seen: string[] = [];
  const off = peer.on("message", (event) => seen.push(`on ${event.message.id}`));
  const listener = (event: CustomEvent<{ message: { id: string } }>): number =>
    seen.push(`dom ${event.detail.message.id}`);
  peer.addEventListener("message", listener);
  const stop = new AbortController();
  peer.on("message", () => seen.push("signal"), { signal: stop.signal });
  say({ type: "message", message: message("1") });
  off();
  peer.removeEventListener("message", listener);
  stop.abort();
  say({ type: "message", message: message("2") });
  assert.deepEqual(seen, ["on 1", "dom 1", "signal"]);
});

test("status events replace the picture, early ones included", () => {
  const { peer, say } = make([{ type: "status", status: status({ health: "offline" }) }]);
  assert.equal(peer.status.health, "offline");
  const bob = {
    id: "12D3KooWBob",
    agent: null,
    kind: "native",
    rttMs: 3,
    path: "direct",
    connections: [],
  } as const;
  say({ type: "status", status: status({ health: "connected", peers: [bob] }) });
  assert.equal(peer.peers.get("12D3KooWBob")?.rttMs, 3);
});

test("a room keeps each message once, in order, and bounded", async () => {
  const { peer, say } = make();
  const room = await peer.join("lobby");
  assert.equal(await peer.join("lobby"), room);
  const sent = await room.send("hi");
  assert.equal(sent.own, true);
  say({ type: "message", message: message("a") }, { type: "message", message: message("a") });
  say({ type: "message", message: message("x", { room: "elsewhere" }) });
  assert.deepEqual(
    room.messages.map((one) => one.id),
    ["own-1", "a"],
  );
  for (let i = 0; i < ROOM_MESSAGES_MAX + 5; i += 1) say({ type: "message", message: message(`m${i}`) });
  assert.equal(room.messages.length, ROOM_MESSAGES_MAX);
  assert.equal(room.messages[0]?.id, "m5");
});

test("members come and go by events and by status", async () => {
  const { peer, say } = make();
  const room = await peer.join("lobby");
  say({ type: "member", room: "lobby", id: "b", name: "Bob", present: true });
  assert.equal(room.members.get("b")?.name, "Bob");
  say({ type: "member", room: "lobby", id: "b", name: null, present: false });
  assert.equal(room.members.size, 0);
  const members = [{ id: "c", name: null, lastSeenMs: 1 }];
  say({ type: "status", status: status({ rooms: [{ name: "lobby", topic: "t", members }] }) });
  assert.deepEqual([...room.members.keys()], ["c"]);
});

test("a refused join forgets the room, an aborted one leaves it", async () => {
  const { peer } = make();
  script.join = () => Promise.reject(Object.assign(new Error("no"), { code: "ROOM-001" }));
  await assert.rejects(peer.join("NO"), code("ROOM-001"));
  const stop = new AbortController();
  script.join = () => new Promise(() => undefined);
  const joining = peer.join("slow", { signal: stop.signal });
  stop.abort(new Error("enough"));
  await assert.rejects(joining, /enough/);
  assert.equal(calls.at(-1), "leave slow");
  script.join = () => Promise.resolve();
});

test("errors carry code, hint, docs and retryable", async () => {
  const { peer } = make();
  await assert.rejects(peer.dial("bad"), (error: unknown) => {
    assert.ok(error instanceof PeerloomError);
    assert.equal(error.code, "NET-101");
    assert.equal(error.hint, "Write /ip4/...");
    assert.equal(error.docs, "docs/errors.md#net-101");
    assert.equal(error.retryable, false);
    return true;
  });
});

test("a trap is a crash: open calls reject, later ones too, readers learn of it", async () => {
  const { peer } = make();
  const crashes: PeerloomError[] = [];
  peer.on("crash", (error) => crashes.push(error));
  const hanging = peer.ping("nobody");
  const reader = peer.events();
  const next = reader.next();
  await assert.rejects(peer.dial("trap"), code("WEB-004"));
  await assert.rejects(hanging, code("WEB-004"));
  await assert.rejects(next, code("WEB-004"));
  await assert.rejects(peer.join("lobby"), code("WEB-004"));
  assert.throws(() => peer.setName("x"), code("WEB-004"));
  assert.equal(crashes.length, 1);
  await peer.stop();
});

test("a panic in a task of the module is a crash too, with its text", async () => {
  // Node has no event target as its global object; a page has.
  const target = new EventTarget();
  const add = target.addEventListener.bind(target);
  const remove = target.removeEventListener.bind(target);
  Object.assign(globalThis, { addEventListener: add, removeEventListener: remove });
  const { peer } = make();
  const hanging = peer.ping("nobody");
  target.dispatchEvent(new CustomEvent("peerloom-panic", { detail: "panicked at lib.rs:1" }));
  await assert.rejects(hanging, /panicked at lib\.rs:1/);
  await assert.rejects(peer.ping("b"), code("WEB-004"));
  Reflect.deleteProperty(globalThis, "addEventListener");
  Reflect.deleteProperty(globalThis, "removeEventListener");
});

test("the iterator delivers in order, merges pictures, reports losses and ends", async () => {
  const { peer, say } = make();
  const stop = new AbortController();
  const reader = peer.events({ signal: stop.signal });
  say(
    { type: "status", status: status({ uptimeMs: 1 }) },
    { type: "status", status: status({ uptimeMs: 2 }) },
  );
  const first = await reader.next();
  assert.ok(first.value?.type === "status" && first.value.status.uptimeMs === 2);
  for (let i = 0; i < EVENTS_MAX + 3; i += 1) say({ type: "message", message: message(`m${i}`) });
  assert.deepEqual((await reader.next()).value, { type: "gap", lost: 3 });
  let count = 0;
  stop.abort();
  for await (const event of reader) count += event.type === "message" ? 1 : 0;
  assert.equal(count, EVENTS_MAX);
});

test("stop ends readers and calls, and can be repeated", async () => {
  const { peer } = make();
  const reader = peer.events();
  const next = reader.next();
  await peer.stop();
  await peer.stop();
  assert.equal((await next).done, true);
  await assert.rejects(peer.ping("b"), code("WEB-003"));
});

test("invitations become grants, and their failures say which reason it was", async () => {
  const { peer } = make();
  const grant = await peer.accept("http://mesh.example/#j=AQ");
  assert.deepEqual(await peer.grants(), [grant]);
  await assert.rejects(peer.accept("hello"), (error: unknown) => {
    return error instanceof PeerloomError && error.code === "INV-001" && error.reason === "not_an_invite";
  });
  await assert.rejects(peer.dial("bad"), (error: unknown) => {
    return error instanceof PeerloomError && error.reason === null;
  });
  await peer.forgetGrants();
  assert.deepEqual(await peer.grants(), []);
  await peer.stop();
  await assert.rejects(peer.accept("#j=AQ"), code("WEB-003"));
});

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Link, Message, PeerInfo, Status } from "peerloom";
import { LOG_MAX, MEMBERS_MAX, NAMES_MAX, QUEUE_MAX } from "../src/limits.ts";
import { State, transportsOf } from "../src/state.ts";

const ME = "12D3KooWMe";
const NOW = 1_000_000_000;

function status(fields: Partial<Status> = {}): Status {
  return {
    schema: "peerloom/status/1",
    id: ME,
    agent: "peerloom/0.1.0 (browser)",
    health: "connected",
    reason: "",
    links: [],
    peers: [],
    rooms: [],
    addresses: [],
    listen: [],
    uptimeMs: 0,
    ...fields,
  };
}

const message = (id: string, fields: Partial<Message> = {}): Message => ({
  room: "lobby",
  id,
  author: "bob",
  text: `text ${id}`,
  sentMs: NOW,
  receivedMs: NOW,
  own: false,
  ...fields,
});

function running(): State {
  const state = new State();
  state.room("lobby");
  state.phase = "running";
  state.apply({ type: "status", status: status() }, NOW);
  return state;
}

const say = (state: State, ...messages: Message[]): void =>
  messages.forEach((one) => state.apply({ type: "message", message: one }, NOW));

test("a message is listed once and only in a joined room", () => {
  const state = running();
  say(state, message("1"), message("2"), message("1"), message("3", { room: "elsewhere" }));
  const { entries } = state.room("lobby");
  assert.deepEqual(
    entries.map((entry) => entry.id),
    ["1", "2"],
  );
  assert.equal(entries[0]?.state, "received");
  assert.equal(state.rooms.has("elsewhere"), false);
});

test("the log is bounded, and a dropped id is forgotten", () => {
  const state = running();
  for (let i = 0; i < LOG_MAX + 10; i += 1) say(state, message(`m${i}`));
  const room = state.room("lobby");
  assert.equal(room.entries.length, LOG_MAX);
  assert.equal(room.ids.size, LOG_MAX);
  assert.equal(room.dropped, 10);
  assert.equal(room.entries[0]?.id, "m10");
});

test("an own message goes from queued over sending to sent, listed once", () => {
  const state = running();
  const entry = state.write("lobby", "hi", NOW);
  assert.ok(entry);
  const at = (): string | undefined => state.room("lobby").entries[0]?.state;
  assert.equal(at(), "queued");
  state.sending(entry.key);
  assert.equal(at(), "sending");
  const echo = message("x", { author: ME, text: "hi", own: true });
  say(state, echo);
  assert.equal(at(), "sent");
  state.sent(entry.key, echo);
  say(state, echo);
  assert.equal(state.room("lobby").entries.length, 1);
  assert.equal(state.room("lobby").entries[0]?.key, entry.key, "its element stays");
  assert.equal(state.outbox.length, 0);
});

test("the answer may come before the echo", () => {
  const state = running();
  const entry = state.write("lobby", "hi", NOW);
  assert.ok(entry);
  state.sending(entry.key);
  const echo = message("x", { author: ME, text: "hi", own: true });
  state.sent(entry.key, echo);
  say(state, echo);
  assert.equal(state.room("lobby").entries.length, 1);
});

test("two equal texts in a row stay two messages", () => {
  const state = running();
  for (const id of ["x", "y"]) {
    const entry = state.write("lobby", "same", NOW);
    assert.ok(entry);
    state.sending(entry.key);
    const echo = message(id, { author: ME, text: "same", own: true });
    say(state, echo);
    state.sent(entry.key, echo);
  }
  assert.deepEqual(
    state.room("lobby").entries.map((entry) => entry.id),
    ["x", "y"],
  );
});

test("a failed message keeps its reason, can be retried and discarded", () => {
  const state = running();
  const entry = state.write("lobby", "hi", NOW);
  assert.ok(entry);
  state.sending(entry.key);
  state.failed(entry.key, { code: "NET-1", text: "no" });
  assert.equal(state.room("lobby").entries[0]?.reason?.code, "NET-1");
  assert.equal(state.outbox.length, 0);
  state.retry(entry.key);
  assert.equal(state.outbox[0]?.state, "queued");
  assert.equal(state.room("lobby").entries[0]?.reason, null);
  state.retry(entry.key);
  assert.equal(state.outbox.length, 1, "a queued message is not queued twice");
  state.discard(entry.key);
  assert.equal(state.room("lobby").entries.length + state.outbox.length, 0);
});

test("the outbox is bounded", () => {
  const state = running();
  for (let i = 0; i < QUEUE_MAX; i += 1) assert.ok(state.write("lobby", `${i}`, NOW));
  assert.equal(state.write("lobby", "one too many", NOW), null);
});

test("unread messages are counted, and a line marks the first", () => {
  const state = running();
  state.room("dev");
  say(state, message("1", { room: "dev" }), message("2", { room: "dev" }));
  assert.equal(state.unread, 2);
  state.show("dev");
  assert.equal(state.unread, 0);
  assert.equal(state.room("dev").divider, "m-1");
  state.show("lobby");
  assert.equal(state.room("dev").divider, null, "seen once, the line is gone");
});

test("a hidden page counts too", () => {
  const state = running();
  state.watch(false);
  say(state, message("1"));
  say(state, message("own", { own: true, author: ME }));
  assert.equal(state.unread, 1);
  state.watch(true);
  assert.equal(state.unread, 0);
  assert.equal(state.room("lobby").divider, "m-1");
});

test("members come by events and by status, cleaned and without ourselves", () => {
  const state = running();
  state.apply({ type: "member", room: "lobby", id: "bob", name: "B\u202Eob", present: true }, NOW);
  state.apply({ type: "member", room: "lobby", id: ME, name: "me", present: true }, NOW);
  assert.deepEqual([...state.room("lobby").members.keys()], ["bob"]);
  assert.equal(state.nameOf("bob"), "Bob");
  state.apply({ type: "member", room: "lobby", id: "bob", name: null, present: false }, NOW);
  assert.equal(state.room("lobby").members.size, 0);
  assert.equal(state.nameOf("bob"), "Bob", "messages of people who left keep the name");
  const members = [{ id: "eve", name: null, lastSeenMs: 1 }];
  state.apply({ type: "status", status: status({ rooms: [{ name: "lobby", topic: "t", members }] }) }, NOW);
  assert.deepEqual([...state.room("lobby").members.keys()], ["eve"]);
});

test("crowds are bounded", () => {
  const state = running();
  for (let i = 0; i < NAMES_MAX + 50; i += 1) {
    state.apply({ type: "member", room: "lobby", id: `p${i}`, name: `n${i}`, present: true }, NOW);
    state.apply({ type: "member", room: "lobby", id: `p${i}`, name: null, present: false }, NOW);
  }
  assert.equal(state.names.size, NAMES_MAX);
  for (let i = 0; i < MEMBERS_MAX + 50; i += 1) {
    state.apply({ type: "member", room: "lobby", id: `q${i}`, name: null, present: true }, NOW);
  }
  assert.equal(state.room("lobby").members.size, MEMBERS_MAX);
});

test("a wrong clock does not decide the time shown", () => {
  const state = running();
  say(
    state,
    message("1", { sentMs: NOW - 60_000 }),
    message("2", { sentMs: NOW + 86_400_000 }),
    message("3", { sentMs: null, receivedMs: NOW + 5 }),
  );
  assert.deepEqual(
    state.room("lobby").entries.map((entry) => entry.atMs),
    [NOW - 60_000, NOW, NOW + 5],
  );
});

test("lost events add up", () => {
  const state = running();
  state.apply({ type: "gap", lost: 2 }, NOW);
  state.apply({ type: "gap", lost: 3 }, NOW);
  assert.equal(state.lost, 5);
});

const link = (state: Link["state"], retryInMs: number | null): Link => ({
  address: "/ip4/127.0.0.1/tcp/1/ws",
  transport: "websocket",
  peer: null,
  state,
  detail: null,
  retryInMs,
});

test("the next try is the earliest of all links", () => {
  const state = running();
  assert.equal(state.nextTryAt(), null);
  const links = [link("waiting", 4_000), link("waiting", 1_500), link("connected", null)];
  state.apply({ type: "status", status: status({ links, health: "degraded" }) }, NOW);
  assert.equal(state.nextTryAt(), NOW + 1_500);
});

test("reach and transports of a peer", () => {
  const state = running();
  const connection = { path: "direct", direction: "outbound", openedMs: 1 } as const;
  const bob: PeerInfo = {
    id: "bob",
    agent: null,
    kind: "native",
    rttMs: null,
    path: "direct",
    connections: [
      { ...connection, address: "a", transport: "websocket" },
      { ...connection, address: "b", transport: "webrtc-direct" },
      { ...connection, address: "c", transport: "websocket" },
    ],
  };
  state.apply({ type: "status", status: status({ peers: [bob] }) }, NOW);
  assert.equal(state.reach("bob"), "direct");
  assert.equal(state.reach("eve"), "others");
  assert.deepEqual(transportsOf(bob), ["webrtc-direct", "websocket"]);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  cleanName,
  isMembersRoom,
  pieces,
  roomName,
  roomOfHash,
  roomOfTopic,
  shortId,
  utf8Length,
} from "../src/text.ts";

test("names lose what could deceive, and keep what people write", () => {
  assert.equal(cleanName("Anna"), "Anna");
  assert.equal(cleanName("林小雨"), "林小雨");
  assert.equal(cleanName("José 🙂"), "José 🙂");
  assert.equal(cleanName("שלום"), "שלום");
  assert.equal(cleanName("evil\u202Egnp.exe"), "evilgnp.exe");
  assert.equal(cleanName("\u2066a\u2069\u200E\u200F\u061Cb"), "ab");
  assert.equal(cleanName("An\u200Bn\u200Ca\u200D\uFEFF\u2060\u00AD"), "Anna");
  assert.equal(cleanName("a\n\tb\u0000\u001B[31mc"), "a b[31mc");
  assert.equal(cleanName("tag\u{E0041}\u{E0042}"), "tag");
  assert.equal(cleanName("z\u0300\u0301\u0302\u0303\u0304"), "z\u0300\u0301");
});

test("names without anything to see are no names", () => {
  for (const name of ["", "   ", "\u200B\u3164\u2800\u115F", "\u202E"]) assert.equal(cleanName(name), null);
  assert.equal(cleanName(null), null);
});

test("names are bounded in characters, also astral ones", () => {
  assert.equal(cleanName("x".repeat(500)), "x".repeat(40));
  assert.equal([...(cleanName("🙂".repeat(500)) ?? "")].length, 40);
});

test("short ids are the end, where ids differ", () => {
  assert.equal(shortId("12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"), "tt6rPxc8");
});

const links = (text: string): string[] =>
  pieces(text).flatMap((piece) => (piece.href === null ? [] : [piece.text]));

test("links are found and end where the sentence goes on", () => {
  assert.deepEqual(links("see https://a.example/b?c=d#e."), ["https://a.example/b?c=d#e"]);
  assert.deepEqual(links("(http://a.example/x_(y))"), ["http://a.example/x_(y)"]);
  assert.deepEqual(links("看 https://a.example/路徑。很好"), ["https://a.example/路徑"]);
  assert.deepEqual(links("https://a.example，https://b.example！"), [
    "https://a.example",
    "https://b.example",
  ]);
  assert.deepEqual(links('"https://a.example"'), ["https://a.example"]);
  assert.deepEqual(links("HTTPS://A.EXAMPLE/Q"), ["HTTPS://A.EXAMPLE/Q"]);
});

test("only plain web links become links", () => {
  const hostile = [
    "javascript:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "vbscript:x",
    "file:///etc/passwd",
    "https://bank.example@evil.example/",
    "https://user:password@a.example/",
    "http://",
    "https:///",
    "ftp://a.example/",
  ];
  for (const text of hostile) assert.deepEqual(links(text), [], text);
});

test("an invisible character cannot hide the end of a link", () => {
  assert.deepEqual(links("https://a.example/\u202Egnp.exe"), ["https://a.example/"]);
});

test("pieces together are the whole text", () => {
  for (const text of [
    "",
    "plain",
    "https://a.example",
    "x https://a.example y http://b.example, z",
    "<b>&amp;",
  ]) {
    assert.equal(
      pieces(text)
        .map((piece) => piece.text)
        .join(""),
      text,
    );
  }
});

test("a link's target is what its text says", () => {
  for (const piece of pieces("https://a.example/%3Cscript%3E https://例.example/")) {
    if (piece.href !== null) assert.equal(piece.href, new URL(piece.text).href);
  }
});

test("long text is split in time", () => {
  const started = performance.now();
  pieces("https://".repeat(600));
  pieces(`https://a.example/${"(".repeat(2000)}${")".repeat(2000)}`);
  pieces(`https://a.example/${".".repeat(4000)}`);
  assert.ok(performance.now() - started < 1_000);
});

test("room names are canonical or refused", () => {
  assert.equal(roomName(" #Lobby "), "lobby");
  assert.equal(roomName("universal-connectivity"), "universal-connectivity");
  assert.equal(roomName("a".repeat(64)), "a".repeat(64));
  assert.equal(roomName("Members/Garden"), "members/garden");
  assert.equal(roomOfTopic("topic/peerloom/members/garden"), "members/garden");
  assert.equal(roomOfTopic("topic/peerloom/open/garden"), "garden");
  assert.equal(roomOfTopic("topic/peerloom/system/garden"), null);
  assert.equal(roomOfHash("#room=members/garden"), "members/garden");
  assert.ok(isMembersRoom("members/garden") && !isMembersRoom("membersgarden"));
  for (const bad of [
    "members/",
    "members/a/b",
    "members/members/a",
    "",
    "#",
    "a b",
    "a/b",
    "聊天",
    "a".repeat(65),
    "<x>",
  ])
    assert.equal(roomName(bad), null, bad);
});

test("the address names a room", () => {
  assert.equal(roomOfHash("#room=dev"), "dev");
  assert.equal(roomOfHash("#room=%3Cscript%3E"), null);
  assert.equal(roomOfHash("#other"), null);
  assert.equal(roomOfHash(""), null);
});

test("length is counted as the network counts it", () => {
  assert.equal(utf8Length("aé林🙂"), 1 + 2 + 3 + 4);
});

import assert from "node:assert/strict";
import { test } from "node:test";
import { ImeGuard, type Key, type KeyAction } from "../src/ime.ts";

const key = (fields: Partial<Key>): Key => ({
  key: "Enter",
  keyCode: 13,
  isComposing: false,
  shiftKey: false,
  altKey: false,
  ctrlKey: false,
  metaKey: false,
  timeStamp: 0,
  ...fields,
});

test("Enter sends, Shift+Enter and other combinations do not", () => {
  const guard = new ImeGuard();
  assert.equal(guard.pressed(key({}), false), "send");
  for (const modifier of ["shiftKey", "altKey", "ctrlKey", "metaKey"] as const) {
    assert.equal(guard.pressed(key({ [modifier]: true }), false), "none", modifier);
  }
  assert.equal(guard.pressed(key({ key: "a", keyCode: 65 }), false), "none");
});

test("Up recalls only in an empty field", () => {
  const guard = new ImeGuard();
  assert.equal(guard.pressed(key({ key: "ArrowUp", keyCode: 38 }), true), "recall");
  assert.equal(guard.pressed(key({ key: "ArrowUp", keyCode: 38 }), false), "none");
  assert.equal(guard.pressed(key({ key: "ArrowUp", keyCode: 38, isComposing: true }), true), "none");
});

/** A sequence as a browser reports it: keys, ends of compositions and releases, with times in ms. */
type Step = ["press", number, Partial<Key>] | ["end", number] | ["release", number];

function play(steps: readonly Step[]): KeyAction[] {
  const guard = new ImeGuard();
  return steps.flatMap((step) => {
    if (step[0] === "end") guard.ended(step[1]);
    else if (step[0] === "release") guard.released();
    else return [guard.pressed(key({ ...step[2], timeStamp: step[1] }), false)];
    return [];
  });
}

test("Zhuyin in Chromium: the Enter that confirms does not send, the next one does", () => {
  // ㄋ ㄧ ˇ, Enter confirms 你, Enter sends.
  const actions = play([
    ["press", 0, { key: "Process", keyCode: 229, isComposing: true }],
    ["release", 40],
    ["press", 100, { key: "Process", keyCode: 229, isComposing: true }],
    ["release", 140],
    ["press", 300, { key: "Enter", keyCode: 229, isComposing: true }],
    ["end", 301],
    ["release", 350],
    ["press", 380, {}],
  ]);
  assert.deepEqual(actions, ["none", "none", "none", "send"]);
});

test("Pinyin in Safari: the end comes before its Enter", () => {
  const actions = play([
    ["press", 0, { key: "n", keyCode: 229, isComposing: true }],
    ["release", 40],
    ["end", 200],
    ["press", 203, { key: "Enter", keyCode: 229, isComposing: false }],
    ["release", 260],
    ["press", 600, {}],
  ]);
  assert.deepEqual(actions, ["none", "none", "send"]);
});

test("Safari without the code 229: the Enter right after the end is still its Enter", () => {
  assert.deepEqual(
    play([
      ["end", 200],
      ["press", 205, {}],
      ["release", 260],
      ["press", 290, {}],
    ]),
    ["none", "send"],
  );
});

test("a candidate chosen with the pointer does not swallow a later Enter", () => {
  assert.deepEqual(
    play([
      ["end", 200],
      ["press", 900, {}],
    ]),
    ["send"],
  );
});

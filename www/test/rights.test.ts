import assert from "node:assert/strict";
import { test } from "node:test";
import { actionKeys, ACTIONS, inviteTrouble } from "../src/rights.ts";

test("every reason of a bad invitation has words, also one that is newer than the page", () => {
  assert.equal(inviteTrouble("expired"), "invite.expired");
  assert.equal(inviteTrouble("not_yet"), "invite.notYet");
  assert.equal(inviteTrouble("not_an_invite"), "invite.none");
  assert.equal(inviteTrouble("unknown_version"), "invite.newer");
  assert.equal(inviteTrouble("not_delegable"), "invite.worthless");
  for (const name of ["cut_off", "damaged", "bad_character", "too_long", "something_newer"]) {
    assert.equal(inviteTrouble(name), "invite.damaged", name);
  }
  assert.equal(inviteTrouble(null), "invite.failed");
});

test("actions are told in the page's order, and unknown ones not at all", () => {
  assert.deepEqual(actionKeys(["connect.in", "brand.new", "topic.publish"]), [
    "action.topic.publish",
    "action.connect.in",
  ]);
  assert.deepEqual(actionKeys([]), []);
  assert.equal(new Set(Object.values(ACTIONS)).size, 23);
});

import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { createPeer, PeerloomError, preload } from "../src/index.js";
import { calls, ME, script, status } from "./raw.js";

// The smallest valid module: magic number and version.
const EMPTY = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
let answer = 503;
const server = createServer((_, response) => {
  response.writeHead(answer, { "content-length": answer === 200 ? EMPTY.length : 0 });
  response.end(answer === 200 ? EMPTY : undefined);
});
let wasm: URL;

before(async () => {
  // The compiled tests lie beside a place where the raw module would be: put the stand-in there.
  const folder = new URL("../src/wasm/", import.meta.url);
  await mkdir(folder, { recursive: true });
  await writeFile(
    new URL("peerloom_wasm_peer.js", folder),
    'export { default, Peer } from "../../test/raw.js";\n',
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  wasm = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/peer.wasm`);
});

after(() => server.close());

test("a failed load says so, can be retried, then counts bytes and loads once", async () => {
  await assert.rejects(
    createPeer({ wasm }),
    (error: unknown) => error instanceof PeerloomError && error.code === "WEB-001" && error.retryable,
  );
  answer = 200;
  const progress: unknown[] = [];
  script.start = (listener) => {
    listener([{ type: "status", status: status({ health: "connected" }) }]);
    return Promise.resolve();
  };
  const options = { wasm, relays: ["/ip4/127.0.0.1/tcp/1/ws/p2p/x"], name: "Ann" };
  const [peer] = await Promise.all([
    createPeer({ ...options, onProgress: (one) => progress.push(one) }),
    preload(wasm),
  ]);
  assert.equal(peer.id, ME);
  assert.equal(peer.persisted, true);
  assert.equal(peer.status.health, "connected", "what is reported during the start is not lost");
  assert.deepEqual(progress.at(-1), { loaded: 8, total: 8 });
  await createPeer({ identity: "ephemeral" });
  assert.deepEqual(calls, [
    "init true",
    'start {"identity":"default","relays":["/ip4/127.0.0.1/tcp/1/ws/p2p/x"],"name":"Ann"}',
    'start {"identity":null,"relays":[],"name":null}',
  ]);
});

test("an aborted start rejects with the reason", async () => {
  const reason = new Error("changed my mind");
  await assert.rejects(createPeer({ wasm, signal: AbortSignal.abort(reason) }), reason);
  const stop = new AbortController();
  script.start = () => {
    stop.abort(reason);
    return Promise.resolve();
  };
  await assert.rejects(createPeer({ wasm, signal: stop.signal }), reason);
});

test("a panic during the start is a crash", async () => {
  script.start = () => Promise.reject(new WebAssembly.RuntimeError("unreachable"));
  await assert.rejects(
    createPeer({ wasm }),
    (error: unknown) => error instanceof PeerloomError && error.code === "WEB-004",
  );
});

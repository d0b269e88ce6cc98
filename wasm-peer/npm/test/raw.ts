// A hand-written stand-in for the raw module: the tests play the network.
import type { Grant, Message, PeerEvent, Status } from "../src/types.js";

export const ME = "12D3KooWMe";

export function status(fields: Partial<Status> = {}): Status {
  return {
    schema: "peerloom/status/1",
    id: ME,
    agent: "peerloom/0.1.0 (browser)",
    health: "connecting",
    reason: "dialling",
    links: [],
    peers: [],
    rooms: [],
    addresses: [],
    listen: [],
    uptimeMs: 1,
    ...fields,
  };
}

export function message(id: string, fields: Partial<Message> = {}): Message {
  return {
    room: "lobby",
    id,
    author: "12D3KooWBob",
    text: "hello",
    sentMs: 1,
    receivedMs: 2,
    own: false,
    ...fields,
  };
}

/** What the test wants the next calls to do. */
export const script: {
  join: (room: string) => Promise<void>;
  stop: () => Promise<void>;
  start: (listener: (events: PeerEvent[]) => void) => Promise<void>;
} = {
  join: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  start: () => Promise.resolve(),
};

/** Each call that reached the raw module, in words. */
export const calls: string[] = [];

export class Peer {
  readonly id = ME;
  readonly persisted = true;
  readonly listener: (events: PeerEvent[]) => void;
  #sent = 0;

  constructor(listener: (events: PeerEvent[]) => void = () => undefined) {
    this.listener = listener;
  }

  static async start(options: unknown, listener: (events: PeerEvent[]) => void): Promise<Peer> {
    calls.push(`start ${JSON.stringify(options)}`);
    await script.start(listener);
    return new Peer(listener);
  }

  status(): Status {
    return status();
  }

  dial(address: string): Promise<string> {
    if (address === "bad") {
      const fields = { code: "NET-101", hint: "Write /ip4/...", docs: "docs/errors.md#net-101" };
      return Promise.reject(
        Object.assign(new Error("bad address."), fields, {
          retryable: false,
        }),
      );
    }
    if (address === "trap") throw new WebAssembly.RuntimeError("unreachable");
    return Promise.resolve("12D3KooWBob");
  }

  hangUp(peer: string): Promise<void> {
    calls.push(`hangUp ${peer}`);
    return Promise.resolve();
  }

  ping(peer: string): Promise<number> {
    return peer === "nobody" ? new Promise(() => undefined) : Promise.resolve(7);
  }

  join(room: string): Promise<void> {
    calls.push(`join ${room}`);
    return script.join(room);
  }

  leave(room: string): Promise<void> {
    calls.push(`leave ${room}`);
    return Promise.resolve();
  }

  send(room: string, text: string): Promise<Message> {
    this.#sent += 1;
    const sent = message(`own-${this.#sent}`, { room, text, author: ME, own: true });
    this.listener([{ type: "message", message: sent }]);
    return Promise.resolve(sent);
  }

  setName(name: string | null): void {
    calls.push(`setName ${name}`);
  }

  #held: Grant[] = [];

  accept(link: string): Promise<Grant> {
    if (!link.includes("#j=")) {
      const fields = { code: "INV-001", hint: "Copy all of it.", reason: "not_an_invite", retryable: false };
      return Promise.reject(Object.assign(new Error("this is no invitation"), fields));
    }
    const grant: Grant = { root: "12D3KooWBob", actions: ["topic.publish"], about: "", expiresMs: 5 };
    this.#held.push(grant);
    return Promise.resolve(grant);
  }

  grants(forget: boolean): Promise<Grant[]> {
    if (forget) this.#held = [];
    return Promise.resolve(this.#held);
  }

  stop(): Promise<void> {
    return script.stop();
  }
}

export default function init(options: { module_or_path: unknown }): Promise<unknown> {
  calls.push(`init ${options.module_or_path instanceof WebAssembly.Module}`);
  return Promise.resolve();
}

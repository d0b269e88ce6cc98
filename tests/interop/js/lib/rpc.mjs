// Gossipsub's wire messages by hand: for light clients, and to build what a well-behaved library never would.
// RPC {1 subscriptions {1 subscribe, 2 topic}, 2 publish Message, 3 control {1 ihave, 2 iwant, 3 graft, 4 prune}};
// Message {1 from, 2 data, 3 seqno, 4 topic, 5 signature, 6 key}. A frame is a varint length and the RPC.
import './node20.mjs'
import { putVarint, takeVarint } from './post.mjs'

export const MESHSUB = '/meshsub/1.1.0'
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const SIGN_PREFIX = encoder.encode('libp2p-pubsub:')

const join = (...parts) => Buffer.concat(parts)

function field(number, bytes) {
  const head = []
  putVarint(head, (number << 3) | 2)
  putVarint(head, bytes.length)
  return join(Uint8Array.from(head), bytes)
}

/** The RPC with its length in front, as it goes onto the stream. */
export function frame(rpc) {
  const head = []
  putVarint(head, rpc.length)
  return join(Uint8Array.from(head), rpc)
}

export const subscription = (topic, subscribe = true) =>
  field(1, join(Uint8Array.of(8, subscribe ? 1 : 0), field(2, encoder.encode(topic))))
export const graft = (topic) => field(3, field(3, field(1, encoder.encode(topic))))
export const ihave = (topic, ids) =>
  field(3, field(1, join(field(1, encoder.encode(topic)), ...ids.map((id) => field(2, id)))))
export const publication = (message) => field(2, message)

/** A `Message`; every field may be left out, to make bad ones. */
export function encodeMessage({ from, data, seqno, topic, signature, key }) {
  const parts = [from, data, seqno, topic && encoder.encode(topic), signature, key]
  return join(...parts.flatMap((bytes, index) => (bytes ? [field(index + 1, bytes)] : [])))
}

let lastSeqno = BigInt(Date.now()) * 1_000_000n

/** The next sequence number of this process: eight bytes, big-endian. */
export function nextSeqno() {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, ++lastSeqno)
  return bytes
}

/** A properly signed message of the peer that holds `privateKey` (a js-libp2p private key). */
export async function signedMessage(privateKey, topic, data) {
  const message = { from: privateKey.publicKey.toMultihash().bytes, data, seqno: nextSeqno(), topic }
  const signature = await privateKey.sign(join(SIGN_PREFIX, encodeMessage(message)))
  return { ...message, signature }
}

/** Splits length-delimited bytes into `[field number, bytes]`; other wire types are skipped. */
function* fields(bytes) {
  let at = 0
  while (at < bytes.length) {
    let tag
    ;[tag, at] = takeSmall(bytes, at)
    const wire = tag & 7
    if (wire === 2) {
      let length
      ;[length, at] = takeSmall(bytes, at)
      yield [tag >>> 3, bytes.subarray(at, at + length)]
      at += length
    } else if (wire === 0) {
      ;[, at] = takeVarint(bytes, at)
    } else {
      throw new Error(`wire type ${wire} in a pubsub RPC`)
    }
  }
}

/** A varint below 2^28 without bigints: this runs for every message of the hub test. */
function takeSmall(bytes, at) {
  let value = 0
  for (let shift = 0; shift < 28; shift += 7) {
    const byte = bytes[at++]
    if (byte === undefined) throw new Error('varint cut short')
    value |= (byte & 0x7f) << shift
    if (byte < 0x80) return [value, at]
  }
  throw new Error('length of 2^28 or more')
}

/** Calls `onMessage({from, data, topic})` and `onTopic(topic, subscribed)` for what an RPC holds. */
export function readRpc(rpc, { onMessage, onTopic = () => {} }) {
  for (const [number, value] of fields(rpc)) {
    if (number === 2) {
      const message = {}
      for (const [inner, bytes] of fields(value)) {
        if (inner === 1) message.from = bytes
        else if (inner === 2) message.data = bytes
        else if (inner === 4) message.topic = bytes
      }
      onMessage(message)
    } else if (number === 1) {
      let topic
      for (const [inner, bytes] of fields(value)) if (inner === 2) topic = decoder.decode(bytes)
      onTopic(topic, value[0] !== 8 || value[1] === 1)
    }
  }
}

/** Cuts a byte stream into frames; `push(chunk)` calls `onRpc` for every whole one. */
export class Frames {
  constructor(onRpc) {
    this.onRpc = onRpc
    this.rest = Buffer.alloc(0)
  }

  push(chunk) {
    let bytes = this.rest.length === 0 ? chunk : join(this.rest, chunk)
    for (;;) {
      let length
      let at
      try {
        ;[length, at] = takeSmall(bytes, 0)
      } catch {
        break
      }
      if (bytes.length < at + length) break
      this.onRpc(bytes.subarray(at, at + length))
      bytes = bytes.subarray(at + length)
    }
    this.rest = bytes
  }
}

// The protobuf message `Post`, the payload of every room but universal-connectivity, written by hand:
// {1 v, 2 counter, 3 created_ms, 4 kind: varints; 5 body, 6 reply_to: bytes}.

export const KIND = { unspecified: 0, text: 1, presence: 2, leave: 3 }

const NUMBERS = { 1: 'v', 2: 'counter', 3: 'createdMs', 4: 'kind' }
const BYTES = { 5: 'body', 6: 'replyTo' }

/** Appends `value` (a non-negative number or bigint below 2^64) to `out` as a protobuf varint. */
export function putVarint(out, value) {
  let rest = BigInt(value)
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80)
    rest >>= 7n
  }
  out.push(Number(rest))
}

/** Reads a varint: `[value as bigint, offset behind it]`. */
export function takeVarint(bytes, at) {
  let value = 0n
  for (let shift = 0n; shift < 70n; shift += 7n) {
    if (at >= bytes.length) throw new Error('varint cut short')
    const byte = bytes[at++]
    value |= BigInt(byte & 0x7f) << shift
    if (byte < 0x80) return [value, at]
  }
  throw new Error('varint longer than ten bytes')
}

/** Appends a length-delimited field. */
export function putBytes(out, field, bytes) {
  putVarint(out, (field << 3) | 2)
  putVarint(out, bytes.length)
  for (const byte of bytes) out.push(byte)
}

/** Encodes a post; fields that are 0 or empty are left out, as protobuf 3 does. */
export function encodePost({ v = 1, counter = 0, createdMs = Date.now(), kind = KIND.text, body = '', replyTo } = {}) {
  const out = []
  const numbers = [v, counter, createdMs, kind]
  numbers.forEach((value, index) => {
    if (BigInt(value) === 0n) return
    putVarint(out, (index + 1) << 3)
    putVarint(out, value)
  })
  const bytes = typeof body === 'string' ? new TextEncoder().encode(body) : body
  if (bytes.length > 0) putBytes(out, 5, bytes)
  if (replyTo?.length > 0) putBytes(out, 6, replyTo)
  return Uint8Array.from(out)
}

/** Decodes a post; throws on anything malformed. `text` is the body read as UTF-8. */
export function decodePost(bytes) {
  const post = { v: 0, counter: 0n, createdMs: 0, kind: 0, body: new Uint8Array(), replyTo: new Uint8Array() }
  let at = 0
  while (at < bytes.length) {
    let tag
    ;[tag, at] = takeVarint(bytes, at)
    const field = Number(tag >> 3n)
    const wire = Number(tag & 7n)
    if (wire === 0) {
      let value
      ;[value, at] = takeVarint(bytes, at)
      const name = NUMBERS[field]
      if (name) post[name] = name === 'counter' ? value : Number(value)
    } else if (wire === 2) {
      let length
      ;[length, at] = takeVarint(bytes, at)
      const end = at + Number(length)
      if (end > bytes.length) throw new Error('field longer than the message')
      const name = BYTES[field]
      if (name) post[name] = bytes.slice(at, end)
      at = end
    } else {
      throw new Error(`wire type ${wire} in a post`)
    }
  }
  post.text = new TextDecoder('utf-8', { fatal: true }).decode(post.body)
  return post
}

/** The length-delimited fields of a protobuf message: `[[number, bytes], ...]`; varints are skipped. */
export function readFields(bytes) {
  const found = []
  let at = 0
  while (at < bytes.length) {
    let tag
    ;[tag, at] = takeVarint(bytes, at)
    if ((tag & 7n) === 2n) {
      let length
      ;[length, at] = takeVarint(bytes, at)
      const end = at + Number(length)
      if (end > bytes.length) throw new Error('field longer than the message')
      found.push([Number(tag >> 3n), bytes.slice(at, end)])
      at = end
    } else if ((tag & 7n) === 0n) {
      ;[, at] = takeVarint(bytes, at)
    } else {
      throw new Error(`wire type ${tag & 7n}`)
    }
  }
  return found
}

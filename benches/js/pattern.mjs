// The bytes that are sent: the same as src/pattern.rs makes. Runs in Node and in pages.
export function block() {
  const bytes = new Uint8Array(65521)
  let state = 2463534242
  for (let at = 0; at < bytes.length; at++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    bytes[at] = state & 0xff
  }
  return bytes
}

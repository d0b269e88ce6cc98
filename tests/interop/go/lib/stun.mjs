// Reads the one thing the tests want to know of a STUN message: the name in its connectivity check.

const HEADER = 20
const USERNAME = 0x0006
const MAGIC = 0x2112a442

/** The USERNAME of a STUN binding request (RFC 8489, section 14.3), or null when the bytes are anything else. */
export function usernameOf(bytes) {
  if (bytes.length < HEADER || bytes.readUInt16BE(0) !== 1 || bytes.readUInt32BE(4) !== MAGIC) return null
  for (let at = HEADER; at + 4 <= bytes.length;) {
    const length = bytes.readUInt16BE(at + 2)
    if (bytes.readUInt16BE(at) === USERNAME) return bytes.toString('utf8', at + 4, at + 4 + length)
    at += 4 + Math.ceil(length / 4) * 4
  }
  return null
}

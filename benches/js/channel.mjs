// The control: a raw RTCDataChannel between two RTCPeerConnections of one page, with messages of the size that libp2p
// uses and as much buffered as our streams have.
import { block } from './pattern.mjs'

const MESSAGE_BYTES = 16 * 1024
const [HIGH, LOW] = [256 * 1024, 64 * 1024]
let from
let to

export async function start() {
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()]
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate)
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate)
  from = a.createDataChannel('', { negotiated: true, id: 0 })
  to = b.createDataChannel('', { negotiated: true, id: 0 })
  from.bufferedAmountLowThreshold = LOW
  to.binaryType = 'arraybuffer'
  await a.setLocalDescription(await a.createOffer())
  await b.setRemoteDescription(a.localDescription)
  await b.setLocalDescription(await b.createAnswer())
  await a.setRemoteDescription(b.localDescription)
  await Promise.all([from, to].map((c) => c.readyState === 'open' || new Promise((done) => (c.onopen = done))))
}

async function send(count) {
  const pattern = block()
  const twice = new Uint8Array(2 * pattern.length)
  twice.set(pattern)
  twice.set(pattern, pattern.length)
  for (let at = 0; at < count; at += MESSAGE_BYTES) {
    if (from.bufferedAmount > HIGH) await new Promise((done) => (from.onbufferedamountlow = done))
    const start = at % pattern.length
    from.send(twice.subarray(start, start + Math.min(MESSAGE_BYTES, count - at)))
  }
}

export async function carryOut({ up: count }) {
  // Hashed when the clock has stopped: pages have no hash that takes pieces.
  const all = new Uint8Array(count)
  const begin = performance.now()
  let at = 0
  const done = new Promise((resolve) => {
    to.onmessage = ({ data }) => {
      all.set(new Uint8Array(data), at)
      at += data.byteLength
      if (at >= count) resolve()
    }
  })
  await send(count)
  await done
  const seconds = (performance.now() - begin) / 1000
  return { seconds, sha256: await hex(all) }
}

export async function hex(bytes) {
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('')
}

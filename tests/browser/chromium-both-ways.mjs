// Nothing of ours but the browser: two peer connections in one page, bulk data in both directions at once.
// Shows how long one direction of Chromium's own SCTP stands still meanwhile. Not a test; run it by hand:
//   node chromium-both-ways.mjs [ROUNDS] [MIB]
import { createServer } from 'node:http'
import { startBrowser } from './lib/browser.mjs'

const [rounds = 10, mib = 48] = process.argv.slice(2).map(Number)
const server = createServer((_, answer) => {
  answer.setHeader('content-type', 'text/html')
  answer.end('<!doctype html><title>both ways</title>')
}).listen(0, '127.0.0.1')
const browser = await startBrowser()
for (let round = 1; round <= rounds; round++) {
  const window = await browser.open(`http://127.0.0.1:${server.address().port}/`)
  const seen = await window.page.evaluate(bothWays, mib * 2 ** 20)
  console.log(`${round}: ended after ${seen.ends.join(', ')} ms; longest silence: to B ${seen.toB} ms, to A ${seen.toA} ms`)
  await window.stop()
}
await browser.stop()
server.close()

/** Runs in the page: two bulk channels from A to B, one from B to A, `size` bytes each. */
async function bothWays(size) {
  const [a, b] = [new RTCPeerConnection(), new RTCPeerConnection()]
  const silence = { toA: 0, toB: 0 }
  const last = { toA: 0, toB: 0 }
  const receive = (name) => ({ channel }) => {
    let received = 0
    channel.binaryType = 'arraybuffer'
    channel.onmessage = ({ data }) => {
      const now = performance.now()
      if (last[name]) silence[name] = Math.max(silence[name], now - last[name])
      last[name] = now
      received += data.byteLength
      if (received >= size) channel.send('all')
    }
  }
  const bulk = (peer) =>
    new Promise((done) => {
      const channel = peer.createDataChannel('bulk')
      const frame = new Uint8Array(16_384)
      let sent = 0
      const pump = () => {
        for (; sent < size && channel.bufferedAmount < 262_144; sent += frame.length) channel.send(frame)
      }
      channel.bufferedAmountLowThreshold = 65_536
      channel.onopen = pump
      channel.onbufferedamountlow = pump
      channel.onmessage = () => done(performance.now())
    })
  a.ondatachannel = receive('toA')
  b.ondatachannel = receive('toB')
  a.onicecandidate = ({ candidate }) => candidate && b.addIceCandidate(candidate)
  b.onicecandidate = ({ candidate }) => candidate && a.addIceCandidate(candidate)
  const first = a.createDataChannel('first')
  await a.setLocalDescription()
  await b.setRemoteDescription(a.localDescription)
  await b.setLocalDescription()
  await a.setRemoteDescription(b.localDescription)
  await new Promise((open) => (first.onopen = open))
  const start = performance.now()
  const ends = await Promise.all([bulk(a), bulk(a), bulk(b)])
  a.close()
  b.close()
  const round = Math.round
  return { ends: ends.map((end) => round(end - start)), toA: round(silence.toA), toB: round(silence.toB) }
}
